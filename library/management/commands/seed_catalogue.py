"""Make synthetic tracks to measure a large site with, or remove them."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from classifier.core.lenses import LENSES
from library.services import large_indexes, seeding


class Command(BaseCommand):
    help = (
        "Make synthetic tracks until there are COUNT of them: rows and realistic vectors without sound, for "
        "measuring a large site. Run again after an interruption, it goes on; --remove deletes them all."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("count", type=int, nargs="?", help="synthetic tracks that there shall be")
        parser.add_argument("--public", type=float, default=0.9, help="share in the catalogue (0.9)")
        parser.add_argument(
            "--people", type=int, default=seeding.PEOPLE, help="people who own the private ones (10)"
        )
        parser.add_argument(
            "--lens",
            action="append",
            choices=LENSES,
            help="make vectors for this lens alone; may be repeated",
        )
        parser.add_argument(
            "--memory",
            type=int,
            default=large_indexes.MEMORY_MB,
            help="megabytes for building an index (1024)",
        )
        parser.add_argument("--remove", action="store_true", help="delete all synthetic tracks")
        parser.add_argument("--yes", action="store_true", help="also on a site that holds real tracks")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["remove"]:
            removed = seeding.remove(on_lot=lambda done: self.stdout.write(f"Removed {done:,}"))
            self.stdout.write(f"{removed:,} synthetic tracks were removed.")
            return
        if options["count"] is None or options["count"] < 1:
            raise CommandError("Say how many synthetic tracks there shall be, or --remove.")
        if not 0 <= options["public"] <= 1 or options["people"] < 0:
            raise CommandError("--public is a share between 0 and 1, and --people no less than 0.")
        if options["public"] < 1 and not options["people"]:
            raise CommandError("Private tracks belong to people: --people must be at least 1.")
        if seeding.has_real_tracks() and not options["yes"]:
            raise CommandError(
                "This site holds real tracks, and synthetic ones would be among their neighbours. "
                "If it is the right one, say --yes."
            )
        plan = seeding.Plan(options["count"], options["public"], options["people"], options["lens"] or LENSES)
        started = time.monotonic()

        def tell(words: str) -> None:
            self.stdout.write(words)
            self.stdout.flush()

        try:
            made = seeding.seed(
                plan,
                memory_mb=options["memory"],
                on_lot=lambda done, total: tell(f"Made {done:,} of {total:,}"),
                on_step=tell,
            )
        except seeding.SeedingError as error:
            raise CommandError(str(error)) from error
        seconds = time.monotonic() - started
        self.stdout.write(f"{made:,} synthetic tracks were made in {seconds:.0f} s.")
