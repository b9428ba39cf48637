"""The description of a job, and the failures that its process reports."""

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier.fitting.artifact.export import ExportError
from classifier.fitting.jobs import process
from classifier.fitting.jobs.candidate import NothingNewError
from classifier.fitting.jobs.clips import RunClips
from classifier.fitting.jobs.description import JobDescription, JobError, JobFolder


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "run_disk_full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "run_disk_full"),
        # As HDF5 says it.
        (
            OSError("Can't write data (file write failed: error message = 'No space left on device')"),
            "run_disk_full",
        ),
        (NothingNewError(), "run_nothing_new"),
        (ExportError("The exported logits differ"), "run_export_failed"),
        (MemoryError("cannot allocate"), "run_fit_failed"),
        (ValueError("x" * 10_000), "run_fit_failed"),
    ],
)
def test_a_failure_has_a_reason(error: Exception, code: str, tmp_path: Path) -> None:
    failure = process._failure(error, tmp_path)
    assert failure.code == code
    if code == "run_disk_full":
        assert failure.params == {"place": str(tmp_path)}
    if code in {"run_export_failed", "run_fit_failed"}:
        assert type(error).__name__ in failure.params["detail"]
        assert len(failure.params["detail"]) <= 300


JOB = JobDescription(
    kind="full",
    architecture="mfcc-knn",
    epochs=0,
    seed=3,
    name="2026-01-01 full 0a1b",
    labels=("blues", "rock"),
    snapshot="ab" * 32,
    base=Path("/somewhere/base"),
    base_pk=7,
    features=Path("/somewhere/features"),
    threads=1,
)
CLIPS = RunClips(
    rows=np.array([1, 0, 2]),
    targets=np.array([0, 1, -1]),
    genres=np.array(["blues", "rock", "jazz"]),
    sides=np.array(["train", "valid", "train"]),
    keys=np.array(["a", "b", "c"]),
    names=np.array(["blues.1", "b", "c"]),
    groups=np.array(["one", "", "two"]),
    seen=np.array([True, False, False]),
    embeddings=np.zeros((3, 0), np.float32),
    tags=np.zeros((3, 0), np.float16),
    taggers=np.array(["", "", ""]),
)


def test_a_job_comes_out_of_its_folder_as_it_went_in(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "job")
    folder.write(JOB, CLIPS)
    assert folder.read_description() == JOB
    clips = RunClips.read(folder.clips)
    assert clips.keys.tolist() == ["a", "b", "c"]
    # The label of the third is not one of the version's.
    assert clips.on("train").tolist() == [0]
    assert clips.on("train", "valid").tolist() == [0, 1]
    without = replace(JOB, base=None, base_pk=None)
    folder.write(without, CLIPS)
    assert folder.read_description() == without


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "slow"},
        {"kind": "quick", "base": None},
        {"labels": ["blues"]},
        {"labels": ["blues", "blues"]},
        {"labels": ["blues", 2]},
        {"labels": "blues"},
        {"epochs": -1},
        {"epochs": "many"},
        {"seed": True},
        {"threads": 0},
        {"features": None},
        {"surprise": 1},
    ],
)
def test_a_description_that_makes_no_sense_is_refused(changed: dict[str, Any], tmp_path: Path) -> None:
    text = json.dumps({**json.loads(JOB.to_json()), **changed})
    with pytest.raises(JobError):
        JobDescription.from_json(text)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_damaged_description_is_refused(text: str, tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    with pytest.raises(JobError, match="cannot be read"):
        folder.read_description()
    folder.description.write_text(text)
    with pytest.raises(JobError):
        folder.read_description()
