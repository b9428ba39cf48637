"""What a drill found, and what of it is a failure."""

from __future__ import annotations

from dataclasses import dataclass, field

Row = tuple[str, str, int]
"""Hash, status and number of analyses of a track."""


@dataclass(slots=True)
class Report:
    """What happened."""

    accepted: set[str] = field(default_factory=set)
    """Ids of tracks that a sender was told of."""
    repeated: int = 0
    """Requests that were sent again."""
    killed: int = 0
    """Worker processes."""
    shared: int | None = None
    """Analyses by a second host, where there was one."""
    recovery: dict[str, float] = field(default_factory=dict)
    """Seconds until the site was healthy again after a fault, by its name."""
    longest_wait: float = 0.0
    """Seconds that a page needed to be answered, over all of its tries."""
    skipped: list[str] = field(default_factory=list)
    """What could not be tried here, and why."""
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the uploads of one site."""

    uploads: int
    lost: int
    failed: int
    twice: int


def outcome(rows: list[Row], *, uploads: int) -> Outcome:
    """Compare the tracks of a site with the number of different sounds that were sent to it."""
    done = {sha256 for sha256, status, _analysed in rows if status == "done"}
    return Outcome(
        uploads=uploads,
        lost=uploads - len(done),
        failed=sum(status == "failed" for _sha256, status, _analysed in rows),
        twice=len(rows) - len({row[0] for row in rows}) + sum(row[2] > 1 for row in rows),
    )


def tell(report: Report, rows: list[Row], *, uploads: int) -> int:
    """Print the figures; give 0 if nothing was lost, nothing came twice and everything recovered."""
    found = outcome(rows, uploads=uploads)
    print(f"{'accepted':<44}{len(report.accepted):>8} of {uploads}, {report.repeated} requests repeated")
    print(f"{'worker processes killed':<44}{report.killed:>8}")
    if report.shared is not None:
        print(f"{'analyses by a second host':<44}{report.shared:>8}")
    print(f"{'lost':<44}{found.lost:>8}, of which {found.failed} failed")
    print(f"{'twice':<44}{found.twice:>8}")
    print(f"{'longest wait for a page':<44}{report.longest_wait:>8.1f} s")
    for name, seconds in report.recovery.items():
        print(f"{name:<44}{seconds:>8.1f} s")
    for reason in report.skipped:
        print(f"SKIPPED: {reason}")
    for problem in report.problems:
        print(f"PROBLEM: {problem}")
    return 1 if found.lost or found.twice or report.problems else 0
