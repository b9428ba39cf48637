"""The whole loop on a running site: contribute, curate, retrain, compare, promote, roll back.

Two people teach the site a genre that it does not know, made up for the test, so that it needs no music.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from classifier.synthesis.chiptune import RATE, chiptune
from genreweb.tests.site import copy_prepared, run_command
from genreweb.trial import Site
from library.tests.sounds import wav

pytestmark = pytest.mark.slow

SECONDS = 6.0
CONTRIBUTED = (13, 11)
"""Clips of the new genre by the one and by the other person; the genre needs twenty."""
_MAKE_PEOPLE = """
import json
from django.contrib.auth.models import Group
from genreweb.accounts.models import CURATORS, ApiToken, User
tokens = {}
for name in ("ann", "ben", "cleo"):
    person = User.objects.create_user(f"{name}@example.org")
    tokens[name] = ApiToken.objects.create(user=person)[1]
person.groups.add(Group.objects.get_or_create(name=CURATORS)[0])
print("TOKENS " + json.dumps(tokens))
"""
_RECEIPTS = """
import json
from training.models import Receipt
print("RECEIPTS " + json.dumps({r.user.email: [r.version.pk, r.clips] for r in Receipt.objects.all()}))
"""


class Person:
    """Somebody with an account, who speaks to the site through the API."""

    def __init__(self, site: Site, token: str) -> None:
        self._site = site
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> Any:
        status, answer = self._site.request("GET", f"/api/v1/{path}", headers=self._headers)
        assert status == 200, (path, status, answer)
        return answer

    def post(self, path: str, data: object) -> tuple[int, Any]:
        headers = {**self._headers, "Content-Type": "application/json"}
        return self._site.request("POST", f"/api/v1/{path}", json.dumps(data).encode(), headers)

    def contribute(self, sound: bytes, **fields: str) -> str:
        status, clip = self._send("clips/", sound, rights="true", **fields)
        assert status == 202, clip
        return str(clip["id"])

    def upload(self, sound: bytes) -> dict[str, Any]:
        """Send a track and wait for its verdict."""
        status, track = self._send("tracks/", sound, Prefer="wait=60")
        assert status == 200, track
        assert track["status"] == "done", track
        return dict(track["analysis"])

    def _send(self, path: str, sound: bytes, Prefer: str = "", **fields: str) -> tuple[int, Any]:
        body = encode_multipart(BOUNDARY, {"file": SimpleUploadedFile("sound.wav", sound), **fields})
        headers = {
            **self._headers,
            "Content-Type": MULTIPART_CONTENT,
            **({"Prefer": Prefer} if Prefer else {}),
        }
        return self._site.request("POST", f"/api/v1/{path}", body, headers)


@pytest.fixture(scope="module")
def site(prepared: Path) -> Iterator[Site]:
    made = Site()
    copy_prepared(prepared, to=made.folder)
    with made as running:
        yield running


def sound(seed: int) -> bytes:
    return wav(chiptune(seed, SECONDS), rate=RATE)


def say(site: Site, script: str, word: str) -> Any:
    """Run a script in the site's own shell and read the line that begins with `word`."""
    done = run_command("manage.py", "shell", "--verbosity", "0", "-c", script, env=site.environment)
    (line,) = (line for line in done.stdout.splitlines() if line.startswith(word))
    return json.loads(line.removeprefix(word))


def until(what: str, condition: Any, *, within: float) -> Any:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.5)
    raise AssertionError(f"not in time: {what}")


def contributed(ann: Person, ben: Person, label: str) -> tuple[list[str], list[str], list[str]]:
    """Let two people give clips, two of them wrong, and wait for their checks."""
    mine = [ann.contribute(sound(n), genre=label, artist=f"Composer {n}") for n in range(CONTRIBUTED[0])]
    theirs = [ben.contribute(sound(100 + n), genre=label, artist=f"Coder {n}") for n in range(CONTRIBUTED[1])]
    wrong = [ben.contribute(sound(200 + n), genre="classical", artist="Nobody") for n in range(2)]
    until(
        "clips are checked",
        lambda: (
            not ann.get("clips/?mine=true&status=checking")["results"]
            and not ben.get("clips/?mine=true&status=checking")["results"]
        ),
        within=240,
    )
    return mine, theirs, wrong


