"""The table of environment variables: names, kinds and defaults from the settings, meanings from the README.

A variable that the settings read and the README does not explain is reported, and fails a strict build.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repository_links import rewrite
from sphinx.util import logging

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PLACE = "<!-- variables -->"
KINDS = {
    "bool": "true or false",
    "database": "address of a PostgreSQL",
    "float": "number",
    "folder": "path of a folder",
    "hosts": "host names, with commas",
    "int": "whole number",
    "list": "list, with commas",
    "log_level": "level",
    "mail": "address of a mail server",
    "one_of": "one of the values",
    "origin": "address",
    "origins": "addresses, with commas",
    "rate": "number and time",
    "redis": "address of a Redis",
    "sender": "e-mail address",
    "time_zone": "place",
}


@dataclass(frozen=True, slots=True)
class Variable:
    """What the settings read: the method of ``Environment``, and the default where it is written out."""

    kind: str
    default: str


def read_settings(code: str) -> dict[str, Variable]:
    """Give every variable that settings read through ``env``."""
    found: dict[str, Variable] = {}
    for node in ast.walk(ast.parse(code)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "env" and node.args):
            continue
        name, *rest = node.args
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            default = _written(rest[0]) if rest else ""
            if name.value not in found or not found[name.value].default:
                found[name.value] = Variable(node.func.attr, default)
    return found


def _written(node: ast.expr) -> str:
    if not isinstance(node, ast.Constant) or node.value == "":
        return ""
    return str(node.value).lower() if isinstance(node.value, bool) else str(node.value)


def read_readme(text: str) -> list[tuple[list[str], str, str]]:
    """Give the rows of its table: names, their defaults in one cell, and what they mean."""
    part = text.partition("\n## Configure\n")[2].partition("\n## ")[0]
    rows = []
    for line in part.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        names = re.findall(r"`([A-Z][A-Z0-9_]+)`", cells[0])
        if line.startswith("|") and names and len(cells) == 3:
            rows.append((names, cells[1], cells[2]))
    return rows


def table(settings: str, readme: str) -> tuple[str, set[str]]:
    """Give the table as Markdown, and the variables that the README does not explain."""
    known, rows = read_settings(settings), read_readme(readme)
    lines = ["| variable | what is written | default | meaning |", "| --- | --- | --- | --- |"]
    for names, defaults, meaning in rows:
        for place, name in enumerate(names):
            variable = known.get(name, Variable("str", ""))
            default = _default(variable.default, defaults, place, len(names))
            same = "as above" if place else meaning
            lines.append(f"| `{name}` | {KINDS.get(variable.kind, 'text')} | {default} | {same} |")
    explained = {name for names, _defaults, _meaning in rows for name in names}
    return "\n".join(lines), {name for name in known if not name.startswith("AWS_")} - explained


def _default(written: str, cell: str, place: int, count: int) -> str:
    """Choose between the value in the settings and the README's words, which say more than ``0`` does."""
    parts = re.split(r", (?=[^,])", cell)
    text = parts[place] if len(parts) == count else ""
    if text and not text.startswith("`"):
        return text
    if written:
        return f"`{written}`"
    return text or (cell if place == 0 else "–")


def _source_read(app: Any, docname: str, content: list[str]) -> None:
    if PLACE not in content[0]:
        return
    made, unexplained = table(
        (REPOSITORY / "genreweb" / "settings.py").read_text(), (REPOSITORY / "README.md").read_text()
    )
    for name in sorted(unexplained):
        logging.getLogger(__name__).warning("README.md does not explain %s", name, location=docname)
    content[0] = content[0].replace(PLACE, rewrite(made, folder=REPOSITORY, source=Path(app.srcdir)))


def setup(app: Any) -> dict[str, bool]:
    # Before the links are seen to, which the meanings hold.
    app.connect("source-read", _source_read, priority=100)
    return {"parallel_read_safe": True}
