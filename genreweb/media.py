"""Serve a stored file to whoever holds a signed link, whole or by byte range.

Browsers seek in sound by asking for ranges (RFC 9110, section 14), which Django's FileResponse does not know.
"""

from __future__ import annotations

import io
import re
from typing import IO

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from genreweb.media_types import is_shown, media_type
from genreweb.storage import name_of

CHUNK = 256 * 1024
# Eighteen digits are enough for the size of any file.
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@require_safe
def media(request: HttpRequest, token: str) -> HttpResponseBase:
    """Answer 200 or 206 with the file, 404 where link or file is gone, 416 where no byte fits."""
    name = name_of(token)
    if name is None:
        raise Http404
    return serve(request, name)


def serve(request: HttpRequest, name: str) -> HttpResponseBase:
    """Answer with a stored file, or with the range that is asked for, to who may have it.

    Raises
    ------
    Http404
        The file is gone.
    """
    if not default_storage.exists(name):
        raise Http404
    size = default_storage.size(name)
    wanted = _wanted(request.headers.get("Range", ""), size)
    if wanted == ():
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    first, last = wanted or (0, size - 1)
    content_type = media_type(name)
    response: HttpResponseBase
    if request.method == "HEAD" or size == 0:
        response = HttpResponse(content_type=content_type)
    else:
        # A file, so that the server sends it without a thread that waits for a slow listener.
        response = FileResponse(_Part(name, first, last), content_type=content_type)
        response.block_size = CHUNK
    response["Content-Length"] = str(last - first + 1)
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, max-age=3600"
    response["X-Content-Type-Options"] = "nosniff"
    if not is_shown(name):
        response["Content-Disposition"] = "attachment"
    if wanted:
        response.status_code = 206
        response["Content-Range"] = f"bytes {first}-{last}/{size}"
    return response


def _wanted(header: str, size: int) -> tuple[int, int] | tuple[()] | None:
    """Read a Range header: None asks for all, an empty tuple cannot be met, else the first and last byte."""
    match = _RANGE.fullmatch(header.strip())
    if not match or match.group(1) == match.group(2) == "":
        return None
    start, end = match.groups()
    if start == "":
        first, last = max(0, size - int(end)), size - 1
    else:
        first, last = int(start), min(int(end), size - 1) if end else size - 1
    return (first, last) if first <= last and first < size else ()


class _Part(io.RawIOBase):
    """The bytes of a stored file from `first` to `last`, as a file that is opened when it is first read."""

    def __init__(self, name: str, first: int, last: int) -> None:
        self._name = name
        self._first, self._size = first, last - first + 1
        self._position = 0
        self._file: IO[bytes] | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        if self._file is None:
            # A browser that hangs up before the first byte leaves no open file.
            self._file = default_storage.open(self._name)
        left = max(0, self._size - self._position)
        self._file.seek(self._first + self._position)
        found = self._file.read(left if size < 0 else min(size, left))
        self._position += len(found)
        return found

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()
