"""Read speech of many voices, made by espeak-ng where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# The first article of the Universal Declaration of Human Rights (United Nations, 1948).
TEXTS: Final = {
    "en-us": "All human beings are born free and equal in dignity and rights. They are endowed with "
    "reason and conscience and should act towards one another in a spirit of brotherhood.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft "
    "und Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen.",
    "fr-fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués "
    "de raison et de conscience et doivent agir les uns envers les autres dans un esprit de "
    "fraternité.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como "
    "están de razón y conciencia, deben comportarse fraternalmente los unos con los otros.",
    "it": "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti. Essi sono dotati di "
    "ragione e di coscienza e devono agire gli uni verso gli altri in spirito di fratellanza.",
    "ko": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 "
    "이성과 양심을 부여받았으며 서로 형제애의 정신으로 행동하여야 한다.",
}
# Voice variant, words per minute, pitch.
SPEAKERS: Final = (("m1", 150, 40), ("f2", 175, 60), ("m3", 120, 25), ("f4", 210, 75), ("m7", 165, 50))

_PROGRAM: Final = "espeak-ng"
_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Utterance:
    """One text by one voice."""

    language: str
    variant: str
    words_per_minute: int
    pitch: int

    @property
    def name(self) -> str:
        """Such as ``de+f2``."""
        return f"{self.language}+{self.variant}"


def utterances() -> list[Utterance]:
    """Every text by every voice."""
    return [Utterance(language, *speaker) for language in TEXTS for speaker in SPEAKERS]


def is_installed() -> bool:
    """Whether the program is on the path."""
    return shutil.which(_PROGRAM) is not None


def spoken(folder: Path) -> Iterator[tuple[Utterance, Path]]:
    """Write one file after the other into a folder; voices that the program lacks are left out."""
    for place, utterance in enumerate(utterances()):
        path = folder / f"{place}.wav"
        voice = ("-v", utterance.name, "-s", str(utterance.words_per_minute), "-p", str(utterance.pitch))
        finished = subprocess.run(  # noqa: S603  constant arguments
            [_program(), *voice, "-w", str(path)],
            input=TEXTS[utterance.language],
            text=True,
            encoding="utf-8",
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        if finished.returncode == 0 and path.exists():
            yield utterance, path


def _program() -> str:
    return shutil.which(_PROGRAM) or _PROGRAM
