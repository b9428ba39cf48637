"""Files that this process and the confined one share by their descriptors."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

_AT_ONCE: Final = 2**18


@contextlib.contextmanager
def descriptor_of(file: BinaryIO) -> Iterator[int]:
    """Give a descriptor of what `file` holds: its own, where it has one."""
    try:
        own = file.fileno()
        regular = stat.S_ISREG(os.fstat(own).st_mode)
    except (AttributeError, OSError, ValueError):
        regular = False
    if regular:
        if file.writable():
            file.flush()
        yield own
        return
    with scratch() as copy, os.fdopen(os.dup(copy), "wb") as target:
        file.seek(0)
        shutil.copyfileobj(file, target, 2**20)
        target.flush()
        yield copy


@contextlib.contextmanager
def scratch() -> Iterator[int]:
    """Give the descriptor of a file without a name, in memory where the system has such files."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("sound")
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    else:
        with tempfile.TemporaryFile() as file:
            yield file.fileno()


def read_all(descriptor: int) -> bytearray:
    """Copy a file: shared memory could change after it was looked at."""
    content = bytearray(os.fstat(descriptor).st_size)
    with io.FileIO(os.dup(descriptor)) as file:
        file.seek(0)
        del content[file.readinto(content) :]
    return content


class Growing:
    """A file that is being written: hands on what has come since it was last looked at."""

    def __init__(self, descriptor: int, take: Callable[[bytes], None]) -> None:
        self._descriptor, self._take = descriptor, take
        self._position = 0

    def look(self) -> None:
        while part := os.pread(self._descriptor, _AT_ONCE, self._position):
            self._position += len(part)
            self._take(part)
