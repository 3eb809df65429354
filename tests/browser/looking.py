"""How tests look at pages: signed in as somebody, with every complaint of the browser kept, and axe at hand."""

import os
from pathlib import Path
from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page

from tests.browser.world import World

NARROW = {"width": 360, "height": 740}
WIDE = {"width": 1280, "height": 800}
_AXE = Axe()


class Console:
    """The console in a browser. `complaints`: what pages wrote to their console, and scripts that failed."""

    def __init__(self, browser: Browser, world: World) -> None:
        self.world = world
        self.complaints: list[str] = []
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    async def open(self, login: str | None, path: str, **context: Any) -> Page:
        """A page in a browser of its own, signed in as `login`; `context`: more of Playwright's new_context."""
        options: dict[str, Any] = {"viewport": WIDE, "base_url": self.world.address, "reduced_motion": "reduce"}
        made = await self._browser.new_context(**options | context)
        self._contexts.append(made)
        if login is not None:
            await made.add_cookies(self.world.cookies[login])
        page = await made.new_page()
        page.set_default_timeout(10_000)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await page.goto(path)
        return page

    async def check(self, page: Page, *, name: str = "") -> None:
        """No serious finding of axe, light or dark; nothing to scroll sideways at 360 px; one main heading."""
        found = await findings(page)
        await page.emulate_media(color_scheme="dark")
        found += await findings(page, "color-contrast")  # what else is there does not depend on colours
        await page.emulate_media(color_scheme="light")
        assert not found, "\n".join(found)
        await self.picture(page, name)
        wide = page.viewport_size or WIDE
        await page.set_viewport_size(NARROW)
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
        await self.picture(page, f"{name}-360" if name else "")
        await page.set_viewport_size(wide)
        assert await page.locator("h1").count() == 1

    async def picture(self, page: Page, name: str) -> None:
        """Keeps a picture where GATEWAY_TEST_PICTURES names a folder."""
        if name and (folder := os.environ.get("GATEWAY_TEST_PICTURES")):
            await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    async def close(self) -> None:
        for context in self._contexts:
            await context.close()

    def _heard(self, message: ConsoleMessage) -> None:
        # A status of 400 and above is what some tests are about; the browser reports each.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)


async def findings(page: Page, *rules: str) -> list[str]:
    """What axe finds serious or critical, by all rules or these: rule and place, readable in an assertion."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(_AXE.axe_script)  # half a megabyte: once a page
    violations = await page.evaluate("async (options) => (await axe.run(options)).violations", options)
    return [
        f"{one['id']}: {node['target']} {node.get('failureSummary', '')}"
        for one in violations
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
