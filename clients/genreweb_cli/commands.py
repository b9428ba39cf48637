"""What each command of ``genreweb`` does; each returns an exit status."""

from __future__ import annotations

import argparse
import getpass
import hashlib
import os
import platform
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from . import output, session
from .http_client import ApiError, Client
from .uploads import Outcome, Sent, music_in, send_all

DONE, SOME_FAILED = 0, 3
_FINISHED = ("done", "failed")
_AT_ONCE = 50
_FIRST_LOOK, _LONGEST_LOOK = 1.0, 15.0
_FORMS_OF_LISTS = {"csv": "csv", "json": "json", "features": "features", "tagged": "tagged"}


def say(text: str) -> None:
    """Tell a person something; what programs read goes to standard output alone."""
    print(output.printable(text), file=sys.stderr, flush=True)


def client_of(options: argparse.Namespace) -> Client:
    """Make the client that the options, the environment or the kept session mean."""
    found = session.chosen(site=options.site, token_file=options.token_file)
    parts = urlsplit(found.site)
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        say(f"Warning: {found.site} is not encrypted; the token can be read on the way.")
    return Client(found.site, found.token, patience=options.patience, say=say)


# --- signing in and out ---------------------------------------------------------------------------------
def _ask(question: str, *, hidden: bool = False) -> str:
    try:
        return getpass.getpass(question) if hidden else input(question)
    except EOFError:
        raise session.SessionError(
            f"\nNobody answered “{question.rstrip(': ')}”. "
            "Without a terminal, give --site and a token by --token-stdin."
        ) from None


def sign_in(options: argparse.Namespace) -> int:
    """Ask for address and password, or take a token, and keep what works."""
    site = (options.site or os.environ.get(session.SITE, "") or _ask("Address of the site: ")).rstrip("/")
    client = Client(site, patience=min(options.patience, 20.0), say=say)
    if options.token_stdin:
        client.token = sys.stdin.readline().strip()
    else:
        email = options.email or _ask("E-mail: ")
        name = f"genreweb on {platform.node()}"[:80]
        password = _ask("Password: ", hidden=True)
        client.token = client.post("/tokens/", {"email": email, "password": password, "name": name})["token"]
    me = client.get("/me/")
    place = session.keep(session.Session(site, client.token))
    say(f"Signed in to {site} as {me['email']}; the token is in {place}.")
    return DONE


def sign_out(options: argparse.Namespace) -> int:
    """Have the kept token revoked, and forget it."""
    kept = session.forget()
    if kept is None:
        say("Nobody is signed in.")
        return DONE
    client = Client(kept.site, kept.token, patience=min(options.patience, 20.0), say=say)
    own = next((one for one in client.get("/tokens/")["results"] if kept.token.startswith(one["id"])), None)
    if own is not None:
        client.delete(f"/tokens/{own['id']}/")
    say(f"Signed out of {kept.site}.")
    return DONE


# --- sending --------------------------------------------------------------------------------------------
def upload(options: argparse.Namespace) -> int:
    """Send files and folders; wait for the results, if asked to."""
    client = client_of(options)
    missing = [path for path in options.paths if not path.exists()]
    for path in missing:
        say(f"{path}: is not there")
    files = list(music_in(path for path in options.paths if path.exists()))
    if not files and not missing:
        say("There is no music: in folders, files count by names such as song.mp3 or song.flac.")
    progress = _Progress(len(files), quiet=options.quiet)
    outcomes: list[Outcome] = []
    with Sent(options.state or _state_of(client)) as sent:
        for outcome in send_all(client, files, sent, again=options.again, on_file=progress.file):
            outcomes.append(outcome)
            progress.done(outcome)
    counts = {state: sum(one.state == state for one in outcomes) for state in ("sent", "known", "refused")}
    say(f"{counts['sent']} sent, {counts['known']} there already, {counts['refused']} refused.")
    failed = bool(missing or counts["refused"])
    ids = list(dict.fromkeys(one.track for one in outcomes if one.track))
    if options.wait:
        tracks = wait_for(client, ids, most=options.wait_seconds)
        failed |= any(track["status"] != "done" for track in tracks)
        output.write(tracks, form=options.format, to=sys.stdout)
    elif options.format != "table":
        output.write(by_id(client, ids), form=options.format, to=sys.stdout)
    return SOME_FAILED if failed else DONE


def _state_of(client: Client) -> Path:
    """Name the file for a site and a person: what somebody else sent there is no track of theirs."""
    try:
        person = client.get("/me/")["email"]
    except ApiError as error:
        if error.status != 403:
            raise
        # The token may upload, but not read.
        person = client.token
    key = hashlib.sha256(f"{client.site} {person}".encode()).hexdigest()[:16]
    return session.folder() / f"sent-{key}.jsonl"


