#!/usr/bin/env python
"""Django's command line, with the private engines up for as long as a command needs them."""

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


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  # whoever runs this by hand may have any Python
        sys.exit("Genreweb needs Python 3.11 or newer; this is {}.{}.".format(*sys.version_info[:2]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "genreweb.settings")
    try:
        from django.core.management import execute_from_command_line

        from genreweb.embedded.engines import Borrowed
        from genreweb.embedded.paths import VarError
        from genreweb.embedded.process import EngineError
    except ImportError as error:
        sys.exit(f"{error}. Run `make install` first and use .venv/bin/python manage.py.")
    arguments = sys.argv[1:]
    try:
        if (
            not arguments
            or arguments[0].startswith("-")
            or arguments[0] in WITHOUT_ENGINES
            or "--help" in arguments
        ):
            execute_from_command_line(sys.argv)
        else:
            with Borrowed():
                execute_from_command_line(sys.argv)
    except (EngineError, VarError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
