"""The classifier without the platform: ``python -m classifier FILE… [--features] [--json | --csv]``.

Needs no settings, database or broker. Folders are searched recursively; files that cannot be read are listed
at the end on standard error, and make the exit status 1.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from classifier.cli.files import audio_files
from classifier.cli.predictions import Failure, FilePredictor, Task
from classifier.cli.processes import cores, predict_all
from classifier.cli.progress import Progress
from classifier.cli.writers import writer
from classifier.core.inference import ReleaseError
from classifier.releases import current_release

# Conventional exit status after SIGINT.
_INTERRUPTED = 128 + signal.SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be valid text
    task = Task(release=options.release, max_minutes=options.max_minutes, features=options.features)
    try:
        predictor = FilePredictor(task)
    except ReleaseError as error:
        print(f"python -m classifier: {error}", file=sys.stderr)
        return 2
    failures: list[Failure] = []
    try:
        paths = list(audio_files(options.files))
        output = writer(
            sys.stdout, form=options.format, features=options.features, labels=predictor.classifier.labels
        )
        progress = Progress(sys.stderr, len(paths))
        with closing(predict_all(paths, predictor=predictor, task=task, jobs=options.jobs)) as results:
            for result in results:
                progress.clear()
                if isinstance(result, Failure):
                    failures.append(result)
                else:
                    output.write(result)
                progress.advance()
        progress.clear()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader (a pager, head) closed the pipe; keep the interpreter from reporting it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    for failure in failures:
        print(f"{failure.name}: {failure.reason}", file=sys.stderr)
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
        "--features",
        nargs="?",
        choices=("track", "segment"),
        const="track",
        metavar="track|segment",
        help=(
            "instead, the 57 summary features of the well-known GTZAN table, for each track (the default) or "
            "for each whole 3 seconds of it (a shorter track is one piece); the last column, label, is the "
            "genre heard in the track, empty where no music was found; as CSV unless --json is given"
        ),
    )
    parser.add_argument(
        "--jobs",
        type=_count,
        default=cores(),
        metavar="N",
        help="processes (default: one per processor core)",
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


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1 is needed")
    return number


if __name__ == "__main__":
    sys.exit(main())
