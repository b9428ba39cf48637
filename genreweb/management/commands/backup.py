"""``manage.py backup FILE_OR_FOLDER``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from genreweb.backups.archive import BackupError
from genreweb.backups.create import back_up

_SHOWN = 10


class Command(BaseCommand):
    help = (
        "Write the rows and files of this site, versions of the classifier included, into one archive. "
        "The site may run meanwhile. The archive holds what people keep private, but not the secret key."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("target", type=Path, help="a new file, or a folder in which one is made")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            path, manifest = back_up(target=options["target"])
        except BackupError as error:
            raise CommandError(str(error)) from error
        held = ", ".join(f"{number} × {name}" for name, number in manifest.counts.items())
        size = sum(entry.size for entry in manifest.files.values())
        self.stdout.write(f"{path}: {held}; {len(manifest.files)} files with {size / 2**20:.1f} MB.")
        if manifest.missing:
            self.stderr.write(
                f"{len(manifest.missing)} files that rows named were not in the storage (deleted meanwhile, "
                f"or lost before): {', '.join(manifest.missing[:_SHOWN])}"
            )
        self.stdout.write(
            "SECRET_KEY (or secret_key in the folder of the site) is not in it: keep it elsewhere. "
            "With another one people sign in again."
        )
