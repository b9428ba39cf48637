"""The result page, its pictures and the player, in Chromium: a handful of uploads that all of it shares."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import FloatRect, Locator, Page, Route, expect

from e2e.conftest import analysed, sign_in
from genreweb.trial import Site
from library.tests.sounds import chords, wav

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def tracks(site: Site) -> list[str]:
    """Four analysed tracks of the site's administrator, by their pages."""
    sounds = {seed: wav(chords(24, seed=seed)) for seed in (71, 72, 73, 74)}
    ids = [analysed(site, sound, name=f"Piece {seed}.wav") for seed, sound in sounds.items()]
    return [f"/tracks/{track}/" for track in ids]


@pytest.fixture
def page(open_page: Callable[..., Page], site: Site) -> Page:
    page = open_page()
    sign_in(page, site)
    return page


def title(page: Page) -> Locator:
    return page.locator("[data-player=title]")


def in_window(page: Page, *selectors: str) -> None:
    """Fail unless all of each element can be seen without scrolling."""
    bar = page.get_by_role("navigation", name="Main").bounding_box()
    assert bar is not None
    # On a phone the navigation covers the foot of the window.
    low = bar["y"] if bar["y"] > 400 else page.evaluate("innerHeight")
    for selector in selectors:
        box = page.locator(selector).bounding_box()
        assert box is not None, selector
        assert box["y"] >= 0, selector
        assert box["y"] + box["height"] <= low, selector


def test_the_answer_is_seen_without_scrolling(page: Page, tracks: list[str]) -> None:
    page.goto(tracks[0])
    in_window(page, "#track-title", "#verdict-title", ".bars", ".measures")
    bars, sound = page.locator(".bars").bounding_box(), page.locator("[data-sound]").bounding_box()
    assert bars is not None
    assert sound is not None
    assert bars["y"] + bars["height"] <= sound["y"]
    # A genre tells what it is where it is focused, and Escape hides that.
    page.locator(".bars-genre").first.focus()
    page.keyboard.press("Tab")
    tip = page.get_by_role("tooltip").filter(visible=True)
    expect(tip).to_contain_text(":")
    expect(page.locator(".bars-genre").nth(1)).to_have_attribute("aria-describedby", "genre-tip")
    page.keyboard.press("Escape")
    expect(tip).to_have_count(0)
    page.set_viewport_size({"width": 390, "height": 844})
    in_window(page, "#track-title", "#verdict-title")
    waves = page.locator(".neighbour .mini-wave svg path")
    expect(waves.first).to_be_attached()


