"""Send a live site what its own schema allows and does not allow, and say what it answered wrongly.

    make fuzz ARGS="--examples 50"

Schemathesis makes the requests from the schema. Wrong is an error of the server (5xx), and an answer whose
status, kind, headers or form the schema does not name. The site is one of its own, with a track, and is
removed afterwards. Ends with 1 where something was wrong.
"""

from __future__ import annotations

import argparse
import io
import math
import struct
import subprocess
import sys
import wave
from collections.abc import Mapping, Sequence

from genreweb.trial import Site

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
}
_UNLIMITED = "1000000/min"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m genreweb.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=20, help="requests of each kind for each operation")
    parser.add_argument("--seed", type=int, default=1, help="the same one makes the same requests")
    chosen = parser.parse_args(arguments)
    rates = {f"API_RATE_{name}": _UNLIMITED for name in ("ANON", "USER", "UPLOAD", "CLASSIFY", "LOGIN")}
    with Site(**rates) as site:
        known = _known(site)
        (site.folder / "schemathesis.toml").write_text(_configuration(known))
        print(f"{site.address} with {known}", flush=True)
        # In the folder that is removed: what was found before would be kept and tried again.
        return subprocess.run(_command(site, chosen), cwd=site.folder, check=False).returncode


def _known(site: Site) -> dict[str, str]:
    """Make what most calls are about, and give a value for the parameter of addresses by their subject."""
    sound = _sound()
    _status, track = site.upload(sound, name="sound.wav")
    rights = {"genre": "blues", "rights": "true"}
    _status, clip = site.upload(sound, name="sound.wav", to="/api/v1/clips/", fields=rights, wait=0)
    _status, versions = site.request("GET", "/api/v1/model-versions/")
    return {
        "track": f'"path.id" = "{track["id"]}"',
        "clip": f'"path.id" = "{clip["id"]}"',
        "version": f'"path.id" = {versions["results"][0]["id"]}',
        "mood": '"path.mood" = "mellow"',
    }


def _configuration(known: Mapping[str, str]) -> str:
    """Write Schemathesis' configuration: calls that delete nothing are about what there is."""
    tables = (
        f'[[operations]]\ninclude-operation-id = "{operation}"\nparameters = {{ {known[subject]} }}\n'
        for subject, operations in SUBJECTS.items()
        for operation in operations
    )
    return "\n".join(tables)


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
        *(part for name in LEFT_OUT for part in ("--exclude-operation-id", name)),
    ]


def _sound(seconds: float = 3.0, rate: int = 22050) -> bytes:
    """Write a tone of 440 Hz."""
    samples = (math.sin(2 * math.pi * 440 * place / rate) for place in range(round(seconds * rate)))
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(b"".join(struct.pack("<h", int(sample * 16000)) for sample in samples))
    return file.getvalue()


if __name__ == "__main__":
    sys.exit(main())
