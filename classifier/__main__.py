"""The classifier without the platform: ``python -m classifier FILE… [--json | --csv]``.

Needs no settings, database or broker. Folders are walked; what cannot be read is listed at the end, on the
standard error stream, and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from classifier.core.analysis import classify_with_info
from classifier.core.audio import AudioError, AudioInfo, AudioLimits
from classifier.core.inference import Classifier, Prediction, ReleaseError
from classifier.releases import current_release

_SUFFIXES = (
    ".aac .aif .aifc .aiff .amr .ape .au .caf .flac .m4a .m4b .mka .mp2 .mp3 .mp4 .oga .ogg .opus .snd .tta "
    ".voc .w64 .wav .weba .webm .wma .wv"
)
AUDIO_SUFFIXES = frozenset(_SUFFIXES.split())
_BAR_WIDTH = 24
# The conventional exit status of a program that an interrupt ended.
_INTERRUPTED = 128 + signal.SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        classifier = Classifier.load(options.release)
    except ReleaseError as error:
        print(f"python -m classifier: {error}", file=sys.stderr)
        return 2
    limits = AudioLimits(max_duration=options.max_minutes * 60.0, max_bytes=2**40)
    writer = _WRITERS[options.format](sys.stdout, classifier.labels)
    failures: list[tuple[str, str]] = []
    try:
        for path in _audio_files(options.files):
            try:
                with path.open("rb") as file:
                    info, prediction = classify_with_info(file, classifier=classifier, limits=limits)
            except AudioError as error:
                failures.append((str(path), error.message))
            except OSError as error:
                failures.append((str(path), error.strerror or str(error)))
            else:
                writer.write(str(path), info, prediction)
        writer.close()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader (a pager, head) has seen enough; keep the interpreter from complaining as it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    for name, reason in failures:
        print(f"{name}: {reason}", file=sys.stderr)
    return 1 if failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m classifier",
        description="Name the genre of music files, over time and with probabilities.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="music file, or folder to walk")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json", dest="format", action="store_const", const="json", help="one JSON object per line"
    )
    form.add_argument(
        "--csv", dest="format", action="store_const", const="csv", help="a table, one row per file"
    )
    parser.add_argument(
        "--release",
        type=Path,
        default=current_release(),
        metavar="FOLDER",
        help="classifier to use (default: the one that ships)",
    )
    parser.add_argument(
        "--max-minutes", type=float, default=20.0, metavar="N", help="longest file to accept (default: 20)"
    )
    parser.set_defaults(format="text")
    return parser


def _audio_files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the files named, and those with an audio suffix in the folders named, in a stable order."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, subfolders, names in os.walk(path):
            subfolders.sort()
            for name in sorted(names):
                if Path(name).suffix.lower() in AUDIO_SUFFIXES:
                    yield Path(folder) / name


class _TextWriter:
    def __init__(self, stream: IO[str], labels: Sequence[str]) -> None:
        self._stream = stream
        self._width = max(map(len, labels))

    def write(self, name: str, info: AudioInfo, prediction: Prediction) -> None:
        lines = [f"{name}  ({_clock(info.duration)})", f"  {_verdict(prediction)}"]
        for label, probability in sorted(prediction.probabilities.items(), key=lambda item: -item[1]):
            bar = "█" * round(probability * _BAR_WIDTH)
            lines.append(f"  {label:<{self._width}} {probability:6.1%}  {bar}".rstrip())
        if len(prediction.timeline) > 1:
            lines.append("  over time: " + ", ".join(_stretches(prediction)))
        print("\n".join(lines), file=self._stream, flush=True)

    def close(self) -> None:
        self._stream.flush()


class _JsonWriter:
    def __init__(self, stream: IO[str], labels: Sequence[str]) -> None:
        self._stream = stream

    def write(self, name: str, info: AudioInfo, prediction: Prediction) -> None:
        print(json.dumps(_as_json(name, info, prediction), ensure_ascii=False), file=self._stream, flush=True)

    def close(self) -> None:
        self._stream.flush()


class _CsvWriter:
    def __init__(self, stream: IO[str], labels: Sequence[str]) -> None:
        self._stream = stream
        self._labels = labels
        self._rows = csv.writer(stream, lineterminator="\n")
        self._rows.writerow(["file", "duration", "genre", "confidence", "unsure", "music", *labels])

    def write(self, name: str, info: AudioInfo, prediction: Prediction) -> None:
        self._rows.writerow(
            [
                name,
                round(info.duration, 3),
                prediction.label or "",
                round(prediction.confidence, 6),
                str(prediction.unsure).lower(),
                str(prediction.music).lower(),
                *(round(prediction.probabilities[label], 6) for label in self._labels),
            ]
        )
        self._stream.flush()

    def close(self) -> None:
        self._stream.flush()


_WRITERS: dict[str, type[_TextWriter] | type[_JsonWriter] | type[_CsvWriter]] = {
    "text": _TextWriter,
    "json": _JsonWriter,
    "csv": _CsvWriter,
}


def _as_json(name: str, info: AudioInfo, prediction: Prediction) -> dict[str, Any]:
    return {
        "file": name,
        "duration": round(info.duration, 3),
        "genre": prediction.label,
        "confidence": round(prediction.confidence, 6),
        "unsure": prediction.unsure,
        "music": prediction.music,
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


def _verdict(prediction: Prediction) -> str:
    if not prediction.music or prediction.label is None:
        return "no music found"
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


if __name__ == "__main__":
    sys.exit(main())
