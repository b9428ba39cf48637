"""Imports point one way: training → library → classifier → classifier.core, and accounts is a leaf."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from genreweb.embedded.paths import REPOSITORY

LAYERS = ("classifier.core", "classifier", "library", "training")
"""From the ground up: a layer may import itself and those before it."""
KNOWS_APPS = {
    *("genreweb.urls", "genreweb.api", "genreweb.api_urls", "genreweb.settings"),
    # The worker warms the classifier up, the web server the decoder; the benchmark measures all of it.
    *("genreweb.celery", "genreweb.bench", "genreweb.trial", "genreweb.drills.__main__", "genreweb.warm_up"),
    *("genreweb.load.__main__", "genreweb.load.rows", "genreweb.load.training"),
    *("genreweb.bench_scale", "genreweb.scale_measures"),
}
HEAVY = ("tensorflow", "keras", "librosa", "numba", "qdrant_client", "grpc")
PACKAGES = ("genreweb", "classifier", "library", "training")


def modules(package: str) -> Iterator[tuple[str, Path]]:
    """Give the name and file of every module of `package`, less its tests and migrations."""
    for path in sorted((REPOSITORY / package.replace(".", "/")).rglob("*.py")):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        if {"tests", "migrations"}.isdisjoint(parts):
            yield ".".join(parts).removesuffix(".__init__"), path


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports(
    name: str, path: Path, *, in_functions: bool = True, for_type_checkers: bool = True
) -> tuple[str, ...]:
    """Give the full name of everything that a module imports."""
    return tuple(_imports(name, path, in_functions=in_functions, for_type_checkers=for_type_checkers))


def _imports(name: str, path: Path, *, in_functions: bool, for_type_checkers: bool) -> Iterator[str]:
    tree = tree_of(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in _statements(tree, in_functions=in_functions, for_type_checkers=for_type_checkers):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            # What is named may be a module of its own.
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def _statements(node: ast.AST, *, in_functions: bool, for_type_checkers: bool) -> Iterator[ast.AST]:
    """Give the nodes of a module, without the bodies of functions or ``if TYPE_CHECKING`` if so wished."""
    for child in ast.iter_child_nodes(node):
        # No expression holds an import.
        if isinstance(child, ast.expr):
            continue
        if not in_functions and isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if not for_type_checkers and isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _statements(child, in_functions=in_functions, for_type_checkers=for_type_checkers)


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


def test_heavy_packages_are_imported_inside_functions_only() -> None:
    for package in PACKAGES:
        for name, path in modules(package):
            for imported in imports(name, path, in_functions=False, for_type_checkers=False):
                assert not any(_is_in(imported, heavy) for heavy in HEAVY), f"{name} imports {imported}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "statements",
    [
        "import genreweb.wsgi; from django.urls import get_resolver; get_resolver().url_patterns",
        "import django; django.setup(); import genreweb; genreweb.celery_app.loader.import_default_modules()",
    ],
    ids=["web", "worker"],
)
def test_process_starts_without_heavy_packages(statements: str) -> None:
    code = f"{statements}; import sys; print(sorted({{*{HEAVY}}} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip().splitlines()[-1:] == ["[]"], done.stderr


@pytest.mark.slow
def test_what_was_loaded_is_not_searched_for_garbage_and_what_follows_is() -> None:
    code = """
import django, gc, genreweb
django.setup()
print(gc.get_threshold() == genreweb.USUAL_THRESHOLD, gc.get_freeze_count() > 10 * len(gc.get_objects()))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "True True", done.stderr


@pytest.mark.slow
def test_embedded_engines_need_no_django() -> None:
    code = "import genreweb.embedded.supervisor, sys; print('django.db' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "False", done.stderr


def test_sounds_of_strangers_are_decoded_in_a_process_of_their_own() -> None:
    """`classifier.decoding` does it; the same functions of the core would do it in this process."""
    here = {
        "classifier.core.audio.probe",
        "classifier.core.audio.decode",
        "classifier.core.audio.encode_playback",
        "classifier.core.playback.encode_playback",
        "classifier.core.encoding.encode_copy",
        "classifier.core.encoding.copy_from",
        "classifier.core.sources.open_source",
        "classifier.core.file_tags.read_file_tags",
    }
    found = {
        f"{name} imports {imported}"
        for package in ("genreweb", "library", "training")
        for name, path in modules(package)
        for imported in imports(name, path)
        if imported in here or imported.partition(".")[0] == "av"
    }
    assert found == set()
