"""Debian's Chromium, where it is: flags for a machine without a screen, and what to do where it is missing."""

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",  # CI is root, and looks at our own pages only
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
MISSING = (
    "the tests of the console need Chromium: `apt-get install chromium fonts-noto-core`, "
    "or name another one in GATEWAY_TEST_CHROMIUM"
)


def find_chromium() -> str:
    """Its path. Skips the test where there is none, and fails it in CI: there it must be."""
    found = os.environ.get("GATEWAY_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(MISSING)
    return found
