"""Many files on a slow line: how far they are together, what fails is sent again, and leaving asks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Page, Route, expect

from library.tests.sounds import chords, wav

pytestmark = pytest.mark.e2e


@pytest.mark.chromium_only("its line can be slowed down")
def test_a_slow_upload_tells_how_far_it_is_and_what_failed_is_sent_again(
    person: Callable[..., Page], tmp_path: Path
) -> None:
    files = [tmp_path / f"slow-{number}.wav" for number in range(3)]
    for number, file in enumerate(files):
        file.write_bytes(wav(chords(20, seed=900 + number)))
    page = person()
    refused: list[str] = []

    def fail_one(route: Route) -> None:
        if not refused:
            refused.append(route.request.url)
            route.fulfill(status=422, body="<h1>Something went wrong</h1>", content_type="text/html")
        else:
            route.continue_()

    page.route("**/upload/", fail_one)
    network = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 20, "downloadThroughput": -1, "uploadThroughput": 150_000}
    network.send("Network.emulateNetworkConditions", slow)
    page.locator("#files").set_input_files([str(file) for file in files])
    told = page.locator("[data-total-text]")
    expect(told).to_have_text(re.compile(r"of [\d.]+ MB · [\d.]+ MB/s · \d+ (second|minute)s? left"))
    expect(page.locator("[data-total-bar]")).to_have_attribute("aria-valuenow", re.compile(r"[1-9]"))
    # Leaving asks, and who stays loses nothing.
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.once("dialog", stay)
    page.get_by_role("link", name="Catalogue").first.click(no_wait_after=True)
    network.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    expect(page.locator("#upload-total")).to_be_hidden()
    assert asked == ["beforeunload"]
    again = page.get_by_role("button", name="Try again what failed (1)")
    again.click()
    expect(again).to_be_hidden()
    expect(page.locator("#upload-list .genre-chip")).to_have_count(3)


@pytest.mark.answers(503)
def test_files_that_meet_a_restart_of_the_site_are_sent_by_themselves(
    person: Callable[..., Page], tmp_path: Path
) -> None:
    files = [tmp_path / f"restart-{number}.wav" for number in range(4)]
    for number, file in enumerate(files):
        file.write_bytes(wav(chords(2, seed=950 + number)))
    page = person()
    met: list[str] = []

    def away(route: Route) -> None:
        met.append(route.request.url)
        if len(met) % 2:
            route.abort("internetdisconnected")
        else:
            # As the site answers while its database starts.
            route.fulfill(status=503, body="<h1>Back in a moment</h1>", content_type="text/html")

    page.route("**/upload/", away)
    page.locator("#files").set_input_files([str(file) for file in files])
    waiting = page.locator("#upload-list").get_by_text(
        "The connection was lost; the rest follows", exact=False
    )
    expect(waiting).to_have_count(3)
    # The others wait for these, so that a short fault is not met by a whole folder at once.
    expect(page.locator("#upload-list .is-waiting")).to_have_count(1)
    # Who gives one up while it waits is asked about this one later.
    page.locator("#upload-list > *").first.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Try again what failed (1)")).to_be_visible()
    page.unroute("**/upload/")
    expect(page.locator("#upload-list .genre-chip")).to_have_count(3)
    assert len(met) >= 3
    page.get_by_role("button", name="Try again what failed (1)").click()
    expect(page.locator("#upload-list .genre-chip")).to_have_count(4)


@pytest.mark.answers(502)
def test_a_site_that_stays_away_is_said_in_the_end(person: Callable[..., Page], tmp_path: Path) -> None:
    file = tmp_path / "away.wav"
    file.write_bytes(wav(chords(2, seed=990)))
    page = person()
    page.clock.install()
    page.route("**/upload/", lambda route: route.fulfill(status=502, body="", content_type="text/html"))
    page.locator("#files").set_input_files(str(file))
    again = page.get_by_role("button", name="Try again what failed (1)")
    for _ in range(300):
        # The waits between the attempts, not the attempts.
        page.clock.fast_forward(30_000)
        page.wait_for_timeout(200)
        if again.is_visible():
            break
    expect(page.locator("#upload-list")).to_contain_text("Part of the site is not reachable at the moment.")
    page.unroute("**/upload/")
    again.click()
    page.wait_for_url("**/tracks/*/")


def test_files_that_were_chosen_before_the_script_was_there_are_taken(
    person: Callable[..., Page], tmp_path: Path
) -> None:
    file = tmp_path / "early.wav"
    file.write_bytes(wav(chords(2, seed=991)))
    page = person()
    held: list[Route] = []
    page.route(re.compile(r"/js/upload\."), lambda route: held.append(route))  # noqa: PLW0108  # it takes no builtin
    page.goto("/", wait_until="commit")
    page.locator("#files").set_input_files(str(file))
    while not held:
        page.wait_for_timeout(50)
    expect(page.locator("#upload-list > *")).to_have_count(0)
    for route in held:
        route.continue_()
    page.wait_for_url("**/tracks/*/")
    expect(page.locator("h1").first).to_have_text("early")
