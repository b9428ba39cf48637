"""A plugin for beets: ask a Genreweb site about genre and mood, and set them. See README.md beside it."""

from __future__ import annotations

import optparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mediafile
from beets import ui
from beets.library import Item, Library
from beets.plugins import BeetsPlugin
from genreweb_cli import commands, session
from genreweb_cli.http_client import ApiError, Client, UnreachableError

_AT_ONCE = 20
_DEFAULTS = {
    "site": "",
    "token_file": "",
    "threshold": 0.6,
    "mood_threshold": 0.9,
    "overwrite": False,
    "write": True,
    "patience": 600.0,
    "wait": 3600.0,
}


class GenrewebPlugin(BeetsPlugin):
    """The command ``beet genreweb``."""

    def __init__(self) -> None:
        super().__init__()
        self.config.add(_DEFAULTS)
        if not hasattr(mediafile.MediaFile, "mood"):
            mood = mediafile.MediaField(
                mediafile.MP3StorageStyle("TMOO"),
                mediafile.MP4StorageStyle("----:com.apple.iTunes:MOOD"),
                mediafile.StorageStyle("MOOD"),
            )
            self.add_media_field("mood", mood)

    def commands(self) -> list[ui.Subcommand]:
        command = ui.Subcommand("genreweb", help="ask a Genreweb site about genre and mood")
        command.parser.add_option("-t", "--threshold", type="float", help="least confidence of a genre")
        command.parser.add_option("-f", "--force", action="store_true", help="replace genres that are there")
        command.parser.add_option("-p", "--pretend", action="store_true", help="only show what would change")
        command.func = self._command
        return [command]

    def _command(self, lib: Library, options: optparse.Values, words: Sequence[str]) -> None:
        threshold = options.threshold
        if threshold is None:
            threshold = self.config["threshold"].as_number()
        if not 0 <= threshold <= 1:
            raise ui.UserError("the threshold must be between 0 and 1")
        try:
            self._ask(
                list(lib.items(list(words))),
                threshold=float(threshold),
                force=bool(options.force) or self.config["overwrite"].get(bool),
                pretend=bool(options.pretend),
            )
        except (session.SessionError, ApiError, UnreachableError) as error:
            raise ui.UserError(str(error)) from error

    def _ask(self, items: list[Item], *, threshold: float, force: bool, pretend: bool) -> None:
        client = self._client()
        names = {genre["slug"]: genre["name"] for genre in client.get("/genres/")}
        asked = [item for item in items if force or not _has_genre(item)]
        if skipped := len(items) - len(asked):
            self._log.info("{} have a genre already", skipped)
        for start in range(0, len(asked), _AT_ONCE):
            for item, track in self._analysed(client, asked[start : start + _AT_ONCE]):
                changes = self._changes(track, names, threshold)
                if not changes:
                    self._log.info("{}: {}", _named(item), _why_not(track, threshold))
                    continue
                ui.print_(
                    f"{_named(item)}: {', '.join(f'{name}={value}' for name, value in changes.items())}"
                )
                if not pretend:
                    self._apply(item, changes)

    def _client(self) -> Client:
        token_file = self.config["token_file"].as_str()
        found = session.chosen(
            site=self.config["site"].as_str(),
            token_file=Path(token_file).expanduser() if token_file else None,
        )
        patience = self.config["patience"].as_number()
        return Client(found.site, found.token, patience=float(patience), say=self._log.info)

    def _analysed(self, client: Client, items: list[Item]) -> Iterator[tuple[Item, dict[str, Any]]]:
        """Send what the site does not have, wait for all of it, and give each item with its track.

        Once tags are written a file has another content, so its track is kept with the item.
        """
        kept = {str(item["genreweb_track"]): item for item in items if item.get("genreweb_track")}
        there = {track["id"] for track in commands.by_id(client, list(kept))}
        ids = {one: item for one, item in kept.items() if one in there}
        known = {item.id for item in ids.values()}
        for item in items:
            if item.id in known:
                continue
            try:
                item["genreweb_track"] = client.upload(Path(item.filepath))["id"]
            except ApiError as error:
                if error.status in (401, 403):
                    raise
                self._log.warning("{}: {}", _named(item), error.message)
            except OSError as error:
                self._log.warning("{}: {}", _named(item), error)
            else:
                item.store()
                ids[item["genreweb_track"]] = item
        most = float(self.config["wait"].as_number())
        for track in commands.wait_for(client, list(ids), most=most):
            yield ids[track["id"]], track

    def _changes(self, track: dict[str, Any], names: dict[str, str], threshold: float) -> dict[str, Any]:
        analysis = track["analysis"]
        if track["status"] != "done" or analysis is None or not analysis["music"]:
            return {}
        changes: dict[str, Any] = {}
        if not analysis["unsure"] and analysis["confidence"] >= threshold:
            changes["genre"] = names.get(analysis["genre"], analysis["genre"])
        least = self.config["mood_threshold"].as_number()
        moods = [mood for mood, strength in analysis["tags"].get("mood", {}).items() if strength >= least]
        if moods:
            changes["mood"] = "; ".join(moods)
        if changes:
            changes["genreweb_confidence"] = round(analysis["confidence"], 3)
            changes["genreweb_verdict"] = "unsure" if analysis["unsure"] else "sure"
        return changes

    def _apply(self, item: Item, changes: dict[str, Any]) -> None:
        for name, value in changes.items():
            item[name] = value
        # From version 2.6 on, beets writes a list of genres into files.
        if "genre" in changes and "genres" in Item._fields:
            item["genres"] = [changes["genre"]]
        if self.config["write"].get(bool):
            item.try_write()
        item.store()


def _named(item: Item) -> str:
    """Say which track is meant, by its file where it has no title."""
    return str(item) if item.title else Path(item.filepath).name


def _has_genre(item: Item) -> bool:
    return bool(item.get("genres") or item.get("genre"))


def _why_not(track: dict[str, Any], threshold: float) -> str:
    if track["status"] != "done":
        return f"not analysed ({track['status']})"
    analysis = track["analysis"]
    if not analysis["music"]:
        return "no music was found"
    return f"unsure ({analysis['confidence']:.2f}; the threshold is {threshold:.2f})"
