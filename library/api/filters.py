"""Filters and orders of lists of tracks."""

from __future__ import annotations

from typing import cast

import django_filters
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Coalesce, Lower, NullIf
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotAuthenticated, ValidationError

from classifier.core.tags import NOTABLE, TAGS
from classifier.models import Genre
from genreweb.api_filters import InstantRangeFilter
from library.models import (
    EARLIEST_YEAR,
    LATEST_YEAR,
    Track,
    TrackQuerySet,
    findable,
    holding,
    made_of,
    strength_column,
)

MINE, CATALOGUE, ALL = "mine", "catalogue", "all"

_ORDERS: dict[str, F | Func] = {
    "created": F("created"),
    "title": Lower("title"),
    "duration": F("duration"),
    "genre": Coalesce(F("labelled_genre__slug"), NullIf(F("current__genre"), Value(""))),
    "confidence": F("current__confidence"),
}
_NEVER_NULL = ("created", "title")
_BY_TAG = "tag:"
_MOST_TAGS = 5


class _Order(django_filters.OrderingFilter):  # type: ignore[misc]  # untyped package
    """Order with unknown values last and ties broken by key, so that pages do not overlap."""

    def filter(self, qs: TrackQuerySet, value: list[str] | None) -> TrackQuerySet:
        orders = []
        column: F | Func
        # Nothing between two commas names no order.
        for name in list(filter(None, value or ())) or ["-created"]:
            plain = name.removeprefix("-")
            if plain.startswith(_BY_TAG):
                slug = plain.removeprefix(_BY_TAG)
                qs = qs.with_strength(slug)
                column = F(strength_column(slug))
            else:
                column = _ORDERS[plain]
            descends = name.startswith("-")
            # Said of a column that is never null it would only keep the order from an index.
            last = True if plain not in _NEVER_NULL else None
            orders.append(column.desc(nulls_last=last) if descends else column.asc(nulls_last=last))
        return qs.order_by(*orders, "pk")


class _IdFilter(django_filters.BaseInFilter, django_filters.UUIDFilter):  # type: ignore[misc]  # untyped package
    """Ids with commas between."""


class TrackFilter(django_filters.FilterSet):  # type: ignore[misc]  # untyped package
    """The parameters of a list of tracks."""

    scope = django_filters.ChoiceFilter(
        choices=[(MINE, _("yours")), (CATALOGUE, _("the catalogue")), (ALL, _("everything you may see"))],
        method="keep",
        label="Whose tracks: mine (unless said otherwise), catalogue or all.",
    )
    id = _IdFilter(field_name="pk", label="Ids with commas between: these tracks alone.")
    status = django_filters.MultipleChoiceFilter(choices=Track.Status.choices)
    genre = django_filters.ModelMultipleChoiceFilter(
        queryset=Genre.objects.all(),
        to_field_name="slug",
        method="by_genre",
        label="A genre's slug: what the catalogue says, else what was heard.",
    )
    source = django_filters.MultipleChoiceFilter(choices=Track.Source.choices)
    created = InstantRangeFilter()
    unsure = django_filters.BooleanFilter(field_name="current__unsure")
    search = django_filters.CharFilter(
        method="by_words",
        label="Words that title, artist, album, year, genre in words or file name hold, all of them.",
    )
    artist = django_filters.CharFilter(method="by_part", label="Part of the artist.")
    album = django_filters.CharFilter(method="by_part", label="Part of the album's title.")
    year = django_filters.NumberFilter(
        min_value=EARLIEST_YEAR, max_value=LATEST_YEAR, decimal_places=0, label="The year, exactly."
    )
    tag = django_filters.MultipleChoiceFilter(
        choices=[(slug, slug) for slug in TAGS],
        method="by_tags",
        label=f"A tag that is strong in the track; up to {_MOST_TAGS} may be given, all of them must be.",
    )
    min_strength = django_filters.NumberFilter(
        method="keep",
        min_value=NOTABLE,
        max_value=1,
        label=f"How strong `tag` must be, {NOTABLE:g} (unless said otherwise) to 1: the share of reference "
        "songs in which the tag is weaker.",
    )
    ordering = _Order(
        fields=[(name, name) for name in (*_ORDERS, *(f"{_BY_TAG}{slug}" for slug in TAGS))],
        label="By `tag:mellow` the weakest come first, by `-tag:mellow` the strongest; tracks in which the "
        "tag is not strong come last.",
    )

    class Meta:
        model = Track
        fields: list[str] = []

    def filter_queryset(self, queryset: TrackQuerySet) -> TrackQuerySet:
        return cast(TrackQuerySet, super().filter_queryset(self._in_scope(queryset)))

    def _in_scope(self, queryset: TrackQuerySet) -> TrackQuerySet:
        user = self.request.user
        scope = self.form.cleaned_data["scope"] or MINE
        if scope == CATALOGUE:
            return queryset.in_catalogue()
        if scope == ALL:
            return queryset.visible_to(user)
        if not user.is_authenticated:
            # An empty list would hide that a client forgot its token.
            raise NotAuthenticated
        return queryset.owned_by(user)

    def keep(self, queryset: TrackQuerySet, name: str, value: str) -> TrackQuerySet:
        return queryset

    def by_genre(self, queryset: TrackQuerySet, name: str, value: list[Genre]) -> TrackQuerySet:
        if not value:
            return queryset
        slugs = [genre.slug for genre in value]
        return queryset.filter(
            Q(labelled_genre__in=value) | Q(labelled_genre__isnull=True, current__genre__in=slugs)
        )

    def by_tags(self, queryset: TrackQuerySet, name: str, value: list[str]) -> TrackQuerySet:
        if len(value) > _MOST_TAGS:
            raise ValidationError({"tag": [_("No more than %(most)d tags at once.") % {"most": _MOST_TAGS}]})
        given = self.form.cleaned_data["min_strength"]
        for slug in value:
            queryset = queryset.with_tag(slug, at_least=NOTABLE if given is None else float(given))
        return queryset

    def by_part(self, queryset: TrackQuerySet, name: str, value: str) -> TrackQuerySet:
        found = Q(**{f"{name}__icontains": value})
        return queryset.filter(self._indexed(value, public=found, mine=found))

    def by_words(self, queryset: TrackQuerySet, name: str, value: str) -> TrackQuerySet:
        for word in value.split()[:_MOST_WORDS]:
            # File names are only visible to their owner.
            mine = holding(word) | Q(original_name__icontains=word)
            queryset = queryset.filter(self._indexed(word, public=holding(word), mine=mine))
        return queryset

    def _indexed(self, word: str, *, public: Q, mine: Q) -> Q:
        """Look for a word in the catalogue by its index, and in the user's own tracks one by one."""
        scope = self.form.cleaned_data["scope"] or MINE
        if scope == MINE:
            return mine
        if findable(word):
            # The last to be compared: it takes longest.
            public &= made_of(word)
        if scope == CATALOGUE or not self.request.user.is_authenticated:
            return public
        return (Q(visibility=Track.Visibility.CATALOGUE) & public) | (Q(owner=self.request.user) & mine)


_MOST_WORDS = 10
