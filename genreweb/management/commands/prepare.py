"""Bring a site's rows and static files up to this release; each start does it, mostly in vain."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from genreweb.embedded import engines, paths

_LOCK = 0x67656E7265776562
"""Any number will do, as long as every machine of the site takes the same one ("genreweb" in ASCII)."""


def _of_this_site(command: str) -> str:
    """Write a command as it is typed in another terminal, where this site's folder is not known."""
    folder = paths.var_dir()
    elsewhere = "postgres" in engines.wanted() and folder != paths.REPOSITORY / "var"
    before = f"GENREWEB_VAR={shlex.quote(str(folder))} " if elsewhere else ""
    return f"{before}.venv/bin/python manage.py {command}"


class Command(BaseCommand):
    help = "Migrate, collect static files, register the shipped classifier and make the first admin."

    def handle(self, *args: Any, **options: Any) -> None:
        # Several machines may start at once.
        with _one_at_a_time():
            executor = MigrationExecutor(connection)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                self._progress("Migrating the database")
                call_command("migrate", interactive=False, verbosity=0)
            call_command("sync_release", stdout=self.stderr)
            if os.environ.get("GENREWEB_ADMIN_EMAIL"):
                call_command("ensure_admin", stdout=self.stderr)
        self._collect_static()
        if not get_user_model().objects.filter(is_superuser=True, is_active=True).exists():
            self.stdout.write(f"There is no admin yet: {_of_this_site('createsuperuser')} makes one.")

    def _progress(self, sentence: str) -> None:
        # Standard output is for what the person who starts the site should still see at the end.
        self.stderr.write(sentence)

    def _collect_static(self) -> None:
        stamp = Path(settings.STATIC_ROOT) / ".stamp"
        wanted = _fingerprint()
        if stamp.exists() and stamp.read_text() == wanted:
            return
        self._progress("Collecting static files")
        call_command("collectstatic", interactive=False, verbosity=0, clear=True)
        stamp.write_text(wanted)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _fingerprint() -> str:
    """Tell one set of static files from another without reading them."""
    digest = hashlib.sha256(repr(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            # Finders look into folders on this machine alone.
            found = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
