"""The card of a version that was trained on a site: what it is and how good, in words, from its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from classifier.core.artifact import architecture_of

CARD_FILE: Final = "MODEL_CARD.md"

_TITLES = {
    "residual-cnn": "The platform's convolutional network",
    "efficientnet-b0": "EfficientNet-B0 on the spectrogram",
    "mfcc-knn": "Nearest neighbours of MFCCs",
    "feature-mlp": "A small network on 57 summary features",
}


def version_card(metadata: Mapping[str, Any]) -> str:
    """Markdown text; what was not measured is said to be so."""
    lines = [
        f"# Model card: {metadata['name']}",
        "",
        f"{_TITLES[architecture_of(metadata)]}, trained on a site on {metadata.get('date', '–')} with seed "
        f"{metadata.get('seed', '–')}; `metadata.json` beside this card holds every setting and figure.",
        "",
        f"It names: {', '.join(metadata['labels'])}.",
        "",
        "## What it learnt",
        "",
        *_learnt(metadata.get("trained_on", {})),
        "",
        "## How good it is",
        "",
        *_measured(metadata),
    ]
    if missing := metadata.get("not_measured"):
        lines += ["", "## Not measured", "", *(f"- {what}: {why}" for what, why in missing.items())]
    return "\n".join(lines) + "\n"


def _learnt(trained_on: Mapping[str, Any]) -> list[str]:
    lines = []
    if base := trained_on.get("base"):
        lines.append(
            f"A new last layer on the network of {base}, whose {trained_on['replayed']} clips it replays."
        )
    if first := trained_on.get("set"):
        lines.append(f"The network itself: {first}.")
    clips: Mapping[str, int] = trained_on.get("clips", {})
    if clips:
        lines += ["", "| genre | clips |", "| --- | --- |"]
        lines += [f"| {label} | {count} |" for label, count in sorted(clips.items())]
    return lines


def _measured(metadata: Mapping[str, Any]) -> list[str]:
    test = metadata.get("test")
    if not test:
        return ["It was not measured on the frozen test set."]
    calibration = metadata["calibration"]
    lines = [
        f"On the {test['n']} clips of the frozen test set, which it never learnt. In brackets: 95 % "
        "bootstrap intervals over clips.",
        "",
        "| | |",
        "| --- | --- |",
        f"| accuracy | {_interval(test['accuracy'])} |",
        f"| macro F1 | {_interval(test['macro_f1'])} |",
        f"| expected calibration error | {test['calibration_error']:.3f} |",
        f"| accuracy of the surest 60 % | {_percent(metadata['test_accuracy_at_60_percent_coverage'])} |",
    ]
    if robustness := metadata.get("robustness"):
        lines += [
            f"| mean accuracy under simulated channels | {_percent(robustness['mean'])} |",
            f"| right among its confident answers there | {_percent(robustness['confident_accuracy'])} |",
        ]
    lines += ["", "| genre | found |", "| --- | --- |"]
    lines += [f"| {label} | {_percent(value)} |" for label, value in test["recall"].items()]
    unsure = f"A verdict with a confidence under {_percent(calibration['unsure_below'])} is marked unsure."
    return [*lines, "", unsure]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _interval(interval: Mapping[str, float]) -> str:
    return f"{_percent(interval['value'])} ({_percent(interval['low'])} to {_percent(interval['high'])})"
