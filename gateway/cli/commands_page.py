"""The commands for readers: what is found in gateway/cli -> docs/commands.md."""

from collections.abc import Iterator
from typing import Any

from gateway.cli import build
from gateway.cli.output import TEXTS, Invocation
from gateway.model.texts import Texts

HEAD = """\
# Commands

Generated from `gateway/cli/` by `make contracts`; do not edit by hand.

`--lang vi` or `--lang en` may stand anywhere; without it `GATEWAY_LANG` decides, else the locale. With `--json`
a command prints JSON and nothing else to standard output; errors always go to standard error.

{exits}
"""


def document() -> str:
    """docs/commands.md, whole, in English."""
    this = Invocation({}, "en", Texts.load(TEXTS))
    commands = sorted(_walk("gateway", build(this)))
    return HEAD.format(exits=this.text("gateway.exits")) + "".join(_section(*one) for one in commands)


def names() -> list[str]:
    """Every command by the words it is called by: "gateway vendors add"."""
    return [name for name, _ in _walk("gateway", build(Invocation({}, "en", Texts.load(TEXTS))))]


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    members = getattr(command, "commands", None)
    if members is None:
        yield name, command
        return
    if command.invoke_without_command and name != "gateway":
        yield name, command
    for word, member in members.items():
        yield from _walk(f"{name} {word}", member)


def _section(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    lines = [f"\n## `{' '.join([name, *map(_word, arguments)])}`", command.help]
    lines += [f"- `{_word(p)}`: {p.help}" for p in arguments]
    lines += [f"- `{', '.join(p.opts)}`{_default(p)}: {p.help}" for p in options]
    return "\n".join(lines) + "\n"


def _word(argument: Any) -> str:
    word = argument.name.upper() + ("…" if argument.nargs == -1 else "")
    return word if argument.required else f"[{word}]"


def _default(option: Any) -> str:
    if option.required:
        return " (must be given)"
    return "" if option.default in (None, False) else f" (`{option.default}`)"
