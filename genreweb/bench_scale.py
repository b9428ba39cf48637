"""``make bench-scale``: how a site gets on with ten thousand, a hundred thousand and a million tracks.

It starts engines of its own in a fresh folder and fills them with synthetic tracks. Each size is measured
with nothing, half and 99.9 % of the tracks hidden from who asks. Figures go to ``var/bench-scale.json``,
curves to ``var/bench-scale.png``. They depend on what else the machine does meanwhile, so its load is written
with them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from genreweb.embedded import paths
from genreweb.embedded.engines import Borrowed

if TYPE_CHECKING:
    from genreweb.scale_measures import Searches

SIZES: Final = (10_000, 100_000, 1_000_000)
HIDDEN: Final = (0.999, 0.5, 0.0)
"""Shares that are hidden from the asker, in the order in which a size is measured."""
_FOREIGN: Final = ("DATABASE_URL", "REDIS_URL", "S3_BUCKET", "SECRET_KEY")
"""Settings that would make the site use other engines."""
_FEWEST: Final = 30
"""Tracks that the asker has and that are public, however small the site."""
_DISK_PER_TRACK: Final = 12_000
"""Bytes, with all lenses, indexes and what updates leave behind."""


@dataclass(frozen=True)
class Size:
    """What was measured at one size. Times are in milliseconds, sizes in MB per million tracks."""

    tracks: int
    load_before: float
    fill_seconds: float
    searches: dict[str, Searches] = field(default_factory=dict)
    insert_ms: dict[str, float] = field(default_factory=dict)
    builds_seconds: dict[str, float] = field(default_factory=dict)
    mb_per_million: dict[str, float] = field(default_factory=dict)
    pages_ms: dict[str, dict[str, float]] = field(default_factory=dict)
    load_after: float = 0.0


def measure(sizes: Sequence[int], *, lenses: Sequence[str], memory_mb: int) -> list[Size]:
    """Fill the site step by step and measure each size."""
    from genreweb import scale_measures as measures
    from library.services import large_indexes, seeding

    measures.prepare()
    found = []
    for tracks in sizes:
        print(f"{tracks:,} tracks", flush=True)
        load = os.getloadavg()[0]
        started = time.perf_counter()
        # Half of what an asker sees in the strictest case is their own.
        share = max((1 - HIDDEN[0]) / 2, _FEWEST / tracks)
        people = max(2, round(1 / share))
        seeding.seed(seeding.Plan(tracks, share, people, lenses), memory_mb=memory_mb, on_lot=_print_progress)
        seconds = time.perf_counter() - started
        size = Size(tracks, load, seconds)
        for hidden in HIDDEN:
            if hidden < HIDDEN[0]:
                measures.publish(1 - hidden)
                built = large_indexes.build(memory_mb=memory_mb)
                size.builds_seconds.update({each.name: round(each.seconds, 1) for each in built})
            measures.tidy()
            size.searches[f"{hidden:.1%}"] = measures.searches(lens=lenses[0])
            print(f"  {hidden:.1%} hidden: {size.searches[f'{hidden:.1%}']}", flush=True)
        size.insert_ms.update(measures.inserts(lenses))
        size.mb_per_million.update(measures.sizes(tracks))
        size.pages_ms.update(measures.pages())
        for name, times in size.pages_ms.items():
            print(f"  {name}: {times}", flush=True)
        found.append(Size(**{**size.__dict__, "load_after": os.getloadavg()[0]}))
        measures.publish(share)
    return found


def draw(found: Sequence[Size], target: Path) -> None:
    """Draw how times, recall and sizes grow."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    tracks = [size.tracks for size in found]
    for hidden in found[0].searches:
        rows = [size.searches[hidden] for size in found]
        axes[0, 0].plot(tracks, [row.p95_ms for row in rows], marker="o", label=f"{hidden} hidden")
        axes[0, 1].plot(tracks, [row.recall_50 for row in rows], marker="o", label=f"{hidden} hidden")
    axes[0, 0].set(title="Neighbours, 95th percentile", ylabel="ms", ylim=(0, None))
    axes[0, 1].set(title="Recall at 50", ylim=(None, 1.01))
    for name in found[0].pages_ms:
        axes[1, 0].plot(tracks, [size.pages_ms[name]["p95"] for size in found], marker="o", label=name)
    axes[1, 0].set(title="Pages and lists, 95th percentile", ylabel="ms", ylim=(0, None))
    for name in found[0].builds_seconds:
        axes[1, 1].plot(tracks, [size.builds_seconds.get(name, 0) for size in found], marker="o", label=name)
    axes[1, 1].set(title="Index builds", ylabel="s", ylim=(0, None))
    for each in axes.flat:
        each.set(xscale="log", xlabel="tracks")
        each.legend(fontsize="x-small")
        each.grid(alpha=0.3)
    figure.savefig(target, dpi=120)


def _print_progress(done: int, total: int) -> None:
    if done % 50_000 == 0 or done == total:
        print(f"  made {done:,} of {total:,}", flush=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-scale", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the largest number of tracks")
    parser.add_argument("--least", type=int, default=SIZES[0], help="the smallest number of tracks")
    parser.add_argument("--lens", action="append", help="fill and measure this lens alone; may be repeated")
    parser.add_argument("--memory", type=int, default=2048, help="megabytes for building an index (2048)")
    parser.add_argument("--out", type=Path, default=paths.REPOSITORY / "var", help="folder of the figures")
    parser.add_argument("--folder", type=Path, help="where the site is kept (a temporary folder)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the figures."""
    options = _options(arguments)
    folder = Path(tempfile.mkdtemp(prefix="genreweb-scale-", dir=options.folder))
    free = shutil.disk_usage(folder).free
    asked = [size for size in SIZES if options.least <= size <= options.most]
    sizes = [size for size in asked if size * _DISK_PER_TRACK < free]
    left_out = [size for size in asked if size not in sizes]
    if left_out:
        print(f"The disk has no room for {', '.join(f'{size:,}' for size in left_out)} tracks.")
    if not sizes:
        print("Nothing to measure.")
        return 1
    os.environ.update({"GENREWEB_VAR": str(folder), "DJANGO_SETTINGS_MODULE": "genreweb.settings"})
    for name in _FOREIGN:
        os.environ.pop(name, None)
    engines = Borrowed()
    try:
        with engines:
            import django

            django.setup()
            from classifier.core.lenses import LENSES

            found = measure(sizes, lenses=options.lens or LENSES, memory_mb=options.memory)
        _write(found, options.out)
    finally:
        engines.wait_until_stopped(60)
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _write(found: Sequence[Size], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    machine: dict[str, Any] = {"cores": os.cpu_count(), "system": platform.platform()}
    figures = {"machine": machine, "sizes": [asdict(size) for size in found]}
    (out / "bench-scale.json").write_text(json.dumps(figures, indent=1) + "\n")
    draw(found, out / "bench-scale.png")
    print(f"Written to {out / 'bench-scale.json'} and {out / 'bench-scale.png'}")


if __name__ == "__main__":
    sys.exit(main())
