"""The approved clips as a table and as an archive, without anything about who gave them.

The table can be imported again (``manage.py import_dataset clips.csv``): its artists are numbers that tell
which clips have the same one, as splits need to know, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath

from django.core.files.storage import default_storage
from django.http import StreamingHttpResponse

from genreweb.accounts.archive import stream
from genreweb.accounts.personal_data import Content
from genreweb.table_stream import Cell, csv_lines
from training.models import Clip
from training.models.clips import ClipQuerySet

COLUMNS = (
    *("id", "path", "genre", "artist", "part", "repetition_group", "duration", "sha256", "features_sha256"),
    *("feature_version", "source", "dataset", "dataset_key", "licence"),
)
_BATCH = 500
CONTRIBUTED = "contributed"


def approved() -> ClipQuerySet:
    """Query the clips that a network may be fitted on."""
    clips = Clip.objects.usable().select_related("genre", "dataset").without_long_columns()
    return clips.order_by("created", "pk")


def rows() -> Iterator[dict[str, Cell]]:
    """Yield what is known of each approved clip, by the names of `COLUMNS`."""
    numbers: dict[str, int] = {}
    for clip in approved().iterator(chunk_size=_BATCH):
        yield _row(clip, numbers)


def _row(clip: Clip, numbers: dict[str, int]) -> dict[str, Cell]:
    dataset = clip.dataset
    artist = clip.artist.strip().casefold()
    number = numbers.setdefault(artist, len(numbers) + 1) if artist else None
    return {
        "id": str(clip.pk),
        "path": _path(clip),
        "genre": clip.genre.slug,
        "artist": f"artist {number}" if number else "",
        "part": clip.part,
        "repetition_group": clip.repetition_group,
        "duration": clip.duration,
        "sha256": clip.sha256,
        "features_sha256": clip.features_sha256,
        "feature_version": clip.feature_version,
        "source": "dataset" if dataset else CONTRIBUTED,
        "dataset": dataset.name if dataset else "",
        "dataset_key": clip.dataset_key if dataset else "",
        "licence": dataset.licence if dataset else "",
    }


def _path(clip: Clip) -> str:
    """Path of its sound in the archive; empty for a clip that came as a log-mel spectrogram."""
    if not clip.sound:
        return ""
    return f"{clip.genre.slug}/{clip.pk}{PurePosixPath(clip.sound.name or '').suffix}"


def files() -> Iterator[tuple[str, Content]]:
    """Yield the sounds of the approved clips by genre, then the table of those very clips."""
    numbers: dict[str, int] = {}
    table: list[list[Cell]] = []
    for clip in approved().iterator(chunk_size=_BATCH):
        row = _row(clip, numbers)
        table.append([row[name] for name in COLUMNS])
        if row["path"]:
            yield str(row["path"]), partial(default_storage.open, str(clip.sound.name), "rb")
    yield "clips.csv", "".join(csv_lines(COLUMNS, table)).encode()


def archive_response() -> StreamingHttpResponse:
    """Answer with the archive, written while it is sent."""
    response = StreamingHttpResponse(stream(files()), content_type="application/zip")
    response["Content-Disposition"] = 'attachment; filename="clips.zip"'
    response["Cache-Control"] = "private, no-store"
    return response
