"""The words of tags, as people read them: marked for translation here, translated where they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from django.utils.translation import get_language, gettext, gettext_noop

from classifier.core.tags import GROUPS, TAGS, Tag

_WORDS = {
    "rock": (gettext_noop("Rock"), gettext_noop("Electric guitars, bass and a strong backbeat.")),
    "pop": (gettext_noop("Pop"), gettext_noop("A catchy tune and polished voices in front.")),
    "alternative": (
        gettext_noop("Alternative"),
        gettext_noop("Rock off the beaten track, as from the 1990s on."),
    ),
    "indie": (gettext_noop("Indie"), gettext_noop("Made outside the big labels, often rough and personal.")),
    "electronic": (
        gettext_noop("Electronic"),
        gettext_noop("Made with synthesizers, samplers and drum machines."),
    ),
    "dance": (gettext_noop("Dance"), gettext_noop("A steady beat made for dancing.")),
    "alternative-rock": (
        gettext_noop("Alternative rock"),
        gettext_noop("Distorted guitars and a darker mood than classic rock."),
    ),
    "jazz": (gettext_noop("Jazz"), gettext_noop("Swing, rich chords and improvisation.")),
    "metal": (gettext_noop("Metal"), gettext_noop("Dense, loud and distorted guitars.")),
    "classic-rock": (gettext_noop("Classic rock"), gettext_noop("Rock as in the 1960s to the 1980s.")),
    "soul": (gettext_noop("Soul"), gettext_noop("Gospel-rooted singing over a warm groove.")),
    "indie-rock": (gettext_noop("Indie rock"), gettext_noop("Guitar bands outside the big labels.")),
    "electronica": (
        gettext_noop("Electronica"),
        gettext_noop("Electronic music to listen to rather than to dance to."),
    ),
    "folk": (gettext_noop("Folk"), gettext_noop("Acoustic guitars and songs in a plain voice.")),
    "punk": (gettext_noop("Punk"), gettext_noop("Short, fast and raw.")),
    "blues": (gettext_noop("Blues"), gettext_noop("Bent notes and twelve bars.")),
    "hard-rock": (gettext_noop("Hard rock"), gettext_noop("Heavy riffs and a loud voice.")),
    "ambient": (gettext_noop("Ambient"), gettext_noop("Slow, wide sounds, often without a beat.")),
    "experimental": (gettext_noop("Experimental"), gettext_noop("Unusual sounds and forms.")),
    "hip-hop": (gettext_noop("Hip-hop"), gettext_noop("Rap over looped beats.")),
    "country": (gettext_noop("Country"), gettext_noop("Stories with steel guitar, fiddle and banjo.")),
    "funk": (gettext_noop("Funk"), gettext_noop("A syncopated bass and a tight groove.")),
    "electro": (gettext_noop("Electro"), gettext_noop("Hard synthesizers and drum machines.")),
    "heavy-metal": (gettext_noop("Heavy metal"), gettext_noop("Powerful riffs and a soaring voice.")),
    "progressive-rock": (gettext_noop("Progressive rock"), gettext_noop("Long forms and changing metres.")),
    "rnb": (gettext_noop("R&B"), gettext_noop("Smooth singing over modern beats.")),
    "indie-pop": (gettext_noop("Indie pop"), gettext_noop("Light, melodic songs of small labels.")),
    "house": (gettext_noop("House"), gettext_noop("A bass drum on every beat, for the club.")),
    "chillout": (gettext_noop("Chillout"), gettext_noop("Soft electronic music to unwind.")),
    "classical": (gettext_noop("Classical"), gettext_noop("Composed music for orchestra or chamber groups.")),
    "opera": (gettext_noop("Opera"), gettext_noop("Trained voices with an orchestra.")),
    "techno": (gettext_noop("Techno"), gettext_noop("Fast, repeated machine beats.")),
    "new-age": (gettext_noop("New age"), gettext_noop("Calm sounds for rest and meditation.")),
    "happy": (gettext_noop("Happy"), gettext_noop("Bright and cheerful.")),
    "sad": (gettext_noop("Sad"), gettext_noop("Sorrowful or longing.")),
    "mellow": (gettext_noop("Mellow"), gettext_noop("Soft, warm and unhurried.")),
    "chill": (gettext_noop("Chill"), gettext_noop("Relaxed, to wind down.")),
    "party": (gettext_noop("Party"), gettext_noop("Lively, to celebrate.")),
    "beautiful": (gettext_noop("Beautiful"), gettext_noop("What listeners call beautiful.")),
    "sexy": (gettext_noop("Sexy"), gettext_noop("Sensual and close.")),
    "easy-listening": (gettext_noop("Easy listening"), gettext_noop("Gentle, pleasant in the background.")),
    "catchy": (gettext_noop("Catchy"), gettext_noop("A tune that stays in the ear.")),
    "slow": (gettext_noop("Slow"), gettext_noop("At a slow pace.")),
    "fast": (gettext_noop("Fast"), gettext_noop("At a fast pace.")),
    "loud": (gettext_noop("Loud"), gettext_noop("Full and forceful.")),
    "quiet": (gettext_noop("Quiet"), gettext_noop("Soft and sparse.")),
    "60s": (gettext_noop("1960s"), gettext_noop("Sounds like the 1960s.")),
    "70s": (gettext_noop("1970s"), gettext_noop("Sounds like the 1970s.")),
    "80s": (gettext_noop("1980s"), gettext_noop("Sounds like the 1980s.")),
    "90s": (gettext_noop("1990s"), gettext_noop("Sounds like the 1990s.")),
    "00s": (gettext_noop("2000s"), gettext_noop("Sounds like the 2000s.")),
    "oldies": (gettext_noop("Oldies"), gettext_noop("Sounds like hits of the 1950s and 1960s.")),
    "female-voice": (gettext_noop("Female voice"), gettext_noop("A woman sings.")),
    "male-voice": (gettext_noop("Male voice"), gettext_noop("A man sings.")),
    "instrumental": (gettext_noop("Instrumental"), gettext_noop("Nobody sings.")),
    "acoustic": (gettext_noop("Acoustic"), gettext_noop("Played without amplifiers.")),
    "guitar": (gettext_noop("Guitar"), gettext_noop("A guitar stands out.")),
    "piano": (gettext_noop("Piano"), gettext_noop("A piano stands out.")),
    "strings": (gettext_noop("Strings"), gettext_noop("Violins, violas and cellos play together.")),
    "violin": (gettext_noop("Violin"), gettext_noop("A violin stands out.")),
    "cello": (gettext_noop("Cello"), gettext_noop("A cello stands out.")),
    "flute": (gettext_noop("Flute"), gettext_noop("A flute stands out.")),
    "harpsichord": (gettext_noop("Harpsichord"), gettext_noop("A harpsichord stands out.")),
    "drums": (gettext_noop("Drums"), gettext_noop("Drums stand out.")),
    "synth": (gettext_noop("Synthesizer"), gettext_noop("A synthesizer stands out.")),
    "choir": (gettext_noop("Choir"), gettext_noop("Many voices sing together.")),
}
_GROUPS = {
    "style": gettext_noop("Style"),
    "mood": gettext_noop("Mood"),
    "era": gettext_noop("Era"),
    "voices_instruments": gettext_noop("Voices and instruments"),
}
_SOUNDS = {
    "electronic": gettext_noop("sounds electronic"),
    "house": gettext_noop("sounds like house"),
    "ambient": gettext_noop("sounds ambient"),
    "folk": gettext_noop("sounds like folk"),
    "soul": gettext_noop("sounds like soul"),
    "funk": gettext_noop("sounds like funk"),
    "experimental": gettext_noop("sounds experimental"),
}


@dataclass(frozen=True, slots=True)
class NamedTag:
    """A tag in the reader's language: its name and a sentence that says what it means."""

    tag: Tag
    name: str
    meaning: str

    @property
    def slug(self) -> str:
        return self.tag.slug


def named(slug: str) -> NamedTag:
    """Return a tag in the reader's language; KeyError where there is none."""
    return _named(slug, get_language())


@lru_cache(maxsize=1_000)
def _named(slug: str, _language: str | None) -> NamedTag:
    name, meaning = _WORDS[slug]
    return NamedTag(TAGS[slug], gettext(name), gettext(meaning))


def group_name(group: str) -> str:
    """Return the name of a group in the reader's language."""
    return gettext(_GROUPS[group])


def sounds(style: str) -> str:
    """Say what a track of a style sounds like, as part of a sentence."""
    words = _SOUNDS.get(style)
    return gettext(words) if words else gettext("sounds like {style}").format(style=style)


def choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return all tags by group, as a form offers them."""
    return list(_choices(get_language()))


@lru_cache(maxsize=20)
def _choices(_language: str | None) -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (group_name(group), [(tag.slug, named(tag.slug).name) for tag in TAGS.values() if tag.group == group])
        for group in GROUPS
    ]
