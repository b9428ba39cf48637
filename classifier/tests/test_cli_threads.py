"""``python -m classifier`` and the threads of NumPy's libraries."""

from __future__ import annotations

from pathlib import Path

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from classifier.cli import processes
from classifier.cli.predictions import Failure, FilePredictor, Task
from classifier.core.audio import AudioLimits
from classifier.releases import current_release


class Probe(FilePredictor):
    """Notes the threads of every pool at the time that it is to predict a file."""

    def __init__(self) -> None:
        self.threads: list[list[int]] = []

    def predict_file(self, path: Path) -> Failure:
        self.threads.append(blas_threads())
        return Failure(name=str(path), reason="only looked")


def blas_threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def task() -> Task:
    return Task(release=current_release(), max_minutes=1.0, features=None)


def test_one_process_uses_one_thread_and_leaves_the_limits_as_they_were() -> None:
    probe = Probe()
    paths = [Path("one"), Path("two")]
    with threadpool_limits(limits=2):
        before = blas_threads()
        failures = list(processes.predict_all(paths, predictor=probe, task=task(), jobs=1))
        assert blas_threads() == before
    assert before
    assert max(before) == 2
    assert [failure.name for failure in failures] == ["one", "two"]
    assert probe.threads == [[1] * len(before)] * 2


@pytest.mark.slow
def test_several_processes_use_one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in processes._ONE_THREAD:
        monkeypatch.delenv(variable, raising=False)
    with processes._pool(task(), 1) as pool:
        found: list[int] = pool.submit(blas_threads).result()
    assert found
    assert set(found) == {1}


def test_a_file_that_breaks_the_decoder_does_not_end_the_walk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_args: object, **_options: object) -> None:
        raise UnicodeDecodeError("ascii", b"\x8f", 0, 1, "for the test")

    monkeypatch.setattr("classifier.cli.predictions.decode", broken)
    predictor = FilePredictor.__new__(FilePredictor)
    predictor._limits = AudioLimits()
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    for path in paths:
        path.write_bytes(b"RIFF")
    found = list(processes.predict_all(paths, predictor=predictor, task=task(), jobs=1))
    assert found == [
        Failure(
            name=str(path), reason="The file overtaxes or breaks the decoder. Export it again, as MP3 or WAV."
        )
        for path in paths
    ]
