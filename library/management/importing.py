"""What the commands that import music have in common: options, progress, and the table at the end."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from library.services.importing import SOME_REFUSED, Listing, Report

_LOG_EVERY_SECONDS = 10
EXIT_STATUS = (
    "Exit status: 0 if everything is there, 3 if something was refused or failed (the table says what and "
    "why), 1 if nothing could be read, 130 if interrupted. Files of a former run are compared by size and "
    "time, their words with the table; what has changed is brought up to date."
)


class ImportCommand(BaseCommand):
    """A command that imports a folder or a table, and ends with a table and an exit status."""

    things = "files"
    _shown = 0.0

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, epilog=EXIT_STATUS, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", type=Path, metavar="FOLDER|TABLE.csv")
        parser.add_argument(
            "--new-genres", action="store_true", help="add the genres that this site does not have"
        )
        parser.add_argument(
            "--check",
            action="store_true",
            help="compare the content of all files, even if size and time are as they were",
        )
        parser.add_argument("--no-wait", action="store_true", help="do not wait for the workers")

    def found(self, listing: Listing[Any]) -> None:
        self.stdout.write(f"{len(listing)} {self.things} found.")
        if listing.unknown_columns:
            self.stderr.write(f"Columns that are not read: {', '.join(listing.unknown_columns)}.")

    def finish(self, report: Report) -> None:
        """Write the table; raise `CommandError` with its exit status if something was left out."""
        for line in report.table():
            self.stdout.write(line)
        if report.left_out:
            raise CommandError(
                f"{report.left_out} {self.things} were refused or failed; the table says why.",
                returncode=SOME_REFUSED,
            )

    def interrupted(self) -> CommandError:
        return CommandError(
            "Interrupted. What was added stays; run the command again to go on.", returncode=130
        )

    def line(self, text: str, *, last: bool = False) -> None:
        """Show progress on one line of a terminal, or at intervals in a log."""
        if sys.stdout.isatty():
            self.stdout.write(f"\r\033[K{text}", ending="\n" if last else "")
            self.stdout.flush()
        elif last or time.monotonic() - self._shown >= _LOG_EVERY_SECONDS:
            self._shown = time.monotonic()
            self.stdout.write(text)
