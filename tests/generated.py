"""Files that are written from the code: compared by tests, written anew by UPDATE_GENERATED=1 pytest …"""

import os
from pathlib import Path

ROOT = Path(__file__).parent.parent


def check(path: str, text: str) -> None:
    """The file under the project's root says exactly `text`."""
    file = ROOT / path
    if os.environ.get("UPDATE_GENERATED") == "1":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    found = file.read_text("utf-8") if file.exists() else None
    assert found == text, f"{path} differs from the code: run UPDATE_GENERATED=1 pytest on this test"
