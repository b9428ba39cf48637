"""Tracks and their analyses in Django's admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from classifier.models import Genre
from library.errors import sentence
from library.models import Analysis, Track, WatchedFile
from library.services.tracks import analyse_again, delete_tracks


class PredictedGenreFilter(admin.SimpleListFilter):
    """Filter by predicted genre."""

    title = _("genre heard")
    parameter_name = "genre"
    _NONE = "-"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(genre.slug, genre.display_name) for genre in Genre.objects.all()] + [
            (self._NONE, _("no music"))
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Track]) -> QuerySet[Track]:
        if self.value() is None:
            return queryset
        return queryset.filter(current__genre="" if self.value() == self._NONE else self.value())


class AnalysisInline(admin.TabularInline[Analysis, Track]):
    """All analyses of a track, read-only."""

    model = Analysis
    fields = readonly_fields = (
        "created",
        "model_version",
        "genre",
        "share",
        "unsure",
        "feature_version",
        "took",
    )
    extra = 0
    verbose_name_plural = _("analyses, the newest first")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Analysis]:
        return Analysis.objects.select_related("model_version").without_long_columns()

    @admin.display(description=_("confidence"))
    def share(self, analysis: Analysis) -> str:
        return f"{analysis.confidence:.0%}"

    @admin.display(description=_("seconds"))
    def took(self, analysis: Analysis) -> str:
        return f"{sum(analysis.timings.values()):.2f}" if analysis.timings else "–"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class TrackForm(forms.ModelForm[Track]):
    """The fields of a track that an administrator may change."""

    class Meta:
        model = Track
        fields = (
            "title",
            "artist",
            "album",
            "year",
            "tagged_genre",
            "licence",
            "visibility",
            "labelled_genre",
        )

    def clean_visibility(self) -> str:
        visibility: str = self.cleaned_data["visibility"]
        if visibility == Track.Visibility.PRIVATE and self.instance.owner_id is None:
            raise ValidationError(_("A track that nobody owns cannot be private."))
        if visibility == Track.Visibility.CATALOGUE and self.instance.binned_at is not None:
            raise ValidationError(_("A track in the bin cannot be in the catalogue."))
        return visibility


_OF_THE_ANALYSIS = (
    *("status", "step", "failure", "attempt", "tries"),
    *("created", "queued_at", "heartbeat_at", "finished_at", "binned_at"),
)
_BINNED = ("binned_at", admin.EmptyFieldListFilter)
_OF_THE_FILE = (
    *("id", "source", "original_name", "catalogue_key", "file", "size"),
    *("duration", "sample_rate", "channels", "codec", "container", "sha256"),
)


@admin.register(Track)
class TrackAdmin(admin.ModelAdmin[Track]):
    """All tracks of the site."""

    form = TrackForm
    inlines = (AnalysisInline,)
    list_display = (
        "title",
        "owner",
        "predicted_genre",
        "confidence",
        "status",
        "source",
        "created",
    )
    list_filter = (
        "status",
        "source",
        "visibility",
        _BINNED,
        PredictedGenreFilter,
        "current__unsure",
        "created",
    )
    list_per_page = 50
    search_fields = ("title", "artist", "album", "original_name", "owner__email", "=id", "=sha256")
    search_help_text = _("Title, artist, album, file name, owner’s e-mail address, id or SHA-256")
    # Counting all tracks for "3 of 120,000" would be the slowest query of the page.
    show_full_result_count = False
    actions = ("queue_again",)
    readonly_fields = (
        "player",
        "pictures",
        "verdict",
        "owner",
        *_OF_THE_FILE,
        *_OF_THE_ANALYSIS,
    )
    fieldsets = (
        (None, {"fields": ("title", "artist", "album", "year", "tagged_genre", "owner", "visibility")}),
        (_("Catalogue"), {"fields": ("labelled_genre", "licence")}),
        (_("Sound"), {"fields": ("player", "verdict", "pictures")}),
        (_("Analysis"), {"fields": _OF_THE_ANALYSIS}),
        (_("File"), {"fields": _OF_THE_FILE, "classes": ("collapse",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Track]:
        return Track.objects.with_verdict().select_related("owner", "labelled_genre")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tracks are only added as files, through the pages, the API or an import."""
        return False

    def save_model(self, request: HttpRequest, obj: Track, form: Any, change: bool) -> None:
        # A worker may have changed the row since the form was shown.
        obj.save(update_fields=form.changed_data)

    def delete_model(self, request: HttpRequest, obj: Track) -> None:
        delete_tracks(Track.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Track]) -> None:
        # Rows of a query with joins cannot be locked, so they are fetched again by key.
        delete_tracks(Track.objects.filter(pk__in=list(queryset.values_list("pk", flat=True))))

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """List only the tracks; their sounds, pictures and analyses are deleted with them."""
        titles = [str(track) for track in objs]
        needed = set() if self.has_delete_permission(request) else {str(self.opts.verbose_name)}
        return titles, {str(self.opts.verbose_name_plural): len(titles)}, needed, []

    @admin.action(description=_("Analyse again"), permissions=["change"])
    def queue_again(self, request: HttpRequest, queryset: QuerySet[Track]) -> None:
        tracks = list(queryset)
        queued = sum(analyse_again(track=track) for track in tracks)
        if queued:
            done = ngettext("%(count)d track is queued.", "%(count)d tracks are queued.", queued)
            self.message_user(request, done % {"count": queued}, messages.SUCCESS)
        if busy := len(tracks) - queued:
            left = ngettext(
                "%(count)d track waits or runs already.", "%(count)d tracks wait or run already.", busy
            )
            self.message_user(request, left % {"count": busy}, messages.INFO)

    @admin.display(description=_("genre heard"), ordering="current__genre", empty_value="–")
    def predicted_genre(self, track: Track) -> str | None:
        if track.current is None:
            return None
        if not track.current.genre:
            return str(_("no music"))
        if track.current.style:
            return str(_("none of the genres: %(style)s") % {"style": track.current.style})
        return f"{track.current.genre}{' ?' if track.current.unsure else ''}"

    @admin.display(description=_("confidence"), ordering="current__confidence", empty_value="–")
    def confidence(self, track: Track) -> str | None:
        return f"{track.current.confidence:.0%}" if track.current else None

    @admin.display(description=_("player"))
    def player(self, track: Track) -> str:
        return format_html('<audio controls preload="none" src="{}"></audio>', track.player_url)

    @admin.display(description=_("file"))
    def file(self, track: Track) -> str:
        return format_html('<a href="{}">{}</a>', track.sound.url, track.sound.name)

    @admin.display(description=_("pictures"))
    def pictures(self, track: Track) -> str:
        analysis = track.current
        if analysis is None:
            return "–"
        pictures = [(picture.field.verbose_name, picture.url) for picture in analysis.files]
        return render_to_string("admin/library/track/pictures.html", {"pictures": pictures})

    @admin.display(description=_("verdict"))
    def verdict(self, track: Track) -> str:
        if track.current is None:
            return "–"
        names = Genre.names()
        ranked = sorted(track.current.probabilities.items(), key=lambda item: -item[1])
        shares = [(names.get(label, label), share * 100) for label, share in ranked]
        context = {"analysis": track.current, "shares": shares}
        return render_to_string("admin/library/track/verdict.html", context)

    @admin.display(description=_("failure"))
    def failure(self, track: Track) -> str:
        if not track.error_code:
            return "–"
        return f"{track.error_code}: {sentence(track.error_code, track.error_params)}"


@admin.register(WatchedFile)
class WatchedFileAdmin(admin.ModelAdmin[WatchedFile]):
    """What became of the files of the watch folder."""

    list_display = ("name", "state", "reason", "owner", "since", "missing_since")
    list_filter = ("state",)
    search_fields = ("name",)
    list_select_related = ("owner",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: WatchedFile | None = None) -> bool:
        return False

    @admin.display(description=_("reason"))
    def reason(self, row: WatchedFile) -> str:
        return sentence(row.error_code, row.error_params) if row.error_code else ""
