"""The comparison of a candidate with the version in service, from their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from classifier import testset
from classifier.core.artifact import MODEL_FILES, architecture_of
from classifier.core.gate import Comparison, Verdict, VersionPredictions, compare
from classifier.models import ModelVersion
from training.models import TrainingRun

TEST, HOLDOUT = "test:", "clip:"


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
    tested, heldout
        How many clips of the test set, and of the contributed ones that were held out, both predicted.
    heldout_unpaired
        Held-out clips without a prediction of the champion: it came into service after the candidate was
        evaluated.
    """

    champion: ModelVersion
    candidate: ModelVersion
    result: Comparison
    tested: int
    heldout: int
    heldout_unpaired: int


def report_on(candidate: ModelVersion, champion: ModelVersion) -> Report:
    """Compare two versions on every clip that both were evaluated on."""
    truths, before, after = _heldout(candidate, champion)
    truths |= {TEST + name: label for name, label in _test_truths(champion, candidate).items()}
    for version, verdicts in ((champion, before), (candidate, after)):
        verdicts.update({TEST + name: verdict for name, verdict in verdicts_on_test_set(version).items()})
    both = before.keys() & after.keys() & truths.keys()
    on_test = sum(name.startswith(TEST) for name in both)
    return Report(
        champion=champion,
        candidate=candidate,
        result=compare(
            VersionPredictions(champion.labels, before), VersionPredictions(candidate.labels, after), truths
        ),
        tested=on_test,
        heldout=len(both) - on_test,
        heldout_unpaired=sum(name.startswith(HOLDOUT) for name in after.keys() - before.keys()),
    )


def _test_truths(champion: ModelVersion, candidate: ModelVersion) -> dict[str, str]:
    """Give the label of each test clip: as the program knows it, else as a version was told when tested.

    A candidate may come from another site, so it is not asked about clips that the champion was tested on.
    """
    asked = verdicts_on_test_set(champion)
    of_candidate = mapping(candidate.metadata.get("test_truths"))
    told = {name: label for name, label in of_candidate.items() if name not in asked}
    told |= mapping(champion.metadata.get("test_truths"))
    texts = {name: label for name, label in told.items() if isinstance(label, str)}
    return texts | testset.shipped().label_of


def verdicts_on_test_set(version: ModelVersion) -> dict[str, Verdict]:
    """Give the predictions of a version for the test clips; malformed ones are left out."""
    predictions = version.metadata.get("test_predictions")
    return _verdicts(predictions) if isinstance(predictions, Mapping) else {}


def _verdicts(predictions: Mapping[Any, Any]) -> dict[str, Verdict]:
    found = {str(name): _verdict(entry) for name, entry in predictions.items()}
    return {name: verdict for name, verdict in found.items() if verdict is not None}


def _verdict(entry: object) -> Verdict | None:
    # Of an imported version they were written by another site.
    if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[0], str):
        return None
    confidence = share(entry[1])
    return None if confidence is None else Verdict(entry[0], confidence)


def _heldout(
    candidate: ModelVersion, champion: ModelVersion
) -> tuple[dict[str, str], dict[str, Verdict], dict[str, Verdict]]:
    """Give the label of each held-out clip of the candidate's run, and the predictions of both.

    A champion that came into service since the candidate was evaluated has predictions of its own run for
    clips that were held out there too: a clip keeps its side from one snapshot to the next.
    """
    held_out = _clips(candidate)
    same = _judgement(candidate).get("champion") == champion.pk
    others = held_out if same else _clips(champion)
    mine = "champion" if same else "candidate"
    truths = {HOLDOUT + name: str(clip.get("genre", "")) for name, clip in held_out.items()}
    before = _verdicts({HOLDOUT + name: clip.get(mine) for name, clip in others.items() if name in held_out})
    after = _verdicts({HOLDOUT + name: clip.get("candidate") for name, clip in held_out.items()})
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
    entry = version.files.get(MODEL_FILES.get(architecture_of(version.metadata), ""))
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
