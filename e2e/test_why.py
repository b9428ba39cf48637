"""The explanation of a genre, requested in Chromium."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from e2e.test_main_job import expect_result, send

pytestmark = pytest.mark.e2e


def test_a_click_asks_and_the_map_comes_by_itself(person: Callable[..., Page], song: Path) -> None:
    page = person()
    send(page, song)
    expect_result(page)
    ask = page.locator(".verdict").get_by_role("button", name="Why")
    if not ask.count():
        pytest.skip("no music was found in the sound made for the tests; with real music this is tried")
    ask.click()
    expect(page.get_by_role("tab", name="Why")).to_have_attribute("aria-selected", "true")
    drawn = page.locator("#why-map img")
    expect(drawn).to_be_visible()
    expect(drawn).to_have_js_property("naturalWidth", 1600)
    said = page.locator("#why-words").inner_text()
    assert "spoke" in said
    expect(drawn).to_have_attribute("alt", said)
    # It lies exactly over the picture that it explains, and the axis over both still plays.
    under, over = page.locator(".why-under").bounding_box(), drawn.bounding_box()
    assert under is not None
    assert over is not None
    assert all(math.isclose(under[side], over[side], abs_tol=0.5) for side in ("x", "y", "width", "height"))
    page.locator("[data-axis]").click(position={"x": over["width"] / 2, "y": 200})
    expect(page.locator("[data-axis]")).to_have_class("sound-axis is-playing")

    page.reload()
    page.get_by_role("tab", name="Why").click()
    expect(drawn).to_be_visible()
    expect(page.locator("#why-words")).to_have_text(said)
