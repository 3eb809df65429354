"""Settings -> docs/settings.md. A test fails when the file in the repository differs."""

from pathlib import Path

from pydantic import SecretStr

from gateway.model.texts import Texts
from gateway.settings.expectations import expectation
from gateway.settings.load import TEXTS, Setting, known
from gateway.settings.model import Alerts, Registry, Temis

_HEAD = """\
# Settings

Generated from `gateway/settings/model.py` by `python -m gateway.settings.document`; do not edit by hand.

Every setting is an environment variable. An empty value counts as not set; a `GATEWAY_*` name that is not in
this list stops start-up, and so does every other fault, all of them named at once. `gateway settings` shows the
values in use. The part after the last `_` is the unit: `_ms` milliseconds, `_s` seconds, `_bytes` bytes.
"""


def document() -> str:
    """The whole page, in Markdown."""
    groups: dict[str, list[Setting]] = {}
    for setting in known().values():
        groups.setdefault(setting.path[0] if len(setting.path) > 1 else "", []).append(setting)
    titles = {"": "The gateway", "temis": Temis.__doc__, "registry": Registry.__doc__, "alerts": Alerts.__doc__}
    assert groups.keys() == titles.keys(), "each group of settings has a title"
    return _HEAD + "".join(_table(str(titles[group]), settings) for group, settings in groups.items())


def _table(title: str, settings: list[Setting]) -> str:
    texts = Texts.load(TEXTS)
    lines = [f"\n## {title.rstrip('.')}\n", "| Name | Takes | Default | What it does |", "|---|---|---|---|"]
    for setting in settings:
        takes = expectation(setting.field, texts, "en")
        lines.append(f"| `{setting.name}` | {takes} | {_default(setting)} | {setting.field.description} |")
    return "\n".join(lines) + "\n"


def _default(setting: Setting) -> str:
    default = setting.field.default
    if default is None or isinstance(default, SecretStr):
        return "–"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    shown = f"./{default}" if isinstance(default, Path) and not str(default).startswith("~") else default
    return f"`{shown}`"


if __name__ == "__main__":
    Path("docs/settings.md").write_text(document(), "utf-8")
