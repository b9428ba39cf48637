"""Two repairs of Django's parser of multipart forms.

A part whose head the parser cannot use (a file name that is no UTF-8, or ``..``) is skipped without reading
its content, which the parser then takes for the head of the next part and reports as one that is too large.
Here every part is read to its end before the next one, and such names are made usable: nothing is stored
under them, they are only shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.http import multipartparser

# Django's 1,024 bytes are too few for the head of a part: a file name of 300 letters in Hangul takes 900 of
# them from a browser, and 2,700 from a program that percent-encodes it (RFC 8187).
MAX_HEAD_BYTES = 16 * 1024
_END_OF_HEAD = b"\r\n\r\n"
# The stubs know only a part of it.
_django: Any = multipartparser


class _Parser(_django.Parser):  # type: ignore[misc]  # of type Any
    """Yield the parts of a form, each read to its end before the next one."""

    decode: Callable[[bytes], str]

    def __iter__(self) -> Iterator[Any]:
        for part in _django.InterBoundaryIter(self._stream, self._separator):
            self._decode_head(part)
            yield _django.parse_boundary_stream(part, MAX_HEAD_BYTES)
            _django.exhaust(part)

    def _decode_head(self, part: Any) -> None:
        """Write the head of a part in UTF-8, guessing what else it is in."""
        start = part.read(MAX_HEAD_BYTES)
        end = start.find(_END_OF_HEAD)
        if end >= 0:
            start = type(self).decode(start[:end]).encode() + start[end:]
        part.unget(start)


_sanitize = multipartparser.MultiPartParser.sanitize_file_name


def _name(parser: Any, file_name: str) -> str:
    """Clean the name of a file; one of which nothing is left, as of "..", becomes "untitled"."""
    return _sanitize(parser, file_name) or "untitled"


def install(*, decode: Callable[[bytes], str]) -> None:
    """Repair the parser of this process; `decode` reads heads in whatever encoding they are."""
    _Parser.decode = staticmethod(decode)
    _django.MAX_TOTAL_HEADER_SIZE = MAX_HEAD_BYTES
    _django.Parser = _Parser
    _django.MultiPartParser.sanitize_file_name = _name
