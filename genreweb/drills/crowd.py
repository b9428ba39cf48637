"""Senders and readers of a site while its workers are killed and faults strike it.

A sender repeats what was not accepted, as a program should. Each fault meets uploads of its own: they are let
through just before it strikes.
"""

from __future__ import annotations

import http
import random
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

from genreweb.drills.faults import Fault, end
from genreweb.drills.report import Report
from genreweb.drills.sites import tracks_of
from genreweb.trial import Site

SENDERS = 4
KILL_EVERY_SECONDS = (3.0, 8.0)
PARENT_SHARE = 0.1
"""How often it is the worker's first process that is killed, with which all of them go."""
RECOVERY_SECONDS = 60.0
_ACCEPTED = (http.HTTPStatus.OK, http.HTTPStatus.ACCEPTED)
_TROUBLE = (OSError, HTTPException, ValueError)


def shares(whole: int, parts: int) -> list[int]:
    """Divide a number as evenly as whole numbers allow.

    >>> shares(7, 3)
    [2, 2, 3]
    """
    return [whole * (part + 1) // parts - whole * part // parts for part in range(parts)]


class Crowd:
    """One site's people, for one run."""

    def __init__(self, site: Site, report: Report, *, deadline: float, seed: int) -> None:
        self._site = site
        self._report = report
        self._deadline = deadline
        self._random = random.Random(seed)  # noqa: S311  # which worker is killed, not who may come in
        self._allowed = threading.Semaphore(0)
        self._over = threading.Event()
        self._lock = threading.Lock()

    def run(self, sounds: Sequence[bytes], faults: Sequence[Fault]) -> None:
        """Send everything, strike with every fault, and wait until all is analysed."""
        others = [threading.Thread(target=what) for what in (self._kill_workers, self._read_pages)]
        for other in others:
            other.start()
        try:
            with ThreadPoolExecutor(SENDERS) as pool:
                sent = [pool.submit(self._send, sound) for sound in sounds]
                try:
                    for fault, share in zip(faults, shares(len(sounds), len(faults)), strict=True):
                        fault.prepare(self._site)
                        self._allow(share)
                        self._strike(fault)
                finally:
                    self._allow(len(sounds))
                for one in sent:
                    one.result()
            self._over.set()
            self._await_analyses()
        finally:
            self._over.set()
            for other in others:
                other.join()

    # --- people -----------------------------------------------------------------------------------------
    def _allow(self, number: int) -> None:
        for _upload in range(number):
            self._allowed.release()

    def _send(self, sound: bytes) -> None:
        """Send a sound until it is accepted."""
        self._allowed.acquire()
        while time.monotonic() < self._deadline:
            try:
                status, answer = self._site.upload(sound, wait=0)
            except _TROUBLE:
                status, answer = 0, None
            if status in _ACCEPTED:
                with self._lock:
                    self._report.accepted.add(answer["id"])
                return
            with self._lock:
                self._report.repeated += 1
            time.sleep(0.5)
        self._problem("an upload was not accepted in time")

    def _read_pages(self) -> None:
        """Ask for a page again and again, as somebody who waits for it does."""
        while not self._over.wait(0.2):
            began = time.monotonic()
            while not self._answers("/api/v1/tracks/") and time.monotonic() < self._deadline:
                time.sleep(0.1)
            self._report.longest_wait = max(self._report.longest_wait, time.monotonic() - began)

    def _answers(self, path: str) -> bool:
        try:
            return bool(self._site.request("GET", path)[0] == http.HTTPStatus.OK)
        except _TROUBLE:
            return False

    # --- faults -----------------------------------------------------------------------------------------
    def _kill_workers(self) -> None:
        while not self._over.wait(self._random.uniform(*KILL_EVERY_SECONDS)):
            workers = self._site.workers()
            among = workers[:1] if self._random.random() < PARENT_SHARE else workers[1:]
            if among and end(self._random.choice(among), signal.SIGKILL):
                self._report.killed += 1

    def _strike(self, fault: Fault) -> None:
        """Break something, and wait until the site is well again."""
        time.sleep(self._random.uniform(1, 3))
        if not fault.strike(self._site):
            self._problem(f"nothing was found to break: {fault.name}")
        time.sleep(fault.lasts)
        fault.mend()
        began = time.monotonic()
        said = ""
        well = 0
        # Twice in a row: the first answer may be from before the fault.
        while well < 2 and time.monotonic() < began + RECOVERY_SECONDS:
            time.sleep(0.5)
            try:
                status, answer = self._site.request("GET", "/healthz")
            except _TROUBLE as error:
                status, answer = 0, error
            well = well + 1 if status == http.HTTPStatus.OK else 0
            said = str(answer)
        self._report.recovery[fault.name] = time.monotonic() - began
        if well < 2:
            self._problem(f"the site did not recover {fault.name}: {said}")

    # --- the end ----------------------------------------------------------------------------------------
    def _await_analyses(self) -> None:
        began = time.monotonic()
        while time.monotonic() < self._deadline:
            if all(
                status in ("done", "failed") for _hash, status, _number in tracks_of(self._site.environment)
            ):
                self._report.recovery["until the last analysis"] = time.monotonic() - began
                return
            time.sleep(2)
        self._problem("not every track was analysed in time")

    def _problem(self, sentence: str) -> None:
        with self._lock:
            self._report.problems.append(sentence)
