"""Look through the lock files for versions with known weaknesses, where a list of those can be had.

    make audit

Ends with 1 where some were found, else with 0: also where the list cannot be reached, which is said. Never
takes longer than a few minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
LOCKS = tuple(
    f"requirements{part}.txt" for part in ("", "-dev", "-node", "-tagger", "-fuzz", "-load", "-drill")
)
TOOL = REPOSITORY / ".venv" / ".audit"
SECONDS = float(os.environ.get("AUDIT_SECONDS", "240"))
"""For everything together: a network that neither answers nor refuses must not hold anybody up."""


class SkippedError(Exception):
    """The audit could not be made; the text says why."""


def main() -> int:
    end = time.monotonic() + SECONDS
    found = 0
    for what, audit in (("Python packages", _python), ("front-end libraries", _node)):
        try:
            weak = audit(end)
        except SkippedError as reason:
            print(f"Audit of the {what} skipped: {reason}", flush=True)
            continue
        found += weak
        print(f"Audit of the {what}: {weak or 'no'} known weaknesses.", flush=True)
    return 1 if found else 0


def _run(command: list[str], end: float) -> subprocess.CompletedProcess[str]:
    left = end - time.monotonic()
    if left <= 0:
        raise SkippedError("it took too long.")
    try:
        return subprocess.run(  # noqa: S603  # our own words
            command,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=left,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SkippedError("the network did not answer in time.") from None
    except OSError as error:
        raise SkippedError(f"{command[0]} cannot be run ({error.strerror}).") from error


def _python(end: float) -> int:
    tool = _pip_audit(end)
    weak: set[tuple[str, str, str]] = set()
    audited, unknown = 0, 0
    for lock in LOCKS:
        done = _run(
            [
                *(str(tool), "--requirement", lock, "--disable-pip", "--require-hashes"),
                *("--format", "json", "--progress-spinner", "off", "--timeout", "10"),
            ],
            end,
        )
        try:
            packages = json.loads(done.stdout)["dependencies"]
        except (ValueError, KeyError, TypeError):
            raise SkippedError(f"no list of weaknesses can be had ({_last_line(done.stderr)}).") from None
        for package in packages:
            # An index of one's own has packages, but no list of weaknesses; pip-audit calls that a success.
            audited, unknown = audited + ("vulns" in package), unknown + ("vulns" not in package)
            for entry in package.get("vulns", ()):
                weak.add((package["name"], package["version"], entry["id"]))
    if not audited:
        raise SkippedError("no list of weaknesses can be had: none of the packages is on it.")
    print(f"  {audited} versions looked up, {unknown} not on the list")
    for name, version, weakness in sorted(weak):
        print(f"  {name} {version}: {weakness}")
    return len(weak)


def _pip_audit(end: float) -> Path:
    """Install pip-audit beside the packages of the site, which it must not change."""
    tool = TOOL / "bin" / "pip-audit"
    if tool.exists():
        return tool
    uv = [sys.executable, "-m", "uv"]
    lock = ["--require-hashes", "--requirement", "requirements-audit.txt"]
    for command in (
        [*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(TOOL)],
        [*uv, "pip", "install", "--quiet", "--python", str(TOOL), *lock],
    ):
        done = _run(command, end)
        if done.returncode != 0:
            shutil.rmtree(TOOL, ignore_errors=True)
            raise SkippedError(f"pip-audit cannot be installed ({_last_line(done.stderr)}).")
    return tool


def _node(end: float) -> int:
    npm = ["npm"] if shutil.which("npm") else [sys.executable, "tools/npm.py"]
    done = _run([*npm, "audit", "--package-lock-only", "--json"], end)
    try:
        weak = json.loads(done.stdout)["vulnerabilities"]
    except (ValueError, KeyError, TypeError):
        raise SkippedError("no list of weaknesses can be had from npm.") from None
    for name, entry in sorted(weak.items()):
        print(f"  {name}: {entry.get('severity', 'of unknown severity')}")
    return len(weak)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no reason given"


if __name__ == "__main__":
    sys.exit(main())
