"""Short pieces made by the project, for people who want to try the site and have no file at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from django.core.files.base import ContentFile
from django.utils.translation import gettext_lazy as _

from classifier.synthesis import pieces
from classifier.synthesis.styles import Float32
from classifier.synthesis.wav import wav
from genreweb.accounts.models import User
from library.services.tracks import Added, add_track


@dataclass(frozen=True, slots=True)
class Sample:
    """A piece: its name in addresses, its title, and what kind of music it is meant to be."""

    slug: str
    title: Any
    kind: Any
    make: Callable[[], Float32]


SAMPLES: Final = {
    sample.slug: sample
    for sample in (
        Sample(
            "chorale", _("Chorale for strings"), _("meant as classical: four bowed voices"), pieces.chorale
        ),
        Sample("riff", _("Riff with drums"), _("meant as rock: distorted guitars"), pieces.riff),
        Sample("disco", _("Mirror ball"), _("meant as disco: four on the floor"), pieces.disco),
        Sample("etude", _("Étude at night"), _("meant as classical: a piano alone"), pieces.etude),
    )
}


def add_sample(*, owner: User, slug: str) -> Added:
    """Add a piece to somebody's tracks as if they had sent it; the one that they have already is given.

    Raises
    ------
    KeyError
        There is no such piece.
    TrackError
        As for any other file.
    """
    sample = SAMPLES[slug]
    file = ContentFile(_sound(slug), name=f"{slug}.wav")
    return add_track(owner=owner, file=file, name=f"{slug}.wav", title=str(sample.title))


@lru_cache(maxsize=len(SAMPLES))
def _sound(slug: str) -> bytes:
    """Make a piece once per process: it takes up to two seconds, and a megabyte."""
    return wav(SAMPLES[slug].make())
