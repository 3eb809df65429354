"""Texts for people as data: vi.toml and en.toml of one folder, read by key and filled."""

import string
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

Lang = Literal["vi", "en"]
LANGS: tuple[Lang, ...] = ("vi", "en")


class Texts:
    """Two languages with the same keys. Build it with `load`."""

    def __init__(self, by_lang: Mapping[Lang, Mapping[str, str]]) -> None:
        self._by_lang = by_lang

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads `folder`/vi.toml and en.toml: `[init] done = "…"` is the key `init.done`."""
        return cls({lang: _flat(tomllib.loads((folder / f"{lang}.toml").read_text("utf-8"))) for lang in LANGS})

    def keys(self, lang: Lang) -> frozenset[str]:
        return frozenset(self._by_lang[lang])

    def has(self, key: str) -> bool:
        """Whether either language knows the key."""
        return any(key in texts for texts in self._by_lang.values())

    def placeholders(self, key: str, lang: Lang) -> frozenset[str]:
        """Names in braces: `"{n} chữ số"` has {"n"}. Raises: KeyError when `lang` lacks the key."""
        parts = string.Formatter().parse(self._by_lang[lang][key])
        return frozenset(name for _, name, _, _ in parts if name is not None)

    def get(self, key: str, lang: Lang, /, **fill: object) -> str:
        """The text, filled. The other language stands in for a missing one; the key itself only for both.

        A placeholder without a value stays as it is written: a half-filled sentence still tells more than
        a crash in the middle of reporting an error.
        """
        for candidate in (lang, *LANGS):
            text = self._by_lang[candidate].get(key)
            if text is not None:
                return text.format_map(_Kept(fill)) if "{" in text or "}" in text else text
        return key


class _Kept(dict[str, object]):
    """Fillers that leave an unknown placeholder in braces."""

    def __missing__(self, name: str) -> str:
        return "{" + name + "}"


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = str(value)
    return flat


def language(env: Mapping[str, str]) -> Lang:
    """The reader's language from the locale variables: English when they ask for it, else Vietnamese.

    LC_ALL wins over LC_MESSAGES, that over LANG, as in POSIX. `C` and an unset locale are Vietnamese: most
    readers are, and servers rarely set a locale.
    """
    chosen = next((env[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if env.get(name)), "")
    return "en" if chosen.lower().startswith("en") else "vi"
