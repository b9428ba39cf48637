"""``make pictures``: the pictures of the help pages, and every page at three widths in both themes.

Not a part of ``make e2e``. The songs are those of ``make demo``, which the project generates itself.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from e2e.conftest import fill_in, shell, sign_in
from e2e.pages import ADMIN, PUBLIC, SIGNED_IN
from genreweb.embedded.paths import REPOSITORY
from genreweb.trial import Site

pytestmark = pytest.mark.e2e

GUIDE = REPOSITORY / "docs" / "pictures"
SHEETS = REPOSITORY / "var" / "pictures"
WIDTHS = (360, 768, 1280)
THEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
MOST_BYTES = 100_000
DEMO = """
import json
from django.conf import settings
from library.models import Track
from library.services import playlists
from training import demo
from genreweb.accounts.models import User
people = demo.build(passwords=settings.VAR_DIR / "demo_passwords.json", say=lambda words: None)
listener = User.objects.get(email=demo.LISTENER)
own = {track.title: track for track in Track.objects.filter(owner=listener)}
rest = {track.title: track for track in Track.objects.filter(catalogue_key__startswith="demo/")}
sure = next((track for track in own.values() if track.current and not track.current.unsure), own["Garage"])
chosen = [own["My late-night set"], rest["Four to the Floor"], rest["Hard Clipping"], own["Garage"]]
playlist = playlists.create(owner=listener, title="From the club to the garage", tracks=chosen)
print("DEMO" + json.dumps({
    "people": people, "track": str(sure.pk), "playlist": str(playlist.pk),
    "listener": demo.LISTENER, "curator": demo.CURATOR,
}))
"""


@pytest.fixture(scope="module")
def demo(site: Site) -> dict[str, object]:
    line = next(line for line in shell(site, DEMO, within=900).splitlines() if line.startswith("DEMO"))
    found: dict[str, object] = json.loads(line.removeprefix("DEMO"))
    return found


@pytest.fixture
def open_as(browser: Browser, site: Site, demo: Mapping[str, object]) -> Iterator[Callable[[str, str], Page]]:
    contexts = []

    def make(who: str, language: str) -> Page:
        context = browser.new_context(
            base_url=site.address,
            viewport={"width": 1280, "height": 860},
            locale=language,
            color_scheme="light",
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        people, email = demo["people"], demo[who]
        assert isinstance(people, dict)
        page.goto("/accounts/login/")
        fill_in(page, str(email), people[email])
        return page

    yield make
    for context in contexts:
        context.close()


def keep(page: Page, name: str, *, height: int = 860) -> None:
    """Write what is in the window as a small file of the help pages."""
    page.set_viewport_size({"width": 1280, "height": height})
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")
    target = GUIDE / f"{name}.webp"
    Image.open(io.BytesIO(page.screenshot())).save(target, quality=72, method=6)
    assert 5_000 < target.stat().st_size < MOST_BYTES, name


@pytest.mark.parametrize(("language", "prefix"), [("en", ""), ("ko", "ko-")])
def test_pictures_of_the_guide_for_listeners(
    open_as: Callable[[str, str], Page], demo: Mapping[str, object], language: str, prefix: str
) -> None:
    page = open_as("listener", language)
    page.goto("/")
    keep(page, f"{prefix}upload")
    page.goto(f"/tracks/{demo['track']}/")
    page.locator("canvas, .sound-pictures img").first.wait_for()
    keep(page, f"{prefix}result", height=1180)
    page.goto("/tracks/")
    keep(page, f"{prefix}tracks")
    page.goto(f"/playlists/{demo['playlist']}/")
    keep(page, f"{prefix}playlist")


def test_pictures_of_the_guide_for_curators(open_as: Callable[[str, str], Page]) -> None:
    page = open_as("curator", "en")
    page.goto("/review/")
    expect(page.get_by_role("button", name="Approve").first).to_be_visible()
    keep(page, "review")
    page.goto("/training/runs/")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/training/runs/*-*/")
    expect(page.get_by_role("heading", name="The run is done")).to_be_visible(timeout=300_000)
    page.get_by_role("link", name="Compare it").first.click()
    page.wait_for_url("**/training/versions/*/")
    keep(page, "compare")


def test_every_page_on_one_sheet_per_width_and_theme(
    browser: Browser, site: Site, ids: dict[str, object]
) -> None:
    context = browser.new_context(base_url=site.address, reduced_motion="reduce")
    page = context.new_page()
    shots: dict[str, list[Image.Image]] = {f"{width}-{theme}": [] for width in WIDTHS for theme in THEMES}
    paths = (*PUBLIC, "", *SIGNED_IN, *ADMIN)
    for number, path in enumerate(paths):
        if not path:
            sign_in(page, site)
            continue
        page.goto(path.format(**ids))
        # The page follows both without being loaded anew.
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            for theme in THEMES:
                page.emulate_media(color_scheme=theme)
                shots[f"{width}-{theme}"].append(
                    shot(page, SHEETS / f"{width}-{theme}" / f"{number:02}.webp")
                )
    context.close()
    for name, pictures in shots.items():
        sheet(pictures, SHEETS / f"{name}.webp")
        assert len(pictures) == len(paths) - 1


def shot(page: Page, target: Path) -> Image.Image:
    """Keep the whole page; give its top."""
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    target.parent.mkdir(parents=True, exist_ok=True)
    picture.crop((0, 0, picture.width, min(picture.height, 16_000))).save(target)
    return picture.crop((0, 0, picture.width, min(picture.height, 2 * picture.width)))


def sheet(
    shots: list[Image.Image], target: Path, *, wide: int = 240, high: int = 320, columns: int = 10
) -> None:
    """Put the tops of pages side by side, each made as wide as the others."""
    whole = Image.new("RGB", (columns * wide, math.ceil(len(shots) / columns) * high), "grey")
    for number, shot in enumerate(shots):
        small = shot.resize((wide, round(shot.height * wide / shot.width)))
        whole.paste(small.crop((0, 0, wide, high)), (number % columns * wide, number // columns * high))
    whole.save(target)
