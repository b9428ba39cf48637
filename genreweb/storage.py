"""Files on this machine's disk reachable only through links that expire, and the site's own static files."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.storage import HashedFilesMixin
from django.core import signing
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, default_storage
from django.urls import get_script_prefix, reverse
from whitenoise.storage import CompressedManifestStaticFilesStorage

from genreweb.style_sheets import JoinedSheet

_signer = signing.Signer(salt="genreweb.media")


class SignedFileSystemStorage(FileSystemStorage):
    """A folder whose files are served by ``genreweb.media`` to whoever holds a signed link."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(file_permissions_mode=0o600, directory_permissions_mode=0o700, **kwargs)

    def _save(self, name: str, content: File[Any]) -> str:
        try:
            return str(super()._save(name, content))  # type: ignore[misc]  # missing in the stubs
        except OSError:
            # A partly written file must not stay on a full disk.
            with contextlib.suppress(OSError):
                self.delete(name)
            raise

    def url(self, name: str | None) -> str:
        """Give a link that works for one to two lifetimes.

        The end is rounded, so that a page asked for twice gives the same link and the browser's cache holds.
        """
        lifetime = int(settings.MEDIA_URL_LIFETIME.total_seconds())
        expires = (int(time.time()) // lifetime + 2) * lifetime
        return _signed_url(name, expires, get_script_prefix())


@lru_cache(maxsize=10_000)
def _signed_url(name: str | None, expires: int, _prefix: str) -> str:
    """Sign a link; a list of tracks has dozens, and the same ones on the next page view."""
    return reverse("media", args=[_signer.sign_object([name, expires])])


def download_url(name: str, filename: str) -> str:
    """Give a link to a stored file for an ``<a download>`` that says the same `filename`."""
    make = getattr(default_storage, "download_url", None)
    return str(default_storage.url(name) if make is None else make(name, filename))


def name_of(token: str) -> str | None:
    """Give back the name that a link was made for, or None where the link is forged or has expired."""
    try:
        name, expires = _signer.unsign_object(token)
    except (signing.BadSignature, ValueError):
        return None
    return str(name) if time.time() < expires else None


# Imports and exports that stand at the start of a line, as the site's own modules write them.
_MODULE_IMPORTS = (
    (
        r"""(?m)(?P<matched>^(?P<what>(?:import|export)\s[^"';]*?\sfrom\s*)["'](?P<url>\.{1,2}/[^"']+)["'])""",
        '%(what)s"%(url)s"',
    ),
    (r"""(?m)(?P<matched>^import\s*["'](?P<url>\.{1,2}/[^"']+)["'])""", 'import "%(url)s"'),
)


_JOINED = "css/site.css"


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise has no types
    """Static files under names that hold their hash, so that browsers may keep them for ever.

    The imports between the site's own ES modules are rewritten too. Django's switch for that would do the
    same to every library it finds, whose imports are not all meant for browsers; so the pattern is narrowed.
    """

    patterns = (
        *HashedFilesMixin.patterns,
        ("js/*.js", _MODULE_IMPORTS),
    )

    def post_process(self, paths: dict[str, Any], *arguments: Any, **options: Any) -> Iterator[Any]:
        """Hash, rewrite and compress what was collected, each joined style sheet as one."""
        if _JOINED in paths:
            paths = {**paths, _JOINED: (JoinedSheet(_JOINED, paths), _JOINED)}
        yield from super().post_process(paths, *arguments, **options)

    def stored_name(self, name: str) -> str:
        # Before the first `collectstatic`, as in tests, there is no list of hashes to look in.
        return str(super().stored_name(name)) if self.hashed_files else name
