"""Pages are compressed, and nothing else."""

from __future__ import annotations

import gzip

import pytest
from django.http import StreamingHttpResponse
from django.test import Client, RequestFactory

from genreweb.page_compression import PageCompressionMiddleware

pytestmark = pytest.mark.django_db
ACCEPTED = {"Accept-Encoding": "br, gzip"}


def test_a_page_is_compressed_for_who_can_read_it(client: Client) -> None:
    plain = client.get("/accounts/login/")
    small = client.get("/accounts/login/", headers=ACCEPTED)
    assert small.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in small.headers["Vary"]
    assert len(small.content) < len(plain.content) / 2
    assert b"<h1" in gzip.decompress(small.content)
    assert "Content-Encoding" not in plain.headers


def test_answers_of_the_api_are_not(client: Client) -> None:
    answer = client.get("/api/v1/schema/", headers=ACCEPTED)
    assert (answer.status_code, "Content-Encoding" in answer.headers) == (200, False)
    assert len(answer.content) > 1000


def test_nor_are_streams(rf: RequestFactory) -> None:
    """What is sent piece by piece would wait in the compressor's buffer."""
    pieces = [b"<p>now</p>" * 100, b"<p>later</p>"]
    answer = PageCompressionMiddleware(
        lambda request: StreamingHttpResponse(pieces, content_type="text/html")
    )(rf.get("/", headers=ACCEPTED))
    assert isinstance(answer, StreamingHttpResponse)
    assert "Content-Encoding" not in answer.headers
    assert list(answer) == pieces
