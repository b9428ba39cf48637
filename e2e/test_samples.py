"""A newcomer without a file: a piece of the project's own, and the tour."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.e2e


def test_a_newcomer_sees_a_finished_result_with_one_click(person: Callable[..., Page]) -> None:
    page = person()
    page.get_by_role("button", name=re.compile("Riff with drums")).click()
    expect(page).to_have_url(re.compile(r"/tracks/[0-9a-f-]{36}/"))
    expect(page.locator(".bars meter")).to_have_count(10)
    expect(page.locator("#verdict-title")).to_contain_text("Rock")
    page.goto("/")
    expect(page.get_by_role("heading", name="Try it with a piece of ours")).to_have_count(0)


def test_the_tour_is_begun_by_asking_left_at_any_step_and_not_offered_again(
    person: Callable[..., Page],
) -> None:
    page = person()
    tour = page.get_by_role("dialog")
    expect(tour).to_be_hidden()
    page.get_by_role("button", name="Show me around").click()
    expect(tour.get_by_role("heading", name="Drop music here")).to_be_focused()
    expect(page.locator("#dropzone")).to_have_class(re.compile("is-toured"))
    for heading in ("Or record what is playing", "Everything of yours"):
        page.keyboard.press("ArrowRight")
        expect(tour.get_by_role("heading", name=heading)).to_be_focused()
    tour.get_by_role("button", name="Back").click()
    expect(tour).to_contain_text("2 of 5")
    page.keyboard.press("Escape")
    expect(tour).to_be_hidden()
    expect(page.locator(".is-toured")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("heading", name="Try it with a piece of ours")).to_be_visible()
    expect(page.get_by_role("button", name="Show me around")).to_be_hidden()
    expect(tour).to_be_hidden()
