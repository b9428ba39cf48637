"""Write the results of files as text, JSON lines or CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, Protocol

from classifier.cli.predictions import FileResult, Scope
from classifier.core.audio import AudioInfo
from classifier.core.inference import Prediction
from classifier.core.summary import COLUMNS
from classifier.core.tags import calibrated, outstanding

_BAR_WIDTH = 24
# Significant digits: enough for single precision.
_DIGITS = 9


class Writer(Protocol):
    """Writes the results of one file after another."""

    def write(self, result: FileResult) -> None: ...


def writer(stream: IO[str], *, form: str, features: Scope | None, labels: Sequence[str]) -> Writer:
    """Choose the writer for ``form``: ``text``, ``json`` or ``csv``; features have no text form."""
    if features is not None:
        return FeatureJsonWriter(stream) if form == "json" else FeatureCsvWriter(stream)
    if form == "json":
        return JsonWriter(stream)
    return CsvWriter(stream, labels) if form == "csv" else TextWriter(stream, labels)


class TextWriter:
    """Human-readable text: the verdict, tags, a bar for each genre, and the genres over time."""

    def __init__(self, stream: IO[str], labels: Sequence[str]) -> None:
        self._stream = stream
        self._width = max(map(len, labels))

    def write(self, result: FileResult) -> None:
        prediction = result.prediction
        lines = [f"{result.name}  ({_clock(result.info.duration)})", f"  {_verdict(prediction)}"]
        if result.info.expected_duration is not None:
            lines.insert(1, f"  {_shortened(result.info)}")
        if tags := _outstanding(prediction):
            lines.append("  tags: " + ", ".join(tags))
        for label, probability in sorted(prediction.probabilities.items(), key=lambda item: -item[1]):
            bar = "█" * round(probability * _BAR_WIDTH)
            lines.append(f"  {label:<{self._width}} {probability:6.1%}  {bar}".rstrip())
        if len(prediction.timeline) > 1:
            lines.append("  over time: " + ", ".join(_stretches(prediction)))
        print("\n".join(lines), file=self._stream, flush=True)


class JsonWriter:
    """JSON lines, one object per file."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, result: FileResult) -> None:
        print(json.dumps(_as_json(result), ensure_ascii=False), file=self._stream, flush=True)


class CsvWriter:
    """CSV, one row per file."""

    def __init__(self, stream: IO[str], labels: Sequence[str]) -> None:
        self._stream = stream
        self._labels = labels
        self._rows = csv.writer(stream, lineterminator="\n")
        self._rows.writerow(
            [
                *("file", "duration", "genre", "confidence", "unsure", "music", "expected_duration", *labels),
                *("style", "reason", "tags"),
            ]
        )

    def write(self, result: FileResult) -> None:
        prediction = result.prediction
        self._rows.writerow(
            [
                result.name,
                round(result.info.duration, 3),
                prediction.label or "",
                round(prediction.confidence, 6),
                str(prediction.unsure).lower(),
                str(prediction.music).lower(),
                "" if result.info.expected_duration is None else round(result.info.expected_duration, 3),
                *(round(prediction.probabilities[label], 6) for label in self._labels),
                prediction.style or "",
                prediction.reason or "",
                " ".join(_outstanding(prediction)),
            ]
        )
        self._stream.flush()


class FeatureJsonWriter:
    """JSON lines, one object per row of the feature table."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, result: FileResult) -> None:
        for row in _feature_rows(result):
            print(json.dumps(row, ensure_ascii=False), file=self._stream)
        self._stream.flush()


class FeatureCsvWriter:
    """The feature table in the format of GTZAN's features_30_sec.csv and features_3_sec.csv."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._rows = csv.DictWriter(stream, ["filename", "length", *COLUMNS, "label"], lineterminator="\n")
        self._rows.writeheader()

    def write(self, result: FileResult) -> None:
        self._rows.writerows(_feature_rows(result))
        self._stream.flush()


def _feature_rows(result: FileResult) -> Iterator[dict[str, Any]]:
    for summary in result.summaries:
        values = (float(f"{value:.{_DIGITS}g}") for value in summary.values)
        yield {
            "filename": summary.name,
            "length": summary.length,
            **dict(zip(COLUMNS, values, strict=True)),
            "label": result.prediction.label or "",
        }


def _as_json(result: FileResult) -> dict[str, Any]:
    prediction, expected = result.prediction, result.info.expected_duration
    return {
        "file": result.name,
        "duration": round(result.info.duration, 3),
        "expected_duration": None if expected is None else round(expected, 3),
        "damaged": result.info.damaged,
        "genre": prediction.label,
        "confidence": round(prediction.confidence, 6),
        "unsure": prediction.unsure,
        "music": prediction.music,
        "style": prediction.style,
        "reason": prediction.reason,
        "tags": _strengths(prediction),
        "probabilities": {label: round(p, 6) for label, p in prediction.probabilities.items()},
        "timeline": [
            {
                "start": round(segment.start, 3),
                "end": round(segment.end, 3),
                "probabilities": {label: round(p, 4) for label, p in segment.probabilities.items()},
            }
            for segment in prediction.timeline
        ],
    }


def _shortened(info: AudioInfo) -> str:
    decoded, whole = _clock(info.duration), _clock(info.expected_duration or 0.0)
    if info.damaged:
        return f"only {decoded} of {whole} could be read: damaged passages were left out"
    return f"only the first {decoded} of {whole} could be read"


def _strengths(prediction: Prediction) -> Mapping[str, Mapping[str, float]]:
    """Calibrated strengths of tags by group; empty where the tagger is not installed or not used."""
    return calibrated(prediction.tags.strengths) if prediction.tags and prediction.music else {}


def _outstanding(prediction: Prediction) -> list[str]:
    """The few tags that describe the track best, group by group."""
    return [tag for tags in outstanding(_strengths(prediction)).values() for tag in tags]


def _verdict(prediction: Prediction) -> str:
    if not prediction.music or prediction.label is None:
        return "no music found"
    if prediction.reason == "talk_and_noise":
        return f"unsure: mostly talk and noise; the music may be {' or '.join(prediction.likely())}"
    if prediction.reason == "too_short":
        return f"unsure: less than three seconds; may be {' or '.join(prediction.likely())}"
    if prediction.style:
        return f"none of the {len(prediction.probabilities)} genres: sounds {prediction.style}"
    if prediction.unsure:
        return "unsure: " + " or ".join(prediction.likely())
    return f"{prediction.label} ({prediction.confidence:.0%})"


def _stretches(prediction: Prediction) -> Iterator[str]:
    """Merge neighbouring segments whose most probable genre is the same."""
    start, current = 0.0, ""
    for segment in prediction.timeline:
        best = max(segment.probabilities, key=lambda label: segment.probabilities[label])
        if best != current:
            if current:
                yield f"{_clock(start)} {current}"
            start, current = segment.start, best
    yield f"{_clock(start)} {current}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
