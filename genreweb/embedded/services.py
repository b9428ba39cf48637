"""The processes of a site on one machine, as command lines: ``compose.yaml`` runs the same ones."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from genreweb.embedded import paths
from genreweb.embedded.preflight import Address
from genreweb.environment import Environment

ANALYSIS_NICE, TRAINING_NICE = 10, 15
"""By how much a busy processor favours pages over analyses, and these over training, as ``nice`` counts."""
ANALYSIS_MEMORY_KIB = 600_000
"""What a process of the analysis worker may have grown to before a fresh one takes its place."""


# Linux may weigh sessions before processes (sched(7), autogroup), and each service has a session of its own:
# then niceness counts within the session only, and the session needs the same. Ten a second may be changed.
_NICE = """
for attempt in 1 2 3 4 5; do
    [ -w /proc/self/autogroup ] || break
    { echo "$0" >/proc/self/autogroup; } 2>/dev/null && break
    sleep 0.2
done
exec nice -n "$0" "$@"
"""


@dataclass(frozen=True)
class Service:
    """One long-lived process: what it is called, how it is started, what its environment adds."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    people_wait: bool = False
    """Whether the site is of no use without it; the others start when it is up."""


def cores() -> int:
    """Count the cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        # macOS pins nothing.
        return os.cpu_count() or 1


def services(where: Address) -> list[Service]:
    """Give the processes of a site, the web server first."""
    # One sound is heard on one core: as many sounds as cores are faster than one sound on all of them.
    one_core_each = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    # Workers have no URLs to check; `manage.py prepare` and the web server look at the rest.
    no_checks = {"CELERY_SKIP_CHECKS": "1"}
    # Readers of pages go first, then sounds that somebody waits for, then training.
    env = Environment(os.environ)
    politely = _nice(env.int("ANALYSIS_NICE", ANALYSIS_NICE))
    most_politely = _nice(env.int("TRAINING_NICE", TRAINING_NICE))
    return [
        Service("web", _web(where), one_core_each, people_wait=True),
        Service(
            "analysis",
            [
                *politely,
                *_celery("worker"),
                *("--hostname", "analysis@%h", "--queues", "analysis,webhooks,bulk"),
                *("--concurrency", str(min(cores(), 8)), "--max-memory-per-child", str(ANALYSIS_MEMORY_KIB)),
                *("--without-gossip", "--without-mingle"),
            ],
            {**one_core_each, **no_checks},
            people_wait=True,
        ),
        Service(
            "training",
            [
                *most_politely,
                *_celery("worker"),
                *("--hostname", "training@%h", "--queues", "training"),
                # TensorFlow is imported by a job and goes with its process.
                *("--concurrency", "1", "--max-tasks-per-child", "1"),
                *("--without-gossip", "--without-mingle"),
            ],
            no_checks,
        ),
        Service(
            "scheduler",
            [*_celery("beat"), "--schedule", str(paths.var_dir() / "schedule"), "--pidfile="],
            no_checks,
        ),
    ]


def _web(where: Address) -> list[str]:
    memory = Path("/dev/shm")  # noqa: S108  # only for the workers' sign of life, which must not wait for a disk
    return [
        *(sys.executable, "-m", "gunicorn", "genreweb.wsgi:application"),
        *("--bind", where.bind),
        *("--worker-class", "genreweb.web_worker.BufferingWorker"),
        *("--workers", "2", "--threads", str(max(16, 2 * cores()))),
        "--preload",
        # A thread may wait for an analysis; only a worker whose event loop hangs is ended.
        *("--timeout", "120", "--graceful-timeout", "6"),
        *(("--worker-tmp-dir", str(memory)) if os.access(memory, os.W_OK) else ()),
        "--no-control-socket",
    ]


def _nice(by: int) -> list[str]:
    return ["sh", "-c", _NICE, str(by)] if by and shutil.which("nice") else []


def _celery(command: str) -> list[str]:
    return [sys.executable, "-m", "celery", "--quiet", "--app", "genreweb", command, "--loglevel", "INFO"]
