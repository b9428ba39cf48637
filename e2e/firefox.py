"""Debian's Firefox for Playwright, which else drives only a Firefox of its own.

Playwright speaks WebDriver BiDi with an unchanged Firefox, and asks each window for a theme by a command
that Firefox 153 does not know. This program starts Firefox in the place of Playwright, passes on what both
say, and answers that command itself: pages come up in the theme of the browser's preferences.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from pathlib import Path

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web

UNKNOWN = {"emulation.setMediaFeaturesOverride"}
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


async def _send_on(near: web.WebSocketResponse, far: ClientWebSocketResponse) -> None:
    async for message in near:
        if message.type is not WSMsgType.TEXT:
            break
        asked = json.loads(message.data)
        if asked["method"] in UNKNOWN:
            await near.send_json({"type": "success", "id": asked["id"], "result": {}})
        else:
            await far.send_str(message.data)
    await far.close()


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
            outward = asyncio.create_task(_send_on(near, far))
            async for message in far:
                if message.type is not WSMsgType.TEXT:
                    break
                await near.send_str(message.data)
            await near.close()
            outward.cancel()
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
    sys.exit(asyncio.run(run(*sys.argv[1:])))
