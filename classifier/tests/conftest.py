import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def gtzan() -> Path:
    """The folder of the shared research data; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("GENREWEB_SHARED", REPOSITORY.parent / "shared")) / "data" / "gtzan"
    if not (folder / "tracks.csv").exists():
        pytest.skip(f"the research data are not in {folder}; set GENREWEB_SHARED")
    return folder
