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
            route.abort("internetdisconnected")
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
