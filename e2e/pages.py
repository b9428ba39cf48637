"""The address of every page, and rows as long use leaves them, with long names in two scripts."""

from __future__ import annotations

import json

from e2e.conftest import analysed, shell
from genreweb.trial import Site
from library.tests.sounds import chords, wav

WORD = "Donaudampfschifffahrtsgesellschaftskapitänskajütenschlüsselanhänger" * 2
KOREAN = "아주길고길어서끝이보이지않는붙여쓴한국어제목" * 4

# Everything that people name has one of the two long names.
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
    "playlist": str(playlist.pk), "spare": str(Track.objects.filter(owner=admin).last().pk),
    "clip": str(Clip.objects.filter(contributor=admin).first().pk),
}}))
"""

PUBLIC = (
    *(
        "/",
        "/catalogue/",
        "/catalogue/map/",
        "/moods/",
        "/moods/happy/",
        "/classifier/quality/",
        "/api/v1/docs/",
    ),
    *("/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"),
    *("/help/", "/help/listener/result.html", "/help/administrator/variables.html", "/help/examples.html"),
    *("/help/search.html?q=quota", "/help/ko/result.html"),
)
SIGNED_IN = (
    *("/", "/record/", "/tracks/", "/tracks/?q=nothing", "/moods/", "/moods/happy/", "/catalogue/"),
    *(
        "/catalogue/map/",
        "/tracks/{track}/",
        "/tracks/{track}/rename/",
        "/tracks/{track}/delete/",
        "/contribute/",
    ),
    *("/contribute/tracks/{track}/", "/contributions/", "/contributions/receipts/"),
    *("/contributions/{clip}/withdraw/", "/account/", "/account/delete/", "/accounts/email/"),
    *("/accounts/password/change/", "/accounts/logout/", "/genres/new/", "/training/data/"),
    *("/training/runs/", "/training/runs/{run}/", "/training/versions/", "/training/versions/{version}/"),
    *("/training/versions/rollback/", "/review/", "/review/list/", "/review/list/?status=rejected"),
    *("/review/health/", "/playlists/", "/playlists/{playlist}/", "/playlists/{playlist}/delete/"),
    *("/playlists/add/?track={track}", "/playlists/build/", "/playlists/build/?like={track}&q=a", "/thumbs/"),
    *("/bin/", "/bin/empty/", "/tracks/{track}/tagged/", "/tracks/{track}/edit/"),
    *("/account/webhooks/", "/accounts/2fa/"),
    *("/accounts/2fa/totp/activate/", "/accounts/2fa/webauthn/add/"),
)

ADMIN = (
    *("/admin/", "/admin/accounts/user/", "/admin/accounts/user/add/", "/admin/accounts/apitoken/"),
    *("/admin/library/track/", "/admin/library/track/{track}/change/", "/admin/library/watchedfile/"),
    *("/admin/classifier/genre/", "/admin/classifier/modelversion/", "/admin/training/clip/"),
    *("/admin/training/clip/{clip}/change/", "/admin/training/dataset/", "/admin/training/receipt/"),
    *("/admin/training/clipdecision/", "/admin/training/trainingrun/", "/admin/training/promotion/"),
)
NOTHING = "/nothing/"


def fill(site: Site) -> dict[str, object]:
    """Make the rows that the pages show; give what stands in the braces of the addresses."""
    for seed in (41, 42, 43, 44):
        analysed(site, wav(chords(5, seed=seed)), name=f"{seed}.wav")
    printed = shell(site, MAKE.format(names=[WORD, KOREAN], email=site.email))
    line = next(line for line in printed.splitlines() if line.startswith("IDS"))
    found: dict[str, object] = json.loads(line.removeprefix("IDS"))
    status, _nothing = site.request("DELETE", f"/api/v1/tracks/{found['spare']}/")
    assert status == 204
    return found
