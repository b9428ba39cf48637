"""Personal data in training: export and deletion."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from django.core.files.storage import default_storage
from django.utils.translation import ngettext

from genreweb.accounts.models import User
from genreweb.accounts.personal_data import Content, as_json
from library.personal_data import folder_name
from training.models import Clip, Receipt
from training.services import clip_tags
from training.services.clips import delete_clips
from training.services.states import state_of, versions_of, with_versions

_BATCH = 50


def export(user: User) -> Iterator[tuple[str, Content]]:
    """Yield, for each clip of `user`, its data and its sound; and the receipts."""
    ids = list(Clip.objects.filter(contributor=user).order_by("created", "pk").values_list("pk", flat=True))
    for start in range(0, len(ids), _BATCH):
        clips = Clip.objects.filter(pk__in=ids[start : start + _BATCH]).order_by("created", "pk")
        for clip in with_versions(clips.select_related("genre", "contributed_genre", "opinion_version")):
            folder = f"clips/{folder_name(clip.title, clip.id)}"
            yield f"{folder}/clip.json", as_json(_clip(clip))
            if clip.sound:
                name = str(clip.sound.name)
                content = partial(default_storage.open, name, "rb")
                yield f"{folder}/sound{PurePosixPath(name).suffix}", content
    receipts = Receipt.objects.filter(user=user).select_related("version").order_by("created")
    if receipts:
        yield "receipts.json", as_json([_receipt(receipt) for receipt in receipts])


def losses(user: User) -> list[str]:
    """Say how many clips are deleted with the account."""
    count = Clip.objects.filter(contributor=user).count()
    if not count:
        return []
    text = ngettext(
        "%(count)d clip that you contributed; versions that learnt from it stay",
        "%(count)d clips that you contributed; versions that learnt from them stay",
        count,
    )
    return [text % {"count": count}]


def delete(user: User) -> None:
    """Delete the clips of `user` with all their files."""
    delete_clips(Clip.objects.contributed_by(user))


def _clip(clip: Clip) -> dict[str, Any]:
    shown = (
        *("id", "created", "title", "artist", "comment", "rights_confirmed_at", "start", "end", "duration"),
        *("sha256", "size", "error_code", "reason", "reviewed_at", "leaks", "leaks_into", "opinion"),
        *("heard_music", "disputed", "suspicion", "suspected_genre", "feature_version"),
        "tagger_version",
    )
    tags = clip_tags.tags_of(clip)
    return {
        **{name: getattr(clip, name) for name in shown},
        "status": state_of(clip),
        "genre": clip.genre.slug,
        "contributed_genre": clip.contributed_genre.slug,
        "track": clip.track_id,
        "asked_version": str(clip.opinion_version) if clip.opinion_version else None,
        "used_in": versions_of(clip),
        "embedding": None if clip.embedding is None else [float(value) for value in clip.embedding],
        "fingerprint": clip.fingerprint,
        "tags": dict(tags.strengths) if tags else None,
        "tag_features": tags.row.tolist() if tags else None,
    }


def _receipt(receipt: Receipt) -> dict[str, Any]:
    return {
        "version": str(receipt.version),
        "created": receipt.created,
        "clips": receipt.clips,
        "genres": receipt.genres,
    }
