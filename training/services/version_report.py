"""A candidate beside the version in service: what is known of both, from their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from classifier.core.architectures import ARCHITECTURES
from classifier.core.artifact import architecture_of
from classifier.core.gate import Comparison, Verdict, VersionPredictions, compare
from classifier.models import ModelVersion
from classifier.version_files import files_of
from training.models import TrainingRun

FROZEN, HOLDOUT = "frozen:", "clip:"


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one version; None where it was not. Shares are from 0 to 1."""

    accuracy: float | None
    low: float | None
    high: float | None
    clips: int | None
    macro_f1: float | None
    calibration_error: float | None
    at_coverage: float | None
    robustness: float | None
    milliseconds: float | None
    size: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """The comparison of a candidate with a champion.

    Attributes
    ----------
    frozen, heldout
        How many clips of the frozen test set, and of the contributed ones that were held out, both heard.
    heldout_unpaired
        Held-out clips that the champion was never asked about: it came into service after the candidate was
        judged.
    """

    champion: ModelVersion
    candidate: ModelVersion
    result: Comparison
    frozen: int
    heldout: int
    heldout_unpaired: int


def report_on(candidate: ModelVersion, champion: ModelVersion) -> Report:
    """Compare two versions on every clip that both were asked about."""
    truths, before, after = _heldout(candidate, champion)
    frozen_before, frozen_after = verdicts_on_test_set(champion), verdicts_on_test_set(candidate)
    for name in frozen_before.keys() | frozen_after.keys():
        # A clip of the frozen set is named after its genre: blues.00042.
        truths[FROZEN + name] = name.partition(".")[0]
    before |= {FROZEN + name: verdict for name, verdict in frozen_before.items()}
    after |= {FROZEN + name: verdict for name, verdict in frozen_after.items()}
    both = before.keys() & after.keys()
    frozen = sum(name.startswith(FROZEN) for name in both)
    return Report(
        champion=champion,
        candidate=candidate,
        result=compare(
            VersionPredictions(champion.labels, before), VersionPredictions(candidate.labels, after), truths
        ),
        frozen=frozen,
        heldout=len(both) - frozen,
        heldout_unpaired=sum(name.startswith(HOLDOUT) for name in after.keys() - before.keys()),
    )


def verdicts_on_test_set(version: ModelVersion) -> dict[str, Verdict]:
    """Give what a version said about the clips of the frozen test set; what makes no sense is left out."""
    said = version.metadata.get("test_predictions")
    return _verdicts(said) if isinstance(said, Mapping) else {}


def _verdicts(said: Mapping[Any, Any]) -> dict[str, Verdict]:
    found = {str(name): _verdict(entry) for name, entry in said.items()}
    return {name: verdict for name, verdict in found.items() if verdict is not None}


def _verdict(entry: object) -> Verdict | None:
    # Of an imported version these are another site's words.
    if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[0], str):
        return None
    confidence = share(entry[1])
    return None if confidence is None else Verdict(entry[0], confidence)


def _heldout(
    candidate: ModelVersion, champion: ModelVersion
) -> tuple[dict[str, str], dict[str, Verdict], dict[str, Verdict]]:
    """Give the truth about each held-out clip of the candidate's run, and what both said.

    A champion that came into service since the candidate was judged has its own run's words on clips that
    were held out there too: a clip keeps its side from one snapshot to the next.
    """
    judged = _clips(candidate)
    same = _judgement(candidate).get("champion") == champion.pk
    others = judged if same else _clips(champion)
    mine = "champion" if same else "candidate"
    truths = {HOLDOUT + name: str(clip.get("genre", "")) for name, clip in judged.items()}
    before = _verdicts({HOLDOUT + name: clip.get(mine) for name, clip in others.items() if name in judged})
    after = _verdicts({HOLDOUT + name: clip.get("candidate") for name, clip in judged.items()})
    return truths, before, after


def _judgement(version: ModelVersion) -> Mapping[str, Any]:
    run = TrainingRun.objects.filter(candidate=version).only("judgement").first()
    holdout = run.judgement.get("holdout") if run is not None else None
    return holdout if isinstance(holdout, dict) else {}


def _clips(version: ModelVersion) -> dict[str, Mapping[str, Any]]:
    clips = _judgement(version).get("clips")
    return clips if isinstance(clips, dict) else {}


def figures_of(version: ModelVersion) -> Figures:
    """Read what was measured of a version; an imported one may say anything or nothing."""
    test = mapping(version.metadata.get("test"))
    accuracy = mapping(test.get("accuracy"))
    return Figures(
        accuracy=share(accuracy.get("value")),
        low=share(accuracy.get("low")),
        high=share(accuracy.get("high")),
        clips=_count(test.get("n")),
        macro_f1=share(mapping(test.get("macro_f1")).get("value")),
        calibration_error=share(test.get("calibration_error")),
        at_coverage=share(version.metadata.get("test_accuracy_at_60_percent_coverage")),
        robustness=_robustness(version.metadata),
        milliseconds=_positive(mapping(version.metadata.get("speed")).get("milliseconds")),
        size=_size(version),
    )


def _robustness(metadata: Mapping[str, Any]) -> float | None:
    mean = share(mapping(metadata.get("robustness")).get("mean"))
    if mean is not None:
        return mean
    channels = mapping(metadata.get("test_channels")).values()
    found = [value for row in channels if (value := share(mapping(row).get("accuracy"))) is not None]
    return sum(found) / len(found) if found else None


def _size(version: ModelVersion) -> int | None:
    """Give the bytes of what a version answers from."""
    architecture = ARCHITECTURES.get(architecture_of(version.metadata))
    entry = files_of(version).get(architecture.model_file) if architecture else None
    return entry["size"] if entry else None


def mapping(value: object) -> Mapping[str, Any]:
    """Take a value for a mapping, an empty one if it is none."""
    return value if isinstance(value, dict) else {}


def share(value: object) -> float | None:
    """Take a value for a share from 0 to 1, None if it is none."""
    number = _positive(value)
    return number if number is not None and number <= 1 else None


def _positive(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < float("inf"):
        return None
    return float(value)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
