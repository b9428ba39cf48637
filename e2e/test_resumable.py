"""A large file on a connection that breaks: it goes on by itself, and after a reload where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, Route, expect

from library.tests.sounds import chords, wav

pytestmark = pytest.mark.e2e
PART = 4 * 2**20


def test_a_large_file_survives_a_lost_connection_and_a_reload(
    person: Callable[..., Page], tmp_path: Path
) -> None:
    # About 21 MB: six parts, short enough to be analysed at once.
    file = tmp_path / "long.wav"
    file.write_bytes(wav(chords(55, seed=950, rate=192_000), rate=192_000))
    assert file.stat().st_size > 4 * PART
    page = person()
    offsets: list[int] = []
    begun: list[str] = []

    def note(request: Request) -> None:
        if "/uploads/resumable/" in request.url and request.method == "POST":
            begun.append(request.url)

    def break_twice(route: Route) -> None:
        if route.request.method == "PATCH":
            offsets.append(int(route.request.headers["upload-offset"]))
            # The third part is lost once and follows by itself; from the fourth on nothing arrives.
            if len(offsets) == 3 or (len(offsets) > 4 and not page.evaluate("window.again")):
                route.abort("internetdisconnected")
                return
        route.continue_()

    page.on("request", note)
    page.route("**/api/v1/uploads/resumable/**", break_twice)
    page.on("dialog", lambda dialog: dialog.accept())
    page.add_init_script("window.again = sessionStorage.again")
    page.locator("#files").set_input_files(str(file))
    row = page.locator("#upload-list li")
    expect(row.locator("[data-state]")).to_have_text(
        "The connection was lost; the rest follows when it is back."
    )
    page.wait_for_function("() => Object.keys(localStorage).some((key) => key.startsWith('tus::'))")
    while len(offsets) < 5:
        page.wait_for_timeout(50)
    assert offsets[:5] == [0, PART, 2 * PART, 2 * PART, 3 * PART]
    page.evaluate("sessionStorage.again = '1'")
    page.reload()
    with page.expect_response(lambda response: "/uploads/resumable/" in response.url) as first:
        page.locator("#files").set_input_files(str(file))
    # It asks how far it is instead of beginning anew.
    assert first.value.request.method == "HEAD"
    assert int(first.value.headers["upload-offset"]) == 3 * PART
    page.wait_for_url("**/tracks/*/")
    assert len(begun) == 1
    assert (
        json.loads(
            page.evaluate(
                "JSON.stringify(Object.keys(localStorage).filter((key) => key.startsWith('tus::')))"
            )
        )
        == []
    )
    expect(page.locator("h1").first).to_have_text("long")
