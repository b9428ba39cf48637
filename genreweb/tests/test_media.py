"""Signed links: whole files, byte ranges, and nothing for who has no link."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client

from genreweb.storage import SignedFileSystemStorage

# A page that is not found names the classifier in service.
pytestmark = pytest.mark.django_db

BODY = bytes(range(256)) * 8


@pytest.fixture
def name() -> Iterator[str]:
    kept = default_storage.save("sounds/00/test.wav", ContentFile(BODY))
    yield kept
    default_storage.delete(kept)


def body(response: object) -> bytes:
    return b"".join(response.streaming_content)  # type: ignore[attr-defined]  # a streaming response


def test_a_link_gives_the_whole_file(name: str, client: Client) -> None:
    response = client.get(default_storage.url(name))
    assert response.status_code == 200
    assert response["Content-Length"] == str(len(BODY))
    assert response["Content-Type"] == "audio/wav"
    assert response["Accept-Ranges"] == "bytes"
    assert body(response) == BODY


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-99", 0, 99),
        ("bytes=100-", 100, 2047),
        ("bytes=-10", 2038, 2047),
        ("bytes=2000-9999", 2000, 2047),
    ],
)
def test_a_range_gives_just_these_bytes(name: str, client: Client, asked: str, first: int, last: int) -> None:
    response = client.get(default_storage.url(name), headers={"Range": asked})
    assert response.status_code == 206
    assert response["Content-Range"] == f"bytes {first}-{last}/{len(BODY)}"
    assert body(response) == BODY[first : last + 1]


@pytest.mark.parametrize("asked", ["bytes=2048-", "bytes=9-3"])
def test_a_range_outside_the_file_is_refused(name: str, client: Client, asked: str) -> None:
    response = client.get(default_storage.url(name), headers={"Range": asked})
    assert response.status_code == 416
    assert response["Content-Range"] == f"bytes */{len(BODY)}"


@pytest.mark.parametrize(
    "asked", ["bytes=a-b", "lines=1-2", "bytes=-", "bytes=1-2,5-6", "bytes=-" + "9" * 5000]
)
def test_a_range_that_is_not_understood_gives_the_whole_file(name: str, client: Client, asked: str) -> None:
    assert client.get(default_storage.url(name), headers={"Range": asked}).status_code == 200


def test_a_forged_link_is_not_found(name: str, client: Client) -> None:
    link = default_storage.url(name)
    assert client.get(link[:-3] + "abc").status_code == 404
    assert client.get(f"/media/{name}").status_code == 404


def test_a_link_expires(name: str, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    link = default_storage.url(name)
    later = time.time() + 2 * settings.MEDIA_URL_LIFETIME.total_seconds() + 1
    monkeypatch.setattr("genreweb.storage.time.time", lambda: later)
    assert client.get(link).status_code == 404


def test_a_deleted_file_is_not_found(client: Client) -> None:
    link = default_storage.url("sounds/00/never-there.wav")
    assert client.get(link).status_code == 404


def test_what_no_browser_should_open_is_a_download(client: Client) -> None:
    kept = default_storage.save("sounds/00/page.html", ContentFile(b"<script>alert(1)</script>"))
    try:
        response = client.get(default_storage.url(kept))
        assert response["Content-Disposition"] == "attachment"
        assert response["X-Content-Type-Options"] == "nosniff"
    finally:
        default_storage.delete(kept)


def test_the_same_link_is_given_again_so_that_browsers_keep_what_they_have(name: str) -> None:
    assert default_storage.url(name) == default_storage.url(name)


def test_files_are_readable_by_the_site_alone(name: str) -> None:
    path = Path(settings.MEDIA_ROOT) / name
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_full_disk_keeps_no_half_files(tmp_path: Path) -> None:
    class Endless(ContentFile[bytes]):
        def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
            yield BODY
            raise OSError(errno.ENOSPC, "No space left on device")

    storage = SignedFileSystemStorage(location=tmp_path)
    with pytest.raises(OSError, match="No space left"):
        storage.save("sounds/00/big.wav", Endless(BODY))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
