"""Build the large indexes that are missing, or all of them anew."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from library.services import large_indexes


class Command(BaseCommand):
    help = (
        "Build the indexes of vectors and words that are missing or were not finished. The site goes on "
        "reading and writing meanwhile."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--anew", action="store_true", help="replace also those that are there")
        parser.add_argument(
            "--memory",
            type=int,
            default=large_indexes.MEMORY_MB,
            help="megabytes for one build (1024): a graph that does not fit takes many times longer",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        def report(built: large_indexes.Built) -> None:
            self.stdout.write(f"{built.name}: {built.seconds:.1f} s, {built.size / 2**20:.0f} MB")

        if not large_indexes.build(memory_mb=options["memory"], anew=options["anew"], on_built=report):
            self.stdout.write("Every index is there.")
