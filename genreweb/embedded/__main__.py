"""``python -m genreweb.embedded run``: the site in one command."""

from __future__ import annotations

import argparse
import sys

from genreweb.embedded.paths import VarError
from genreweb.embedded.process import EngineError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m genreweb.embedded")
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run", help="run the whole site until Ctrl-C")
    runner.add_argument("--verbose", action="store_true", help="show all that the processes say")
    runner.add_argument("--dev", action="store_true", help="DEBUG on, and processes reload changed code")
    keeper = commands.add_parser("keep", help="run the private engines while any command borrows them")
    keeper.add_argument("--volatile", action="store_true", help="do not wait for the disk (tests)")
    chosen = parser.parse_args()
    try:
        if chosen.command == "keep":
            from genreweb.embedded.engines import keep

            return keep(volatile=chosen.volatile)
        from genreweb.embedded.supervisor import run

        if chosen.dev:
            from genreweb.embedded.development import development_services

            return run(verbose=True, processes=development_services)
        return run(verbose=chosen.verbose)
    except (EngineError, VarError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
