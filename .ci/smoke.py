"""Run ``make run`` as a newcomer does, send it a song, end it, and look for what it left behind."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil

from genreweb.trial import REPOSITORY, STOP_SECONDS, Site

SHARED = Path(os.environ.get("GENREWEB_SHARED", REPOSITORY.parent / "shared"))


class MadeSite(Site):
    command = ("make", "run")


def send_a_song(site: Site) -> None:
    clips = sorted((SHARED / "data" / "gtzan" / "audio").glob("*/*"))
    if not clips:
        print(f"no music at {SHARED}: nothing was sent")
        return
    status, track = site.upload(clips[0].read_bytes(), name=clips[0].name)
    if status != 200 or track["status"] != "done":
        sys.exit(f"{clips[0].name} was not analysed: {status} {track}")
    total = sum(track["analysis"]["probabilities"].values())
    if abs(total - 1) > 1e-3:
        sys.exit(f"The probabilities of {clips[0].name} sum to {total}.")
    print(f"{clips[0].name}: {track['analysis']['genre']}")


def main() -> None:
    with MadeSite() as site:
        if site.process is None:
            sys.exit("The site was not started.")
        family = psutil.Process(site.process.pid).children(recursive=True)
        print(f"{len(family)} processes answer at {site.address}")
        send_a_song(site)
        site.process.send_signal(signal.SIGTERM)
        site.process.wait(STOP_SECONDS)
        _, left = psutil.wait_procs(family, timeout=10)
        if left:
            sys.exit(f"These were left behind: {left}")
    print("It ended and left nothing behind.")


if __name__ == "__main__":
    main()
