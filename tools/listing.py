"""Keep the listing of modules in ARCHITECTURE.md: one line for each module and package of each folder.

``python tools/listing.py`` writes lines for new modules from the first sentence of their docstrings and drops
those of modules that are gone; lines that are there stay as they are. ``--check`` changes nothing, names what
is missing or gone, and exits with 1 if anything is.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
DOCUMENT = REPOSITORY / "ARCHITECTURE.md"
PACKAGES = ("genreweb", "classifier", "library", "training")
BEGIN, END = "<!-- listing: begin -->", "<!-- listing: end -->"
# Django's own names, markers, and tests.
_LEFT_OUT = {"__init__.py", "apps.py", "tests", "migrations", "management", "templatetags", "__pycache__"}
_ROW = re.compile(r"^\| `(?P<name>[^`]+)` \| (?P<what>.*) \|$")
_HEADING = re.compile(r"^### `(?P<folder>[^`]+)/`$")

Listing = dict[str, dict[str, str]]


def tree() -> Listing:
    """Give for each folder the modules and packages in it, with the first sentence of their docstrings."""
    found: Listing = {}
    for package in PACKAGES:
        folders = [REPOSITORY / package, *sorted((REPOSITORY / package).rglob("*"))]
        for folder in folders:
            parts = folder.relative_to(REPOSITORY).parts
            if not (folder / "__init__.py").is_file() or not _LEFT_OUT.isdisjoint(parts):
                continue
            rows = {path.name: _what(path) for path in _modules(folder)}
            if rows:
                found["/".join(parts)] = rows
    return found


def _modules(folder: Path) -> list[Path]:
    inside = [path for path in folder.iterdir() if path.name not in _LEFT_OUT]
    files = [path for path in inside if path.suffix == ".py"]
    packages = [path for path in inside if (path / "__init__.py").is_file()]
    return [*sorted(packages), *sorted(files)]


def _what(path: Path) -> str:
    source = path / "__init__.py" if path.is_dir() else path
    text = ast.get_docstring(ast.parse(source.read_text())) or ""
    first = re.split(r"(?<=\.)\s", " ".join(text.split("\n\n")[0].split()))[0]
    return first.rstrip(".").replace("|", "/").replace("``", "`")


def written() -> Listing:
    """Read the listing as it stands in the document."""
    found: Listing = {}
    folder = ""
    for line in _sections()[1].splitlines():
        if heading := _HEADING.match(line):
            folder = heading["folder"]
            found[folder] = {}
        elif row := _ROW.match(line):
            found[folder][row["name"].rstrip("/")] = row["what"]
    return found


def _sections() -> tuple[str, str, str]:
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    listing, _, after = rest.partition(END)
    return before, listing, after


def differences() -> list[str]:
    """Name what the listing lacks, and what it names that is not there."""
    there = {f"{folder}/{name}" for folder, rows in tree().items() for name in rows}
    named = {f"{folder}/{name}" for folder, rows in written().items() for name in rows}
    return [
        *(f"missing from ARCHITECTURE.md: {name}" for name in sorted(there - named)),
        *(f"gone from the tree: {name}" for name in sorted(named - there)),
    ]


def write() -> None:
    before, _listing, after = _sections()
    old = written()
    lines = [""]
    for folder, rows in tree().items():
        lines += [f"### `{folder}/`", "", "| module | what it holds |", "| --- | --- |"]
        for name, what in rows.items():
            shown = f"{name}/" if (REPOSITORY / folder / name).is_dir() else name
            lines.append(f"| `{shown}` | {old.get(folder, {}).get(name) or what or '–'} |")
        lines.append("")
    DOCUMENT.write_text(before + BEGIN + "\n".join(lines) + END + after)


def main() -> int:
    if "--check" not in sys.argv[1:]:
        write()
        return 0
    found = differences()
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
