"""The table of an evaluation as Markdown, for the release folder."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from classifier.fitting.artifact.card_text import percent
from classifier.fitting.artifact.outside_text import evaluation_section

PROTOCOL_WORDS: Final[Mapping[str, str]] = {
    "filtered": "The artist-disjoint, fault-filtered partition of Kereliuk, Sturm and Larsen (2015): fitted "
    "on its train part, calibrated on its validation part, measured on its test part. The most honest of the "
    "four.",
    "artist": "Five-fold cross-validation in which no artist and no recording is in two folds. The clips "
    "whose artist is unknown could be by anyone, so they are left out, unless another copy of the recording "
    "names its artist. Faulty and mislabelled clips are in.",
    "track": "Ten-fold cross-validation by clip, stratified by genre. Copies of one recording stay together; "
    "other songs of the same artist, even of the same album, may be learnt.",
    "segment": "LEAKY. Shuffled three-second segments, 80 % to learn from, 10 % to calibrate on, 10 % to "
    "measure on: nearly every test segment has neighbours of the same recording among those learnt. This is "
    "how most published demos reach 88 to 93 %. It says how well recordings are recognised again, not "
    "genres.",
}

_CALIBRATION_WORDS: Final[Mapping[str, str]] = {
    "own": "what the release holds out",
    "validation": "the validation part",
    "other folds": "the other folds",
    "none": "nothing",
}

_FOREWORD: Final = (
    "Every method on the same divisions of the same clips, written by `manage.py evaluate`; "
    "`evaluation.json` beside this file holds every figure and setting. In brackets: 95 % bootstrap "
    "intervals over clips; they do not hold the spread of the seeds. Where a method was fitted from several "
    "seeds, figures are means, and ± is the standard deviation of the accuracies. Settings of the methods "
    "were chosen on the validation part of *filtered*, never on a test part."
)


def markdown(
    content: Mapping[str, Any] | None, release: str, *, outside: Mapping[str, Any] | None = None
) -> str:
    """The same table for people, a section per protocol, and one of the figures outside the set.

    Parameters
    ----------
    content
        The table; None where methods were not compared.
    release
        Its name.
    outside
        As `classifier.releases.outside` reads it.
    """
    lines = [f"# Evaluation: {release}"]
    lines += ["", *_wrapped(_FOREWORD)] if content else []
    lines += evaluation_section(outside)
    lines += _protocols(content) if content else []
    return "\n".join(lines) + "\n"


def _protocols(content: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for protocol, words in content["protocols"].items():
        rows = [row for row in content["results"] if row["protocol"] == protocol]
        lines += ["", f"## {protocol}", "", *_wrapped(words), ""]
        lines += _summary(content, rows) if rows else ["Nothing was measured under this protocol yet."]
        for gap in content["unfit"]:
            if gap["protocol"] == protocol:
                lines += [
                    "",
                    f"Not applicable: {content['methods'][gap['method']]['title']}. {gap['reason']}",
                ]
        if rows:
            lines += ["", "### Found, by genre", "", *_recalls(content, rows)]
            lines += ["", "### What was heard as what", ""]
            lines += ["Rows are the true genres, columns what they were heard as, in the same order.", ""]
            for row in rows:
                lines += [f"{content['methods'][row['method']]['title']}:", "", *_confusion(row), ""]
            lines.pop()
    return lines


def _summary(content: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "| method | accuracy | macro F1 | calibration error | right among the surest 60 % | measured on |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        spread = "" if row["deviation"] is None else f" ± {100 * row['deviation']:.1f}"
        title = content["methods"][row["method"]]["title"]
        lines.append(
            f"| {title} | {_interval(row['accuracy'])}{spread} | {_interval(row['macro_f1'])} "
            f"| {row['calibration_error']:.3f} | {percent(row['coverage']['0.6'])} | {_extent(row)} |"
        )
    lines += ["", "Accuracy of the surest answers, by the share of all that is answered:", ""]
    shares = list(rows[0]["coverage"])
    lines += [f"| method | {' | '.join(f'{100 * float(share):.0f} %' for share in shares)} |"]
    lines += [f"| --- |{' --- |' * len(shares)}"]
    for row in rows:
        figures = " | ".join(percent(row["coverage"][share]) for share in shares)
        lines.append(f"| {content['methods'][row['method']]['title']} | {figures} |")
    return lines


def _extent(row: Mapping[str, Any]) -> str:
    parts = [str(row["n"])]
    if row["n_folds"] > 1:
        parts.append(f"{len(row['folds'])} of {row['n_folds']} folds")
    if len(row["seeds"]) > 1:
        parts.append(f"{len(row['seeds'])} seeds")
    if "networks" in row["settings"]:
        parts.append(f"{row['settings']['networks']} networks")
    if "epochs" in row["settings"]:
        parts.append(f"{row['settings']['epochs']} epochs")
    if "features" in row["settings"]:
        parts.append(f"{row['settings']['features']} features")
    parts.append(f"calibrated on {_CALIBRATION_WORDS[row['calibrated_on']]}")
    return ", ".join(parts)


def _recalls(content: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    titles = [content["methods"][row["method"]]["title"] for row in rows]
    lines = [f"| genre | {' | '.join(titles)} |", f"| --- |{' --- |' * len(rows)}"]
    for label in content["labels"]:
        lines.append(f"| {label} | {' | '.join(percent(row['recall'][label]) for row in rows)} |")
    return lines


def _confusion(row: Mapping[str, Any]) -> list[str]:
    counts = [[str(count) for count in cells] for cells in row["confusion"]]
    width = max(len(count) for cells in counts for count in cells)
    labels = list(row["recall"])
    name = max(len(label) for label in labels)
    return [
        f"    {label:<{name}} {' '.join(count.rjust(width) for count in cells)}"
        for label, cells in zip(labels, counts, strict=True)
    ]


def _interval(interval: Mapping[str, float]) -> str:
    return f"{percent(interval['value'])} ({100 * interval['low']:.1f} to {100 * interval['high']:.1f})"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 118)
