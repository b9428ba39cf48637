"""Fill the second engine for vectors with the catalogue, or give it up."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from library.services import vector_engine, vector_filling
from library.services.vector_engine import EngineError

REPORT_SECONDS = 5.0


class Command(BaseCommand):
    help = (
        "Fill the engine that QDRANT_URL names with the vectors of the catalogue, and keep it in step from "
        "then on. The site goes on meanwhile, and PostgreSQL answers. Run it after a restore, or after the "
        "engine has lost its data; where it was interrupted, it goes on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--anew", action="store_true", help="begin from nothing also where it was interrupted"
        )
        parser.add_argument(
            "--stop", action="store_true", help="note no more changes, and drop what the engine holds"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not vector_engine.is_used():
            if options["stop"]:
                stopped = vector_filling.stop_if_unused()
                self._say("Changes are no longer noted." if stopped else "There is nothing to stop.")
                return
            raise CommandError("QDRANT_URL is not set: there is no engine to fill.")
        try:
            if options["stop"]:
                vector_filling.stop()
                self._say("The engine holds nothing any more; unset QDRANT_URL, and start the site anew.")
                return
            self._fill(anew=options["anew"])
        except EngineError as error:
            raise CommandError(f"The engine does not answer: {error}") from error
        except OperationalError as error:
            raise CommandError(f"The database is too busy for it: {error}. Run it again.") from error

    def _fill(self, *, anew: bool) -> None:
        started = reported = time.monotonic()

        def report(done: int, total: int) -> None:
            nonlocal reported
            if done == total or time.monotonic() - reported > REPORT_SECONDS:
                reported = time.monotonic()
                self._say(f"Carried {done:,} of {total:,}")

        states = vector_filling.fill(anew=anew, on_step=self._say, on_lot=report)
        for lens, state in states.items():
            self._say(f"{lens}: {state}")
        self._say(f"It took {time.monotonic() - started:.0f} s.")
        if set(states.values()) != {"in service"}:
            raise CommandError("Not every lens is in service: run it again with --anew.")

    def _say(self, words: str) -> None:
        self.stdout.write(words)
        self.stdout.flush()
