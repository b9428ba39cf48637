#!/usr/bin/env python
"""Django's command line, with the private engines up for as long as a command needs them."""

from __future__ import annotations

import os
import sys

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


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  # whoever runs this by hand may have any Python
        sys.exit("Genreweb needs Python 3.11 or newer; this is {}.{}.".format(*sys.version_info[:2]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "genreweb.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line

        from genreweb.embedded.engines import Borrowed
        from genreweb.embedded.paths import VarError
        from genreweb.embedded.process import EngineError
    except ImportError as error:
        sys.exit(f"{error}. Run `make install` first and use .venv/bin/python manage.py.")
    try:
        if needs_engines(sys.argv[1:]):
            with Borrowed():
                execute_from_command_line(sys.argv)
        else:
            execute_from_command_line(sys.argv)
    except (EngineError, VarError, ImproperlyConfigured) as error:
        # Mistakes of whoever configures the site, not of the program: a sentence helps, a traceback does not.
        sys.exit(str(error))


if __name__ == "__main__":
    main()
