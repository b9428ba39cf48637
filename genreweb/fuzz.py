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
from collections.abc import Sequence

from genreweb.trial import Site

CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_headers_conformance", "response_schema_conformance"),
)
LEFT_OUT = ("revoke_token",)
"""Operations that would end the run: the token at hand is the site's only one."""
_UNLIMITED = "1000000/min"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m genreweb.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=20, help="requests of each kind for each operation")
    parser.add_argument("--seed", type=int, default=1, help="the same one makes the same requests")
    chosen = parser.parse_args(arguments)
    rates = {f"API_RATE_{name}": _UNLIMITED for name in ("ANON", "USER", "UPLOAD", "CLASSIFY", "LOGIN")}
    with Site(**rates) as site:
        status, track = site.upload(_sound(), name="sound.wav")
        print(f"{site.address} with the track {track['id']} ({status})", flush=True)
        return subprocess.run(_command(site, chosen), check=False).returncode


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
