"""Pin what ``requirements*.in`` allow, for every system and Python at once, with the hash of each file.

Pins that are still allowed stay; ``--upgrade`` lets them go. The result names packages only: whoever installs
from it decides from which index.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
FILES = (
    "requirements",
    "requirements-dev",
    "requirements-node",
    "requirements-audit",
    "requirements-docs",
    "requirements-fuzz",
    "requirements-load",
    "requirements-drill",
)
_ADDRESS = re.compile(r"\w+://|^\s*(?:--(?:extra-)?index-url|--find-links)|@ /", re.MULTILINE)


def main() -> int:
    for name in FILES:
        print(f"Pinning {name}.txt", flush=True)
        command = [
            *(sys.executable, "-m", "uv", "pip", "compile", f"{name}.in", "--output-file", f"{name}.txt"),
            *("--universal", "--python-version", "3.11", "--generate-hashes"),
            *("--no-header", "--no-emit-index-url", "--no-emit-find-links", "--quiet"),
            *sys.argv[1:],
        ]
        if subprocess.run(command, cwd=REPOSITORY, check=False).returncode != 0:  # noqa: S603  # our own words
            return 1
        if found := _ADDRESS.search((REPOSITORY / f"{name}.txt").read_text()):
            print(
                f"{name}.txt names a place ({found.group().strip()}): pin it from an index.", file=sys.stderr
            )
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
