"""The words of the lenses by which similar tracks are found, as people read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from classifier.core.lenses import (
    BLEND,
    HARMONY,
    HARMONY_ANY_KEY,
    LENSES,
    MOOD,
    SOUND,
    TIMBRE,
)


@dataclass(frozen=True, slots=True, eq=False)
class LensWords:
    """A lens: its name, and what it compares."""

    slug: str
    name: str | Promise
    meaning: str | Promise


_WORDS: Final = {
    BLEND: (
        _("Everything"),
        _(
            "Found by the sound, the harmony, the timbre and the tags together. The named genre plays no "
            "part in it."
        ),
    ),
    SOUND: (
        _("Sound"),
        _("Found by what the pre-trained tagger makes of the sound: voices, instruments, production."),
    ),
    HARMONY: (_("Harmony"), _("Found by harmony: which notes sound together, and how much of the time.")),
    HARMONY_ANY_KEY: (
        _("Harmony in any key"),
        _("Found by harmony, whatever the key: a song that is played higher or lower has the same."),
    ),
    TIMBRE: (_("Timbre"), _("Found by timbre: bright or dark, smooth or rough, and how that changes.")),
    MOOD: (_("Mood"), _("Found by mood: how happy, sad, mellow or loud the music is.")),
}
ALL: Final = {slug: LensWords(slug, *_WORDS[slug]) for slug in LENSES}
