"""Writes the generated part of contracts/gateway/: `python -m gateway.api.document`. A test fails on drift."""

import json
from pathlib import Path

from gateway.api.openapi import documents


def write(folder: Path) -> None:
    """Writes every document below `folder`, replacing what is there."""
    for name, document in documents().items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text(document), "utf-8")


def text(document: object) -> str:
    """The bytes of a document: stable, so that a difference is a change of the contract."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    write(Path("contracts/gateway"))
