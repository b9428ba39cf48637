"""Send a live site what its own schema allows and does not allow, and say what it answered wrongly.

    make fuzz ARGS="--examples 50"

Schemathesis makes the requests from the schema. Wrong is an error of the server (5xx), and an answer whose
status, kind, headers or form the schema does not name. The site is one of its own, with one thing of most
kinds, made as a person makes them: a version that a quick run trained on an approved clip is in service, so
that every track is outdated and a re-analysis is under way, and another run has begun. Bodies name these
things too (`NAMED`). The site is removed afterwards. Ends with 1 where something was wrong.
"""

from __future__ import annotations

import argparse
import http
import io
import json
import math
import struct
import subprocess
import sys
import time
import wave
from collections.abc import Mapping, Sequence
from typing import Any

from genreweb.trial import Site, TrialError

CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_headers_conformance", "response_schema_conformance"),
)
LEFT_OUT = ("revoke_token", "get_events")
"""Operations that would end the run: the token at hand is the site's only one; and a slow one."""
SUBJECTS = {
    "track": (
        *("get_track", "edit_track", "analyse_track", "similar_tracks", "track_pictures"),
        *("get_explanation", "ask_for_explanation"),
    ),
    "clip": ("get_clip", "review_clip", "reopen_clip"),
    "version": (
        *("get_model_version", "compare_model_version", "promote_model_version"),
        "get_model_version_bundle",
    ),
    "mood": ("list_mood_tracks",),
    "tagged": ("get_tagged_copy", "preview_tagged_copy"),
    "pair": ("give_thumb", "take_thumb_back"),
    "playlist": (
        *("get_playlist", "edit_playlist", "download_playlist", "list_playlist_tracks"),
        *("add_playlist_tracks", "order_playlist_tracks"),
    ),
    "listed": ("put_playlist_track", "remove_playlist_track"),
    "upload": ("get_upload",),
    "binned": ("restore_track",),
    "token": ("rename_token",),
    "webhook": ("get_webhook", "change_webhook", "list_webhook_deliveries", "test_webhook"),
    "run": ("get_training_run",),
    "active_run": ("cancel_training_run",),
    "reanalysis": ("get_reanalysis", "steer_reanalysis"),
    "spare_track": ("delete_track",),
    "spare_clip": ("withdraw_clip",),
    "spare_playlist": ("delete_playlist",),
    "spare_webhook": ("delete_webhook",),
    "spare_binned": ("delete_from_bin",),
}
"""By what they are about, the operations that are sent what there is. What deletes has a thing of its own."""
NAMED = {
    "find_path": {"body.from": "tracks", "body.to": "tracks"},
    "similar_to_many": {"body.tracks[*]": "tracks", "body.unlike[*]": "tracks"},
    "generate_playlist": {"body.tracks[*]": "tracks", "body.unlike[*]": "tracks"},
    "make_playlist": {"body.tracks[*]": "tracks"},
    "add_playlist_tracks": {"body.tracks[*]": "tracks"},
    "order_playlist_tracks": {"body.tracks[*]": "tracks"},
    "act_on_tracks": {"body.ids[*]": "doomed"},
    "review_clips": {"body.[*].id": "clips"},
}
"""By operation, the parts of its body that mostly are ids of things that there are, and of which kind.

What may delete several at once is given none that other operations need.
"""
_NAMED_SHARE = 0.8
_RUN_SECONDS = 600
_UNLIMITED = "1000000/min"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m genreweb.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=20, help="requests of each kind for each operation")
    parser.add_argument("--seed", type=int, default=1, help="the same one makes the same requests")
    parser.add_argument(
        "--leave-out",
        action="append",
        default=[],
        metavar="OPERATION",
        help="an operation to leave out, by its id: export_features waits for workers on a busy machine",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="OPERATION",
        help="an operation to look at, by its id; several may be given, without one all are",
    )
    chosen = parser.parse_args(arguments)
    rates = {f"API_RATE_{name}": _UNLIMITED for name in ("ANON", "USER", "UPLOAD", "CLASSIFY", "LOGIN")}
    with Site(**rates) as site:
        known, named = _known(site)
        (site.folder / "schemathesis.toml").write_text(_configuration(known, named))
        print(f"{site.address} with {known}", flush=True)
        # In the folder that is removed: what was found before would be kept and tried again.
        return subprocess.run(_command(site, chosen), cwd=site.folder, check=False).returncode


