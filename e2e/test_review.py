"""Reviewing clips in Chromium, with hands on the keys."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from e2e.conftest import shell, sign_in
from genreweb.trial import Site

pytestmark = pytest.mark.e2e

TITLES = ["First", "Second", "Third", "Fourth", "Fifth"]
# What a worker would have made of five clips that somebody sent, the most disputed first.
# They are tagged already: the site would tag them and set its own prediction in the place of this one.
MAKE = """
from classifier.core import tagger
from classifier.models import Genre
from genreweb.accounts.models import User
from training.models import Clip
from training.tests.clips import make_clip
Clip.objects.all().delete()
person = User.objects.get_or_create(email="giver@example.org")[0]
blues = Genre.objects.get(slug="blues")
installed = tagger.installed()
tagged = {{"tagger_version": installed.version}} if installed else {{}}
for place, title in enumerate({titles}):
    heard = {{"rock": 0.9 - place / 10, "blues": 0.1 + place / 10}}
    make_clip(person, blues, title=title, opinion=heard, seconds=60, seed=place, **tagged)
"""
STATES = """
import json
from training.models import Clip
print("STATES" + json.dumps({c.title: [c.status, c.genre.slug, c.reason] for c in Clip.objects.all()}))
"""


def states(site: Site) -> dict[str, list[str]]:
    line = next(line for line in shell(site, STATES).splitlines() if line.startswith("STATES"))
    found: dict[str, list[str]] = json.loads(line.removeprefix("STATES"))
    return found


@pytest.fixture
def desk(open_page: Callable[..., Page], site: Site) -> Page:
    shell(site, MAKE.format(titles=TITLES))
    page = open_page()
    sign_in(page, site)
    page.goto("/review/")
    return page


def test_approve_relabel_reject_and_undo_by_keys(desk: Page, site: Site) -> None:
    title = desk.locator("#review-stage .review-title")
    waiting = desk.locator("[data-waiting]")
    expect(title).to_have_text("First")
    expect(waiting).to_have_text("5 waiting")
    desk.keyboard.press("a")
    expect(title).to_have_text("Second")
    expect(waiting).to_have_text("4 waiting")
    desk.keyboard.press("l")
    rock = desk.locator("#review-stage [data-pick-key]", has_text="Rock")
    expect(rock).to_be_visible()
    desk.keyboard.press(rock.get_attribute("data-pick-key") or "")
    expect(title).to_have_text("Third")
    desk.keyboard.press("r")
    desk.keyboard.press("o")
    # In a field, keys write.
    desk.keyboard.type("a loud hall, alas")
    desk.keyboard.press("Enter")
    expect(title).to_have_text("Fourth")
    desk.keyboard.press("s")
    expect(title).to_have_text("Fifth")
    expect(waiting).to_have_text("2 waiting")
    expect(desk.locator(".review-last")).to_contain_text("Third")
    assert states(site) == {
        "First": ["approved", "blues", ""],
        "Second": ["approved", "rock", ""],
        "Third": ["rejected", "blues", "a loud hall, alas"],
        "Fourth": ["pending", "blues", ""],
        "Fifth": ["pending", "blues", ""],
    }
    desk.keyboard.press("u")
    expect(title).to_have_text("Third")
    expect(desk.locator("#review-news")).to_contain_text("Taken back: Third.")
    desk.keyboard.press("u")
    expect(title).to_have_text("Second")
    expect(waiting).to_have_text("4 waiting")
    assert [states(site)[name][:2] for name in ("Second", "Third")] == [["pending", "blues"]] * 2

    desk.keyboard.press("?")
    dialog = desk.get_by_role("dialog")
    expect(dialog).to_be_visible()
    desk.keyboard.press("a")
    expect(title).to_have_text("Second")
    desk.keyboard.press("Escape")
    expect(dialog).to_be_hidden()

    desk.keyboard.press("Space")
    expect(desk.locator("#review-stage [data-main]")).to_have_attribute("aria-pressed", "true")
    desk.keyboard.press("Space")
    expect(desk.locator("#review-stage [data-main]")).to_have_attribute("aria-pressed", "false")


def test_no_key_decides_while_a_choice_is_open(desk: Page, site: Site) -> None:
    title = desk.locator("#review-stage .review-title")
    panel = desk.locator("#review-stage .review-panel.is-open")
    expect(title).to_have_text("First")
    for opener in "lr":
        desk.keyboard.press(opener)
        expect(panel).to_be_visible()
        for key in "asu":
            desk.keyboard.press(key)
        expect(desk.locator(".toast-card").first).to_contain_text("press Esc")
        desk.keyboard.press("Escape")
        expect(panel).to_have_count(0)
    # Out of the field, too.
    desk.keyboard.press("r")
    desk.keyboard.press("o")
    desk.keyboard.type("alas")
    desk.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(title).to_have_text("First")
    expect(desk.locator("[data-waiting]")).to_have_text("5 waiting")
    # What the choice does not need works on: one choice changes into the other.
    desk.keyboard.press("l")
    desk.keyboard.press("r")
    expect(panel).to_have_attribute("data-panel", "reject")
    desk.keyboard.press("Escape")
    assert {state[0] for state in states(site).values()} == {"pending"}
    desk.keyboard.press("a")
    expect(title).to_have_text("Second")
    expect(desk.locator(".review-last")).to_contain_text("First")
    assert states(site)["First"][:2] == ["approved", "blues"]


def test_what_plays_is_what_the_card_shows(desk: Page) -> None:
    title = desk.locator("#review-stage .review-title")
    playing = desk.locator("[data-player=title]")
    desk.keyboard.press("Space")
    expect(playing).to_have_text("First")
    desk.keyboard.press("a")
    expect(title).to_have_text("Second")
    expect(playing).to_have_text("Second")
    expect(desk.locator(".review-last")).to_contain_text("First")
    desk.keyboard.press("u")
    expect(title).to_have_text("First")
    expect(playing).to_have_text("First")


@pytest.mark.chromium_only(
    "in Firefox a double click of Playwright's is two clicks where the machine is slow"
)
def test_a_double_click_decides_about_one_clip_and_two_keys_about_two(desk: Page, site: Site) -> None:
    title = desk.locator("#review-stage .review-title")
    expect(title).to_have_text("First")
    desk.get_by_role("button", name="Approve").dblclick()
    expect(title).to_have_text("Second")
    desk.keyboard.press("s")
    expect(title).to_have_text("Third")
    # Keys do nothing while there is no clip to see.
    expect(desk.locator("#review-ahead [data-card]")).to_have_count(2)
    # As fast as somebody can press.
    for _ in range(3):
        desk.keyboard.press("a")
    expect(desk.get_by_role("heading", name="Nothing waits")).to_be_visible()
    desk.get_by_role("button", name="Show those that I skipped").click()
    expect(title).to_have_text("Second")
    assert {name: state[0] for name, state in states(site).items()} == {
        **dict.fromkeys(("First", "Third", "Fourth", "Fifth"), "approved"),
        "Second": "pending",
    }


def test_several_at_once_in_the_list(desk: Page, site: Site) -> None:
    desk.goto("/review/list/")
    rows = desk.locator(".review-row")
    expect(rows).to_have_count(5)
    for place in (0, 1):
        rows.nth(place).get_by_role("checkbox").check()
    expect(desk.locator("[data-count]")).to_have_text("2 chosen")
    desk.locator("#bulk-reason").fill("hiss")
    desk.locator("#bulk-reason").press("Enter")
    expect(rows).to_have_count(3)
    toast = desk.locator(".toast-card", has_text="2 clips are rejected.")
    # What the pointer rests on stays.
    toast.hover()
    assert [states(site)[name][0] for name in TITLES[:3]] == ["rejected", "rejected", "pending"]
    toast.get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(5)
    assert {state[0] for state in states(site).values()} == {"pending"}


def test_a_clip_that_could_not_be_saved_comes_back(desk: Page, site: Site) -> None:
    title = desk.locator("#review-stage .review-title")
    desk.context.set_offline(True)
    desk.keyboard.press("a")
    expect(desk.locator(".toast-card")).to_contain_text("could not be saved")
    expect(title).to_have_text("First")
    desk.context.set_offline(False)
    desk.keyboard.press("a")
    expect(title).to_have_text("Second")
    expect(desk.locator("[data-waiting]")).to_have_text("4 waiting")
    assert states(site)["First"][0] == "approved"


def test_review_fits_a_phone(desk: Page) -> None:
    desk.set_viewport_size({"width": 360, "height": 780})
    for path in ("/review/", "/review/list/", "/review/health/"):
        desk.goto(path)
        desk.wait_for_load_state()
        assert desk.evaluate("document.documentElement.scrollWidth") <= 360, path
