"""Take from this process whatever decoding a sound does not need.

Linux knows all of it; elsewhere the resource limits remain. What a kernel or a container does not allow is
left out: each part is worth having alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWNET = 0x08000000, 0x10000000, 0x40000000
_CAPABILITY_VERSION_3 = 0x20080522

# Landlock's numbers are the same on every architecture (Linux, include/uapi/linux/landlock.h).
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
_LANDLOCK_VERSION = 1
# By version of the interface: how many kinds of access to files, of network and of scope it knows.
_FILE_ACCESS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NETWORK_SINCE, _SCOPE_SINCE = 4, 6


def confine(*, descriptors: int) -> list[str]:
    """Give up privileges, files, network and new processes; return what the system granted.

    Parameters
    ----------
    descriptors
        How many file descriptors may be open at once. No module can be imported afterwards.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    granted = ["limits"]
    if sys.platform != "linux":
        return granted
    libc = ctypes.CDLL(None, use_errno=True)
    steps: dict[str, Callable[[ctypes.CDLL], bool]] = {
        "namespaces": _leave_network,
        "no_new_privileges": _keep_privileges_from_growing,
        "no_capabilities": _drop_capabilities,
        "landlock": _lock_files,
    }
    granted += [name for name, step in steps.items() if step(libc)]
    # After the namespace of users, in which the count starts anew.
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    return granted


def address_space() -> int:
    """Bytes of address space that this process has now; 0 where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[0]
    except OSError:
        return 0
    return int(pages) * resource.getpagesize()


def limit_resources(*, seconds: int, address_space: int, file_size: int) -> None:
    """Set what the process may use from now on: processor seconds, address space, bytes of a file."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = int(used.ru_utime + used.ru_stime) + 1 + seconds
    for kind, value in (
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_AS, address_space),
    ):
        # macOS does not limit the address space.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


def _leave_network(libc: ctypes.CDLL) -> bool:
    """Move to a network without interfaces: as any user where that is allowed, else as root."""
    alone = _CLONE_NEWNET | _CLONE_NEWIPC
    return bool(libc.unshare(_CLONE_NEWUSER | alone) == 0 or libc.unshare(alone) == 0)


def _keep_privileges_from_growing(libc: ctypes.CDLL) -> bool:
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return bool(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)


def _drop_capabilities(libc: ctypes.CDLL) -> bool:
    # A process in a new namespace of users has all of them there.
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    return hasattr(libc, "capset") and bool(libc.capset(header, none) == 0)


def _lock_files(libc: ctypes.CDLL) -> bool:
    """Let nothing be opened by name, nothing be connected to, no other process be signalled."""
    version = libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION)
    if version < 1:
        return False
    files = (1 << _FILE_ACCESS.get(version, 16)) - 1
    rules = (ctypes.c_uint64 * 3)(files, 0b11, 0b11)
    size = 8 * (1 + (version >= _NETWORK_SINCE) + (version >= _SCOPE_SINCE))
    ruleset = libc.syscall(_LANDLOCK_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    try:
        return bool(libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)
