"""What axe finds on a page."""

from pathlib import Path

from playwright.sync_api import Page

AXE = (Path(__file__).parent / "vendor" / "axe-4.14.1.min.js").read_text("utf-8")
FOUND = """async () => (await axe.run({resultTypes: ["violations"]})).violations
  .flatMap(({id, nodes}) => nodes.map((node) => `${id}: ${node.target} ${node.failureSummary}`))"""


def sound(page: Page) -> None:
    """No violation, and nothing wider than the screen, wide and narrow, light and dark."""
    page.evaluate(AXE)
    for width, scheme in ((1280, "light"), (320, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = page.evaluate(FOUND)
        assert found == [], (page.url, width, found)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
