"""``manage.py restore FILE``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from genreweb.backups.archive import BackupError
from genreweb.backups.restore import check, restore


class Command(BaseCommand):
    help = (
        "Make this site what it was at a backup. Every hash is verified first; a restore that fails leaves "
        "what was there. The site must be stopped; its next start migrates the database."
    )
    # The tables may not exist yet, or be those of another release.
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", type=Path, help="an archive that `manage.py backup` wrote")
        parser.add_argument("--force", action="store_true", help="replace the rows of a site that is in use")
        parser.add_argument(
            "--check", action="store_true", help="only read the archive and verify its hashes"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["check"]:
                manifest = check(source=options["source"])
                self.stdout.write(
                    f"{options['source']} is whole: {manifest.created}, release {manifest.release}, "
                    f"{len(manifest.files)} files."
                )
                return
            done = restore(source=options["source"], force=options["force"])
        except BackupError as error:
            raise CommandError(str(error)) from error
        held = ", ".join(f"{number} × {name}" for name, number in done.manifest.counts.items())
        self.stdout.write(f"Restored the site of {done.manifest.created}: {held}.")
        self.stdout.write(
            f"Files: {len(done.written)} written, {done.kept} there already, {len(done.replaced)} replaced."
        )
        if done.manifest.missing:
            self.stderr.write(f"{len(done.manifest.missing)} files were missing when the backup was made.")
        if not done.same_key:
            self.stderr.write(
                "The secret key is another one than that of the backup: people sign in again, and links in "
                "letters that were sent before do not work."
            )
