"""Imports point one way: training → library → classifier → classifier.core, and accounts is a leaf."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from genreweb.embedded.paths import REPOSITORY

LAYERS = ("classifier.core", "classifier", "library", "training")
"""From the ground up: a layer may import itself and those before it."""
KNOWS_APPS = {
    *("genreweb.urls", "genreweb.api", "genreweb.api_urls", "genreweb.settings"),
    # The worker warms the classifier up; the benchmark measures all of it.
    *("genreweb.celery", "genreweb.bench", "genreweb.trial"),
}
HEAVY = ("tensorflow", "keras")


def modules(package: str) -> Iterator[tuple[str, Path]]:
    """Give the name and file of every module of `package`, less its tests and migrations."""
    for path in sorted((REPOSITORY / package.replace(".", "/")).rglob("*.py")):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        if {"tests", "migrations"}.isdisjoint(parts):
            yield ".".join(parts).removesuffix(".__init__"), path


def imports(name: str, path: Path, *, only_top_level: bool = False) -> Iterator[str]:
    """Give the full name of everything that a module imports."""
    tree = ast.parse(path.read_text())
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in _statements(tree) if only_top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            # What is named may be a module of its own.
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Give what runs when a module is imported, not what waits in functions or is for type checkers only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _statements(child)


def _is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _layer(name: str) -> int | None:
    return next((number for number, layer in enumerate(LAYERS) if _is_in(name, layer)), None)


def test_layers_import_only_what_lies_below_them() -> None:
    seen = 0
    for package in ("classifier", "library", "training"):
        for name, path in modules(package):
            own = _layer(name)
            assert own is not None
            for imported in imports(name, path):
                other = _layer(imported)
                assert other is None or other <= own, f"{name} imports {imported}"
                assert not any(_is_in(imported, known) for known in KNOWS_APPS), f"{name} imports {imported}"
                seen += other is not None
    assert seen > 20


def _module_of(imported: str, known: Iterable[str]) -> str | None:
    """Give the longest name of a known module that what is imported is, or lies in."""
    return max((name for name in known if _is_in(imported, name)), key=len, default=None)


@pytest.mark.parametrize("package", ["classifier"])
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    known = dict(modules(package))
    graph = {
        name: {_module_of(imported, known) for imported in imports(name, path)} - {None, name}
        for name, path in known.items()
    }
    assert sum(map(len, graph.values())) > 100
    # Raises CycleError, which names the circle, deferred imports included.
    graphlib.TopologicalSorter(graph).prepare()


def test_core_knows_nothing_of_the_platform() -> None:
    for name, path in modules("classifier.core"):
        for imported in imports(name, path):
            assert not _is_in(imported, "django"), f"{name} imports {imported}"
            assert not _is_in(imported, "genreweb"), f"{name} imports {imported}"


def test_accounts_is_a_leaf() -> None:
    for name, path in modules("genreweb.accounts"):
        for imported in imports(name, path):
            assert _layer(imported) is None, f"{name} imports {imported}"
            own_project = _is_in(imported, "genreweb") and not _is_in(imported, "genreweb.accounts")
            assert not own_project or imported not in KNOWS_APPS, f"{name} imports {imported}"


def test_only_few_modules_of_the_project_know_the_apps() -> None:
    for name, path in modules("genreweb"):
        if name not in KNOWS_APPS:
            for imported in imports(name, path):
                assert _layer(imported) is None, f"{name} imports {imported}"


def test_tensorflow_is_imported_inside_functions_only() -> None:
    for package in ("genreweb", "classifier", "library", "training"):
        for name, path in modules(package):
            for imported in imports(name, path, only_top_level=True):
                assert not any(_is_in(imported, heavy) for heavy in HEAVY), f"{name} imports {imported}"


@pytest.mark.parametrize(
    "statements",
    [
        "import genreweb.wsgi; from django.urls import get_resolver; get_resolver().url_patterns",
        "import django; django.setup(); import genreweb; genreweb.celery_app.loader.import_default_modules()",
    ],
    ids=["web", "worker"],
)
def test_process_starts_without_tensorflow(statements: str) -> None:
    code = f"{statements}; import sys; print(sorted({{'tensorflow', 'keras'}} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip().splitlines()[-1:] == ["[]"], done.stderr


def test_embedded_engines_need_no_django() -> None:
    code = "import genreweb.embedded.supervisor, sys; print('django.db' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "False", done.stderr
