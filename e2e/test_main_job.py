"""The main job, as a person does it in Chromium."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from e2e.conftest import MUSIC, PATIENCE, sign_up
from genreweb.trial import REPOSITORY, Site
from library.tests.sounds import chords, wav

pytestmark = pytest.mark.e2e

OpenPage = Callable[..., Page]


def send(page: Page, *files: Path) -> None:
    page.goto("/")
    page.locator("#files").set_input_files([str(file) for file in files])


def expect_result(page: Page) -> None:
    """Wait until the result page, which came up at once, has filled itself."""
    expect(page).to_have_url(re.compile(r"/tracks/[0-9a-f-]{36}/"))
    expect(page.locator(".bars meter")).to_have_count(10)


def expect_position(page: Page, seconds: float) -> None:
    """Wait until the player stands at `seconds`, give or take one."""
    clock = page.locator("[data-player=time]")
    for _ in range(600):
        minutes, rest = clock.inner_text().split(":")
        if abs(int(minutes) * 60 + int(rest) - seconds) <= 1:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"the player is at {clock.inner_text()}, not near {seconds}")


def test_from_sign_up_to_a_deleted_track(person: OpenPage, song: Path) -> None:
    page = person()
    send(page, song)
    expect_result(page)

    percents = [int(re.sub(r"\D", "", text)) for text in page.locator(".bars-percent").all_inner_texts()]
    assert sum(percents) == 100
    expect(page.locator(".verdict-title")).not_to_be_empty()
    expect(page.locator("[data-ribbon] > *").first).to_be_attached()
    for name in ("Mel", "Chroma", "MFCC"):
        page.get_by_role("tab", name=re.compile(name, re.IGNORECASE)).click()
        picture = page.get_by_role("tabpanel").filter(visible=True).locator("img")
        expect(picture).to_be_visible()
        # Not by decode(), which Firefox refuses while the source is being set.
        expect(picture).not_to_have_js_property("naturalWidth", 0)
        assert picture.evaluate("image => image.naturalWidth") > 100

    # A click in the middle of the axis plays from there.
    axis = page.locator("[data-axis]")
    axis.scroll_into_view_if_needed()
    box = axis.bounding_box()
    assert box is not None
    duration = float(page.locator("[data-sound]").get_attribute("data-duration") or 0)
    axis.click(position={"x": box["width"] / 2, "y": 20})
    expect_position(page, duration / 2)
    # It plays on: the position moves.
    expect_position(page, duration / 2 + 3)

    page.goto("/tracks/")
    rows = page.locator(".track-row")
    expect(rows).to_have_count(1)
    rows.first.get_by_role("link").first.click()
    expect_result(page)

    page.goto("/tracks/")
    rows.first.locator(".track-row-menu summary").click()
    rows.first.get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(0)
    page.reload()
    expect(rows).to_have_count(0)


def test_one_of_many_files_is_refused_and_the_rest_goes_on(person: OpenPage, sounds: Path) -> None:
    page = person()
    send(page, sounds / "song.wav", sounds / "broken.mp3", sounds / "other.wav")
    refused = page.locator("#upload-list li", has_text="broken")
    expect(refused).to_contain_text("not an audio file")
    expect(page.locator("#upload-list .genre-chip")).to_have_count(2)
    # The same file once more is recognised.
    send(page, sounds / "song.wav", sounds / "other.wav")
    expect(page.locator("#upload-list li", has_text="already have")).to_have_count(2)


def test_every_row_of_many_files_is_brought_up_to_date(person: OpenPage, site: Site, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.wav" for number in range(60)]
    for number, file in enumerate(files):
        file.write_bytes(wav(chords(1.2, seed=500 + number)))
    page = person()
    workers = site.workers()
    for worker in workers:
        worker.suspend()
    try:
        send(page, *files)
        expect(page.locator("[data-watch]")).to_have_count(60, timeout=2 * PATIENCE)
    finally:
        for worker in workers:
            worker.resume()
    # Sixty analyses, on a machine that may have other things to do.
    expect(page.locator("[data-watch]")).to_have_count(0, timeout=5 * PATIENCE)
    expect(page.locator("#upload-list .genre-chip")).to_have_count(60)


def test_a_recording_comes_from_the_microphone_to_a_verdict(person: OpenPage, in_firefox: bool) -> None:
    page = person(permissions=["microphone"])
    page.goto("/record/")
    page.get_by_role("button", name="Start recording").click()
    expect(page.locator("#recorder")).to_have_attribute("data-state", "recording")
    clock = page.locator("#time")
    expect(clock).to_have_text(re.compile(r"^0:0[1-9]$"))
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#recorder")).to_have_attribute("data-state", "paused")
    page.get_by_role("button", name="Resume").click()
    # At least three seconds are a take.
    expect(clock).to_have_text(re.compile(r"^0:(0[4-9]|[1-5]\d)$"))
    page.get_by_role("button", name="Stop recording").click()
    take = page.locator("#take-list li").first
    expect(take).to_be_visible()
    length = re.search(r"0:(\d\d)", take.locator(".track-row-facts").inner_text())
    assert length

    # Firefox does not tell Playwright of downloads.
    if not in_firefox:
        with page.expect_download() as saved:
            take.get_by_role("button", name="Save as WAV").click()
        data = Path(saved.value.path()).read_bytes()
        assert data[:4] == b"RIFF"
        assert data[8:12] == b"WAVE"
        assert len(data) > 2 * 2 * 20_000

    take.get_by_role("button", name="Send to analysis").click()
    expect_result(page)
    duration = float(page.locator("[data-sound]").get_attribute("data-duration") or 0)
    assert duration == pytest.approx(int(length[1]), abs=1)


def test_a_take_stays_until_it_is_sent_or_deleted(person: OpenPage) -> None:
    page = person(permissions=["microphone"])
    page.goto("/record/")
    page.get_by_role("button", name="Start recording").click()
    # At least three seconds are a take.
    expect(page.locator("#time")).to_have_text(re.compile(r"^0:(0[4-9]|[1-5]\d)$"))
    page.get_by_role("button", name="Stop recording").click()
    takes = page.locator("#take-list li")
    expect(takes).to_have_count(1)
    expect(takes).to_have_attribute("data-kept", "")
    before = takes.locator(".track-row-facts").inner_text()
    assert re.match(r"0:\d\d", before)

    # Who uses the browser next does not see it.
    mine = page.context.cookies()
    page.context.clear_cookies()
    sign_up(page, "next@example.org")
    page.goto("/record/")
    expect(page.locator("#take-list")).to_have_attribute("aria-busy", "false")
    expect(takes).to_have_count(0)
    page.context.clear_cookies()
    page.context.add_cookies(mine)  # type: ignore[arg-type]  # Playwright's own

    page.goto("/record/")
    expect(takes).to_have_count(1)
    expect(takes).to_contain_text("Take 1")
    assert takes.locator(".track-row-facts").inner_text() == before
    takes.locator("[data-take-play]").click()
    expect(page.locator("[data-player=duration]")).to_have_text(re.compile(r"^0:(0[3-9]|[1-5]\d)$"))

    takes.get_by_role("button", name="Send to analysis").click()
    expect_result(page)
    expect(page.locator("#track-facts")).to_contain_text(re.compile(r"0:(0[3-9]|[1-5]\d)"))
    page.goto("/record/")
    expect(page.locator("#take-list")).to_have_attribute("aria-busy", "false")
    expect(takes).to_have_count(0)


def test_the_recorder_says_while_recording_whether_the_music_is_clear(person: OpenPage) -> None:
    page = person(permissions=["microphone"])
    page.goto("/record/")
    with page.expect_response("**/api/v1/classify/", timeout=60_000) as answered:
        page.get_by_role("button", name="Start recording").click()
    assert answered.value.status == 200
    assert "probabilities" in answered.value.json()
    expect(page.locator("#clarity")).not_to_be_empty()
    page.get_by_role("button", name="Stop recording").click()
    expect(page.locator("#clarity")).to_be_empty()
    expect(page.locator("#take-list li")).to_have_count(1)


def test_the_recorder_asks_for_a_nearer_microphone_and_can_be_told_not_to_listen(person: OpenPage) -> None:
    page = person(permissions=["microphone"])
    asked = []

    def mostly_talk(route: Route) -> None:
        asked.append(route.request.method)
        route.fulfill(json={"label": "rock", "unsure": True, "reason": "talk_and_noise"})

    page.route("**/api/v1/classify/", mostly_talk)
    page.goto("/record/")
    page.get_by_role("button", name="Start recording").click()
    expect(page.locator("#clarity")).to_contain_text("hold the microphone nearer", timeout=20_000)
    page.get_by_role("button", name="Stop recording").click()
    assert asked == ["POST"]

    page.get_by_label("Tell me while I record").uncheck()
    page.get_by_role("button", name="Start recording").click()
    page.wait_for_timeout(8000)
    page.get_by_role("button", name="Stop recording").click()
    assert asked == ["POST"]


def test_somebody_elses_track_is_not_there(person: OpenPage, open_page: OpenPage, sounds: Path) -> None:
    page = person()
    send(page, sounds / "other.wav")
    expect_result(page)
    link = page.url
    for stranger in (person(), person()):
        response = stranger.request.get(link)
        assert response.status == 404


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_every_page_fits_a_phone(person: OpenPage, song: Path, colours: str) -> None:
    page = person(viewport={"width": 360, "height": 780}, color_scheme=colours)
    send(page, song)
    expect_result(page)
    for path in (page.url, "/", "/record/", "/tracks/", "/catalogue/", "/account/"):
        page.goto(path)
        page.wait_for_load_state()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_the_result_is_pictured_for_the_readme(
    person: OpenPage, site: Site, song: Path, tmp_path: Path
) -> None:
    clips = [clip for folder in sorted(MUSIC.glob("*/")) for clip in sorted(folder.iterdir())[1:3]]
    for clip in clips or [song]:
        shelf = tmp_path / "shelf" / clip.parent.name
        shelf.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, shelf)
    brought = subprocess.run(
        [sys.executable, "manage.py", "import_catalogue", str(tmp_path / "shelf")],
        cwd=REPOSITORY,
        env=site.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert brought.returncode == 0, brought.stderr
    pictured = tmp_path / f"A tape from the attic{song.suffix}"
    shutil.copy(MUSIC / "classical" / "classical.00010.opus" if clips else song, pictured)

    page = person()
    send(page, pictured)
    expect_result(page)
    # What the catalogue holds is compared with, and never the track itself.
    expect(
        page.locator("#neighbours, [data-neighbours]").or_(page.get_by_text("Sounds like")).first
    ).to_be_visible()
    page.wait_for_load_state("networkidle")
    target = REPOSITORY / "var" / "e2e" / "result.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=target, full_page=True)
    assert target.stat().st_size > 20_000
