"""The page of docs/api.md, served from another origin: it uses the API where it may, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from genreweb.trial import REPOSITORY, Site

pytestmark = pytest.mark.e2e


@pytest.fixture
def page(browser: Browser, elsewhere: tuple[str, Path]) -> Iterator[Page]:
    [html] = re.findall(r"```html\n(.*?)```", (REPOSITORY / "docs" / "api.md").read_text(), re.DOTALL)
    (elsewhere[1] / "index.html").write_text(html)
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_a_page_of_an_allowed_origin_sends_a_song(
    page: Page, site: Site, elsewhere: tuple[str, Path], song: Path
) -> None:
    page.goto(f"{elsewhere[0]}/?site={site.address}#{site.token}")
    page.locator("input").set_input_files(song)
    expect(page.get_by_role("status")).to_have_text(re.compile(r".+: .+"), timeout=60_000)
    _status, tracks = site.request("GET", "/api/v1/tracks/")
    assert song.name in {track["file_name"] for track in tracks["results"]}
    # A refusal is read there too.
    page.goto(f"{elsewhere[0]}/?site={site.address}&again#no-token")
    page.locator("input").set_input_files(song)
    expect(page.get_by_role("status")).to_have_text("This token is unknown or no longer works.")


def test_a_page_of_any_other_origin_does_not(
    page: Page, site: Site, elsewhere: tuple[str, Path], sounds: Path
) -> None:
    failed: list[str] = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    # The same server under another name is another origin.
    page.goto(f"{elsewhere[0].replace('127.0.0.1', 'localhost')}/?site={site.address}#{site.token}")
    with page.expect_event("pageerror"):
        page.locator("input").set_input_files(sounds / "other.wav")
    # The words are those of Chromium and of Firefox.
    assert "Failed to fetch" in failed[0] or "Same Origin Policy disallows" in failed[0]
    expect(page.get_by_role("status")).to_be_empty()
    _status, tracks = site.request("GET", "/api/v1/tracks/")
    assert "other.wav" not in {track["file_name"] for track in tracks["results"]}
