"""What Locust runs: people who read pages, and people who upload. It knows the site by its addresses alone.

The folder that `LOAD_FOLDER` names holds ``people.json`` (see `genreweb.load.rows`) and ``sound.mp3``.
Locust has an environment of its own: nothing but the standard library and Locust can be imported here.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import secrets
import time
from pathlib import Path
from typing import Any

from locust import FastHttpUser, constant, task

_FOLDER = Path(os.environ["LOAD_FOLDER"])
_GIVEN = json.loads((_FOLDER / "people.json").read_text())
_SOUND = (_FOLDER / "sound.mp3").read_bytes()
_THOUGHT = float(os.environ["LOAD_THOUGHT"])
_BOUNDARY = "a-boundary-that-no-sound-holds"
_CSRF = secrets.token_hex(16)
"""Cookie and header must agree; what they say is the browser's choice."""
_sessions = itertools.cycle(_GIVEN["sessions"])
_numbers = itertools.count()
_random = random.Random(0)  # noqa: S311  # which page is read, not who may read it


class _Person(FastHttpUser):
    abstract = True
    wait_time = constant(_THOUGHT)
    _cookies = ""

    def on_start(self) -> None:
        self._cookies = f"sessionid={next(_sessions)}"
        # People do not all begin at the same moment.
        time.sleep(_random.uniform(0, _THOUGHT))

    def read(self, path: str, name: str, *, part: bool = False) -> str:
        """Read a page, or what htmx fetches of one; anything but 200 (the sign-in page too) is an error."""
        headers = {"Cookie": self._cookies, **({"HX-Request": "true"} if part else {})}
        return self._send("GET", path, name, {200}, headers=headers)

    def _send(self, method: str, path: str, name: str, right: set[int], **more: Any) -> str:
        with self.client.request(
            method, path, name=name, allow_redirects=False, catch_response=True, **more
        ) as answer:
            if answer.status_code in right:
                answer.success()
            else:
                answer.failure(f"status {answer.status_code}")
            return answer.text or ""

    def any_track(self) -> str:
        return str(_random.choice(_GIVEN["tracks"]))


class Reader(_Person):
    """Reads pages, and now and then what a program of theirs reads."""

    weight = 9

    @task(2)
    def home(self) -> None:
        self.read("/", "start")

    @task(3)
    def history(self) -> None:
        self.read("/tracks/", "my tracks")

    @task(2)
    def another_page_of_the_history(self) -> None:
        self.read(f"/tracks/?page={_random.randint(2, _GIVEN['pages'])}", "my tracks, another page")

    @task(2)
    def search(self) -> None:
        self.read(f"/tracks/?q={_random.choice(_GIVEN['words'])}", "my tracks, a search")

    @task(5)
    def track(self) -> None:
        self.read(f"/tracks/{self.any_track()}/", "a track")

    @task(2)
    def neighbours(self) -> None:
        self.read(f"/tracks/{self.any_track()}/neighbours/", "similar tracks", part=True)

    @task(2)
    def catalogue(self) -> None:
        self.read("/catalogue/", "catalogue")

    @task(1)
    def mood(self) -> None:
        self.read(f"/moods/{_random.choice(_GIVEN['moods'])}/", "a mood")

    @task(1)
    def tracks_by_program(self) -> None:
        self.read("/api/v1/tracks/", "API: tracks")

    @task(1)
    def track_by_program(self) -> None:
        self.read(f"/api/v1/tracks/{self.any_track()}/", "API: a track")


class Uploader(_Person):
    """Uploads, and looks at what came of it."""

    weight = 1
    _uploaded = ""

    @task(2)
    def upload(self) -> None:
        number = next(_numbers)
        # Another file each time, as far as the site's hash knows: an ID3 tag of another title.
        sound = _SOUND + b"TAG" + f"{number:<125}".encode()
        body = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{number}.mp3"\r\n'
            "Content-Type: audio/mpeg\r\n\r\n"
        ).encode()
        answer = self._send(
            "POST",
            "/upload/",
            "an upload",
            {201},
            data=body + sound + f"\r\n--{_BOUNDARY}--\r\n".encode(),
            headers={
                "Cookie": f"{self._cookies}; csrftoken={_CSRF}",
                "X-CSRFToken": _CSRF,
                "Accept": "application/json",
                "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
            },
        )
        try:
            self._uploaded = json.loads(answer)["id"]
        except (ValueError, KeyError):
            self._uploaded = ""

    @task(1)
    def watch(self) -> None:
        if self._uploaded:
            self.read(f"/tracks/rows/?watch=upload.{self._uploaded}.queued.", "rows that change", part=True)

    @task(1)
    def result(self) -> None:
        if self._uploaded:
            self.read(f"/tracks/{self._uploaded}/", "a track just uploaded")
