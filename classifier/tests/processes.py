"""What other processes are, where one may end between two looks."""

from __future__ import annotations

import psutil


def is_running(process: int | psutil.Process) -> bool:
    """Tell whether a process still runs; one that ended and was not waited for does not."""
    try:
        found = psutil.Process(process) if isinstance(process, int) else process
        return found.is_running() and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def command(process: psutil.Process) -> str:
    """Give the command line of a process, empty where it ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def environ(process: psutil.Process) -> dict[str, str]:
    """Give the environment of a process, empty where it ended."""
    try:
        return process.environ()
    except psutil.NoSuchProcess:
        return {}


def children(*words: str, of: int | None = None) -> list[psutil.Process]:
    """Give the processes below process `of`, else below this one, whose command line has all of `words`."""
    try:
        found = psutil.Process(of).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [child for child in found if all(word in command(child) for word in words) and is_running(child)]
