"""Debian's Firefox for Playwright, which else drives only a Firefox of its own.

Playwright speaks WebDriver BiDi with an unchanged Firefox, and asks for the light or the dark theme by a
command that Firefox 153 does not know. This program starts Firefox in the place of Playwright, passes on what
both say, and carries out that command itself, as Firefox's own developer tools do: by a script that runs with
the rights of the browser.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web

UNKNOWN = "emulation.setMediaFeaturesOverride"
SCHEME = "prefers-color-scheme"
NEW_DOCUMENT = {"browsingContext.navigationCommitted", "browsingContext.domContentLoaded"}
OVERRIDE = """(() => {{
  const {{ NavigableManager }} = ChromeUtils.importESModule("chrome://remote/content/shared/NavigableManager.sys.mjs");
  const window = NavigableManager.getBrowsingContextById({window});
  if (window) window.top.prefersColorSchemeOverride = {scheme};
}})()"""
READY = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")
# No window asks, sounds play at once, and the microphone is a tone.
PREFERENCES: dict[str, bool | float | str] = {
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    # Without a loudspeaker an AudioContext would stay suspended.
    "media.cubeb.force_mock_context": True,
    # As on phones, and in Chromium without a window: scrollbars take no room.
    "ui.useOverlayScrollbars": 1,
}


def program(firefox: str, folder: Path) -> Path:
    """Write a program into `folder` that Playwright can start like a browser."""
    path = folder / "firefox"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" "{firefox}" "$@"\n')
    path.chmod(0o755)
    return path


class Relay:
    """What is said between Playwright, which is near, and Firefox, which is far."""

    def __init__(self, near: web.WebSocketResponse, far: ClientWebSocketResponse) -> None:
        self._near, self._far = near, far
        # Above the numbers that Playwright counts up.
        self._ids = itertools.count(2**40)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        # Themes of windows, and of the groups in which Playwright makes them.
        self._schemes: dict[str, str] = {}
        self._groups: dict[str, str] = {}
        # What goes to Playwright, in the order in which it came.
        self._said: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    async def outward(self) -> None:
        """Take what Playwright says, until it says no more."""
        async for message in self._near:
            if message.type is not WSMsgType.TEXT:
                break
            asked = json.loads(message.data)
            if asked["method"] == UNKNOWN:
                params = asked["params"]
                scheme = params["features"].get(SCHEME) or "none"
                windows = params.get("contexts", [])
                self._groups |= dict.fromkeys(params.get("userContexts", []), scheme)
                self._schemes |= dict.fromkeys(windows, scheme)
                done = {"type": "success", "id": asked["id"], "result": {}}
                self._said.put_nowait({"windows": windows, "then": done})
            else:
                await self._far.send_str(message.data)
        await self._far.close()

    async def inward(self) -> None:
        """Take what Firefox says, until it says no more."""
        async for message in self._far:
            if message.type is not WSMsgType.TEXT:
                break
            said = json.loads(message.data)
            if answer := self._answers.pop(said.get("id"), None):
                answer.set_result(said)
                continue
            windows = []
            if said.get("method") == "browsingContext.contextCreated":
                made = said["params"]
                if made.get("parent") is None and (scheme := self._groups.get(made.get("userContext"))):
                    self._schemes.setdefault(made["context"], scheme)
            elif said.get("method") in NEW_DOCUMENT:
                # With its first document a window is another one to Firefox, which is light again.
                window = said["params"]["context"]
                windows = [window] if self._schemes.get(window) == "dark" else []
            self._said.put_nowait({"windows": windows, "then": said})
        for answer in self._answers.values():
            answer.set_exception(RuntimeError("Firefox has ended"))
        self._said.put_nowait(None)

    async def hand_on(self) -> None:
        """Say to Playwright what is to be said, each after its windows have their themes."""
        while (said := await self._said.get()) is not None:
            for window in said["windows"]:
                # A window may be closed by now; a test that counts on its theme looks for it.
                with contextlib.suppress(RuntimeError):
                    await self._override(window)
            await self._near.send_json(said["then"])
        await self._near.close()

    async def _ask(self, method: str, params: Mapping[str, object]) -> dict[str, Any]:
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._far.send_json({"id": number, "method": method, "params": params})
        said = await answer
        if said["type"] != "success":
            raise RuntimeError(f"{method}: {said}")
        result: dict[str, Any] = said["result"]
        return result

    async def _override(self, window: str) -> None:
        script = OVERRIDE.format(window=json.dumps(window), scheme=json.dumps(self._schemes[window]))
        browser = await self._ask("browsingContext.getTree", {"moz:scope": "chrome", "maxDepth": 0})
        target = {"context": browser["contexts"][0]["context"]}
        done = await self._ask(
            "script.evaluate", {"expression": script, "target": target, "awaitPromise": False}
        )
        if done["type"] != "success":
            raise RuntimeError(f"Firefox takes no theme: {done}")


async def run(*command: str) -> int:
    """Run Firefox until it ends, and what stands before it."""
    firefox = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    assert firefox.stderr is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, firefox.terminate)
    address = ""
    while not address and (line := await firefox.stderr.readline()):
        found = READY.search(line)
        address = found.group(1).decode() if found else ""
        if not found:
            sys.stderr.write(line.decode(errors="replace"))

    async def relay(request: web.Request) -> web.WebSocketResponse:
        near = web.WebSocketResponse(max_msg_size=0)
        await near.prepare(request)
        async with (
            ClientSession() as session,
            session.ws_connect(address + request.path, max_msg_size=0) as far,
        ):
            relay = Relay(near, far)
            tasks = [asyncio.create_task(work) for work in (relay.outward(), relay.hand_on())]
            await relay.inward()
            await tasks[1]
            tasks[0].cancel()
        return near

    app = web.Application()
    app.router.add_get("/{rest:.*}", relay)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    # Playwright waits for this line.
    sys.stderr.write(f"WebDriver BiDi listening on ws://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stderr.flush()
    while line := await firefox.stderr.readline():
        sys.stderr.write(line.decode(errors="replace"))
    code = await firefox.wait()
    await runner.cleanup()
    return code


if __name__ == "__main__":
    sys.exit(asyncio.run(run(*sys.argv[1:], "--remote-allow-system-access")))
