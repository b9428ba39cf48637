"""Measure the classifier: beside other methods on the same clips, and as it answers outside of that set."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from classifier.core.dataset import DatasetError
from classifier.core.inference import ReleaseError
from classifier.core.protocols import PROTOCOLS
from classifier.fitting.artifact.outside_text import outside_table
from classifier.fitting.evaluation import runner, table
from classifier.fitting.evaluation.outside import measuring
from classifier.fitting.evaluation.outside.measuring import FILTERED_SOUND, NON_MUSIC, Sources
from classifier.fitting.evaluation.runner import Progress, Workspace
from classifier.fitting.loop.epochs import use_threads
from classifier.fitting.methods import METHODS
from classifier.releases import current_release
from classifier.releases.evaluation import MARKDOWN_FILE
from classifier.releases.outside import JSON_FILE as OUTSIDE_FILE

PROTOCOLS_HELP = (
    f"one protocol; may be repeated (default: {', '.join(PROTOCOLS)}). These divide the data set and compare "
    "methods. The others measure the release as it answers, with the pre-trained tagger if it is installed: "
    "modern (songs that are not the set's), microphone (clips played in a room and recorded), non-music "
    "(speech by espeak-ng, and --sounds), filtered-sound (the test clips that have sound: a look at the test "
    "part, which is counted)"
)


class Command(BaseCommand):
    help = (
        "Run methods under protocols and write one table, evaluation.json and EVALUATION.md; or measure a "
        f"release on other music and sounds and write {OUTSIDE_FILE}, EVALUATION.md and MODEL_CARD.md. "
        "What is finished of the first is kept: an interrupted evaluation continues where it was."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--data",
            type=Path,
            required=True,
            help="folder with tracks.csv and logmel_999.npz; for the other protocols also the folder "
            "that holds modern/, mic/ and gtzan/",
        )
        parser.add_argument(
            "--method", action="append", choices=METHODS, help="one method; may be repeated (default: all)"
        )
        parser.add_argument(
            "--protocol",
            action="append",
            choices=(*PROTOCOLS, *measuring.PROTOCOLS),
            metavar="PROTOCOL",
            help=PROTOCOLS_HELP,
        )
        parser.add_argument(
            "--sounds", type=Path, help="folder of everyday sounds that are not music, for non-music"
        )
        parser.add_argument("--seeds", type=int, default=1, help="fits of each method that involves chance")
        parser.add_argument("--out", type=Path, default=current_release(), help="release folder to measure")
        parser.add_argument(
            "--carry", type=Path, help="release folder whose table also gives figures that hold for this one"
        )
        parser.add_argument(
            "--work", type=Path, default=settings.VAR_DIR / "evaluation", help="where finished fits are kept"
        )
        parser.add_argument("--threads", type=int, default=2, help="CPU threads to use (default: 2)")
        parser.add_argument(
            "--again",
            action="store_true",
            help="forget what is kept of the chosen ones first; with filtered-sound, look once more",
        )
        parser.add_argument(
            "--table-only", action="store_true", help="fit nothing; write the table of what is finished"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["seeds"] < 1 or options["threads"] < 1:
            raise CommandError("--seeds and --threads are at least 1.")
        protocols = options["protocol"] or list(PROTOCOLS)
        self._check(options, protocols)
        _limit_threads(options["threads"])
        if chosen := [name for name in measuring.PROTOCOLS if name in protocols]:
            self._measure_outside(options, chosen)
        if dividing := [name for name in protocols if name in PROTOCOLS]:
            self._compare(options, dividing)

    def _check(self, options: Mapping[str, Any], protocols: Sequence[str]) -> None:
        if options["sounds"] and NON_MUSIC not in protocols:
            raise CommandError(f"--sounds is read by --protocol {NON_MUSIC} only.")
        if options["sounds"] and not options["sounds"].is_dir():
            raise CommandError(f"{options['sounds']} is no folder.")
        if options["method"] and not any(name in PROTOCOLS for name in protocols):
            raise CommandError(
                "--method chooses among the methods of the protocols that divide the data set."
            )

    def _measure_outside(self, options: Mapping[str, Any], protocols: Sequence[str]) -> None:
        try:
            content = measuring.measure(
                options["out"],
                Sources(options["data"], options["sounds"]),
                protocols,
                again=options["again"],
                on_progress=self._report_tracks,
            )
        except (DatasetError, ReleaseError) as error:
            raise CommandError(str(error)) from error
        for line in outside_table(content["parts"]):
            self.stdout.write(line)
        if content["tagger"] is None:
            self.stdout.write("Measured without the pre-trained tagger.")
        if FILTERED_SOUND in protocols:
            self.stdout.write(f"Looks at the test clips that have sound: {content['test_looks']}.")
        self.stdout.write(f"Wrote {options['out'] / OUTSIDE_FILE}.")

    def _compare(self, options: Mapping[str, Any], protocols: Sequence[str]) -> None:
        try:
            workspace = Workspace(data=options["data"], release=options["out"], work=options["work"])
            chosen = list(
                runner.cells(
                    workspace,
                    methods=options["method"] or list(METHODS),
                    protocols=protocols,
                    seeds=options["seeds"],
                )
            )
            interrupted = False
            if options["again"]:
                for cell in chosen:
                    workspace.forget(cell)
            if not options["table_only"]:
                try:
                    runner.run(workspace, chosen, on_progress=self._report)
                except KeyboardInterrupt:
                    interrupted = True
            result = table.table(workspace, carry=(options["out"], options["carry"]))
            table.write(result, options["out"])
        except (DatasetError, ReleaseError) as error:
            raise CommandError(str(error)) from error
        rows = len(result["results"])
        self.stdout.write(f"Wrote {rows} rows to {options['out'] / MARKDOWN_FILE}.")
        if interrupted:
            raise CommandError(
                "Interrupted. What was finished is kept; run again to continue.", returncode=130
            )

    def _report_tracks(self, protocol: str, done: int, total: int) -> None:
        if done % 25 == 0 or done == total:
            self.stdout.write(f"{protocol}  {done}/{total}")
            self.stdout.flush()

    def _report(self, progress: Progress) -> None:
        left = "" if progress.seconds_left is None else f"  {_clock(progress.seconds_left)} left"
        word = f": {progress.word}" if progress.word else ""
        self.stdout.write(f"{progress.done}/{progress.total}  {progress.cell}{word}{left}")
        self.stdout.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def _limit_threads(count: int) -> None:
    """Hold TensorFlow, NumPy and scikit-learn to `count` threads each."""
    from threadpoolctl import threadpool_limits

    use_threads(count)
    os.environ.setdefault("OMP_NUM_THREADS", str(count))
    threadpool_limits(count)
