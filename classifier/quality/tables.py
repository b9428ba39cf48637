"""The tables of figures that lie among the files of a version, read once per process and checked.

They may have come with a bundle from another site, so a table without what pages read counts as none.
"""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from classifier import version_files
from classifier.claims import is_count, is_interval, is_share
from classifier.models import ModelVersion
from classifier.releases import evaluation, outside, real_channels
from classifier.version_files import StoredFile

log = logging.getLogger(__name__)

MOST_BYTES = 4 * 2**20
_MOST_ROWS = 1000
_SHARES = ("accuracy", "agreement", "agreement_or_unsure", "confident")

Table = dict[str, Any]


def evaluation_of(version: ModelVersion) -> Table | None:
    """Read the table of methods and protocols of a version; None where it has none of its own network."""
    return _table(version, evaluation.JSON_FILE, evaluation.FORMAT_VERSION, _is_evaluation)


def real_channels_of(version: ModelVersion) -> Table | None:
    """Read the figures of a version on degraded sound; None where it has none of its own network."""
    return _table(version, real_channels.JSON_FILE, real_channels.FORMAT_VERSION, _is_real_channels)


def outside_of(version: ModelVersion) -> Table | None:
    """Read the figures of a version on other music and sounds; None where it has none of its own answers."""
    content = _table(version, outside.JSON_FILE, outside.FORMAT_VERSION, _is_outside)
    # The head, weights and thresholds decide as well as the network does.
    same = content is not None and content.get("identity") == outside.identity_of(version.metadata)
    return content if same else None


def _table(
    version: ModelVersion, name: str, format_version: int, holds: Callable[[Table], bool]
) -> Table | None:
    if name not in version.files or version.files[name]["size"] > MOST_BYTES:
        return None
    try:
        content = _parsed(version_files.file_of(version, name))
    except (OSError, ValueError, RecursionError) as error:
        log.warning("%s of %s cannot be read: %s", name, version.name, error)
        return None
    # A table that was carried along says what it measured; figures of another network are not this one's.
    known = isinstance(content, dict) and content.get("format_version") == format_version
    return content if known and content.get("sha256") == version.sha256 and holds(content) else None


@functools.lru_cache(maxsize=8)
def _parsed(file: StoredFile) -> Any:
    return json.loads(version_files.read(file))


def _is_evaluation(content: Table) -> bool:
    results, unfit = content.get("results"), content.get("unfit")
    return (
        isinstance(results, list)
        and len(results) <= _MOST_ROWS
        and all(isinstance(row, dict) and _is_result(row) for row in results)
        and isinstance(unfit, list)
        and all(isinstance(gap, dict) and {"method", "protocol"} <= gap.keys() for gap in unfit)
    )


def _is_result(row: Table) -> bool:
    coverage, settings = row.get("coverage"), row.get("settings")
    return (
        all(isinstance(row.get(name), str) for name in ("method", "protocol"))
        and all(is_count(row.get(name)) for name in ("n", "n_folds"))
        and all(isinstance(row.get(name), list) for name in ("seeds", "folds"))
        and all(is_interval(row.get(name)) for name in ("accuracy", "macro_f1"))
        and is_share(row.get("calibration_error"))
        and (row.get("deviation") is None or is_share(row["deviation"]))
        and isinstance(coverage, dict)
        and is_share(coverage.get("0.6"))
        and isinstance(settings, dict)
        and all(is_count(settings.get(name, 0)) for name in ("networks", "epochs", "features"))
    )


def _is_real_channels(content: Table) -> bool:
    return is_count(content.get("seconds")) and all(_is_part(content.get(part)) for part in ("test", "all"))


def _is_part(part: object) -> bool:
    if not isinstance(part, dict) or not isinstance(part.get("channels"), dict):
        return False
    rows = [part.get("clean"), *part["channels"].values()]
    return (
        is_count(part.get("clips"))
        and is_interval(part.get("agreement"))
        and len(rows) <= _MOST_ROWS
        and all(
            isinstance(row, dict)
            and all(is_share(row.get(name)) for name in _SHARES)
            and (row.get("confident_accuracy") is None or is_share(row["confident_accuracy"]))
            for row in rows
        )
    )


def _is_outside(content: Table) -> bool:
    parts = content.get("parts")
    return (
        isinstance(parts, dict)
        and bool(parts)
        and (content.get("tagger") is None or isinstance(content["tagger"], str))
        and all(_OUTSIDE_PARTS[name](part) for name, part in parts.items() if name in _OUTSIDE_PARTS)
    )


def _is_modern(part: object) -> bool:
    if not isinstance(part, dict) or not _is_answered(part.get("genres")):
        return False
    genres, others = part["genres"], part.get("others")
    alone, by_genre = part.get("network_alone"), part.get("by_genre")
    return (
        isinstance(others, dict)
        and _is_answered(others)
        and all(_is_figure(group.get("none_said")) for group in (genres, others))
        and (alone is None or (isinstance(alone, dict) and _is_answered(alone.get("genres"))))
        and isinstance(by_genre, dict)
        and len(by_genre) <= _MOST_ROWS
        and all(
            isinstance(row, dict) and is_count(row.get("n")) and is_share(row.get("right"))
            for row in by_genre.values()
        )
    )


def _is_microphone(part: object) -> bool:
    return (
        isinstance(part, dict)
        and _is_answered(part)
        and all(is_count(part.get(name)) for name in ("recordings", "clips"))
    )


def _is_non_music(part: object) -> bool:
    rows = [part[name] for name in ("speech", "sounds") if name in part] if isinstance(part, dict) else []
    return bool(rows) and all(
        isinstance(row, dict)
        and is_count(row.get("n"))
        and all(row.get(name) and _is_figure(row[name]) for name in ("sure", "no_music"))
        for row in rows
    )


def _is_filtered_sound(part: object) -> bool:
    return isinstance(part, dict) and all(
        _is_answered(part.get(name)) for name in ("joined", "network_alone")
    )


_OUTSIDE_PARTS: Final[Mapping[str, Callable[[object], bool]]] = {
    "modern": _is_modern,
    "microphone": _is_microphone,
    "non-music": _is_non_music,
    "filtered-sound": _is_filtered_sound,
}


def _is_answered(row: object) -> bool:
    """Whether a row tells how many tracks were right, sure, and right when sure."""
    return (
        isinstance(row, dict)
        and all(is_count(row.get(name)) for name in ("n", "groups"))
        and all(_is_figure(row.get(name)) for name in ("right", "sure", "right_when_sure"))
    )


def _is_figure(value: object) -> bool:
    """Whether a value is a share with its interval and the number that it is of, or None: of nothing."""
    return value is None or (isinstance(value, dict) and is_interval(value) and is_count(value.get("n")))
