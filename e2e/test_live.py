"""Pages change by themselves: by events, without them, each person's alone; two fingers zoom the pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, expect

from e2e.conftest import shell
from genreweb.trial import Site

pytestmark = pytest.mark.e2e

RECORD = """
window.sources = [];
window.received = [];
const Real = EventSource;
window.EventSource = class extends Real {
  constructor(...args) {
    super(...args);
    sources.push(this);
    for (const kind of ["track", "upload", "run", "clip"]) {
      this.addEventListener(kind, (event) => received.push(JSON.parse(event.data).id));
    }
  }
};
"""
NEWER = "newer than the release"
# The network of the release under another name: another version to everything but the ear.
PROMOTE = """
from classifier import registry
from classifier.models import ModelVersion
from classifier.releases import current_release
from genreweb.accounts.models import User
from training.services.promotion import promote
version = registry.add_version(current_release(), name={name!r}, source=ModelVersion.Source.TRAINED)
promote(version=version, by=User.objects.get(email={email!r}), reason="A test needs it.", override=True)
"""
ROLL_BACK = """
from genreweb.accounts.models import User
from training.services.promotion import rollback
rollback(by=User.objects.get(email={email!r}), reason="The test is over.")
"""
LISTEN = """() => new Promise((resolve) => {
  new EventSource(document.body.dataset.events).onopen = () => resolve();
})"""
FINGERS = """(scroller, steps) => {
  const box = scroller.getBoundingClientRect();
  const send = (type, id, x) => scroller.querySelector("[data-axis]").dispatchEvent(new PointerEvent(type, {
    pointerId: id, pointerType: "touch", bubbles: true, clientX: box.left + x, clientY: box.top + 40,
  }));
  const [first, ...rest] = steps;
  first.forEach((x, id) => send("pointerdown", id + 10, x));
  for (const step of rest) step.forEach((x, id) => send("pointermove", id + 10, x));
  steps.at(-1).forEach((x, id) => send("pointerup", id + 10, x));
}"""


def test_a_page_gets_the_events_of_its_person(person: Callable[..., Page], sounds: Path) -> None:
    mine, theirs = person(), person()
    for page in (mine, theirs):
        page.add_init_script(RECORD)
        page.reload()
    theirs.evaluate(LISTEN)
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/events/" in request.url or "/rows/" in request.url:
            asked.append(request.url)

    mine.on("request", note)
    # A page that waits for nothing holds no connection.
    assert mine.evaluate("sources.length") == 0
    # Two files: after one the page would lead to it.
    mine.locator("#files").set_input_files([str(sounds / "song.wav"), str(sounds / "other.wav")])
    expect(mine.locator("#upload-list .genre-chip")).to_have_count(2)
    ids = set(mine.evaluate("received"))
    rows = mine.locator("#upload-list li").evaluate_all(
        "rows => rows.map((row) => row.id.slice('upload-'.length))"
    )
    assert ids == set(rows)
    assert any("/events/" in url for url in asked)
    mine.wait_for_function("() => sources.every((source) => source.readyState === EventSource.CLOSED)")
    # Somebody else, who listens all the time, gets nothing of it.
    assert theirs.evaluate("[received.length, sources.at(-1).readyState]") == [0, 1]
    # Where the stream cannot be had, the page asks.
    theirs.route("**/events/", lambda route: route.fulfill(status=204))
    theirs.locator("#files").set_input_files(str(sounds / "song.wav"))
    theirs.wait_for_url("**/tracks/*/")
    expect(theirs.locator("#verdict-title")).to_be_visible()

    # Two fingers zoom the pictures where they are, and draw them along.
    scroller, level = theirs.locator("[data-scroll]"), theirs.locator("[data-zoom-level]")
    width = scroller.evaluate("scroller => scroller.clientWidth")
    scroller.evaluate(FINGERS, [[200, 300], [150, 350], [100, 400]])
    expect(level).to_have_text("3×")
    # What was between them, 250 pixels from the left, is still there.
    left = scroller.evaluate("scroller => scroller.scrollLeft")
    assert left == pytest.approx(250 / width * 3 * width - 250, abs=2)
    expect(theirs.locator("#picture-spectrogram canvas.tile").first).to_be_attached()
    scroller.evaluate(FINGERS, [[200, 300], [150, 250]])
    assert scroller.evaluate("scroller => scroller.scrollLeft") == pytest.approx(left + 50, abs=2)
    expect(level).to_have_text("3×")
    scroller.evaluate(FINGERS, [[100, 400], [240, 260]])
    expect(level).to_have_text("1×")
    expect(theirs.locator("#player")).to_be_hidden()


@pytest.fixture
def newer_version(site: Site) -> Iterator[Callable[[], None]]:
    """Put another version into service when called; the release is back afterwards."""
    promoted = False

    def put_into_service() -> None:
        nonlocal promoted
        shell(site, PROMOTE.format(name=NEWER, email=site.email))
        promoted = True

    yield put_into_service
    if promoted:
        shell(site, ROLL_BACK.format(email=site.email))


def test_what_an_older_version_analysed_is_analysed_again_without_a_reload(
    person: Callable[..., Page], sounds: Path, newer_version: Callable[[], None]
) -> None:
    page = person()
    page.locator("#files").set_input_files([str(sounds / "song.wav"), str(sounds / "other.wav")])
    expect(page.locator("#upload-list .genre-chip")).to_have_count(2)
    page.goto("/tracks/")
    expect(page.locator(".reanalysis-notice")).to_have_count(0)

    newer_version()
    page.goto("/tracks/")
    expect(page.locator(".reanalysis-notice")).to_contain_text("2 tracks were heard by an older classifier.")
    page.get_by_role("link", name="song", exact=True).click()
    stale = page.get_by_role("region", name="Out of date")
    answered = page.locator(".details .facts div", has=page.get_by_text("Answered by"))
    expect(stale).to_be_visible()
    expect(answered).not_to_contain_text(NEWER)
    page.evaluate("window.stays = true")
    stale.get_by_role("button", name="Analyse again").click()
    # The former verdict is listed, and the page says who answers now.
    expect(answered).to_contain_text(NEWER)
    expect(page.locator(".former li")).to_have_count(1)
    expect(stale).to_have_count(0)
    expect(page.locator(".bars meter")).to_have_count(10)
    assert page.evaluate("window.stays") is True

    page.goto("/tracks/")
    notice = page.locator(".reanalysis-notice")
    expect(notice).to_contain_text("1 track was heard by an older classifier.")
    row = page.locator(".track-row", has=page.get_by_role("link", name="other", exact=True))
    shown = row.get_attribute("data-row") or ""
    page.evaluate("window.stays = true")
    notice.get_by_role("button", name="Analyse them again").click()
    expect(page.locator(".reanalysis-former")).to_contain_text(
        "Every track has the newest classifier's verdict."
    )
    expect(row).not_to_have_attribute("data-row", shown)
    expect(row.locator(".mini-wave svg")).to_be_attached()
    assert page.evaluate("window.stays") is True
    page.get_by_role("link", name="What changed").click()
    expect(page.get_by_role("heading", name=re.compile("No genre changed"))).to_be_visible()