def reviewed(curator: Person, *, right: list[str], wrong: list[str]) -> None:
    """Approve what is right and reject what is not."""
    status, outcomes = curator.post("clips/review/", [{"id": clip, "decision": "approve"} for clip in right])
    assert status == 200, outcomes
    assert all(outcome["error"] is None for outcome in outcomes), outcomes
    for clip in wrong:
        decision = {"decision": "reject", "reason": "not classical"}
        assert curator.post(f"clips/{clip}/review/", decision)[0] == 200


def trained(curator: Person) -> Any:
    """Ask for a quick run, which is one run however often it is asked for; give its candidate."""
    status, run = curator.post("training-runs/", {"kind": "quick", "seed": 1})
    assert status == 202, run
    status, again = curator.post("training-runs/", {"kind": "quick", "seed": 2})
    assert (status, again["id"]) == (200, run["id"])
    run = until(
        "the run ends",
        lambda: (
            (state := curator.get(f"training-runs/{run['id']}/"))["status"] not in ("queued", "running")
            and state
        ),
        within=300,
    )
    assert run["status"] == "done", run
    return curator.get(f"model-versions/{run['candidate']}/")


def test_people_teach_the_site_a_genre(site: Site) -> None:
    ann, ben, cleo = (Person(site, token) for token in say(site, _MAKE_PEOPLE, "TOKENS ").values())
    before = ann.get("model-versions/")["results"]
    (shipped,) = (version for version in before if version["in_service"])

    # A curator adds the genre; it is not predictable by that alone.
    status, genre = cleo.post(
        "genres/", {"name": "Chiptune", "description": "Old consoles", "colour": "#123456"}
    )
    assert status == 201, genre
    assert ann.post("genres/", {"name": "Another"})[0] == 404
    label = genre["slug"]
    assert label not in ann.upload(sound(900))["probabilities"]

    # Two people contribute, some of it wrong.
    mine, theirs, wrong = contributed(ann, ben, label)
    assert cleo.get("clips/?status=pending")["count"] == sum(CONTRIBUTED) + len(wrong)

    # The curator approves what is right and rejects what is not.
    reviewed(cleo, right=[*mine, *theirs], wrong=wrong)
    assert {clip["reason"] for clip in ben.get("clips/?mine=true&status=rejected")["results"]} == {
        "not classical"
    }
    assert ann.post("training-runs/", {"kind": "quick"})[0] == 404

    # A quick run, once however often it is asked for.
    candidate = trained(cleo)
    assert candidate["labels"] == [*shipped["labels"], label]
    assert not candidate["in_service"]
    assert label not in ann.upload(sound(901))["probabilities"]

    # Compared, promoted: a new upload is told something else, by processes that were never restarted.
    comparison = cleo.get(f"model-versions/{candidate['id']}/compare/")
    assert comparison
    status, promotion = cleo.post(
        f"model-versions/{candidate['id']}/promote/", {"reason": "It knows chiptune now."}
    )
    assert status in (200, 201), promotion
    verdict = ann.upload(sound(902))
    assert verdict["genre"] == label
    assert {clip["status"] for clip in ann.get("clips/?mine=true")["results"]} == {"used"}
    receipts = say(site, _RECEIPTS, "RECEIPTS ")
    assert receipts == {
        "ann@example.org": [candidate["id"], len(mine)],
        "ben@example.org": [candidate["id"], len(theirs)],
    }

    # Rolled back: as it was.
    assert cleo.post("model-versions/rollback/", {"reason": "A drill."})[0] in (200, 201)
    assert cleo.get(f"model-versions/{shipped['id']}/")["in_service"]
    assert label not in ann.upload(sound(903))["probabilities"]
