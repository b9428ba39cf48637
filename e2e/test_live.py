"""Pages change by themselves: by events, without them, each person's alone; two fingers zoom the pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, expect

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
