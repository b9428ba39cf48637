"""Import training material in bulk."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Count

from classifier.core.legacy_text import guess_escaped
from classifier.registry import NoClassifierError
from library.management.importing import ImportCommand
from library.services import queue
from library.services.genres import GenreWords
from library.services.importing import Listing, Outcome, Report, genre_notes
from training.errors import training_sentence
from training.models import Clip, Dataset
from training.services import imports, layouts, predictions


class Command(ImportCommand):
    things = "clips"
    help = (
        "Import labelled clips to train on: a folder with one folder per genre (GTZAN's layout), a CSV table "
        "(path, genre, title, artist, part, repetition_group), a folder of the Free Music Archive with its "
        "tracks.csv, GTZAN with train_filtered.txt, valid_filtered.txt and test_filtered.txt, or a folder "
        "with tracks.csv and a log-mel file. Run it again to go on or to pick up what is new or has changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--name", default="", help="of the dataset (by default the folder's name)")
        parser.add_argument(
            "--from", dest="origin", default="", help="where it comes from: an address, a title"
        )
        parser.add_argument("--licence", default="", help="under which its recordings may be used")
        parser.add_argument("--layout", choices=layouts.LAYOUTS, default="auto")
        parser.add_argument(
            "--review", action="store_true", help="have every clip reviewed before it is learnt from"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        source: Path = options["source"]
        try:
            found = layouts.entries(source, options["layout"], is_genre=GenreWords().knows)
        except layouts.LayoutError as error:
            raise CommandError(str(error)) from error
        self.found(found)
        into = imports.open_dataset(
            name=options["name"] or guess_escaped(source.stem if source.is_file() else source.resolve().name),
            source=options["origin"],
            licence=options["licence"],
            trusted=not options["review"],
        )
        try:
            report = self._import(found, into, new_genres=options["new_genres"], check=options["check"])
            if not options["no_wait"]:
                self._wait(into, report)
            self._ask(into)
        except OSError as error:
            raise CommandError(f"{error}. What was added stays; run the command again to go on.") from error
        except KeyboardInterrupt:
            raise self.interrupted() from None
        self.finish(report)

    def _import(
        self, found: Listing[layouts.Entry], into: Dataset, *, new_genres: bool, check: bool
    ) -> Report:
        done = 0

        def on_entry(entry: layouts.Entry, outcome: Outcome) -> None:
            nonlocal done
            done += 1
            self.line(f"Reading {done}/{len(found)}", last=done == len(found))

        report = imports.import_entries(
            found, into=into, new_genres=new_genres, check=check, on_entry=on_entry
        )
        for note in genre_notes(report, but="left out"):
            self.stderr.write(note)
        return report

    def _wait(self, into: Dataset, report: Report) -> None:
        """Show the progress of the checks until every clip is accepted or has an error."""
        clips = Clip.objects.filter(dataset=into)
        while True:
            counts = dict(clips.order_by().values_list("status").annotate(Count("pk")))
            left, total = counts.get(Clip.Status.CHECKING, 0), sum(counts.values())
            self.line(f"Checked {total - left}/{total}{self._idle() if left else ''}", last=not left)
            if not left:
                break
            time.sleep(1)
        for clip in clips.filter(status=Clip.Status.FAILED):
            report.failed.append((clip.dataset_key, training_sentence(clip.error_code, clip.error_params)))

    def _idle(self) -> str:
        return "" if queue.has_worker() else " (no analysis worker is running: start it with make run)"

    def _ask(self, into: Dataset) -> None:
        """Ask the version in service about clips that came without a sound."""
        clips = Clip.objects.filter(dataset=into, embedding=None).exclude(features="").select_related("genre")
        total = clips.count()
        try:
            done = predictions.refresh(
                clips.iterator(chunk_size=100),
                on_clip=lambda count: self.line(f"Listened to {count}/{total}", last=count == total),
            )
        except NoClassifierError as error:
            self.stderr.write(f"No predictions yet: {error}")
        else:
            self.stdout.write(f"{done} clips compared with the classifier in service.")
