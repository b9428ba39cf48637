"""Serve a stored file to whoever holds a signed link, whole or by byte range.

Browsers seek in sound by asking for ranges (RFC 9110, section 14), which Django's FileResponse does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
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
    if name is None or not default_storage.exists(name):
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
        response = StreamingHttpResponse(_stream(name, first, last), content_type=content_type)
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


def _stream(name: str, first: int, last: int) -> Iterator[bytes]:
    # Opened here, so that a browser which hangs up before the first byte leaves no open file.
    with default_storage.open(name) as file:
        file.seek(first)
        left = last - first + 1
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
