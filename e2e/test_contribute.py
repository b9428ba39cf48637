"""Giving a clip in Chromium: a file in, a part cut out of it, its genre, and the wait for review."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from e2e.conftest import PATIENCE
from library.tests.sounds import chords, wav

pytestmark = pytest.mark.e2e

CHECKED = 4 * PATIENCE
LONG = 50


@pytest.fixture
def long_sound(tmp_path: Path) -> Path:
    path = tmp_path / "long.wav"
    path.write_bytes(wav(chords(LONG, seed=11)))
    return path


def choose_files(page: Page, *files: Path) -> Locator:
    """Put files into the form, and give their rows."""
    page.goto("/contribute/")
    page.locator("#files").set_input_files([str(file) for file in files])
    rows = page.locator("#upload-list > li")
    expect(rows).to_have_count(len(files))
    return rows


def test_nothing_is_sent_before_genre_and_rights_are_there(person: Callable[..., Page], sounds: Path) -> None:
    page = person()
    rows = choose_files(page, sounds / "song.wav", sounds / "broken.mp3")
    first, send = rows.nth(0), page.get_by_role("button", name="Send 2 files")
    send.click()
    expect(first.get_by_label("Genre")).to_be_focused()
    expect(first).to_contain_text("Choose the genre of the clip.")
    page.get_by_label("One genre for all").select_option("blues")
    first.get_by_label("Genre").select_option("jazz")
    send.click()
    rights = page.locator("#rights-all")
    expect(rights).to_be_focused()
    rights.check()
    send.click()

    # One fails, the other goes on.
    expect(rows.nth(1)).to_contain_text("not an audio file", timeout=PATIENCE)
    expect(first).to_contain_text("Waiting for review", timeout=CHECKED)
    page.goto("/contributions/")
    mine = page.locator(".clip-row")
    expect(mine).to_have_count(1)
    expect(mine).to_contain_text("Jazz")


def test_a_part_is_cut_by_a_click_and_by_typed_times(person: Callable[..., Page], long_sound: Path) -> None:
    row = choose_files(person(), long_sound).nth(0)
    start, end = choose_part(row)
    expect(start).to_have_value("0:00.0")
    expect(end).to_have_value("0:30.0")
    wave = row.locator("[data-cut-wave]")
    part = wave.locator("[part~=region]")
    expect(part).to_be_visible(timeout=PATIENCE)
    # A click beside the part moves it there; so do typed times.
    box = wave.bounding_box()
    assert box is not None
    wave.click(position={"x": box["width"] - 4, "y": 20})
    expect(start).to_have_value("0:20.0")
    expect(end).to_have_value("0:50.0")
    write(start, "0:40")
    write(end, "0:41")
    expect(row).to_contain_text("at least 3 seconds")
    write(end, "0:48.5")
    expect(row).not_to_contain_text("at least 3 seconds")
    share = part.evaluate("part => part.getBoundingClientRect().width") / box["width"]
    assert share == pytest.approx(8.5 / LONG, abs=0.01)


def test_a_part_is_given_played_and_withdrawn(person: Callable[..., Page], long_sound: Path) -> None:
    page = person()
    row = choose_files(page, long_sound).nth(0)
    start, end = choose_part(row)
    write(start, "0:40")
    write(end, "0:48.5")
    expect(start).to_have_value(re.compile(r"^0:40(\.0)?$"))
    row.get_by_label("Genre").select_option("jazz")
    page.locator("#rights-all").check()
    page.get_by_role("button", name="Send").click()
    expect(row).to_contain_text("Waiting for review", timeout=CHECKED)

    page.goto("/contributions/?state=pending")
    mine = page.locator(".clip-row")
    expect(mine).to_have_count(1)
    expect(mine).to_contain_text("from 0:40 to 0:48")
    mine.get_by_role("button", name=re.compile("Play")).click()
    expect(page.locator("#player")).to_be_visible()
    mine.get_by_role("link", name=re.compile("Withdraw")).click()
    page.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
    expect(mine).to_have_count(0)


def write(field: Locator, text: str) -> None:
    """Type over what is there; what Playwright fills in by itself changes nothing for Firefox."""
    field.press("ControlOrMeta+a")
    field.press_sequentially(text)
    field.press("Tab")


def choose_part(row: Locator) -> tuple[Locator, Locator]:
    """Say that only a part of a file is given, and give the fields of its two times."""
    row.get_by_label("Only one part of it").check()
    start, end = row.get_by_label("From", exact=True), row.get_by_label("to", exact=True)
    expect(end).to_have_value("0:30.0", timeout=PATIENCE)
    return start, end


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


def test_long_files_are_asked_about_once(
    person: Callable[..., Page], long_sound: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.wav"
    other.write_bytes(wav(chords(LONG, seed=12)))
    page = person()
    rows = choose_files(page, long_sound, other)
    every = page.get_by_role("group", name="All files longer than 30 seconds")
    boxes = page.get_by_role("group", name="Longer than 30 seconds", exact=True)
    expect(every).to_be_visible()
    expect(boxes).to_have_count(0)
    # One file may differ.
    rows.nth(1).get_by_role("button", name="Give only one part of this file").click()
    expect(boxes).to_have_count(1)
    expect(rows.nth(1).get_by_label("Only one part of it")).to_be_checked()
    expect(rows.nth(1).get_by_label("to", exact=True)).to_have_value("0:30.0")
    # For all means all others, too.
    every.get_by_label("Only one part of each").check()
    expect(boxes).to_have_count(2)
    expect(rows.nth(0).get_by_label("to", exact=True)).to_have_value("0:30.0")
    every.get_by_label("Split each into clips").check()
    expect(boxes).to_have_count(1)
    expect(rows.nth(1).get_by_label("Only one part of it")).to_be_checked()
    # One long file alone has its own question.
    rows.nth(0).get_by_role("button", name="off the list").click()
    expect(every).to_be_hidden()
    expect(boxes).to_have_count(1)
