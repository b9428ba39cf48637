"""Giving a clip in Chromium: a file in, a part cut out of it, its genre, and the wait for review."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from e2e.conftest import PATIENCE
from library.tests.sounds import chords, wav

pytestmark = pytest.mark.e2e

CHECKED = 4 * PATIENCE


def test_a_part_of_a_file_is_given_and_waits_for_review(
    person: Callable[..., Page], sounds: Path, tmp_path: Path
) -> None:
    long = tmp_path / "long.wav"
    long.write_bytes(wav(chords(50, seed=11)))
    page = person()
    page.goto("/contribute/")
    page.locator("#files").set_input_files([str(long), str(sounds / "broken.mp3")])
    rows = page.locator("#upload-list > li")
    expect(rows).to_have_count(2)
    first = rows.nth(0)

    # Nothing is sent before genre and rights are there; what is missing gets the focus.
    page.get_by_role("button", name="Send 2 files").click()
    expect(first.get_by_label("Genre")).to_be_focused()
    expect(first).to_contain_text("Choose the genre of the clip.")
    page.get_by_label("One genre for all").select_option("blues")
    first.get_by_label("Genre").select_option("jazz")

    first.get_by_label("Only one part of it").check()
    start, end = first.get_by_label("From"), first.get_by_label("to", exact=True)
    expect(start).to_have_value("0:00.0")
    expect(end).to_have_value("0:30.0")
    wave = first.locator("[data-cut-wave]")
    part = wave.locator("[part~=region]")
    expect(part).to_be_visible(timeout=PATIENCE)
    # A click beside the part moves it there; so do typed times.
    box = wave.bounding_box()
    assert box is not None
    wave.click(position={"x": box["width"] - 4, "y": 20})
    expect(start).to_have_value("0:20.0")
    expect(end).to_have_value("0:50.0")
    start.fill("0:40")
    end.fill("0:41")
    end.blur()
    expect(first).to_contain_text("at least 3 seconds")
    end.fill("0:48.5")
    end.blur()
    expect(first).not_to_contain_text("at least 3 seconds")
    share = part.evaluate("part => part.getBoundingClientRect().width") / box["width"]
    assert share == pytest.approx(8.5 / 50, abs=0.01)

    page.get_by_role("button", name="Send 2 files").click()
    rights = page.locator("#rights-all")
    expect(rights).to_be_focused()
    rights.check()
    page.get_by_role("button", name="Send 2 files").click()

    # One fails, the other goes on.
    expect(rows.nth(1)).to_contain_text("not an audio file", timeout=PATIENCE)
    expect(first).to_contain_text("Waiting for review", timeout=CHECKED)
    page.goto("/contributions/?state=pending")
    mine = page.locator(".clip-row")
    expect(mine).to_have_count(1)
    expect(mine).to_contain_text("Jazz")
    expect(mine).to_contain_text("from 0:40 to 0:48")
    mine.get_by_role("button", name=re.compile("Play")).click()
    expect(page.locator("#player")).to_be_visible()

    mine.get_by_role("link", name=re.compile("Withdraw")).click()
    page.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
    expect(mine).to_have_count(0)


def test_a_wrong_verdict_is_corrected_on_the_page_of_a_track(
    person: Callable[..., Page], sounds: Path
) -> None:
    page = person()
    page.goto("/")
    page.locator("#files").set_input_files(str(sounds / "song.wav"))
    page.get_by_role("link", name="This is wrong").click(timeout=CHECKED)
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Genre").select_option("reggae")
    dialog.get_by_role("checkbox").check()
    dialog.get_by_role("button", name="Send").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#given")).to_contain_text("You said: Reggae.")
    expect(page.locator("#given")).to_contain_text("Waiting for review.", timeout=CHECKED)
