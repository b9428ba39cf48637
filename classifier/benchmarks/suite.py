"""The benchmarks."""

from __future__ import annotations

import io
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from classifier.benchmarks import sounds
from classifier.core import tagger
from classifier.core.analysis import analyse
from classifier.core.audio import decode
from classifier.core.inference import Classifier
from classifier.core.summary import summarise
from classifier.releases import current_release

if TYPE_CHECKING:
    from classifier.benchmarks.plain import PlainImplementation

STEPS = ("decode", "features", "classify", "pictures")
_COLD_ROUNDS = 5

# Peak resident memory of a process that analyses one file as a worker does, in MiB.
_MEMORY_PROGRAM = """
import resource, sys
from pathlib import Path
from classifier.core import tagger
from classifier.core.analysis import analyse
from classifier.core.inference import Classifier
from classifier.releases import current_release
classifier = Classifier.load(current_release(), tagger=tagger.installed())
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        analyse(file, classifier=classifier)
status = Path("/proc/self/status")
if status.exists():
    # ru_maxrss would count what the parent held when it forked.
    print(next(int(line.split()[1]) for line in status.open() if line.startswith("VmHWM")) / 2**10)
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


class Row(TypedDict):
    """One figure; ``ratio`` is plain implementation ÷ this, if the plain one was measured."""

    name: str
    unit: str
    median: float
    p95: float
    ratio: float | None
    machine: str


def run(*, rounds: int, with_plain: bool, longest: float) -> Iterator[Row]:
    """Yield every figure as soon as it is measured; ``longest`` is in minutes."""
    classifiers = {"": Classifier.load(current_release(), tagger=tagger.installed())}
    if classifiers[""].uses_tagger:
        classifiers = {
            ", with the tagger": classifiers[""],
            ", network alone": Classifier.load(current_release()),
        }
    plain = None
    if with_plain:
        from classifier.benchmarks.plain import PlainImplementation

        plain = PlainImplementation()
    song = sounds.mp3(30.0)
    yield from _analyses("30 s mp3", song, classifiers, plain, rounds=rounds)
    yield _summary_features(song, rounds=max(3, rounds // 6), with_plain=with_plain)

    if longest >= 4:
        yield from _analyses("4 min mp3", sounds.mp3(240.0), classifiers, plain, rounds=max(3, rounds // 6))
    yield from _processes(song, rounds=min(_COLD_ROUNDS, rounds), longest=longest)


def _analyses(
    title: str,
    song: bytes,
    classifiers: dict[str, Classifier],
    plain: PlainImplementation | None,
    *,
    rounds: int,
) -> Iterator[Row]:
    """Measure whole analyses of one file, and the steps of the first of the classifiers."""

    def call(classifier: Classifier) -> Callable[[], dict[str, float]]:
        return lambda: analyse(io.BytesIO(song), classifier=classifier).timings

    calls = {name: call(classifier) for name, classifier in classifiers.items()}
    if plain is not None:
        calls["plain"] = lambda: plain.analyse(song)
    # Alternating, so that all are subject to the same disturbances.
    measured = _measure(calls, rounds)
    plain_totals, plain_steps = measured.pop("plain", ([], {}))
    for place, (name, (totals, steps)) in enumerate(measured.items()):
        yield _row(f"{title}, decode to result{name}", "ms", totals, plain_totals, scale=1e3)
        if place == 0:
            for step in STEPS:
                yield _row(f"  {step}", "ms", steps[step], plain_steps.get(step, []), scale=1e3)
    if plain_totals:
        yield _row(f"{title}, plain implementation", "ms", plain_totals, [], scale=1e3)


def _summary_features(song: bytes, *, rounds: int, with_plain: bool) -> Row:
    samples = decode(io.BytesIO(song)).samples

    def core() -> dict[str, float]:
        summarise(samples)
        return {}

    calls = {"core": core}
    if with_plain:
        from classifier.benchmarks import plain

        def plainly() -> dict[str, float]:
            plain.summarise(samples)
            return {}

        calls["plain"] = plainly
    measured = _measure(calls, rounds)
    plain_totals, _ = measured.get("plain", ([], {}))
    return _row("57 summary features of 30 s", "ms", measured["core"][0], plain_totals, scale=1e3)


def _processes(song: bytes, *, rounds: int, longest: float) -> Iterator[Row]:
    """Measure fresh processes: memory, and the time to the first result."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "song.mp3"
        path.write_bytes(song)
        output = _python("-c", _MEMORY_PROGRAM, *[str(path)] * 20)
        yield _row("memory after twenty 30 s tracks, peak", "MiB", [float(output)], [])
        cold = []
        for _ in range(rounds):
            since = time.perf_counter()
            _python("-m", "classifier", "--json", str(path))
            cold.append(time.perf_counter() - since)
        yield _row("cold process to first answer, 30 s mp3", "s", cold, [])
        for minutes in (4, 20):
            if minutes <= longest:
                path.write_bytes(sounds.mp3(minutes * 60.0 - 1.0))
                output = _python("-c", _MEMORY_PROGRAM, str(path))
                yield _row(f"memory after a {minutes} min track, peak", "MiB", [float(output)], [])


def _python(*arguments: str) -> str:
    root = Path(__file__).resolve().parents[2]
    finished = subprocess.run(  # noqa: S603  our own interpreter and arguments
        [sys.executable, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    return finished.stdout


Measured = tuple[list[float], dict[str, list[float]]]


def _measure(calls: dict[str, Callable[[], dict[str, float]]], rounds: int) -> dict[str, Measured]:
    """Call each twice to warm up, then all alternately: seconds in total and per step."""
    measured: dict[str, Measured] = {name: ([], {}) for name in calls}
    for call in calls.values():
        call()
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            totals, steps = measured[name]
            since = time.perf_counter()
            timings = call()
            totals.append(time.perf_counter() - since)
            for step, seconds in timings.items():
                steps.setdefault(step, []).append(seconds)
    return measured


def _row(name: str, unit: str, values: list[float], plain: list[float], *, scale: float = 1.0) -> Row:
    median = float(np.median(values))
    return Row(
        name=name,
        unit=unit,
        median=round(median * scale, 3),
        p95=round(float(np.percentile(values, 95)) * scale, 3),
        ratio=round(float(np.median(plain)) / median, 2) if plain else None,
        machine=_machine(),
    )


def _machine() -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{model}, one core, Python {platform.python_version()}, {platform.system()}"
