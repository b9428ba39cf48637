"""Figures of the version in service on really degraded sound, prepared for pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from classifier.models import ModelVersion
from classifier.quality import card
from classifier.quality.methods import Goal
from classifier.quality.tables import real_channels_of

CHANNELS: Final[Mapping[str, str | Promise]] = {
    "clean": gettext_lazy("As it is"),
    "loudspeaker": card.CHANNELS["loudspeaker"],
    "room": card.CHANNELS["room"],
    "babble": gettext_lazy("People talking, 10 dB under the music"),
    "noise": gettext_lazy("Noise, 12 dB under the music"),
    "knocks": gettext_lazy("Knocks against the microphone"),
    "8 kHz": card.CHANNELS["8 kHz"],
    "mp3": gettext_lazy("MP3 at 32 kbit/s"),
    "opus": gettext_lazy("A voice message, Opus at 12 kbit/s"),
    "far away": gettext_lazy("A loudspeaker without bass across a noisy room"),
    "everything": gettext_lazy("Loudspeaker, room, people, noise and a voice message at once"),
}

LEAST_AGREEMENT: Final = 0.80


@dataclass(frozen=True, slots=True)
class RobustnessRow:
    """One channel; figures in percent, `confident_accuracy` None where no prediction was confident."""

    title: str
    clean: bool
    accuracy: float
    agreement: float
    agreement_or_unsure: float
    confident: float
    confident_accuracy: float | None


@dataclass(frozen=True, slots=True)
class Robustness:
    """A row per channel, the number of clips and their length, and the project's goals."""

    rows: list[RobustnessRow]
    clips: int
    seconds: int
    goals: list[Goal]


def robustness_of(version: ModelVersion) -> Robustness | None:
    """Read the figures among the files of a version; None where it has none."""
    content = real_channels_of(version)
    if content is None:
        return None
    test = content["test"]
    measured = {"clean": test["clean"], **test["channels"]}
    return Robustness(
        rows=[_row(name, measured[name]) for name in CHANNELS if name in measured],
        clips=test["clips"],
        seconds=content["seconds"],
        goals=[
            _goal(gettext("Every clip that has sound, learnt or not"), content["all"]),
            _goal(gettext("Only those it never heard"), test),
        ],
    )


def _goal(words: str, figures: Mapping[str, Any]) -> Goal:
    agreement = {name: 100 * value for name, value in figures["agreement"].items()}
    return Goal(
        words=gettext("%(clips)s: the same answer as for the clean one in at least %(least)d %%")
        % {"clips": words, "least": round(100 * LEAST_AGREEMENT)},
        reached=figures["agreement"]["value"] >= LEAST_AGREEMENT,
        remark=gettext(
            "%(figure)s of %(clips)d clips in %(channels)d channels, 95 %% interval %(low).1f to %(high).1f"
        )
        % {
            **agreement,
            "figure": f"{agreement['value']:.1f}\u202f%",
            "clips": figures["clips"],
            "channels": len(figures["channels"]),
        },
    )


def _row(name: str, figures: Mapping[str, Any]) -> RobustnessRow:
    sure = figures["confident_accuracy"]
    return RobustnessRow(
        title=str(CHANNELS[name]),
        clean=name == "clean",
        accuracy=100 * figures["accuracy"],
        agreement=100 * figures["agreement"],
        agreement_or_unsure=100 * figures["agreement_or_unsure"],
        confident=100 * figures["confident"],
        confident_accuracy=None if sure is None else 100 * sure,
    )
