"""Texts of the console: texts/NAME/{vi,en}.toml, one folder for each page, as keys `NAME.…`."""

from pathlib import Path

from gateway.model.texts import LANGS, Lang, Texts

FOLDER = Path(__file__).parent / "texts"


class Words:
    """All folders together."""

    def __init__(self, folder: Path) -> None:
        self._texts = {path.name: Texts.load(path) for path in sorted(folder.iterdir()) if path.is_dir()}

    def get(self, key: str, lang: Lang, /, **fill: object) -> str:
        """The text `FOLDER.rest of the key`, filled; the key itself when nobody wrote it."""
        folder, _, rest = key.partition(".")
        texts = self._texts.get(folder)
        return texts.get(rest, lang, **fill) if texts is not None and texts.has(rest) else key

    def has(self, key: str) -> bool:
        folder, _, rest = key.partition(".")
        return folder in self._texts and self._texts[folder].has(rest)

    def keys(self) -> frozenset[str]:
        """Every key of either language."""
        return frozenset(
            f"{name}.{key}" for name, texts in self._texts.items() for lang in LANGS for key in texts.keys(lang)
        )


WORDS = Words(FOLDER)
