"""``genreweb``: the command line of a site."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from . import commands, output
from .http_client import ApiError, UnreachableError
from .session import SessionError
from .uploads import BusyError

WRONG, UNREACHABLE, NOT_SIGNED_IN, INTERRUPTED, CLOSED = 1, 4, 5, 130, 141

_EPILOG = """
Exit status: 0 if everything is there; 1 if the site refused the request; 2 for a mistake in the command; 3 if
some files were refused or their analysis failed; 4 if the site could not be reached; 5 if there is no token,
or it no longer works; 130 if interrupted; 141 if nobody reads the output any more.

In a crontab: 0 * * * * genreweb upload --quiet --wait --format csv ~/Music > ~/genres.csv
"""


def parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    top = argparse.ArgumentParser(
        prog="genreweb",
        description="Send music to a Genreweb site, and take along what is heard in it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--site", default="", help="its address (else GENREWEB_SITE, else where you signed in)")
    top.add_argument(
        "--token-file", type=Path, help="a file of yours alone with a token (else GENREWEB_TOKEN)"
    )
    top.add_argument(
        "--patience",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="how long to try again while the site is away (600)",
    )
    actions = top.add_subparsers(required=True, metavar="COMMAND")
    _session_commands(actions)
    _upload_commands(actions)
    _result_commands(actions)
    return top


def _session_commands(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    sign_in = actions.add_parser("sign-in", help="get a token and keep it")
    sign_in.add_argument("--email", default="")
    sign_in.add_argument("--token-stdin", action="store_true", help="read a token instead of a password")
    sign_in.set_defaults(run=commands.sign_in)
    sign_out = actions.add_parser("sign-out", help="revoke the token that is kept")
    sign_out.set_defaults(run=commands.sign_out)


def _upload_commands(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    upload = actions.add_parser("upload", help="send files and folders; what was sent before is left out")
    upload.add_argument("paths", nargs="+", type=Path, metavar="FILE|FOLDER")
    upload.add_argument("--wait", action="store_true", help="wait for the results and print them")
    upload.add_argument("--again", action="store_true", help="send also what was sent before")
    upload.add_argument("--state", type=Path, help="file in which it is kept what was sent")
    upload.add_argument("--quiet", action="store_true", help="say only what went wrong")
    _form(upload)
    _wait_seconds(upload)
    upload.set_defaults(run=commands.upload)
    wait = actions.add_parser("wait", help="wait until tracks are analysed")
    wait.add_argument("ids", nargs="*", metavar="TRACK", help="by default all that are unfinished")
    _form(wait)
    _wait_seconds(wait)
    wait.set_defaults(run=commands.wait)


def _result_commands(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    listed = actions.add_parser("list", help="print tracks")
    _filters(listed)
    _form(listed)
    listed.set_defaults(run=commands.list_tracks)
    export = actions.add_parser("export", help="save a whole list as one file")
    export.add_argument(
        "what", choices=("csv", "json", "features", "tagged"), help="tagged: a ZIP of tagged copies"
    )
    export.add_argument("--output", "-o", type=Path, help="by default standard output")
    _filters(export)
    export.set_defaults(run=commands.export)
    download = actions.add_parser("download", help="save the result of each track as JSON")
    download.add_argument("ids", nargs="*", metavar="TRACK", help="by default all that are done")
    download.add_argument("--to", type=Path, default=Path("genreweb-results"), metavar="FOLDER")
    download.add_argument("--tagged", action="store_true", help="and a copy of its file with genre and mood")
    download.set_defaults(run=commands.download)


def _form(command: argparse.ArgumentParser) -> None:
    command.add_argument("--format", choices=output.FORMS, default="table")


def _wait_seconds(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--wait-seconds", type=float, default=24 * 3600.0, metavar="SECONDS", help="how long at most (a day)"
    )


def _filters(command: argparse.ArgumentParser) -> None:
    command.add_argument("--scope", choices=("mine", "catalogue", "all"), default="")
    for name in ("genre", "status", "tag"):
        command.add_argument(f"--{name}", action="append", default=[])
    command.add_argument("--search", default="")
    command.add_argument("--ordering", default="", help="title, -created, -confidence, -tag:mellow …")


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    try:
        status = _run(parser().parse_args(words))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has enough, as `head` does. What is left in the buffer would fail again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED
    return status


def _run(options: argparse.Namespace) -> int:
    try:
        return int(options.run(options))
    except BrokenPipeError:
        raise
    except SessionError as error:
        commands.say(str(error))
        return NOT_SIGNED_IN
    except ApiError as error:
        commands.say(error.message)
        return NOT_SIGNED_IN if error.status == 401 else WRONG
    except UnreachableError as error:
        commands.say(str(error))
        return UNREACHABLE
    except (BusyError, OSError) as error:
        commands.say(str(error))
        return WRONG
    except KeyboardInterrupt:
        commands.say("\nInterrupted. What was sent stays; run the command again to go on.")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
