"""The recorder: by keyboard, without a microphone, and when something goes wrong in the middle of a take."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.e2e

OpenPage = Callable[..., Page]

SECONDS_6_OR_MORE = re.compile(r"^0:(0[6-9]|[1-5]\d)$")
# Keeps the tracks that the page got, the locks of the screen that it holds, and lets the next recorder fail.
WATCH = """
  const media = navigator.mediaDevices;
  // Firefox runs this in its empty first page too, which has no microphone.
  const ask = media?.getUserMedia.bind(media);
  window.tracks = [];
  if (media) media.getUserMedia = async (wish) => {
    const stream = await ask(wish);
    window.tracks.push(...stream.getAudioTracks());
    return stream;
  };
  window.awake = 0;
  Object.defineProperty(navigator, "wakeLock", {value: {request: async () => {
    window.awake += 1;
    return {release: async () => { window.awake -= 1; }};
  }}});
  const Recorder = window.MediaRecorder;
  window.MediaRecorder = class extends Recorder {
    constructor(...args) {
      if (window.failure) throw new DOMException("", window.failure);
      super(...args);
    }
  };
"""
REFUSE = """
  const media = navigator.mediaDevices;
  if (media) media.getUserMedia = async () => { throw new DOMException("", "%s"); };
"""


def recorder(person: OpenPage, script: str = WATCH, **options: object) -> Page:
    page = person(permissions=["microphone"], **options)
    page.add_init_script(script)
    page.goto("/record/")
    expect(page.locator("#take-list")).to_have_attribute("aria-busy", "false")
    return page


def start(page: Page) -> None:
    page.get_by_role("button", name="Start recording").click()
    expect(page.locator("#recorder")).to_have_attribute("data-state", "recording")


def stop(page: Page, *, after: str = r"^0:(0[2-9]|[1-5]\d)$") -> None:
    expect(page.locator("#time")).to_have_text(re.compile(after))
    page.get_by_role("button", name="Stop recording").click()


def takes(page: Page) -> Locator:
    return page.locator("#take-list li")


def test_takes_are_made_and_deleted_by_keyboard(person: OpenPage) -> None:
    page = recorder(person)
    for count in (1, 2):
        page.get_by_role("button", name="Start recording").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Stop recording")).to_be_focused()
        expect(page.locator("#time")).to_have_text(re.compile(r"^0:(0[2-9]|[1-5]\d)$"))
        page.keyboard.press("Enter")
        expect(takes(page)).to_have_count(count)
        expect(takes(page).first.get_by_role("button", name="Send to analysis")).to_be_focused()

    delete = page.get_by_role("button", name="Delete the take")
    delete.first.focus()
    page.keyboard.press("Enter")
    expect(takes(page)).to_have_count(1)
    expect(takes(page)).to_contain_text("Take 1")
    expect(delete).to_be_focused()
    page.keyboard.press("Enter")
    expect(takes(page)).to_have_count(0)
    expect(page.get_by_role("button", name="Start recording")).to_be_focused()


def test_pause_and_resume_follow_the_focus(person: OpenPage) -> None:
    page = recorder(person)
    start(page)
    page.get_by_role("button", name="Pause").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Resume")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#recorder")).to_have_attribute("data-state", "recording")
    expect(page.get_by_role("button", name="Pause")).to_be_focused()


def test_a_take_of_a_page_that_was_closed_in_the_middle_comes_back(person: OpenPage) -> None:
    page = recorder(person)
    start(page)
    expect(page.locator("#time")).to_have_text(SECONDS_6_OR_MORE)
    # Another page leaves what is being recorded alone.
    other = page.context.new_page()
    other.goto("/record/")
    expect(other.locator("#take-list")).to_have_attribute("aria-busy", "false")
    expect(takes(other)).to_have_count(0)
    page.close()

    other.goto("/record/")
    expect(other.locator(".toast-card")).to_contain_text("What was recorded until then is kept")
    expect(takes(other)).to_have_count(1)
    kept = takes(other).locator("[data-length]")
    expect(kept).to_have_text(re.compile(r"^0:(0[5-9]|[1-5]\d)$"))
    expect(takes(other)).to_contain_text("longer takes are right more often")
    seconds = int(kept.inner_text().split(":")[1])
    # It is a take like any other: still there after the next visit, and gone when it is sent.
    other.goto("/record/")
    expect(takes(other)).to_have_count(1)
    takes(other).get_by_role("button", name="Send to analysis").click()
    expect(other).to_have_url(re.compile(r"/tracks/[0-9a-f-]{36}/"))
    expect(other.locator(".bars meter")).to_have_count(10)
    duration = float(other.locator("[data-sound]").get_attribute("data-duration") or 0)
    assert duration == pytest.approx(seconds, abs=1)
    other.goto("/record/")
    expect(other.locator("#take-list")).to_have_attribute("aria-busy", "false")
    expect(takes(other)).to_have_count(0)


def test_what_was_recorded_before_the_microphone_went_is_a_take(person: OpenPage) -> None:
    page = recorder(person)
    start(page)
    expect(page.locator("#time")).to_have_text(re.compile(r"^0:(0[2-9]|[1-5]\d)$"))
    page.evaluate("window.tracks.at(-1).stop()")
    expect(page.locator("#trouble")).to_contain_text("The microphone went away.")
    expect(takes(page)).to_have_count(1)
    expect(page.locator("#recorder")).to_have_attribute("data-state", "idle")
    # Plugged in again, it goes on.
    start(page)
    expect(page.locator("#trouble")).to_be_hidden()
    stop(page)
    expect(takes(page)).to_have_count(2)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("NotAllowedError", "The microphone is blocked for this site."),
        ("NotFoundError", "No microphone was found."),
        ("NotReadableError", "The microphone cannot be opened."),
    ],
)
def test_without_a_microphone_it_is_said_why(person: OpenPage, error: str, sentence: str) -> None:
    page = recorder(person, REFUSE % error)
    button = page.get_by_role("button", name="Start recording")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text(sentence)
    expect(page.locator("#recorder")).to_have_attribute("data-state", "idle")
    expect(button).to_be_focused()
    expect(takes(page)).to_have_count(0)


def test_a_recorder_that_cannot_start_gives_the_microphone_back(person: OpenPage) -> None:
    page = recorder(person)
    page.evaluate("window.failure = 'NotSupportedError'")
    page.get_by_role("button", name="Start recording").click()
    expect(page.locator("#trouble")).to_contain_text("This browser cannot record sound.")
    expect(page.locator("#recorder")).to_have_attribute("data-state", "idle")
    assert page.evaluate("window.tracks.map((track) => track.readyState)") == ["ended"]
    page.evaluate("window.failure = ''")
    start(page)
    stop(page)
    expect(takes(page)).to_have_count(1)


def test_the_screen_stays_on_while_it_records(person: OpenPage) -> None:
    page = recorder(person)
    assert page.evaluate("window.awake") == 0
    start(page)
    page.wait_for_function("window.awake === 1")
    stop(page)
    page.wait_for_function("window.awake === 0")


def test_a_refused_take_stays_and_says_why(person: OpenPage) -> None:
    page = recorder(person)
    start(page)
    stop(page)
    answer = {"error": {"code": "storage_full", "message": "There is no room left."}}
    page.route("**/upload/", lambda route: route.fulfill(status=422, json=answer))
    send = takes(page).get_by_role("button", name="Send to analysis")
    send.focus()
    page.keyboard.press("Enter")
    expect(takes(page).get_by_role("alert")).to_have_text("There is no room left.")
    expect(send).to_be_focused()
    page.reload()
    expect(takes(page)).to_have_count(1)


@pytest.mark.parametrize("width", [1280, 720, 360])
def test_nothing_of_a_take_lies_under_its_buttons(person: OpenPage, width: int) -> None:
    page = recorder(person, viewport={"width": width, "height": 900})
    start(page)
    stop(page, after=r"^0:[1-5]\d$")
    take = takes(page)
    expect(take.get_by_text("longer takes are right more often")).to_be_hidden()
    # In one go: the page may be scrolling.
    assert take.evaluate("""row => {
      const facts = row.querySelector(".track-row-name").getBoundingClientRect();
      const buttons = row.querySelector(".track-row-verdict").getBoundingClientRect();
      return facts.right <= buttons.left || facts.bottom <= buttons.top;
    }""")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
