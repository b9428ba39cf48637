"""``make bench``: speed of the core and latency of the platform, as a table and in ``var/bench.json``.

The core's figures come from ``classifier.benchmarks``, compared with a plain implementation. This module
adds what only the whole platform can show: it starts a site of its own on a free port, with its own database,
queue and workers, and sends music through the API.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from classifier.benchmarks.sounds import variants
from genreweb.trial import Site

REPOSITORY = Path(__file__).resolve().parent.parent
UPLOADS = 30
AT_ONCE = 8
CHECK_SECONDS = 60


@dataclass(frozen=True)
class Row:
    """One line of the table; `ratio` is plain implementation ÷ this, where there is a plain one."""

    name: str
    unit: str
    median: float
    p95: float
    ratio: float | None = None


def measure() -> list[Row]:
    """Measure uploads one by one and several at once, and a worker's memory then and after a clip."""
    sounds = variants(UPLOADS + AT_ONCE + 2)
    with Site() as site:
        contributed = sounds.pop()
        cold = waited(site, sounds.pop())
        alone = [waited(site, sounds.pop()) for _ in range(UPLOADS)]
        started = time.perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            together = list(pool.map(lambda sound: waited(site, sound), sounds))
        whole = time.perf_counter() - started
        memory = resident(site)
        check(site, contributed)
        memory_after_clip = resident(site)
    return [
        Row("first upload after the start", "s", cold, cold),
        Row("upload to result, idle worker", "s", statistics.median(alone), percentile(alone, 95)),
        Row(f"upload to result, {AT_ONCE} at once", "s", statistics.median(together), whole),
        Row("analysis worker, resident", "MiB", memory, memory),
        Row("analysis worker, after a contributed clip", "MiB", memory_after_clip, memory_after_clip),
    ]


def resident(site: Site) -> float:
    """Give the resident memory of the largest process of the analysis worker, in MiB."""
    return max(process.memory_info().rss for process in site.workers()) / 2**20


def check(site: Site, sound: bytes) -> None:
    """Contribute a clip and wait until the worker has checked it."""
    status, clip = site.upload(sound, wait=0, to="/api/v1/clips/", fields={"genre": "rock", "rights": "true"})
    if status not in (http.HTTPStatus.CREATED, http.HTTPStatus.ACCEPTED):
        raise SystemExit(f"A clip was not accepted: {status} {clip}")
    deadline = time.monotonic() + CHECK_SECONDS
    while clip["status"] == "checking" and time.monotonic() < deadline:
        time.sleep(0.2)
        _, clip = site.request("GET", f"/api/v1/clips/{clip['id']}/")
    if clip["status"] != "pending":
        raise SystemExit(f"A clip was not checked: {clip}")


def waited(site: Site, sound: bytes) -> float:
    """Return the seconds from sending `sound` until its result is there."""
    started = time.perf_counter()
    status, track = site.upload(sound)
    seconds = time.perf_counter() - started
    if status != http.HTTPStatus.OK or track["status"] != "done":
        raise SystemExit(f"An upload did not finish: {status} {track}")
    return seconds


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(percent / 100 * (len(ordered) - 1)))]


def main() -> int:
    target = Path(os.environ.get("GENREWEB_VAR", REPOSITORY / "var")) / "bench.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    core = subprocess.run(
        [sys.executable, "-m", "classifier.benchmarks", "--json", str(target)], cwd=REPOSITORY, check=False
    )
    if core.returncode:
        return core.returncode
    rows = json.loads(target.read_text())
    machine = rows[0]["machine"] if rows else ""
    for row in measure():
        print(f"{row.name:<44} {row.median:>10.3f} {row.p95:>10.3f} {row.unit}")
        rows.append({**asdict(row), "machine": machine})
    target.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"Written to {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
