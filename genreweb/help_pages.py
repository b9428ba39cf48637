"""The pages of help at ``/help/``: files that ``tools/build_help.sh`` makes from ``docs/``."""

from __future__ import annotations

import mimetypes
import re
from base64 import b64encode
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from csp.constants import HEADER
from csp.utils import build_policy
from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.http.response import HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import http_date
from django.views.decorators.http import require_safe

PAGE_SECONDS = 300
ASSET_SECONDS = 30 * 24 * 3600
"""Style sheets and scripts carry a hash of their content in their address."""
_INLINE = {
    "script-src": re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL),
    "style-src": re.compile(rb"<style[^>]*>(.*?)</style>", re.DOTALL),
}


@require_safe
def help_page(request: HttpRequest, path: str = "") -> HttpResponseBase:
    """Answer with a file of the help pages, or say how they are made where they were not."""
    root: Path = settings.HELP_DIR
    if not (root / "index.html").is_file():
        return render(request, "help_missing.html", status=404)
    file = _file(root, path)
    if file.is_dir() and path and not path.endswith("/"):
        return HttpResponseRedirect(f"{quote(request.path)}/")
    if file.is_dir():
        file /= "index.html"
    if not file.is_file():
        raise Http404
    found = file.stat()
    etag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
    modified = int(found.st_mtime)
    response: HttpResponseBase | None = get_conditional_response(
        request, etag=etag, last_modified=modified, response=HttpResponse()
    )
    if response is None or response.status_code == 200:
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        response = FileResponse(file.open("rb"), content_type=kind)
    response["ETag"], response["Last-Modified"] = etag, http_date(modified)
    patch_cache_control(response, public=True, max_age=ASSET_SECONDS if "v" in request.GET else PAGE_SECONDS)
    if file.suffix == ".html":
        response["Content-Language"] = "ko" if file.is_relative_to(root / "ko") else "en"
        response[HEADER] = _policy(file, found.st_mtime_ns)
    return response


def _file(root: Path, path: str) -> Path:
    """Give the file or folder of an address, which must be there and not lead out of the folder of all."""
    try:
        file = (root / path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        raise Http404 from None
    if not file.is_relative_to(root.resolve()):
        raise Http404
    return file


@lru_cache(maxsize=256)
def _policy(file: Path, _modified: int) -> str:
    """Give the content security policy of the site, with the hashes of what a page holds inside itself."""
    text = file.read_bytes()
    return build_policy(
        update={
            directive: [f"'sha256-{b64encode(sha256(inside).digest()).decode()}'" for inside in found]
            for directive, pattern in _INLINE.items()
            if (found := pattern.findall(text))
        }
    )