class _Progress:
    """One line of a terminal, or a line for each file in a log."""

    def __init__(self, total: int, *, quiet: bool) -> None:
        self._total = total
        self._quiet = quiet
        self._live = sys.stderr.isatty() and not quiet
        self._number = 0
        self._shown = 0.0

    def file(self, number: int, path: Path, done: int) -> None:
        self._number = number
        now = time.monotonic()
        if self._live and (done == 0 or now - self._shown > 0.2):
            self._shown = now
            size = max(path.stat().st_size, 1) if path.exists() else 1
            name = output.printable(path.name)[:60]
            print(
                f"\r\x1b[K[{number}/{self._total}] {done / size:4.0%} {name}",
                end="",
                file=sys.stderr,
                flush=True,
            )

    def done(self, outcome: Outcome) -> None:
        if self._live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        if outcome.state == "refused":
            say(f"{outcome.path}: {outcome.reason}")
        elif not self._quiet and not self._live:
            say(f"[{self._number}/{self._total}] {outcome.path}: {outcome.state}")


# --- waiting and looking --------------------------------------------------------------------------------
def wait_for(client: Client, ids: list[str], *, most: float) -> list[dict[str, Any]]:
    """Ask for tracks until all are finished or `most` seconds have passed; return them in their order."""
    until = client.clock() + most
    pause = _FIRST_LOOK
    found: dict[str, dict[str, Any]] = {}
    left = list(ids)
    while True:
        # Those that were deleted meanwhile are waited for no longer.
        answered = {track["id"]: track for track in by_id(client, left)}
        found |= {one: track for one, track in answered.items() if track["status"] in _FINISHED}
        left = [one for one in left if one in answered and one not in found]
        if not left or client.clock() + pause > until:
            found |= answered
            return [found[one] for one in ids if one in found]
        say(f"Still being analysed: {len(left)} of {len(ids)}.")
        client.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_LOOK)


def by_id(client: Client, ids: list[str]) -> list[dict[str, Any]]:
    """Ask for the tracks with some ids; those that are gone are left out."""
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        found |= {track["id"]: track for track in client.pages("/tracks/", {"id": ",".join(some)})}
    return [found[one] for one in ids if one in found]


def wait(options: argparse.Namespace) -> int:
    """Wait for tracks, by default for all that are unfinished."""
    client = client_of(options)
    ids = options.ids or [
        track["id"] for track in client.pages("/tracks/", {"status": ["queued", "running"]})
    ]
    tracks = wait_for(client, ids, most=options.wait_seconds)
    output.write(tracks, form=options.format, to=sys.stdout)
    failed = len(tracks) < len(ids) or any(track["status"] != "done" for track in tracks)
    return SOME_FAILED if failed else DONE


def list_tracks(options: argparse.Namespace) -> int:
    """Print tracks."""
    tracks = client_of(options).pages("/tracks/", filters_of(options))
    output.write(tracks, form=options.format, to=sys.stdout)
    return DONE


def filters_of(options: argparse.Namespace) -> dict[str, Any]:
    """Read the filters of a list from the options of a command."""
    names = ("scope", "genre", "status", "search", "tag", "ordering")
    return {name: getattr(options, name) for name in names}


# --- taking along ---------------------------------------------------------------------------------------
def export(options: argparse.Namespace) -> int:
    """Save a whole list as one file, or write it to standard output."""
    client = client_of(options)
    path = f"/tracks/export/{_FORMS_OF_LISTS[options.what]}/"
    query = filters_of(options)
    if options.output is None:
        with tempfile.TemporaryFile() as file:
            client.download(path, file, query)
            file.seek(0)
            while block := file.read(1 << 16):
                sys.stdout.buffer.write(block)
        sys.stdout.flush()
        return DONE
    _save(options.output, lambda file: client.download(path, file, query))
    return DONE


def download(options: argparse.Namespace) -> int:
    """Save the result of each track as JSON, and a tagged copy of its file if asked to."""
    client = client_of(options)
    ids = options.ids or [track["id"] for track in client.pages("/tracks/", {"status": "done"})]
    options.to.mkdir(parents=True, exist_ok=True)
    tracks = by_id(client, ids)
    for track in tracks:
        stem = f"{_fitting(track['title'])} {track['id'][:8]}".strip()
        _save(
            options.to / f"{stem}.json",
            lambda file, one=track: client.download(f"/tracks/{one['id']}/", file),  # type: ignore[misc]
        )
        if options.tagged:
            suffix = Path(track.get("file_name") or "").suffix or ".mp3"
            _save(
                options.to / f"{stem}{suffix}",
                lambda file, one=track: client.download(f"/tracks/{one['id']}/tagged/", file),  # type: ignore[misc]
            )
    say(f"{len(tracks)} of {len(ids)} saved in {options.to}.")
    return DONE if len(tracks) == len(ids) else SOME_FAILED


def _save(path: Path, fill: Callable[[IO[bytes]], None]) -> None:
    """Write a file under another name first, so that half a file never stands under its own."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            fill(file)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _fitting(title: str) -> str:
    """Make a file name of a title: no folders, nothing that some system refuses."""
    kept: Iterable[str] = (
        " " if c in '<>:"/\\|?*' or unicodedata.category(c)[0] == "C" else c for c in title
    )
    return " ".join("".join(kept).split()).strip(" .")[:80].strip(" .")
