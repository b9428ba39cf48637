"""Deleting, undoing, the bin and deleting for good, as a person does it in Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.e2e


def test_a_deletion_is_undone_and_the_bin_restores_and_empties(
    person: Callable[..., Page], sounds: Path
) -> None:
    page = person()
    page.locator("#files").set_input_files([str(sounds / "song.wav"), str(sounds / "other.wav")])
    expect(page.locator("#upload-list .genre-chip")).to_have_count(2)
    page.goto("/tracks/")
    rows = page.locator(".track-row")
    expect(rows).to_have_count(2)
    song = rows.filter(has_text="song")
    song.locator(".track-row-menu summary").click()
    song.get_by_role("button", name="Delete", exact=True).click()
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(2)

    # Several at once; then one of them comes back from the bin, and the other goes for good.
    page.locator("[data-pick-all]").check()
    page.locator("#bulk").get_by_role("button", name="Delete").click()
    expect(page.locator(".toast-card", has_text="2 tracks are in the bin")).to_be_visible()
    expect(rows).to_have_count(0)
    page.get_by_role("link", name="Bin").click()
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("30 days left")
    page.get_by_role("button", name="Restore “song”").click()
    expect(rows).to_have_count(1)
    page.get_by_role("link", name="Delete for good… other").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("for good?")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.get_by_role("link", name="Empty the bin…").click()
    dialog.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_role("heading", name="The bin is empty")).to_be_visible()

    # From its own page, where the list tells it and undoes it.
    page.goto("/tracks/")
    rows.first.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(r"/tracks/[0-9a-f-]{36}/"))
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("“song” is in the bin.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(1)
