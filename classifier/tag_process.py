"""The process in which tags of strangers' files are read and written: it reaches that one file alone.

``python -m classifier.tag_process DESCRIPTOR`` takes ``{"values": {...}}`` from its standard input, or
``{}`` to only read, and writes ``{"fields": ...}`` or ``{"error": CODE}``. `classifier.tag_files` starts it.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Final

from classifier import confinement
from classifier.core import tag_writing

_MEMORY_BYTES: Final = 256 * 2**20
_GROWTH_BYTES: Final = 16 * 2**20
_SECONDS: Final = 20
# Standard streams, the file, and a copy of its descriptor.
_DESCRIPTORS: Final = 8


def run(descriptor: int, asked: dict[str, Any]) -> dict[str, Any]:
    """Write what was asked, then say what the file holds."""
    values = asked.get("values")
    with os.fdopen(descriptor, "rb" if values is None else "r+b", closefd=False) as file:
        try:
            if values is not None:
                tag_writing.write_fields(file, values)
                file.flush()
            return {"fields": tag_writing.read_fields(file)}
        except tag_writing.TagWritingError as error:
            return {"error": error.code}
        except Exception:  # noqa: BLE001  whatever it is, it is said of this one file
            return {"error": "unreadable"}


def main() -> None:
    descriptor = int(sys.argv[1])
    asked = json.load(sys.stdin)
    tag_writing.load_formats()
    size = os.fstat(descriptor).st_size
    space = confinement.address_space()
    confinement.confine(descriptors=max(_DESCRIPTORS, descriptor + 1))
    confinement.limit_resources(
        seconds=_SECONDS,
        # The address space of a file is read in part; a picture in its tags may be held several times.
        address_space=space + _MEMORY_BYTES + 2 * size,
        file_size=size + _GROWTH_BYTES,
    )
    json.dump(run(descriptor, asked), sys.stdout)


if __name__ == "__main__":
    main()
