"""The map of the catalogue in Chromium: drawn, used by keys, and a playlist by the lasso."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from e2e.conftest import analysed, sign_in
from genreweb.trial import Site
from library.tests.sounds import chords, wav

pytestmark = pytest.mark.e2e

COLOURED = """canvas => new Uint32Array(canvas.getContext("2d").getImageData(
    0, 0, canvas.width, canvas.height).data.buffer).filter(pixel => pixel !== 0).length"""


def test_points_are_drawn_opened_by_keys_and_made_a_playlist(
    open_page: Callable[..., Page], site: Site
) -> None:
    for seed in (91, 92, 93):
        analysed(site, wav(chords(5, seed=seed)), name=f"Mapped {seed}.wav")
    page = open_page(reduced_motion="reduce")
    sign_in(page, site)
    page.goto("/catalogue/map/")
    # The first visit has the map made, and shows it without being reloaded.
    expect(page.locator("#map")).to_have_attribute("data-ready", re.compile("[1-9]"), timeout=120_000)
    canvas, count = page.locator("[data-map=canvas]"), page.locator("[data-map=count]")
    page.wait_for_function(f"({COLOURED})(document.querySelector('[data-map=canvas]')) > 50")
    rows = page.locator("[data-map=list] li")
    page.get_by_role("searchbox", name="Search in titles").fill("mapped 9")
    expect(count).to_have_text("In view: 3")
    expect(rows).to_have_count(3)
    page.get_by_role("searchbox", name="Search in titles").fill("mapped 92")
    expect(rows).to_have_text([re.compile("Mapped 92")])

    page.get_by_label("Play what I point at").check()
    canvas.focus()
    page.keyboard.press("Enter")
    tip = page.locator("[data-map=tip]")
    expect(tip).to_be_visible()
    title = tip.locator("strong").inner_text()
    expect(page.locator("[data-player=title]")).to_have_text(title)
    page.keyboard.press("+")
    expect(count).to_have_text(re.compile(r"In view: \d"))
    page.keyboard.press("0")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tracks/*/")
    expect(page.locator("#track-title")).to_have_text(title)

    page.go_back()
    expect(page.locator("#map")).to_have_attribute("data-ready", re.compile("[1-9]"))
    page.get_by_role("searchbox", name="Search in titles").fill("mapped 9")
    page.get_by_role("button", name="Lasso").click()
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    # Within the rounded corners.
    left, top = box["x"] + 20, box["y"] + 20
    right, low = left + box["width"] - 40, top + box["height"] - 40
    page.mouse.move(left, top)
    page.mouse.down()
    for corner in ((right, top), (right, low), (left, low)):
        page.mouse.move(*corner, steps=3)
    page.mouse.up()
    expect(count).to_have_text("Chosen: 3")
    page.get_by_label("Title of a new playlist").fill("From the map")
    page.get_by_role("button", name="Make a playlist of 3").click()
    page.wait_for_url("**/playlists/*/")
    expect(page.get_by_role("heading", name="From the map")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("Mapped 9"))).to_have_count(3)
