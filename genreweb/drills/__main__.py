"""``python -m genreweb.drills``: three sites of its own take uploads from several senders while their
analysis workers are killed at random.

The first keeps everything on one small disk. Its broker, its database and its web server are ended, and its
disk is filled; then it is backed up while it runs, and restored in an empty folder and onto a bucket and a
database elsewhere. The second keeps its files in a bucket that fails and hangs, its clock jumps, and a second
host of workers joins and is killed. The third has a database with a standby, which takes over when the first
server is lost. At the end every accepted sound must have been analysed, and none twice.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from classifier.benchmarks.sounds import variants
from genreweb.drills import clock, disk, faults, report, sites
from genreweb.drills.crowd import Crowd, shares
from genreweb.drills.report import Report, Row
from genreweb.drills.second_host import SecondHost
from genreweb.drills.standby import Pair
from genreweb.drills.storage import Bucket
from genreweb.trial import Site

_LOG_LINES = 40
_ENVIRONMENT = {
    "API_RATE_USER": "100000/min",
    "API_RATE_UPLOAD": "100000/min",
    "API_RATE_ANON": "100000/min",
}
_SITES = {
    "folder": "that keeps its files in a folder",
    "bucket": "that keeps its files in a bucket",
    "standby": "whose database has a standby",
}
_RESERVE_MB = 150
_SITE_BYTES, _UPLOAD_BYTES = 2**30, 2 * 2**20
"""Of the small disk: for the site itself, and for each upload."""


def main() -> int:
    drills = {"folder": _on_one_disk, "bucket": _with_a_bucket, "standby": _with_a_standby}
    parser = argparse.ArgumentParser(prog="make drill", description=report.__doc__)
    parser.add_argument("--uploads", type=int, default=100, help="of all, divided among the sites")
    parser.add_argument("--seconds", type=float, default=480.0, help="when the drill gives up on a site")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument(
        "--site", choices=drills, help="only the one that keeps its files there, or whose database has one"
    )
    asked = parser.parse_args()
    print(f"{asked.uploads} uploads, seed {asked.seed}", flush=True)
    chosen = [asked.site] if asked.site else list(drills)
    sounds = iter(variants(asked.uploads))
    failed = 0
    for name, number in zip(chosen, shares(asked.uploads, len(chosen)), strict=True):
        found = Report()
        rows = drills[name](
            list(itertools.islice(sounds, number)), found, seconds=asked.seconds, seed=asked.seed
        )
        print(f"\nThe site {_SITES[name]}:")
        failed |= report.tell(found, rows, uploads=number)
    return failed


def _on_one_disk(sounds: list[bytes], found: Report, *, seconds: float, seed: int) -> list[Row]:
    with contextlib.ExitStack() as stack:
        strikes = [faults.BROKER, faults.DATABASE, faults.WEB_SERVER]
        place = {}
        try:
            small = stack.enter_context(disk.SmallDisk(size=_SITE_BYTES + len(sounds) * _UPLOAD_BYTES))
        except disk.NoDiskError as error:
            found.skipped.append(f"the full disk: no disk of its own could be mounted ({error})")
        else:
            strikes.append(small.fault())
            place = {"GENREWEB_VAR": str(small.folder / "var"), "STORAGE_RESERVE_MB": str(_RESERVE_MB)}
        site = stack.enter_context(Site(**_ENVIRONMENT, **place))
        with _its_log(site, found):
            Crowd(site, found, deadline=time.monotonic() + seconds, seed=seed).run(sounds, strikes)
            rows = sites.tracks_of(site.environment)
            bucket = stack.enter_context(Bucket())
            sites.try_backup(site.environment, rows, found, bucket=bucket.environment)
        return rows


def _with_a_bucket(sounds: list[bytes], found: Report, *, seconds: float, seed: int) -> list[Row]:
    with contextlib.ExitStack() as stack:
        bucket = stack.enter_context(Bucket())
        shared = {**bucket.environment, "SECRET_KEY": secrets.token_urlsafe(50)}
        strikes = [*bucket.faults()]
        environment = {**_ENVIRONMENT, **shared}
        if (library := clock.library()) is None:
            found.skipped.append("the clock that jumps: no libfaketime was found that Python works with")
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="genreweb-clock-")))
            folder.chmod(0o711)
            moved = clock.Clock(library, folder)
            environment |= moved.environment
            strikes += moved.faults()
        site = stack.enter_context(Site(**environment))
        host = SecondHost({**shared, **sites.addresses_of(site.environment)})
        stack.callback(host.close)
        with _its_log(site, found):
            crowd = Crowd(site, found, deadline=time.monotonic() + seconds, seed=seed)
            crowd.run(sounds, [*strikes, host.fault()])
            found.shared = host.analysed()
            if not bucket.refused or not bucket.hung:
                found.problems.append("no request met the fault of the storage")
            return sites.tracks_of(site.environment)


def _with_a_standby(sounds: list[bytes], found: Report, *, seconds: float, seed: int) -> list[Row]:
    with contextlib.ExitStack() as stack:
        pair = stack.enter_context(Pair())
        own = {"DATABASE_URL": pair.address, "SECRET_KEY": secrets.token_urlsafe(50)}
        site = stack.enter_context(Site(**_ENVIRONMENT, **own, ALLOWED_HOSTS="127.0.0.1"))
        with _its_log(site, found):
            Crowd(site, found, deadline=time.monotonic() + seconds, seed=seed).run(sounds, [pair.fault()])
            return sites.tracks_of(site.environment)


@contextlib.contextmanager
def _its_log(site: Site, found: Report) -> Iterator[None]:
    """Print the end of a site's log where something went wrong."""
    before = len(found.problems)
    yield
    if len(found.problems) > before:
        print("".join(site.log.read_text(errors="replace").splitlines(keepends=True)[-_LOG_LINES:]))


if __name__ == "__main__":
    sys.exit(main())
