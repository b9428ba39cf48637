"""What the tests of whole sites share."""

from __future__ import annotations

from pathlib import Path

import pytest

from genreweb.embedded.locks import FileLock
from genreweb.testing import shared_folder
from genreweb.tests.site import environment, free_port, run_command


@pytest.fixture(scope="session")
def prepared() -> Path:
    """Give the folder of a site that was prepared and never started; sites of tests begin as copies of it.

    A first preparation takes four times as much of the processor as a later one. The processes of
    pytest-xdist share one folder.
    """
    # Not among the folders of pytest: each run of it closes them to the account of the database.
    folder = shared_folder / "prepared"
    lock = FileLock(folder.with_suffix(".lock"))
    assert lock.try_take(seconds=600)
    try:
        if not folder.exists():
            var = folder.with_suffix(".new")
            made = run_command("manage.py", "prepare", env=environment(var, free_port()), seconds=600)
            assert made.returncode == 0, made.stderr
            engines = FileLock(var / "engines.lock")
            assert engines.try_take(seconds=60)
            engines.release()
            var.rename(folder)
    finally:
        lock.release()
    return folder
