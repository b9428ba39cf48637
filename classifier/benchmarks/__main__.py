"""Measure the core on one processor core, print a table and, with ``--json PATH``, write the rows."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# NumPy's and TensorFlow's thread pools read these once, on import.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "MPLBACKEND": "Agg",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m classifier.benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the rows there")
    parser.add_argument("--rounds", type=int, default=30, metavar="N", help="repetitions (default: 30)")
    parser.add_argument(
        "--longest", type=float, default=20.0, metavar="MINUTES", help="leave longer tracks out (default: 20)"
    )
    parser.add_argument("--core-only", action="store_true", help="leave the plain implementation out")
    options = parser.parse_args(arguments)
    os.environ.update(ONE_THREAD)
    if sys.platform == "linux":
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    from classifier.benchmarks import suite

    rows: list[suite.Row] = []
    for row in suite.run(rounds=options.rounds, with_plain=not options.core_only, longest=options.longest):
        if not rows:
            print(row["machine"])
            print(f"{'':<44} {'median':>10} {'p95':>10} {'':<4} {'ratio':>8}")
        ratio = f"{row['ratio']:>7.1f}×" if row["ratio"] is not None else ""
        print(
            f"{row['name']:<44} {row['median']:>10.3f} {row['p95']:>10.3f} {row['unit']:<4} {ratio}",
            flush=True,
        )
        rows.append(row)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
