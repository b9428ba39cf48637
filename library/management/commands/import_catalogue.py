"""Import a folder of music into the catalogue."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count

from library.models import Track
from library.services import catalogue, queue

_LOG_EVERY_SECONDS = 10


class Command(BaseCommand):
    _shown = 0.0

    help = (
        "Import a folder of genre/name.ext, or a CSV table (path, title, artist, genre, licence), into the "
        "catalogue. The workers analyse it; run it again to go on or to pick up what is new."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", type=Path, metavar="FOLDER|TABLE.csv")
        parser.add_argument(
            "--collection",
            default="",
            help="tells this collection from others (by default the folder's name)",
        )
        parser.add_argument("--no-wait", action="store_true", help="do not wait for the analyses")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = catalogue.entries(options["source"], collection=options["collection"])
        except (catalogue.CatalogueError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{len(found)} files found.")
        done = 0

        def on_entry(entry: catalogue.Entry, outcome: str) -> None:
            nonlocal done
            done += 1
            self._line(f"Reading {done}/{len(found)}", last=done == len(found))

        try:
            report = catalogue.import_entries(found, on_entry=on_entry)
            self.stdout.write(
                f"{report.added} added, {report.replaced} replaced, {report.known} already there, "
                f"{len(report.refused)} not readable."
            )
            for path, reason in report.refused:
                self.stderr.write(f"  {path}: {reason}")
            if not options["no_wait"]:
                self._wait([entry.key for entry in found])
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted. What was added stays and the workers go on; run the command again to continue.",
                returncode=130,
            ) from None

    def _wait(self, keys: list[str]) -> None:
        """Show the progress of the workers until every track is done or failed."""
        tracks = Track.objects.filter(catalogue_key__in=keys)
        while True:
            counts = dict(tracks.values_list("status").annotate(Count("pk")).order_by())
            finished = counts.get("done", 0) + counts.get("failed", 0)
            total = sum(counts.values())
            if not finished < total:
                break
            idle = "" if queue.has_worker() else " (no analysis worker is running: start it with make run)"
            self._line(f"Analysed {finished}/{total}{idle}")
            time.sleep(1)
        self._line(f"Analysed {finished}/{total}", last=True)
        for track in tracks.filter(status=Track.Status.FAILED):
            self.stderr.write(f"  {track.catalogue_key}: {track.error_code}")

    def _line(self, text: str, *, last: bool = False) -> None:
        """Show progress on one line of a terminal, or at intervals in a log."""
        if sys.stdout.isatty():
            self.stdout.write(f"\r\033[K{text}", ending="\n" if last else "")
            self.stdout.flush()
        elif last or time.monotonic() - self._shown >= _LOG_EVERY_SECONDS:
            self._shown = time.monotonic()
            self.stdout.write(text)
