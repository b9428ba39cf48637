"""What the process of a run says of its failures."""

import errno
from pathlib import Path

import pytest

from classifier.fitting.artifact.export import ExportError
from classifier.fitting.jobs import process
from classifier.fitting.jobs.candidate import NothingNewError


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
