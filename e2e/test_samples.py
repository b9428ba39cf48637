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
