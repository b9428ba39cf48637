"""A full run that trains while people read: on generated music, imported as any data set."""

from __future__ import annotations

import http
import subprocess
import sys
import time
from pathlib import Path

from classifier.synthesis import styles
from classifier.synthesis.wav import wav
from genreweb.trial import REPOSITORY, Site

EPOCHS = 500
"""So many that it still trains at the end."""
IMPORT_SECONDS = 600
START_SECONDS = 300
_CLIPS = 30
_CLIP_SECONDS = 8.0
_GENRES = {"disco": styles.dance, "classical": styles.nocturne}


def begin_training(site: Site, folder: Path) -> str:
    """Import clips, start a run, and wait until it trains; give its id."""
    music = folder / "music"
    for genre, style in _GENRES.items():
        (music / genre).mkdir(parents=True)
        for number in range(_CLIPS):
            (music / genre / f"{number}.wav").write_bytes(wav(style(number, _CLIP_SECONDS)))
    subprocess.run(
        [sys.executable, "manage.py", "import_dataset", str(music)],
        cwd=REPOSITORY,
        env=site.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=IMPORT_SECONDS,
    )
    status, run = site.json("POST", "/api/v1/training-runs/", {"kind": "full", "epochs": EPOCHS})
    if status not in (http.HTTPStatus.CREATED, http.HTTPStatus.ACCEPTED):
        raise SystemExit(f"No run: {status} {run}")
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if (step := step_of(site, run["id"])) == "fit":
            return str(run["id"])
        if step in ("done", "failed", "cancelled"):
            break
        time.sleep(1)
    raise SystemExit(f"The run does not train: it is at {step_of(site, run['id'])}.")


def step_of(site: Site, run: str) -> str:
    """Give the step that a run is at, or what has become of it."""
    _status, answer = site.request("GET", f"/api/v1/training-runs/{run}/")
    return str(answer["step"] if answer["status"] == "running" else answer["status"])
