"""Registers with the watchdog, then becomes a command: ``python bind_to_parent.py PIPE SIGNAL COMMAND…``.

Run as a file by the bare interpreter, so it imports nothing of the project.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    """Say the own process group, then become the command."""
    pipe, number = sys.argv[1:3]
    # Without its watcher the site runs on; only the safety net is gone.
    with contextlib.suppress(OSError):
        os.write(int(pipe), f"+ {os.getpid()} {number} 0\n".encode())
    os.close(int(pipe))
    # Python ignores these, and what is ignored stays so in the command.
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    os.execvp(sys.argv[3], sys.argv[3:])  # noqa: S606  # our own words


if __name__ == "__main__":
    main()
