"""No page scrolls sideways, at any width, whatever people write."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.conftest import sign_in
from e2e.pages import NOTHING, PUBLIC, SIGNED_IN
from genreweb.trial import Site

pytestmark = pytest.mark.e2e

WIDTHS = (320, 360, 768, 1280)
MOST_SHIFT = 0.02
"""Below this nobody sees that something moved; a list that jumps by one of its rows is 0.04 on a phone."""
SHIFTS = """window.shifts = [];
new PerformanceObserver((list) => {
  for (const {value, sources} of list.getEntries()) {
    const moved = sources.map(({node}) => node?.className || node?.nodeName);
    shifts.push([value, String(moved.slice(0, 3))]);
  }
}).observe({type: "layout-shift", buffered: true});"""


def too_wide(page: Page, path: str) -> list[str]:
    """Give the widths at which a page is wider than its window."""
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        if (needed := page.evaluate("document.documentElement.scrollWidth")) > width:
            found.append(f"{path} at {width}: {needed}")
    return found


@pytest.mark.parametrize("language", ["en", "ko"])
def test_no_page_scrolls_sideways(
    browser: Browser, open_page: Callable[..., Page], site: Site, ids: dict[str, object], language: str
) -> None:
    wide = []
    stranger = open_page(locale=language)
    for path in PUBLIC:
        stranger.goto(path)
        wide += too_wide(stranger, path)
    # Its status would count as a complaint of the page.
    lost = browser.new_page(base_url=site.address, locale=language)
    lost.goto(NOTHING)
    wide += too_wide(lost, NOTHING)
    lost.close()
    page = open_page(locale=language)
    sign_in(page, site)
    for path in SIGNED_IN:
        answer = page.goto(path.format(**ids))
        assert answer is not None
        assert answer.status == 200, path
        wide += too_wide(page, path)
    assert not wide, "\n".join(wide)


@pytest.mark.chromium_only("Firefox does not measure what moves")
def test_nothing_moves_while_a_page_loads(
    open_page: Callable[..., Page], site: Site, ids: dict[str, object]
) -> None:
    page = open_page(viewport={"width": 360, "height": 780}, has_touch=True)
    page.add_init_script(SHIFTS)
    sign_in(page, site)
    jumps = []
    for path in SIGNED_IN:
        page.goto(path.format(**ids), wait_until="networkidle")
        moved = page.evaluate("shifts")
        if sum(value for value, _what in moved) > MOST_SHIFT:
            jumps.append(f"{path}: {moved}")
    assert not jumps, "\n".join(jumps)


def test_a_long_title_leaves_the_player_on_the_screen(
    open_page: Callable[..., Page], site: Site, ids: dict[str, object]
) -> None:
    page = open_page(viewport={"width": 320, "height": 640})
    sign_in(page, site)
    page.goto(f"/tracks/{ids['track']}/")
    page.locator(".neighbour [data-play]").first.click()
    player = page.get_by_role("region", name="Player")
    expect(player.locator("[data-player=title]")).not_to_be_empty()
    box, bar = player.bounding_box(), page.get_by_role("navigation", name="Main").bounding_box()
    assert box is not None
    assert bar is not None
    assert (box["x"], box["width"]) == (0, 320)
    # The ways lie below it, at the bottom of the window; what does not fit folds.
    assert box["y"] + box["height"] == pytest.approx(bar["y"], abs=1)
    assert bar["y"] + bar["height"] == pytest.approx(640, abs=1)
    page.get_by_text("More", exact=True).click()
    contribute = page.get_by_role("navigation", name="Main").get_by_role("link", name="Contribute")
    expect(contribute).to_be_visible()
    contribute.click()
    expect(page).to_have_url(f"{site.address}/contribute/")
