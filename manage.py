#!/usr/bin/env python
"""Django's command line, with the private engines up for as long as a command needs them."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext

# Not worth a database. Everything else may want one.
WITHOUT_ENGINES = {
    "check",
    "collectstatic",
    "compilemessages",
    "diffsettings",
    "findstatic",
    "help",
    "makemessages",
    "spectacular",
    "version",
}


def needs_engines(arguments: list[str]) -> bool:
    if not arguments or arguments[0].startswith("-") or arguments[0] in WITHOUT_ENGINES:
        return False
    return "--help" not in arguments and "-h" not in arguments


def explanation(error: Exception) -> str:
    """Say what is wrong with the database, in a sentence; nothing where it is the program's fault."""
    from django.db import DatabaseError, OperationalError, connection
    from django.db.migrations.executor import MigrationExecutor

    from genreweb.embedded import engines, paths

    private = "postgres" in engines.wanted()
    place = f"The database in {paths.var_dir()}" if private else "The database that DATABASE_URL names"
    if isinstance(error, OperationalError):
        said = str(error).strip()
        return f"{place} does not answer, or no longer: {said}\nRun the command again once it does."
    try:
        connection.close()
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return ""
    other = ", or name the folder of your site in GENREWEB_VAR" if private else ""
    return f"{place} lacks tables of this release: start the site with it first{other}." if missing else ""


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  # whoever runs this by hand may have any Python
        sys.exit("Genreweb needs Python 3.11 or newer; this is {}.{}.".format(*sys.version_info[:2]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "genreweb.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
        from django.db import OperationalError, ProgrammingError

        from genreweb.embedded.engines import Borrowed
        from genreweb.embedded.paths import VarError
        from genreweb.embedded.process import EngineError
    except ImportError as error:
        sys.exit(f"{error}. Run `make install` first and use .venv/bin/python manage.py.")
    try:
        with Borrowed() if needs_engines(sys.argv[1:]) else nullcontext():
            try:
                execute_from_command_line(sys.argv)
            except (OperationalError, ProgrammingError) as error:
                said = "" if "--traceback" in sys.argv else explanation(error)
                if not said:
                    raise
                sys.exit(said)
    except (EngineError, VarError, ImproperlyConfigured) as error:
        # Mistakes of whoever configures the site, not of the program: a sentence helps, a traceback does not.
        sys.exit(str(error))


if __name__ == "__main__":
    main()
