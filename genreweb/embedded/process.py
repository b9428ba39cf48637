"""Starting, awaiting and ending processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import Any


class EngineError(Exception):
    """An engine cannot be started; the text says why."""


def run_quietly(command: list[str], *, what: str, **options: Any) -> None:
    """Run `command` to its end, and say what it said only if it fails."""
    done = subprocess.run(  # noqa: S603  # our own words
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
    )
    if done.returncode != 0:
        said = done.stdout.decode(errors="replace").strip()
        raise EngineError(f"Could not {what}: {said or f'exit status {done.returncode}'}")


def wait_for_exit(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Say whether `process` ended within `seconds`."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.poll() is not None


def signal_group(group: int, number: signal.Signals) -> bool:
    """Send a signal to every process of a group; say whether there was any."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        # macOS says so of a group in which only zombies are left.
        return False
    return True
