"""What arrives is cut at the limit, and leaves the disk where it does not fit."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from pytest_django import Settings

from genreweb.uploads import DiskUploadHandler, QuotaUploadHandler


def test_what_does_not_fit_on_the_disk_leaves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = DiskUploadHandler()
    handler.new_file("file", "song.wav", "audio/wav", 10)
    path = Path(handler.file.temporary_file_path())
    assert handler.receive_data_chunk(b"RIFF", 0) is None
    assert path.exists()

    def be_full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(TemporaryFileUploadHandler, "receive_data_chunk", be_full)
    with pytest.raises(OSError, match="No space left"):
        handler.receive_data_chunk(b"WAVE", 4)
    assert not path.exists()


def test_a_file_larger_than_any_is_not_taken_to_the_end(settings: Settings) -> None:
    settings.AUDIO_MAX_BYTES = 10
    handler = QuotaUploadHandler()
    handler.new_file("file", "song.wav", "audio/wav", 30)
    assert [handler.receive_data_chunk(b"12345678", start) for start in (0, 8, 16)] == [
        b"12345678",
        b"12345678",
        None,
    ]