def test_pictures_are_zoomed_and_read(page: Page, tracks: list[str]) -> None:
    page.goto(tracks[0])
    axis, scroller = page.locator("[data-axis]"), page.locator("[data-scroll]")
    axis.focus()
    for _ in range(5):
        page.keyboard.press("+")
    expect(page.locator("[data-zoom-level]")).to_have_text("32×")
    expect(page.get_by_role("button", name="Zoom in")).to_be_disabled()
    tile = page.locator("#picture-spectrogram canvas.tile").first
    expect(tile).to_be_attached()
    # A pixel of a tile is a pixel of the page, and there is a picture on it.
    assert tile.evaluate("tile => Math.abs(tile.width - tile.getBoundingClientRect().width) < 2")
    colours = """tile => new Set(new Uint32Array(
        tile.getContext("2d").getImageData(0, 0, tile.width, tile.height).data.buffer)).size"""
    assert tile.evaluate(colours) > 20

    # The chords of the song lie under 2 kHz: there the level is high, and near the top it is not.
    # Firefox moves no pointer out of the window.
    scroller.evaluate("scroller => scroller.scrollIntoView({block: 'center', behavior: 'instant'})")
    box = page.locator(".lane-picture").bounding_box()
    visible = scroller.bounding_box()
    assert box is not None
    assert visible is not None
    levels = []
    for share in (0.3, 0.97):
        page.mouse.move(visible["x"] + 300, box["y"] + box["height"] * (1 - share))
        bubble = page.locator("[data-bubble]")
        expect(bubble).to_contain_text("dB")
        read = re.search(r"0:0\d\.\d\d · ([\d.]+)\s(k?Hz) · (−?\d+)\sdB", bubble.inner_text())
        assert read, bubble.inner_text()
        hertz = float(read.group(1)) * (1000 if read.group(2) == "kHz" else 1)
        levels.append((hertz, int(read.group(3).replace("−", "-"))))
    assert levels[0][0] < 500
    assert levels[1][0] > 8000
    assert levels[0][1] > levels[1][1]

    page.mouse.move(0, 0)
    axis.focus()
    page.keyboard.press("Shift+ArrowUp")
    expect(axis).to_have_attribute("aria-valuetext", re.compile(r"Hz · −?\d+\sdB$"))
    # A drag moves along and plays nothing.
    before = scroller.evaluate("scroller => scroller.scrollLeft")
    page.mouse.move(visible["x"] + 700, visible["y"] + 40)
    page.mouse.down()
    page.mouse.move(visible["x"] + 200, visible["y"] + 40, steps=4)
    page.mouse.up()
    assert scroller.evaluate("scroller => scroller.scrollLeft") == pytest.approx(before + 500, abs=2)
    expect(page.locator("#player")).to_be_hidden()
    page.keyboard.press("0")
    expect(page.locator("[data-zoom-level]")).to_have_text("1×")
    expect(page.locator("canvas.tile")).to_have_count(0)


def test_a_queue_is_ordered_played_and_kept(page: Page, tracks: list[str]) -> None:
    # Of the first in the list, so that the nearest is another one.
    page.goto(tracks[-1])
    nearest = page.locator(".neighbour-title").first.inner_text()
    page.get_by_role("button", name="Play all").click()
    expect(title(page)).to_have_text(nearest)
    # What is played from a list is followed by the rest of it.
    page.goto("/tracks/")
    names = page.locator(".track-row-title").all_inner_texts()[:3]
    page.locator(".track-row [data-play]").first.click()
    expect(title(page)).to_have_text(names[0])
    page.get_by_role("button", name="Queue", exact=True).click()
    rows = page.locator(".queue-row")
    order = page.locator(".queue-name")
    assert order.all_inner_texts()[:3] == names
    expect(rows.first).to_have_attribute("aria-current", "true")
    # What plays moves the spectrum.
    expect(page.locator(".player-spectrum")).to_have_attribute("data-loudest", re.compile(r"0\.[1-9]|1\.0"))

    reorder(page, names)
    page.keyboard.press("Escape")
    expect(page.locator("#queue")).to_be_hidden()
    press_keys(page, names)
    kept_elsewhere(page, names)


def reorder(page: Page, names: list[str]) -> None:
    """Move rows by button, by key and by dragging; at the end the third is the first."""
    rows, order = page.locator(".queue-row"), page.locator(".queue-name")
    rows.nth(2).locator("[data-row-up]").click()
    assert order.all_inner_texts()[:3] == [names[0], names[2], names[1]]
    expect(page.locator("[data-queue-news]")).to_contain_text("number 2 of")
    rows.nth(1).locator("[data-row-grip]").focus()
    page.keyboard.press("ArrowDown")
    assert order.all_inner_texts()[:3] == names
    grip, target = box_of(rows.nth(2).locator("[data-row-grip]")), box_of(rows.nth(0))
    page.mouse.move(grip["x"] + 10, grip["y"] + 10)
    page.mouse.down()
    page.mouse.move(target["x"] + 20, target["y"] + 10, steps=8)
    page.mouse.up()
    expect(order.first).to_have_text(names[2])
    # It plays on, wherever its row has gone.
    expect(rows.nth(1)).to_have_attribute("aria-current", "true")


def box_of(part: Locator) -> FloatRect:
    """Give where a part of a list is, which may be drawn anew while it is being measured."""
    for _ in range(100):
        if found := part.bounding_box():
            return found
        part.page.wait_for_timeout(50)
    raise AssertionError("it is not seen")


