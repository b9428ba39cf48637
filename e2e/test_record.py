"""The recorder, when something goes wrong in the middle of a take."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.e2e

OpenPage = Callable[..., Page]

SECONDS_6_OR_MORE = re.compile(r"^0:(0[6-9]|[1-5]\d)$")


def recorder(person: OpenPage, **options: object) -> Page:
    page = person(permissions=["microphone"], **options)
    page.goto("/record/")
    expect(page.locator("#take-list")).to_have_attribute("aria-busy", "false")
    return page


def start(page: Page) -> None:
    page.get_by_role("button", name="Start recording").click()
    expect(page.locator("#recorder")).to_have_attribute("data-state", "recording")


def takes(page: Page) -> Locator:
    return page.locator("#take-list li")


def test_a_take_of_a_page_that_was_closed_in_the_middle_comes_back(person: OpenPage) -> None:
    page = recorder(person)
    start(page)
    expect(page.locator("#time")).to_have_text(SECONDS_6_OR_MORE)
    # Another page leaves what is being recorded alone.
    other = page.context.new_page()
    other.goto("/record/")
    expect(other.locator("#take-list")).to_have_attribute("aria-busy", "false")
    expect(takes(other)).to_have_count(0)
    page.close()

    other.goto("/record/")
    expect(other.locator(".toast-card")).to_contain_text("What was recorded until then is kept")
    expect(takes(other)).to_have_count(1)
    kept = takes(other).locator("[data-length]")
    expect(kept).to_have_text(re.compile(r"^0:(0[5-9]|[1-5]\d)$"))
    seconds = int(kept.inner_text().split(":")[1])
    # It is a take like any other: still there after the next visit, and gone when it is sent.
    other.goto("/record/")
    expect(takes(other)).to_have_count(1)
    takes(other).get_by_role("button", name="Send to analysis").click()
    expect(other).to_have_url(re.compile(r"/tracks/[0-9a-f-]{36}/"))
    expect(other.locator(".bars meter")).to_have_count(10)
    duration = float(other.locator("[data-sound]").get_attribute("data-duration") or 0)
    assert duration == pytest.approx(seconds, abs=1)
    other.goto("/record/")
    expect(other.locator("#take-list")).to_have_attribute("aria-busy", "false")
    expect(takes(other)).to_have_count(0)
