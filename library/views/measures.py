"""Tempo, key and loudness of a track as its page tells them, each with how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.translation import gettext

from classifier import key_words
from classifier.core.keys import parsed
from classifier.core.measures import Sureness, key_sureness, tempo_sureness
from library.models import Analysis


@dataclass(frozen=True, slots=True)
class Measure:
    """One fact: its name, its value with the unit, how sure it is in words, and what that means."""

    name: str
    value: str
    level: str = ""
    sureness: str = ""
    about: str = ""


def measures(analysis: Analysis) -> list[Measure]:
    """What was measured of a track; analyses that are older than a measure lack it."""
    found = [_tempo(analysis), _key(analysis), _loudness(analysis)]
    return [measure for measure in found if measure is not None]


def _tempo(analysis: Analysis) -> Measure | None:
    if analysis.tempo is None or not analysis.music:
        return None
    value = f"{number_format(round(analysis.tempo))} BPM"
    sure = tempo_sureness(analysis.tempo_clarity)
    words = {
        "sure": gettext("steady beat"),
        "fair": gettext("fairly steady"),
        "doubtful": gettext("doubtful"),
    }
    about = gettext(
        "With a beat as clear as this, {percent} % of the tempi agree with those of another method, half or "
        "double the tempo counted as right."
    )
    return Measure(gettext("Tempo"), value, *_words(sure, words, about))


def _key(analysis: Analysis) -> Measure | None:
    key = parsed(analysis.key)
    if key is None:
        return None
    sure = key_sureness(analysis.key_clarity)
    words = {
        "sure": gettext("fairly sure"),
        "fair": gettext("likely"),
        "doubtful": gettext("doubtful"),
    }
    about = gettext(
        "Of clips whose key is known, {percent} % with a key as clear as this were named rightly."
    )
    return Measure(gettext("Key"), key_words.named(key), *_words(sure, words, about))


def _loudness(analysis: Analysis) -> Measure | None:
    if analysis.loudness is None:
        return None
    value = f"{_signed(analysis.loudness)} LUFS"
    about = gettext("Measured after ITU-R BS.1770-4, with the highest peak between the samples.")
    if analysis.true_peak is None:
        return Measure(gettext("Loudness"), value, "exact", gettext("measured"), about)
    peak = gettext("true peak {number} dBTP").format(number=_signed(analysis.true_peak))
    return Measure(gettext("Loudness"), value, "exact", peak, about)


def _signed(value: float) -> str:
    return number_format(f"{value:.1f}").replace("-", "\N{MINUS SIGN}")


def _words(sure: Sureness | None, words: dict[str, str], about: str) -> tuple[str, str, str]:
    if sure is None:
        return "", "", ""
    return sure.level, words[sure.level], about.format(percent=round(100 * sure.share))
