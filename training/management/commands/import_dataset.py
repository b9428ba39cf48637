"""Import training material in bulk."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count

from classifier.registry import NoClassifierError
from library.services import queue
from training.models import Clip, Dataset
from training.services import imports, layouts, predictions

_LOG_EVERY_SECONDS = 10


class Command(BaseCommand):
    _shown = 0.0

    help = (
        "Import labelled clips to train on: a folder with one folder per genre (GTZAN's layout), a CSV table "
        "(path, genre, title, artist, part, repetition_group), a folder of the Free Music Archive with its "
        "tracks.csv, or a folder with tracks.csv and a log-mel file. Run it again to go on or to pick up "
        "what is new."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", type=Path, metavar="FOLDER|TABLE.csv")
        parser.add_argument("--name", default="", help="of the dataset (by default the folder's name)")
        parser.add_argument(
            "--from", dest="origin", default="", help="where it comes from: an address, a title"
        )
        parser.add_argument("--licence", default="", help="under which its recordings may be used")
        parser.add_argument("--layout", choices=layouts.LAYOUTS, default="auto")
        parser.add_argument(
            "--review", action="store_true", help="have every clip reviewed before it is learnt from"
        )
        parser.add_argument(
            "--new-genres", action="store_true", help="add the genres that this site does not have"
        )
        parser.add_argument("--no-wait", action="store_true", help="do not wait for the checks")

    def handle(self, *args: Any, **options: Any) -> None:
        source: Path = options["source"]
        try:
            found = layouts.entries(source, options["layout"])
        except layouts.LayoutError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{len(found)} clips found.")
        into = imports.open_dataset(
            name=options["name"] or (source.stem if source.is_file() else source.resolve().name),
            source=options["origin"],
            licence=options["licence"],
            trusted=not options["review"],
        )
        try:
            self._import(found, into, new_genres=options["new_genres"])
            if not options["no_wait"]:
                self._wait(into)
            self._ask(into)
        except OSError as error:
            raise CommandError(f"{error}. What was added stays; run the command again to go on.") from error
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted. What was added stays; run the command again to go on.", returncode=130
            ) from None

    def _import(self, found: list[layouts.Entry], into: Dataset, *, new_genres: bool) -> None:
        done = 0

        def on_entry(entry: layouts.Entry, outcome: str) -> None:
            nonlocal done
            done += 1
            self._line(f"Reading {done}/{len(found)}", last=done == len(found))

        report = imports.import_entries(found, into=into, new_genres=new_genres, on_entry=on_entry)
        self.stdout.write(
            f"{report.added} added, {report.known} already there, {len(report.refused)} not readable."
        )
        for path, reason in report.refused:
            self.stderr.write(f"  {path}: {reason}")
        for genre, count in sorted(report.unknown.items()):
            self.stderr.write(
                f"  {count} clips of “{genre}” left out: no such genre here. Add it, or give --new-genres."
            )

    def _wait(self, into: Dataset) -> None:
        """Show the progress of the checks until every clip is accepted or has an error."""
        clips = Clip.objects.filter(dataset=into)
        while True:
            counts = dict(clips.order_by().values_list("status").annotate(Count("pk")))
            left, total = counts.get(Clip.Status.CHECKING, 0), sum(counts.values())
            self._line(f"Checked {total - left}/{total}{self._idle() if left else ''}", last=not left)
            if not left:
                break
            time.sleep(1)
        for clip in clips.filter(status=Clip.Status.FAILED):
            self.stderr.write(f"  {clip.dataset_key}: {clip.error_code}")

    def _idle(self) -> str:
        return "" if queue.has_worker() else " (no analysis worker is running: start it with make run)"

    def _ask(self, into: Dataset) -> None:
        """Ask the version in service about clips that came without a sound."""
        clips = Clip.objects.filter(dataset=into, embedding=None).exclude(features="").select_related("genre")
        total = clips.count()
        try:
            done = predictions.refresh(
                clips.iterator(chunk_size=100),
                on_clip=lambda count: self._line(f"Listened to {count}/{total}", last=count == total),
            )
        except NoClassifierError as error:
            self.stderr.write(f"No predictions yet: {error}")
        else:
            self.stdout.write(f"{done} clips compared with the classifier in service.")

    def _line(self, text: str, *, last: bool = False) -> None:
        """Show progress on one line of a terminal, or at intervals in a log."""
        if sys.stdout.isatty():
            self.stdout.write(f"\r\033[K{text}", ending="\n" if last else "")
            self.stdout.flush()
        elif last or time.monotonic() - self._shown >= _LOG_EVERY_SECONDS:
            self._shown = time.monotonic()
            self.stdout.write(text)
