"""Playlists: tracks in an order that a person gave them or had made."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Deferrable
from django.utils.translation import gettext_lazy as _

from genreweb.accounts.models import User
from library.models.tracks import TITLE_LENGTH, Track


class PlaylistQuerySet(models.QuerySet["Playlist"]):
    def visible_to(self, user: User | AnonymousUser) -> PlaylistQuerySet:
        """Filter by what `user` may see: their own, and what others share inside the site."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(models.Q(owner=user) | models.Q(shared=True))

    def owned_by(self, user: User | AnonymousUser) -> PlaylistQuerySet:
        """Filter by what `user` may change: their own."""
        return self.filter(owner=user) if user.is_authenticated else self.none()


class Playlist(models.Model):
    """A list of tracks, private unless its owner shares it.

    Who may see a playlist still sees only those of its tracks that they may see.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="playlists", verbose_name=_("owner")
    )
    title = models.CharField(_("title"), max_length=TITLE_LENGTH)
    shared = models.BooleanField(_("shared with everybody who has an account"), default=False)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    # Told to the owner only: it also moves when something is added that others may not see.
    changed = models.DateTimeField(_("changed"), auto_now=True)

    objects = PlaylistQuerySet.as_manager()

    class Meta:
        ordering = ["title", "id"]
        verbose_name = _("playlist")
        verbose_name_plural = _("playlists")
        indexes = [
            models.Index(fields=["owner", "title"], name="playlist_by_owner"),
            models.Index(fields=["title"], condition=models.Q(shared=True), name="playlist_shared"),
        ]

    def __str__(self) -> str:
        return self.title


class PlaylistEntry(models.Model):
    """A track's place in a playlist. Places have gaps; a track is in a playlist once."""

    playlist = models.ForeignKey(
        Playlist, models.CASCADE, related_name="entries", db_index=False, verbose_name=_("playlist")
    )
    track = models.ForeignKey(Track, models.CASCADE, related_name="+", verbose_name=_("track"))
    position = models.PositiveIntegerField(_("position"))

    class Meta:
        ordering = ["position"]
        verbose_name = _("entry of a playlist")
        verbose_name_plural = _("entries of playlists")
        constraints = [
            models.UniqueConstraint(fields=["playlist", "track"], name="one_entry_per_playlist_and_track"),
            # Checked at the end of the transaction, so that entries can change places.
            models.UniqueConstraint(
                fields=["playlist", "position"],
                name="one_entry_per_place",
                deferrable=Deferrable.DEFERRED,
            ),
        ]

    def __str__(self) -> str:
        return str(self.position)
