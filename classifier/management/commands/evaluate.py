"""Measure the classifier and the methods that people compare it with, all on the same clips."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from classifier.core.dataset import DatasetError
from classifier.core.inference import ReleaseError
from classifier.core.protocols import PROTOCOLS
from classifier.fitting.evaluation import runner, table
from classifier.fitting.evaluation.runner import Progress, Workspace
from classifier.fitting.loop.epochs import use_threads
from classifier.fitting.methods import METHODS
from classifier.releases import current_release
from classifier.releases.evaluation import MARKDOWN_FILE


class Command(BaseCommand):
    help = (
        "Run methods under protocols and write one table, evaluation.json and EVALUATION.md. "
        "What is finished is kept: an interrupted evaluation continues where it was."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--data", type=Path, required=True, help="folder with tracks.csv and logmel_999.npz"
        )
        parser.add_argument(
            "--method", action="append", choices=METHODS, help="one method; may be repeated (default: all)"
        )
        parser.add_argument(
            "--protocol",
            action="append",
            choices=PROTOCOLS,
            help="one protocol; may be repeated (default: all)",
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
            "--again", action="store_true", help="forget what is kept of the chosen ones first"
        )
        parser.add_argument(
            "--table-only", action="store_true", help="fit nothing; write the table of what is finished"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["seeds"] < 1 or options["threads"] < 1:
            raise CommandError("--seeds and --threads are at least 1.")
        _limit_threads(options["threads"])
        try:
            workspace = Workspace(data=options["data"], release=options["out"], work=options["work"])
            chosen = list(
                runner.cells(
                    workspace,
                    methods=options["method"] or list(METHODS),
                    protocols=options["protocol"] or list(PROTOCOLS),
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
