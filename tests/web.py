"""What a real browser says about a page."""

from collections.abc import Callable

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # it ships no types
from playwright.sync_api import Page

Open = Callable[..., Page]  # opens a file with a width in pixels and a colour scheme


def check_accessibility(page: Page) -> None:
    """Let axe look at the page, and see that nothing but tables scrolls sideways."""
    violations = Axe().run(page).response["violations"]
    assert [(violation["id"], violation["nodes"][0]["html"]) for violation in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
