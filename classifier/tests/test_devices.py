"""Several devices and other backends, on one processor that plays two of them."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from classifier.fitting.loop import devices

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_share_a_fit_whose_network_is_served_as_any(backend: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "classifier.tests.two_devices", str(tmp_path)],
        cwd=REPOSITORY,
        env={**os.environ, "KERAS_BACKEND": backend},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["backend"] == backend
    assert found["devices"] == ["cpu:0", "cpu:1"]
    assert found["share"] == 2
    assert found["done"]
    reports = found["reports"]
    assert [report["epoch"] for report in reports] == [1, 2, 3, 4]
    assert reports[-1]["loss"] < reports[0]["loss"]
    assert reports[-1]["accuracy"] > 0.85
    assert reports[-1]["val_accuracy"] == 1.0
    assert all(found["right"])
    assert found["difference"] < 1e-3
    assert found["files"] == ["model.tflite", "network.weights.h5"]
    # Stopped between two batches of the first epoch, nothing is kept of it.
    assert found["stopped"]
    assert found["stopped_at"] == 0
    assert found["stopped_after"] == []


@pytest.mark.slow
def test_a_backend_that_shares_nothing_works_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    assert devices.names() == []
    with devices.shared() as share:
        assert share == 1
