"""No page scrolls sideways, at any width, whatever people write."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.conftest import shell, sign_in
from genreweb.trial import Site
from library.tests.sounds import chords, wav

pytestmark = pytest.mark.e2e

WIDTHS = (320, 360, 768, 1280)
WORD = "Donaudampfschifffahrtsgesellschaftskapitänskajütenschlüsselanhänger" * 2
KOREAN = "아주길고길어서끝이보이지않는붙여쓴한국어제목" * 4

# Rows as long use leaves them; everything that people name has one of the two long names.
MAKE = """
import json
from classifier.core import tagger
from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User
from library.models import Track
from library.services import playlists
from training.models import Clip, TrainingRun
from training.tests.clips import make_clip
names = {names!r}
for place, track in enumerate(Track.objects.all()):
    track.title, track.artist = names[place % 2], names[1 - place % 2]
    track.save(update_fields=["title", "artist"])
admin = User.objects.get(email={email!r})
person = User.objects.get_or_create(email="x" * 60 + "@" + "y" * 60 + ".example")[0]
person.display_name = names[0][:80]
person.save(update_fields=["display_name"])
genre = Genre.objects.get_or_create(
    slug="long", defaults={{"name": names[0][:60], "description": names[1], "colour": "#445566"}}
)[0]
version = ModelVersion.objects.in_service()
installed = tagger.installed()
tagged = {{"tagger_version": installed.version}} if installed else {{}}
heard = {{"rock": 0.7, "long": 0.3}}
said = {{"artist": names[1], "comment": names[0], "opinion": heard, "version": version, "angle": 0}}
for place, (owner, status) in enumerate([(person, "pending"), (admin, "pending"), (admin, "rejected"),
                                         (person, "approved"), (admin, "approved")]):
    clip = make_clip(owner, genre, title=names[place % 2], status=status, seed=place, **said, **tagged)
    if status == "rejected":
        clip.reason = names[0]
        clip.save(update_fields=["reason"])
playlist = playlists.create(owner=admin, title=names[0], tracks=list(Track.objects.filter(owner=admin)))
playlists.create(owner=person, title=names[1], shared=True)
run = TrainingRun.objects.create(
    kind="full", architecture="residual-cnn", epochs=3, status="cancelled", requested_by=person
)
print("IDS" + json.dumps({{
    "track": str(Track.objects.filter(owner=admin).first().pk), "run": str(run.pk), "version": version.pk,
    "playlist": str(playlist.pk),
    "clip": str(Clip.objects.filter(contributor=admin).first().pk),
}}))
"""

PUBLIC = (
    *("/", "/catalogue/", "/moods/", "/moods/happy/", "/classifier/quality/", "/api/v1/docs/"),
    *("/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"),
)
SIGNED_IN = (
    *("/", "/record/", "/tracks/", "/tracks/?q=nothing", "/moods/", "/moods/happy/", "/catalogue/"),
    *("/tracks/{track}/", "/tracks/{track}/rename/", "/tracks/{track}/delete/", "/contribute/"),
    *("/contribute/tracks/{track}/", "/contributions/", "/contributions/receipts/"),
    *("/contributions/{clip}/withdraw/", "/account/", "/account/delete/", "/accounts/email/"),
    *("/accounts/password/change/", "/accounts/logout/", "/genres/new/", "/training/data/"),
    *("/training/runs/", "/training/runs/{run}/", "/training/versions/", "/training/versions/{version}/"),
    *("/training/versions/rollback/", "/review/", "/review/list/", "/review/list/?status=rejected"),
    *("/review/health/", "/playlists/", "/playlists/{playlist}/", "/playlists/{playlist}/delete/"),
    *("/playlists/add/?track={track}", "/playlists/build/", "/playlists/build/?like={track}&q=a", "/thumbs/"),
    *("/bin/", "/bin/empty/"),
)


@pytest.fixture(scope="module")
def ids(site: Site) -> dict[str, object]:
    for seed in (41, 42, 43):
        status, answer = site.upload(wav(chords(5, seed=seed)), name=f"{seed}.wav")
        assert (status, answer["status"]) == (200, "done"), answer
    printed = shell(site, MAKE.format(names=[WORD, KOREAN], email=site.email))
    line = next(line for line in printed.splitlines() if line.startswith("IDS"))
    found: dict[str, object] = json.loads(line.removeprefix("IDS"))
    return found


def too_wide(page: Page, path: str) -> list[str]:
    """Give the widths at which a page is wider than its window."""
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        if (needed := page.evaluate("document.documentElement.scrollWidth")) > width:
            found.append(f"{path} at {width}: {needed}")
    return found


@pytest.mark.parametrize("language", ["en", "ko"])
def test_no_page_scrolls_sideways(
    browser: Browser, open_page: Callable[..., Page], site: Site, ids: dict[str, object], language: str
) -> None:
    wide = []
    stranger = open_page(locale=language)
    for path in PUBLIC:
        stranger.goto(path)
        wide += too_wide(stranger, path)
    # Its status would count as a complaint of the page.
    lost = browser.new_page(base_url=site.address, locale=language)
    lost.goto("/nothing/")
    wide += too_wide(lost, "/nothing/")
    lost.close()
    page = open_page(locale=language)
    sign_in(page, site)
    for path in SIGNED_IN:
        answer = page.goto(path.format(**ids))
        assert answer is not None
        assert answer.status == 200, path
        wide += too_wide(page, path)
    assert not wide, "\n".join(wide)


def test_a_long_title_leaves_the_player_on_the_screen(
    open_page: Callable[..., Page], site: Site, ids: dict[str, object]
) -> None:
    page = open_page(viewport={"width": 320, "height": 640})
    sign_in(page, site)
    page.goto(f"/tracks/{ids['track']}/")
    page.locator(".neighbour [data-play]").first.click()
    player = page.get_by_role("region", name="Player")
    expect(player.locator("[data-player=title]")).not_to_be_empty()
    box, bar = player.bounding_box(), page.get_by_role("navigation", name="Main").bounding_box()
    assert box is not None
    assert bar is not None
    assert (box["x"], box["width"]) == (0, 320)
    # The ways lie below it, at the bottom of the window; what does not fit folds.
    assert box["y"] + box["height"] == pytest.approx(bar["y"], abs=1)
    assert bar["y"] + bar["height"] == pytest.approx(640, abs=1)
    page.get_by_text("More", exact=True).click()
    contribute = page.get_by_role("navigation", name="Main").get_by_role("link", name="Contribute")
    expect(contribute).to_be_visible()
    contribute.click()
    expect(page).to_have_url(f"{site.address}/contribute/")
