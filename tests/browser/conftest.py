"""Fixtures for pages in real Chromium: one world and one browser for all tests, a page a test.

    async def test_the_list_says_why(console):
        \"\"\"One sentence: the rule.\"\"\"
        page = await console.open("truong", "/console/failures")      # a login of demonstration/office.py
        await expect(page.get_by_role("heading", level=1)).to_have_text("…")
        await console.check(page)                                     # axe, 360 px, one main heading

`console.world` has the people, the items sent, the open database (`gateway`) and the sandbox.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests.browser.chromium import FLAGS, find_chromium
from tests.browser.looking import Console
from tests.browser.world import World, standing

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all of them: browser and world live in it."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = find_chromium()
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield started
        await started.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Asks for the browser first: without one nothing is built."""
    async with standing(tmp_path_factory.mktemp("world") / "place") as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def console(browser: Browser, world: World) -> AsyncIterator[Console]:
    """Opens pages as whoever is named; at the end no page may have complained."""
    made = Console(browser, world)
    yield made
    await made.close()
    assert made.complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def stranger(console: Console) -> Page:
    """A page of somebody who has not signed in."""
    return await console.open(None, "/console/sign-in")
