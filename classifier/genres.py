"""The ten genres that the shipped classifier knows, as people read them.

The texts are marked for translation here and translated where they are shown, so that a site's database holds
one language and its pages speak the reader's.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext_noop


@dataclass(frozen=True, slots=True)
class ShippedGenre:
    slug: str
    name: str
    colour: str
    description: str


# Colours after Paul Tol's "muted" scheme, which people with any colour vision can tell apart; the darkest are
# lightened so that they hold on a dark page too.
SHIPPED_GENRES = (
    ShippedGenre(
        "blues",
        gettext_noop("Blues"),
        "#4477aa",
        gettext_noop(
            "Born in the American South: twelve bars, three chords and bent “blue” notes between major and "
            "minor. A voice or a guitar calls and the other answers, over a shuffle that leans back."
        ),
    ),
    ShippedGenre(
        "classical",
        gettext_noop("Classical"),
        "#ddcc77",
        gettext_noop(
            "Composed music for orchestra, chamber groups, voices or one instrument. Wide swings from whisper "
            "to full force, long arcs of melody and harmony, and rarely a drum kit keeping time."
        ),
    ),
    ShippedGenre(
        "country",
        gettext_noop("Country"),
        "#999933",
        gettext_noop(
            "Songs that tell a story, carried by acoustic and steel guitars, fiddle and banjo. Plain major "
            "chords, a bass that alternates between two notes, and a voice up front."
        ),
    ),
    ShippedGenre(
        "disco",
        gettext_noop("Disco"),
        "#ee99aa",
        gettext_noop(
            "Made for the dance floor of the 1970s: a bass drum on every beat, open hi-hats in between, "
            "running bass lines in octaves, and strings and horns that lift the chorus."
        ),
    ),
    ShippedGenre(
        "hiphop",
        gettext_noop("Hip-hop"),
        "#aa4499",
        gettext_noop(
            "Rhythm first: rapped verses over a looped beat of sampled drums, deep bass and fragments of older "
            "records. Little melody moves; the words and the groove do the work."
        ),
    ),
    ShippedGenre(
        "jazz",
        gettext_noop("Jazz"),
        "#44aa99",
        gettext_noop(
            "Improvisation over rich, extended chords. Walking bass, a ride cymbal that swings, and horns, "
            "piano or voice taking turns to retell the tune."
        ),
    ),
    ShippedGenre(
        "metal",
        gettext_noop("Metal"),
        "#8d3f63",
        gettext_noop(
            "Dense and loud: distorted guitars in low power-chord riffs, fast double bass drums, and singing "
            "that ranges from soaring to growled. The spectrum is full from bottom to top."
        ),
    ),
    ShippedGenre(
        "pop",
        gettext_noop("Pop"),
        "#88ccee",
        gettext_noop(
            "Built around a hook that stays in the ear. Polished voices in front, verse and chorus in turn, "
            "steady beats and bright, layered production."
        ),
    ),
    ShippedGenre(
        "reggae",
        gettext_noop("Reggae"),
        "#2f9e58",
        gettext_noop(
            "From Jamaica: short guitar or keyboard chords on the off-beat, a heavy melodic bass, drums that "
            "drop the first beat, and plenty of space and echo."
        ),
    ),
    ShippedGenre(
        "rock",
        gettext_noop("Rock"),
        "#cc6677",
        gettext_noop(
            "Electric guitars, bass and drums with a strong backbeat on two and four. Riffs and power chords, "
            "rough or anthemic voices, and the energy of a band playing together."
        ),
    ),
)
