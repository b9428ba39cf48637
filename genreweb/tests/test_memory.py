"""How much memory the private PostgreSQL may count on."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from genreweb.embedded import memory
from genreweb.embedded.postgres import Postgres


def test_a_container_has_as_much_memory_as_it_may_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "_LIMITS", (tmp_path / "absent", limit))
    whole = psutil.virtual_memory().total
    assert memory.usable_bytes() == whole
    limit.write_text("max\n")
    assert memory.usable_bytes() == whole
    limit.write_text(f"{2**40 * 1000}\n")
    assert memory.usable_bytes() == whole
    limit.write_text(f"{2 * 2**30}\n")
    assert memory.usable_bytes() == 2 * 2**30
    assert "shared_buffers=256MB" in Postgres().command()
    limit.write_text(f"{2**20}\n")
    assert "shared_buffers=128MB" in Postgres().command()
    assert not any(option.startswith("shared_buffers") for option in Postgres(volatile=True).command())
