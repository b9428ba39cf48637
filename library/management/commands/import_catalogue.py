"""Import a folder of music into the catalogue."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Count

from library.errors import TrackError, sentence
from library.management.importing import ImportCommand
from library.models import Track
from library.services import catalogue, queue
from library.services.importing import Outcome, Report, genre_notes


class Command(ImportCommand):
    help = (
        "Import a folder of genre/name.ext, or a CSV table (path, title, artist, genre, licence), into the "
        "catalogue. The workers analyse it; run it again to go on or to pick up what is new or has changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--collection",
            default="",
            help="tells this collection from others (by default the folder's name)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = catalogue.entries(options["source"], collection=options["collection"])
        except (catalogue.CatalogueError, OSError) as error:
            raise CommandError(str(error)) from error
        self.found(found)
        done = 0

        def on_entry(entry: catalogue.Entry, outcome: Outcome) -> None:
            nonlocal done
            done += 1
            self.line(f"Reading {done}/{len(found)}", last=done == len(found))

        try:
            report = catalogue.import_entries(
                found, new_genres=options["new_genres"], check=options["check"], on_entry=on_entry
            )
            for note in genre_notes(report, but="get no genre"):
                self.stderr.write(note)
            if not options["no_wait"]:
                self._wait([entry.key for entry in found.entries], report)
        except TrackError as error:
            raise CommandError(f"{error.message} What was added stays; run the command again.") from error
        except KeyboardInterrupt:
            raise self.interrupted() from None
        self.finish(report)

    def _wait(self, keys: list[str], report: Report) -> None:
        """Show the progress of the workers until every track is done or failed."""
        tracks = Track.objects.filter(catalogue_key__in=keys)
        while True:
            counts = dict(tracks.values_list("status").annotate(Count("pk")).order_by())
            finished = counts.get("done", 0) + counts.get("failed", 0)
            total = sum(counts.values())
            if not finished < total:
                break
            idle = "" if queue.has_worker() else " (no analysis worker is running: start it with make run)"
            self.line(f"Analysed {finished}/{total}{idle}")
            time.sleep(1)
        self.line(f"Analysed {finished}/{total}", last=True)
        for track in tracks.filter(status=Track.Status.FAILED):
            report.failed.append((str(track.catalogue_key), sentence(track.error_code, track.error_params)))
