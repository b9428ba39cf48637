"""The source tree: short modules, short functions, no import cycles, and a listing in ARCHITECTURE.md."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from genreweb.embedded.paths import REPOSITORY
from genreweb.tests.test_imports import imports, tree_of

PACKAGES = ("genreweb", "classifier", "library", "training")
MOST_MODULE_LINES = 400
MOST_FUNCTION_LINES = 60


@cache
def sources() -> dict[str, Path]:
    """Give the file of every module of the project, tests included, migrations left out."""
    folders = [
        REPOSITORY / name for name in (*PACKAGES, "e2e", "tools", "clients") if (REPOSITORY / name).is_dir()
    ]
    found = [REPOSITORY / "manage.py", *(path for folder in folders for path in sorted(folder.rglob("*.py")))]
    return {
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): path
        for path in found
        if "migrations" not in path.parts
    }


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Give every node but those of expressions, none of which holds a named function."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.expr):
            yield child
            yield from statements(child)


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Give the name and the number of lines of every function, decorators left out."""
    for node in statements(tree_of(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_modules_are_short() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in sources().items()}
    assert len(lengths) > 200
    assert {name: lines for name, lines in lengths.items() if lines > MOST_MODULE_LINES} == {}


@pytest.mark.slow
def test_functions_are_short() -> None:
    found = {
        f"{name}.{function}": lines
        for name, path in sources().items()
        for function, lines in functions(path)
        if lines > MOST_FUNCTION_LINES
    }
    assert found == {}


# --- cycles ---------------------------------------------------------------------------------------------
def import_graph() -> dict[str, set[str]]:
    """Give for each module of the project those that it imports when it runs, also inside functions."""
    known = {name for name in sources() if ".tests" not in name and not name.startswith(("e2e", "tools"))}
    return {
        name: {
            module
            for imported in imports(name, sources()[name], for_type_checkers=False)
            if (module := _module(imported, known))
        }
        - {name}
        for name in known
    }


def _module(imported: str, known: set[str]) -> str | None:
    """Give the module that an imported name lies in: itself, or the longest known prefix."""
    while imported and imported not in known:
        imported = imported.rpartition(".")[0]
    return imported or None


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Give the groups of modules that import each other, directly or through others.

    >>> cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}})
    [['b', 'c']]
    """
    reachable = {name: _reachable(graph, name) for name in graph}
    groups = {
        tuple(sorted(other for other in reachable[name] if name in reachable[other]))
        for name in graph
        if name in reachable[name]
    }
    return sorted(map(list, groups))


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph[name]
    return found


def test_cycles_are_found() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a", "d"}}) == [["b", "c"], ["d"]]


def test_no_module_imports_itself_through_others() -> None:
    graph = import_graph()
    assert sum(map(len, graph.values())) > 300
    assert cycles(graph) == []


# --- the listing ----------------------------------------------------------------------------------------
@pytest.mark.slow
def test_the_listing_in_the_architecture_matches_the_tree() -> None:
    done = subprocess.run(
        [sys.executable, "tools/listing.py", "--check"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), f"run tools/listing.py:\n{done.stdout}"


def test_a_module_that_is_missing_or_gone_is_named(tmp_path: Path) -> None:
    for name in ("genreweb", "classifier", "library", "training", "tools"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "library" / "songs.py").write_text('"""Songs. And more."""\n')
    shutil.copy(REPOSITORY / "tools" / "listing.py", tmp_path / "tools")
    document = tmp_path / "ARCHITECTURE.md"
    document.write_text("<!-- listing: begin -->\n<!-- listing: end -->\n")

    def listing(*words: str) -> str:
        command = [sys.executable, str(tmp_path / "tools" / "listing.py"), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    assert listing("--check") == "missing from ARCHITECTURE.md: library/songs.py"
    assert listing() == ""
    assert "| `songs.py` | Songs |" in document.read_text()
    document.write_text(document.read_text().replace("| Songs |", "| what people sing |"))
    (tmp_path / "library" / "tunes.py").write_text('"""Tunes."""\n')
    assert listing() == ""
    assert "| `songs.py` | what people sing |" in document.read_text()
    (tmp_path / "library" / "songs.py").unlink()
    assert listing("--check") == "gone from the tree: library/songs.py"
