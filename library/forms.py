"""Forms of the library's pages."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any, ClassVar

from django import forms
from django.db.models import F, Q
from django.forms.utils import flatatt
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from classifier import tag_words
from classifier.models import Genre
from library.models import (
    EARLIEST_YEAR,
    LATEST_YEAR,
    TITLE_LENGTH,
    Track,
    TrackQuerySet,
    holding,
    strength_column,
)
from library.moods import STRENGTHS
from library.services.tracks import clean_title

UNSURE, NO_MUSIC, NO_GENRE = "unsure", "no-music", "none-of-the-genres"
UNFINISHED = "unfinished"
BY_TAG = "tag"


_NEWEST = ["-created", "id"]


class TitleForm(forms.Form):
    title = forms.CharField(label=_("Title"), max_length=TITLE_LENGTH)

    def clean_title(self) -> str:
        title = clean_title(self.cleaned_data["title"])
        if not title:
            raise forms.ValidationError(_("A track needs a title."))
        return title


class WordsForm(TitleForm):
    """What people read about a track: its title, and what its file's tags may have said."""

    artist = forms.CharField(label=_("Artist"), max_length=TITLE_LENGTH, required=False)
    album = forms.CharField(label=_("Album"), max_length=TITLE_LENGTH, required=False)
    year = forms.IntegerField(
        label=_("Year"), min_value=EARLIEST_YEAR, max_value=LATEST_YEAR, required=False, localize=False
    )
    tagged_genre = forms.CharField(
        label=_("Genre in your own words"),
        help_text=_("To be shown and searched. It does not change what was heard."),
        max_length=TITLE_LENGTH,
        required=False,
    )
    remove_cover = forms.BooleanField(label=_("Remove the cover"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs["class"] = "form-check-input" if name == "remove_cover" else "form-control"
            field.widget.attrs["autocomplete"] = "off"


class Choice(forms.Select):
    """A drop-down list, written without a template: one of seventy tags takes two milliseconds with one."""

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        chosen = set(self.format_value(value) or ())
        parts = [
            _group(label, tuple(inside), frozenset(chosen))
            if isinstance(inside, (list, tuple))
            else _options([(label, inside)], chosen)
            for label, inside in self.choices
        ]
        attributes = flatatt({"name": name, **self.build_attrs(self.attrs, attrs)})
        return format_html("<select{}>{}</select>", attributes, mark_safe("".join(parts)))  # noqa: S308  # escaped


@lru_cache(maxsize=100)
def _group(label: str, inside: tuple[tuple[str, str], ...], chosen: frozenset[str]) -> SafeString:
    return format_html('<optgroup label="{}">{}</optgroup>', label, _options(inside, chosen))


def _options(choices: Iterable[tuple[Any, Any]], chosen: Collection[str]) -> SafeString:
    # As `format_html_join` does it, which takes three times as long.
    parts = [
        f'<option value="{conditional_escape(key)}"{" selected" if str(key) in chosen else ""}>'
        f"{conditional_escape(words)}</option>"
        for key, words in choices
    ]
    return mark_safe("".join(parts))  # noqa: S308  # escaped


class HistoryForm(forms.Form):
    """Filters and order of a user's tracks. Invalid values are ignored, not refused."""

    SORTS: ClassVar[dict[str, tuple[Any, list[Any]]]] = {
        "": (_("Newest"), _NEWEST),
        "oldest": (_("Oldest"), ["created", "id"]),
        "title": (_("Title"), ["title", "id"]),
        "genre": (_("Genre"), [F("current__genre").asc(nulls_last=True), "-current__confidence", "id"]),
        "longest": (_("Longest"), [F("duration").desc(nulls_last=True), "id"]),
        BY_TAG: (_("Strength of the tag"), []),
    }
    STATES: ClassVar[dict[str, tuple[Any, Q]]] = {
        UNFINISHED: (_("In progress"), Q(status__in=[Track.Status.QUEUED, Track.Status.RUNNING])),
        "done": (_("Done"), Q(status=Track.Status.DONE)),
        "failed": (_("Failed"), Q(status=Track.Status.FAILED)),
    }

    q = forms.CharField(label=_("Search"), max_length=200, required=False)
    genre = forms.ChoiceField(label=_("Genre"), required=False)
    state = forms.ChoiceField(
        label=_("State"),
        widget=Choice,
        required=False,
        choices=[("", _("All states")), *((key, name) for key, (name, _q) in STATES.items())],
    )
    tag = forms.ChoiceField(label=_("Tag"), required=False)
    strength = forms.ChoiceField(
        label=_("Strength of the tag"),
        widget=Choice,
        required=False,
        choices=[(key, name) for key, (name, _least) in STRENGTHS.items()],
    )
    sort = forms.ChoiceField(
        label=_("Order"),
        widget=Choice,
        required=False,
        choices=[(key, name) for key, (name, _order) in SORTS.items()],
    )

    def __init__(self, *args: Any, genres: list[Genre], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["genre"] = forms.ChoiceField(
            label=_("Genre"),
            widget=Choice,
            required=False,
            choices=[
                ("", _("All genres")),
                *((genre.slug, genre.display_name) for genre in genres),
                (UNSURE, _("Unsure")),
                (NO_GENRE, _("None of the genres")),
                (NO_MUSIC, _("No music found")),
            ],
        )
        self.fields["tag"] = forms.ChoiceField(
            label=_("Tag"),
            widget=Choice,
            required=False,
            choices=[("", _("All tags")), *tag_words.choices()],
        )
        for name, bound in self.fields.items():
            bound.widget.attrs["class"] = "form-control" if name == "q" else "form-select"
        self.full_clean()

    def value_of(self, name: str) -> str:
        return str(self.cleaned_data.get(name, ""))

    @property
    def narrows(self) -> bool:
        """Whether a filter is set, so that an empty list does not mean an empty library."""
        return any(self.value_of(name) for name in ("q", "genre", "state", "tag"))

    def apply(self, tracks: TrackQuerySet) -> TrackQuerySet:
        for word in self.value_of("q").split()[:8]:
            tracks = tracks.filter(holding(word) | Q(original_name__icontains=word))
        genre = self.value_of("genre")
        if genre == UNSURE:
            tracks = tracks.filter(current__unsure=True, current__style="").exclude(current__genre="")
        elif genre == NO_GENRE:
            tracks = tracks.filter(current__isnull=False).exclude(current__style="")
        elif genre == NO_MUSIC:
            tracks = tracks.filter(current__genre="")
        elif genre:
            tracks = tracks.filter(current__genre=genre, current__unsure=False)
        if state := self.value_of("state"):
            tracks = tracks.filter(self.STATES[state][1])
        if tag := self.value_of("tag"):
            tracks = tracks.with_tag(tag, at_least=STRENGTHS[self.value_of("strength")][1])
        sort = self.value_of("sort")
        if sort == BY_TAG:
            # Without a tag there is no strength to sort by.
            return tracks.order_by(f"-{strength_column(tag)}", "id") if tag else tracks.order_by(*_NEWEST)
        return tracks.order_by(*self.SORTS[sort][1])
