"""What ``make demo`` shows: generated songs, a listener, a curator, and a genre that can be taught."""

from __future__ import annotations

import csv
import json
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile

from classifier.models import Genre
from classifier.synthesis import styles
from classifier.synthesis.chiptune import chiptune
from classifier.synthesis.wav import wav
from genreweb.accounts.models import CURATORS, User
from library.models import Track
from library.services import analysis, catalogue, genres, tracks
from training.models import Clip
from training.services import checking, clips, review

LISTENER, CURATOR = "listener@example.org", "curator@example.org"
APPROVED, WAITING = 21, 4
"""Clips of the new genre: enough of them are approved for a quick run, and some wait for the curator."""
_CLIP_SECONDS = 8.0

Style = Callable[[int], npt.NDArray[np.float32]]

CATALOGUE: tuple[tuple[str, str, Style], ...] = (
    ("Four to the Floor", "The Oscillators", styles.dance),
    ("Still Water", "Sine Choir", styles.ambient),
    ("Waltz for a Loop", "Karplus & Strong", styles.waltz),
    ("Hard Clipping", "The Limiters", styles.rock),
    ("Nocturne in Partials", "Additive Trio", styles.nocturne),
    ("Square Dance", "Pulse Width", chiptune),
)
OWN: tuple[tuple[str, Style], ...] = (
    ("My late-night set", styles.dance),
    ("Practice, take two", styles.waltz),
    ("Garage", styles.rock),
    ("Level one", chiptune),
)


def build(*, passwords: Path, say: Callable[[str], Any]) -> dict[str, str]:
    """Make what is not there yet; give each person's password by e-mail address.

    Parameters
    ----------
    passwords
        A file that only its owner may read: passwords are drawn once and shown again at every start.
    """
    people = _people(passwords)
    listener, curator = (User.objects.get(email=email) for email in (LISTENER, CURATOR))
    say("Making the songs")
    _fill_catalogue()
    _upload(listener)
    say("Making clips of a new genre")
    _teach(contributor=listener, curator=curator)
    return people


def _people(file: Path) -> dict[str, str]:
    try:
        known = dict(json.loads(file.read_text()))
    except (OSError, ValueError):
        known = {}
    chosen = {email: str(known.get(email) or secrets.token_urlsafe(9)) for email in (LISTENER, CURATOR)}
    if chosen != known:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump(chosen, out)
    for email, password in chosen.items():
        user = User.objects.filter(email=email).first() or User.objects.create_user(email)
        if not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])
    curators, _made = Group.objects.get_or_create(name=CURATORS)
    User.objects.get(email=CURATOR).groups.add(curators)
    return chosen


def _fill_catalogue() -> None:
    if Track.objects.filter(catalogue_key__startswith="demo/").count() == len(CATALOGUE):
        return
    # The same name in each scratch folder: entries are known by it, so that they are added once.
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch) / "demo.csv"
        with table.open("w", newline="") as out:
            rows = csv.DictWriter(out, ("path", "title", "artist", "licence"))
            rows.writeheader()
            for title, artist, style in CATALOGUE:
                name = f"{title}.wav"
                rows.writerow({"path": name, "title": title, "artist": artist, "licence": "CC0"})
                (table.parent / name).write_bytes(wav(style(1)))
        catalogue.import_entries(catalogue.entries(table))
    for track in Track.objects.filter(catalogue_key__startswith="demo/", status=Track.Status.QUEUED):
        analysis.analyse_track(track_id=track.pk)


def _upload(owner: User) -> None:
    there = set(Track.objects.filter(owner=owner).values_list("title", flat=True))
    for title, style in OWN:
        if title in there:
            continue
        sound = ContentFile(wav(style(2)), name=f"{title}.wav")
        track = tracks.add_track(owner=owner, file=sound, name=f"{title}.wav", title=title).track
        analysis.analyse_track(track_id=track.pk)


def _teach(*, contributor: User, curator: User) -> None:
    genre = Genre.objects.filter(slug="chiptune").first() or genres.add_genre(
        by=curator,
        name="Chiptune",
        description="The music of old game consoles.",
        translations={"ko": {"name": "칩튠", "description": "옛 게임기의 음악입니다."}},
    )
    there = set(Clip.objects.filter(contributor=contributor, genre=genre).values_list("title", flat=True))
    for number in range(1, APPROVED + WAITING + 1):
        seed, title = 99 + number, f"Level {number}"
        if title in there:
            continue
        sound = ContentFile(wav(chiptune(seed, _CLIP_SECONDS)), name=f"chiptune-{seed}.wav")
        clip = clips.submit_clip(
            contributor=contributor,
            genre=genre,
            rights=True,
            file=sound,
            name=f"chiptune-{seed}.wav",
            title=title,
            artist=f"Console {seed % 5 + 1}",
        ).clip
        checking.check_clip(clip_id=clip.pk)
        if number <= APPROVED and Clip.objects.filter(pk=clip.pk, status=Clip.Status.PENDING).exists():
            review.approve(clip_id=clip.pk, by=curator)