def press_keys(page: Page, names: list[str]) -> None:
    page.locator("h1").first.click()
    page.keyboard.press("n")
    expect(title(page)).to_have_text(names[1])
    # The next sound begins when the browser has enough of it.
    page.wait_for_function("() => navigator.mediaSession.playbackState === 'playing'")
    assert page.evaluate("navigator.mediaSession.metadata.title") == names[1]
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible()
    page.keyboard.press("n")
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.keyboard.press(">")
    page.keyboard.press("l")


def kept_elsewhere(page: Page, names: list[str]) -> None:
    """On the next page it plays on from there, as fast; paused, a later visit finds it where it was."""
    page.goto("/tracks/")
    expect(title(page)).to_have_text(names[1])
    expect(page.locator("#player")).to_have_class(re.compile("is-playing"))
    page.get_by_role("region", name="Player").get_by_role("button", name="Play", exact=True).click()
    expect(page.locator("#player")).not_to_have_class(re.compile("is-playing"))
    at = page.locator("[data-player=time]").inner_text()
    assert int(at.split(":")[1]) >= 10
    later = page.context.new_page()
    later.goto("/")
    expect(title(later)).to_have_text(names[1])
    expect(later.locator("[data-player=time]")).to_have_text(at)
    later.get_by_role("button", name="Queue", exact=True).click()
    assert later.locator(".queue-name").all_inner_texts()[:3] == [names[2], names[0], names[1]]
    expect(later.get_by_label("Speed")).to_have_value("1.25")
    later.get_by_role("button", name="Close the player").click()
    expect(later.locator("#player")).to_be_hidden()
    later.close()


def test_a_queue_with_links_that_have_expired_plays_on(page: Page, tracks: list[str]) -> None:
    page.goto("/tracks/")
    page.locator(".track-row [data-play]").first.click()
    page.locator("[data-player=toggle]").click()
    name = title(page).inner_text()
    # As if the browser was opened again after the links had expired.
    page.evaluate(
        """() => {
            const kept = JSON.parse(localStorage.getItem("player"));
            kept.sound.url = "/media/expired";
            for (const item of kept.queue.items) item.url = "/media/expired";
            kept.time = 5;
            window.addEventListener("pagehide", () => {
                sessionStorage.clear();
                localStorage.setItem("player", JSON.stringify(kept));
            });
        }"""
    )
    page.route(
        "**/media/expired*", lambda route: route.fulfill(status=200, body="gone", content_type="text/plain")
    )
    asked: list[Route] = []

    def hold(route: Route) -> None:
        asked.append(route)

    page.route("**/tracks/sounds/*", hold)
    # In Firefox a page that asks for something is not loaded yet.
    with page.expect_request("**/tracks/sounds/*"):
        page.goto("/", wait_until="domcontentloaded")
    expect(title(page)).to_have_text(name)
    # Pressed while the links are asked for anew, it plays as soon as they are there.
    player = page.get_by_role("region", name="Player")
    player.get_by_role("button", name="Play", exact=True).click()
    expect(page.locator("#player")).not_to_have_class(re.compile("is-playing"))
    asked[0].continue_()
    expect(page.locator("#player")).to_have_class(re.compile("is-playing"))
    expect(page.locator("[data-player=time]")).to_have_text(re.compile(r"0:(0[5-9]|[12]\d)"))


def test_rows_change_while_many_are_analysed_again(page: Page, tracks: list[str]) -> None:
    page.goto("/tracks/")
    row = page.locator(".track-row").first
    expect(row.locator(".mini-wave svg")).to_be_attached()
    shown = row.get_attribute("data-row")
    page.get_by_label("Choose all").or_(page.locator("[data-pick-all]")).first.check()
    page.get_by_role("button", name="Analyse again").first.click()
    expect(page.locator("[data-watch]")).to_have_count(0)
    expect(row).not_to_have_attribute("data-row", shown or "")
    expect(row.locator(".mini-wave svg")).to_be_attached()
