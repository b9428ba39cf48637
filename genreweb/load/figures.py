"""What Locust and the processes of the site say after a load: times by page, errors, processor time."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import psutil

from genreweb.trial import Site

TOTAL = "Aggregated"


@dataclass(frozen=True, slots=True)
class Page:
    """Requests for one kind of page; times in milliseconds."""

    name: str
    requests: int
    errors: int
    p50: float
    p95: float
    per_second: float


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of processor time, user and system."""

    web: float
    database: float

    def since(self, before: Cpu) -> Cpu:
        return Cpu(self.web - before.web, self.database - before.database)


def pages(stats: Path) -> list[Page]:
    """Read Locust's table; the last row is the total, named `TOTAL`."""
    with stats.open(newline="") as file:
        return [
            Page(
                name=row["Name"],
                requests=int(row["Request Count"]),
                errors=int(row["Failure Count"]),
                p50=_milliseconds(row["50%"]),
                p95=_milliseconds(row["95%"]),
                per_second=float(row["Requests/s"]),
            )
            for row in csv.DictReader(file)
        ]


def _milliseconds(said: str) -> float:
    # Of a page that nobody asked for there are none.
    return 0.0 if said == "N/A" else float(said)


def failures(file: Path) -> list[str]:
    """Say each kind of error and how often it came."""
    with file.open(newline="") as opened:
        return [f"{row['Occurrences']} × {row['Name']}: {row['Error']}" for row in csv.DictReader(opened)]


def cpu(site: Site) -> Cpu:
    """Add up what the processes of a site have used, with those of their children that have ended."""
    return Cpu(_seconds(site, "genreweb.wsgi:application"), _seconds(site, "postgres"))


def _seconds(site: Site, word: str) -> float:
    found = 0.0
    for process in site.processes(word):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        found += times.user + times.system + times.children_user + times.children_system
    return found


def table(rows: list[Page], used: Cpu) -> str:
    """Write the figures for people."""
    lines = [f"{'page':<28}{'requests':>10}{'errors':>8}{'p50 ms':>8}{'p95 ms':>8}"]
    for row in rows:
        name = "all" if row.name == TOTAL else row.name
        lines.append(f"{name:<28}{row.requests:>10}{row.errors:>8}{row.p50:>8.0f}{row.p95:>8.0f}")
    whole = rows[-1]
    each = 1000 / max(1, whole.requests)
    lines.append(
        f"{whole.per_second:.1f} requests a second; processor time per request: web {used.web * each:.1f} ms,"
        f" database {used.database * each:.1f} ms"
    )
    return "\n".join(lines)
