"""Files of a version that somebody made to do harm, or that broke: each is refused with a reason."""

import contextlib
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier.core import architectures
from classifier.core.artifact import arrays_from
from classifier.core.baseline_models import N_MFCC
from classifier.core.errors import ReleaseError
from classifier.core.inference import Classifier
from classifier.core.outputs import NetworkOutput
from classifier.core.verification import MOST_DIMENSIONS, verify
from classifier.releases import current_release


def metadata_of_network() -> dict[str, Any]:
    """The metadata of the release's network alone, without what it is joined with."""
    metadata: dict[str, Any] = json.loads((current_release() / "metadata.json").read_text())
    del metadata["ensemble"]
    return metadata


def version(folder: Path, **arrays: Any) -> Path:
    """A version of nearest neighbours with honest metadata around whatever arrays."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return with_model(folder, file.getvalue())


def with_model(folder: Path, content: bytes, **changed: Any) -> Path:
    metadata = metadata_of_network() | {
        "architecture": "mfcc-knn",
        "sha256": hashlib.sha256(content).hexdigest(),
        **changed,
    }
    (folder / "model.npz").write_bytes(content)
    (folder / "metadata.json").write_text(json.dumps(metadata))
    return folder


def arrays(**changed: Any) -> dict[str, Any]:
    honest: dict[str, Any] = {
        "mean": np.zeros((4, N_MFCC)),
        "covariance": np.tile(np.eye(N_MFCC), (4, 1, 1)),
        "targets": np.arange(4),
        "k": np.array([3]),
        "limit": np.array([10.0]),
    }
    return honest | changed


class Exploit:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path("exploited").touch, ())


def test_honest_arrays_are_taken(tmp_path: Path) -> None:
    verify(version(tmp_path, **arrays()))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"mean": np.full((4, N_MFCC), np.nan)}, "numbers that are none"),
        ({"mean": np.zeros((5, N_MFCC))}, "does not fit"),
        ({"mean": np.zeros((4, 2))}, "does not fit"),
        ({"covariance": np.tile(-np.eye(N_MFCC), (4, 1, 1))}, "covariances that are none"),
        ({"targets": np.array([0, 1, 2, 99])}, "labels that there are not"),
        ({"targets": np.array([0.0, 1.0, 2.0, 3.0])}, "labels that there are not"),
        ({"k": np.array([9])}, "make no sense"),
        ({"limit": np.array([0.0])}, "make no sense"),
        ({"mean": np.array([Exploit()] * 4)}, "cannot be read"),
        ({"more": np.array([True])}, "something other than numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    changed: dict[str, Any], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReleaseError, match=reason):
        Classifier.load(version(tmp_path, **arrays(**changed)))
    assert not (tmp_path / "exploited").exists()


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    given = arrays()
    del given["limit"]
    with pytest.raises(ReleaseError, match="lack limit"):
        Classifier.load(version(tmp_path, **given))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04N.", b"x" * 1000])
def test_what_is_no_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="cannot be read"):
        Classifier.load(with_model(tmp_path, content))


@pytest.mark.slow
def test_a_bomb_is_not_unpacked() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mean.npy", bytes(300 * 1024**2))
    assert len(file.getvalue()) < 2**20
    with pytest.raises(ReleaseError, match="too much memory"):
        arrays_from(file.getvalue(), what="The arrays")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"architecture": "../../etc"}, "cannot run"),
        ({"labels": ["rock", "rock"]}, "labels entry"),
        ({"labels": "rock"}, "labels entry"),
        ({"labels": [1, 2]}, "labels entry"),
        ({"name": 3}, "must be texts"),
        ({"calibration": {"temperature": 0, "unsure_below": 0, "music_threshold": 0}}, "makes no sense"),
        ({"calibration": {"temperature": "1", "unsure_below": 0, "music_threshold": 0}}, "not a number"),
        ({"calibration": [1, 2, 3]}, "expected values"),
        ({"calibration": {"temperature": float("nan"), "unsure_below": 0, "music_threshold": 0}}, "NaN"),
    ],
)
def test_metadata_that_make_no_sense_are_refused(
    changed: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    file = io.BytesIO()
    np.savez(file, **arrays())
    with pytest.raises(ReleaseError, match=reason):
        Classifier.load(with_model(tmp_path, file.getvalue(), **changed))


def test_patches_that_would_take_all_memory_are_refused(tmp_path: Path) -> None:
    huge = json.loads((current_release() / "metadata.json").read_text())["patches"] | {"n_columns": 10**9}
    file = io.BytesIO()
    np.savez(file, **arrays())
    with pytest.raises(ReleaseError, match="makes no sense"):
        Classifier.load(with_model(tmp_path, file.getvalue(), patches=huge))


def test_a_network_that_does_not_run_is_found_by_trying_it(tmp_path: Path) -> None:
    content = b"TFL3 but not really"
    metadata = metadata_of_network() | {"sha256": hashlib.sha256(content).hexdigest()}
    (tmp_path / "model.tflite").write_bytes(content)
    (tmp_path / "metadata.json").write_text(json.dumps(metadata))
    Classifier.load(tmp_path)
    with pytest.raises(ReleaseError, match="cannot hear silence"):
        verify(tmp_path)


class Constant:
    """A network that answers the same whatever it hears."""

    def __init__(self, logits: float, embedding: float, size: int = 8) -> None:
        self._logits, self._embedding, self._size = logits, embedding, size

    def run(self, inputs: np.ndarray) -> NetworkOutput:
        n = len(inputs)
        return NetworkOutput(
            logits=np.full((n, 10), self._logits, np.float32),
            music_logits=np.full(n, 3.0, np.float32),
            embeddings=np.full((n, self._size), self._embedding, np.float32),
        )


@pytest.mark.parametrize(
    ("network", "sensible"),
    [
        (Constant(1.0, 1.0), True),
        (Constant(np.nan, 1.0), False),
        (Constant(1.0, np.nan), False),
        (Constant(1.0, np.inf), False),
        (Constant(1.0, 1.0, size=MOST_DIMENSIONS + 1), False),
        (Constant(1.0, 1.0, size=0), False),
    ],
)
def test_answers_that_are_no_verdict_are_found(
    network: Constant, sensible: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(architectures, "Network", lambda _content: network)
    with contextlib.nullcontext() if sensible else pytest.raises(ReleaseError, match="is no verdict"):
        verify(current_release())
