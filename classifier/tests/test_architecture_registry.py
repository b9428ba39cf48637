"""The registry of architectures is complete, and the only place where their names are written."""

import ast
from pathlib import Path

import pytest

from classifier.core.architectures import ARCHITECTURES, DEFAULT, Architecture
from classifier.core.errors import ReleaseError
from classifier.core.patches import PatchParams
from classifier.fitting.architectures import FITTERS
from classifier.fitting.networks.builders import BUILDERS

REPOSITORY = Path(__file__).resolve().parents[2]
REGISTRY = REPOSITORY / "classifier" / "core" / "architectures.py"


def test_each_can_be_fitted_and_each_network_built() -> None:
    assert list(FITTERS) == list(ARCHITECTURES)
    assert all(fitter.architecture is ARCHITECTURES[name] for name, fitter in FITTERS.items())
    assert set(BUILDERS) == {name for name, entry in ARCHITECTURES.items() if entry.is_network}
    assert next(iter(ARCHITECTURES.values())) is DEFAULT


@pytest.mark.parametrize("entry", [entry for entry in ARCHITECTURES.values() if not entry.is_network])
def test_a_model_file_of_something_else_is_refused(entry: Architecture) -> None:
    with pytest.raises(ReleaseError):
        entry.load(b"no arrays", 2, PatchParams())


@pytest.mark.slow
def test_names_are_written_in_the_registry_only() -> None:
    found = []
    for package in ("classifier", "library", "training", "genreweb"):
        for path in (REPOSITORY / package).rglob("*.py"):
            if {"tests", "migrations"} & set(path.parts) or path == REGISTRY:
                continue
            constants = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)]
            found += [f"{path}: {node.value!r}" for node in constants if node.value in ARCHITECTURES]
    assert found == []