def _known(site: Site) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Make what most calls are about.

    Returns values for the parameters of addresses by their subject, and ids for bodies by their kind.
    """
    tracks = [_sent(site, hertz)["id"] for hertz in (440, 660, 880, 1100, 1320)]
    more = [_sent(site, hertz)["id"] for hertz in (1500, 1700, 1900, 2100)]
    doomed = [_sent(site, hertz)["id"] for hertz in (2300, 2500)]
    clips = [_sent(site, hertz, to="clips", genre="blues", rights="true")["id"] for hertz in (550, 770)]
    batch = _sent(site, 990, to="uploads", part="files")
    lists = [_made(site, "playlists", title=title, tracks=tracks[:2])["id"] for title in "ab"]
    target = {"address": "https://example.org/", "events": ["track.analysed"]}
    hooks = [_made(site, "webhooks", **target)["id"] for _ in range(2)]
    token = _made(site, "tokens", email=site.email, password=site.password)
    for track in tracks[3:]:
        site.request("DELETE", f"/api/v1/tracks/{track}/")
    run, active_run = _runs(site)
    reanalysis = _made(site, "reanalyses", scope="mine")["id"]
    _status, versions = site.request("GET", "/api/v1/model-versions/")
    known = {
        "track": _path(id=tracks[0]),
        "clip": _path(id=clips[0]),
        "version": _path(id=versions["results"][0]["id"]),
        "mood": _path(mood="mellow"),
        "tagged": _path(id=tracks[0]),
        "pair": _path(id=tracks[0], other=tracks[1]),
        "playlist": _path(id=lists[0]),
        "listed": _path(id=lists[0], track=tracks[1]),
        "upload": _path(id=batch["id"]),
        "binned": _path(id=tracks[3]),
        "token": _path(token_key=token["id"]),
        "webhook": _path(id=hooks[0]),
        "run": _path(id=run),
        "active_run": _path(id=active_run),
        "reanalysis": _path(id=reanalysis),
        "spare_track": _path(id=tracks[2]),
        "spare_clip": _path(id=clips[1]),
        "spare_playlist": _path(id=lists[1]),
        "spare_webhook": _path(id=hooks[1]),
        "spare_binned": _path(id=tracks[4]),
    }
    return known, {"tracks": [*tracks[:2], *more], "doomed": doomed, "clips": clips[:1]}


def _runs(site: Site) -> tuple[str, str]:
    """Train a version on one clip and put it into service, begin another run, and give the ids of both."""
    run = _begun(site, 3000)
    deadline = time.monotonic() + _RUN_SECONDS
    while (found := _answered(*site.request("GET", f"/api/v1/training-runs/{run}/")))["status"] != "done":
        if found["status"] in ("failed", "cancelled") or time.monotonic() > deadline:
            raise TrialError(f"The run did not finish: {found}")
        time.sleep(1)
    version = found["candidate"]
    _made(site, f"model-versions/{version}/promote", reason="For the requests", override=True)
    return run, _begun(site, 3300)


def _begun(site: Site, hertz: float) -> str:
    """Have a clip approved, and begin a quick run on it."""
    clip = _sent(site, hertz, to="clips", genre="blues", rights="true")["id"]
    deadline = time.monotonic() + _RUN_SECONDS
    while _answered(*site.request("GET", f"/api/v1/clips/{clip}/"))["status"] == "checking":
        if time.monotonic() > deadline:
            raise TrialError("The clip was not checked.")
        time.sleep(0.5)
    _made(site, f"clips/{clip}/review", decision="approve")
    return str(_made(site, "training-runs", kind="quick")["id"])


def _sent(site: Site, hertz: float, *, to: str = "tracks", part: str = "file", **fields: str) -> Any:
    """Send a tone, each its own: a sound that is there already makes no new track."""
    wait = 30 if to == "tracks" else 0
    name = f"{hertz}.wav"
    status, answer = site.upload(
        _sound(hertz), name=name, to=f"/api/v1/{to}/", fields=fields, part=part, wait=wait
    )
    return _answered(status, answer)


def _made(site: Site, path: str, /, **words: object) -> Any:
    return _answered(*site.json("POST", f"/api/v1/{path}/", words))


def _answered(status: int, answer: Any) -> Any:
    if status >= http.HTTPStatus.BAD_REQUEST:
        raise TrialError(f"{status} {answer}")
    return answer


def _path(**values: object) -> str:
    return ", ".join(f'"path.{name}" = {json.dumps(value)}' for name, value in values.items())


def _configuration(known: Mapping[str, str], named: Mapping[str, Sequence[str]]) -> str:
    """Write Schemathesis' configuration: which calls are about what there is."""
    parameters: dict[str, list[str]] = {}
    for subject, operations in SUBJECTS.items():
        for operation in operations:
            parameters.setdefault(operation, []).append(known[subject])
    for operation, places in NAMED.items():
        parameters.setdefault(operation, []).extend(
            f'"{place}" = {{ dictionary = "{kind}", probability = {_NAMED_SHARE} }}'
            for place, kind in places.items()
        )
    lists = [f"[dictionaries.{kind}]\nvalues = {json.dumps(list(ids))}\n" for kind, ids in named.items()]
    tables = (
        f'[[operations]]\ninclude-operation-id = "{operation}"\nparameters = {{ {", ".join(given)} }}\n'
        for operation, given in parameters.items()
    )
    return "\n".join([*lists, *tables])


def _command(site: Site, chosen: argparse.Namespace) -> list[str]:
    return [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{site.address}/api/v1/schema/?format=json"),
        *("--header", f"Authorization: Bearer {site.token}"),
        *("--checks", ",".join(CHECKS)),
        *("--max-examples", str(chosen.examples), "--seed", str(chosen.seed)),
        *(
            "--phases",
            "examples,coverage,fuzzing,stateful",
            "--request-timeout",
            "90",
            "--continue-on-failure",
        ),
        *(part for name in (*LEFT_OUT, *chosen.leave_out) for part in ("--exclude-operation-id", name)),
        *(part for name in chosen.only for part in ("--include-operation-id", name)),
    ]


def _sound(hertz: float, seconds: float = 3.0, rate: int = 22050) -> bytes:
    """Write a tone."""
    samples = (math.sin(2 * math.pi * hertz * place / rate) for place in range(round(seconds * rate)))
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(b"".join(struct.pack("<h", int(sample * 16000)) for sample in samples))
    return file.getvalue()


if __name__ == "__main__":
    sys.exit(main())
