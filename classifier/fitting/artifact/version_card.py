"""The model card of a version that was trained on a site, made of its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from classifier.core.artifact import architecture
from classifier.fitting.artifact.card_text import interval, percent


def version_card(metadata: Mapping[str, Any]) -> str:
    """Markdown text; it names what was not measured."""
    lines = [
        f"# Model card: {metadata['name']}",
        "",
        f"{architecture(metadata).title}, trained on a site on {metadata.get('date', '–')} with seed "
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
        f"| accuracy | {interval(test['accuracy'])} |",
        f"| macro F1 | {interval(test['macro_f1'])} |",
        f"| expected calibration error | {test['calibration_error']:.3f} |",
        f"| accuracy of the surest 60 % | {percent(metadata['test_accuracy_at_60_percent_coverage'])} |",
    ]
    if robustness := metadata.get("robustness"):
        lines += [
            f"| mean accuracy under simulated channels | {percent(robustness['mean'])} |",
            f"| right among its confident answers there | {percent(robustness['confident_accuracy'])} |",
        ]
    lines += ["", "| genre | found |", "| --- | --- |"]
    lines += [f"| {label} | {percent(value)} |" for label, value in test["recall"].items()]
    unsure = f"A verdict with a confidence under {percent(calibration['unsure_below'])} is marked unsure."
    return [*lines, "", unsure]
