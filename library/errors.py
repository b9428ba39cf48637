"""Errors of tracks and genres: codes for programs and sentences for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy

from classifier.core.audio import AUDIO_ERROR_MESSAGES, AudioError
from genreweb.domain_errors import DomainError

# Faults of the site, not of the file.
_SITE_MESSAGES = {
    "worker_lost": gettext_lazy(
        "The analysis stopped three times before it was finished. Try again later; if it happens again, tell "
        "whoever runs this site."
    ),
    "internal": gettext_lazy(
        "Something went wrong on our side while this track was analysed. Your file is safe: try again."
    ),
    "time_limit": gettext_lazy(
        "The analysis took too long and was stopped. Try a shorter piece of the track."
    ),
    "file_missing": gettext_lazy(
        "The stored sound is gone, so it cannot be analysed. Upload the file again."
    ),
    "storage_full": gettext_lazy(
        "There is no room left to store the file. Tell whoever runs this site, and try again later."
    ),
    "no_classifier": gettext_lazy(
        "No classifier is in service at the moment. Your file is safe: try again in a while."
    ),
    "version_gone": gettext_lazy(
        "The classifier that gave this verdict is no longer here, so it cannot be asked why. Analyse the "
        "track again, and ask about the new verdict."
    ),
    "not_explainable": gettext_lazy(
        "The kind of classifier that gave this verdict listens to the track as a whole, so nobody can say "
        "which bands and moments decided."
    ),
    "nothing_outdated": gettext_lazy("Every track has the verdict of the classifier in service already."),
    "no_music": gettext_lazy("No music was found in this track, so there is no genre to explain."),
    "busy": gettext_lazy("The site is busy and could not answer in time. Try again in a moment."),
    "unavailable": gettext_lazy("Part of the site is not reachable at the moment. Try again in a minute."),
}


_QUOTA_MESSAGES = {
    "quota_tracks": gettext_lazy(
        "You may keep {most:g} tracks here. Delete some that you no longer need, or ask whoever runs this "
        "site."
    ),
    "quota_bytes": gettext_lazy(
        "You may keep {most:g} MB here, and this file would be more. Delete some that you no longer need, or "
        "ask whoever runs this site."
    ),
    "quota_minutes": gettext_lazy(
        "You may send {most:g} minutes of sound a day, and this would be more. Send it tomorrow, or ask "
        "whoever runs this site."
    ),
}


_ARCHIVE_MESSAGES = {
    "archive_unreadable": gettext_lazy(
        "This is no ZIP archive that can be read. Pack it anew and try again."
    ),
    "archive_damaged": gettext_lazy("This file is damaged in the archive."),
    "archive_empty": gettext_lazy("There is no file in this archive."),
    "archive_many": gettext_lazy("These are too many files at once: at most {maximum} are taken."),
    "archive_large": gettext_lazy("The archive is too large: at most {maximum} MB are taken."),
    "archive_hostile": gettext_lazy(
        "This archive is refused: it grows too much when it is unpacked, or names places outside itself."
    ),
    "archive_encrypted": gettext_lazy(
        "This archive is protected with a password. Pack it anew without one and try again."
    ),
    "archive_method": gettext_lazy(
        "This archive is compressed in a way that is not read here. Pack it anew as an ordinary ZIP archive."
    ),
}


_UPLOAD_MESSAGES = {
    "upload_offset": gettext_lazy(
        "The upload stands at another place. Ask for its offset, then go on there."
    ),
    "upload_parts": gettext_lazy("An upload has at most {most:d} parts. Begin anew with larger ones."),
    "uploads_many": gettext_lazy(
        "You have {most:d} unfinished uploads already. Finish or give up some of them first."
    ),
}


_EXPORT_MESSAGES = {
    "too_many_features": gettext_lazy(
        "The features of at most {most:d} tracks are given at once. Narrow the list, or choose some of it."
    ),
    "tags_unsupported": gettext_lazy("Files of this format have no tags that could be written."),
    "tags_unreadable": gettext_lazy("The tags of this file are damaged and cannot be written."),
}


class TrackError(DomainError):
    """A request about a track that cannot be fulfilled."""

    refusals: ClassVar[Mapping[str, Any]] = {
        **{code: gettext_lazy(text) for code, text in AUDIO_ERROR_MESSAGES.items()},
        **_QUOTA_MESSAGES,
        **_ARCHIVE_MESSAGES,
        "not_found": gettext_lazy("There is no such track."),
        "curators_only": gettext_lazy("Only curators change what is in the catalogue."),
        **_EXPORT_MESSAGES,
        **_UPLOAD_MESSAGES,
    }
    faults: ClassVar[Mapping[str, Any]] = _SITE_MESSAGES

    @classmethod
    def of(cls, error: AudioError) -> TrackError:
        return cls(error.code, error.params)


class PlaylistError(DomainError):
    """A request about a playlist that cannot be fulfilled."""

    refusals: ClassVar[Mapping[str, Any]] = {
        "playlist_unnamed": gettext_lazy("A playlist needs a title."),
        "playlist_gone": gettext_lazy("This playlist was deleted meanwhile."),
        "playlist_full": gettext_lazy("A playlist holds {most:g} tracks at most."),
        "playlists_many": gettext_lazy("You may keep {most:g} playlists here. Delete some first."),
        "order_other_tracks": gettext_lazy(
            "The tracks of the playlist have changed meanwhile. Load it again, then order it."
        ),
        "path_same": gettext_lazy("A path leads from one track to another one."),
        "path_not_comparable": gettext_lazy(
            "These two tracks cannot be compared: one of them was analysed without what that needs. Analyse "
            "it again."
        ),
        "seeds_not_comparable": gettext_lazy(
            "These tracks have nothing in common that could be compared. Analyse them again, or choose "
            "others."
        ),
    }
    faults: ClassVar[Mapping[str, Any]] = _SITE_MESSAGES


class GenreError(DomainError):
    """A genre that cannot be added."""

    refusals: ClassVar[Mapping[str, Any]] = {
        "genre_exists": gettext_lazy("There is a genre of that name already."),
        "genre_unnamed": gettext_lazy("A genre needs a name with at least one letter or digit."),
        "colour_invalid": gettext_lazy("A colour is written like #1b9e77."),
    }
    faults: ClassVar[Mapping[str, Any]] = _SITE_MESSAGES


def sentence(code: str, params: Mapping[str, Any] | None = None) -> str:
    """Return, in the active language, what `code` means and what to do next."""
    return TrackError(code, params).message
