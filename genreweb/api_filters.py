"""Filters whose values are checked before the database sees them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django_filters.fields import IsoDateTimeField, RangeField
from django_filters.widgets import DateRangeWidget


class InstantField(IsoDateTimeField):  # type: ignore[misc]  # untyped package
    """A date and time in ISO 8601, in UTC afterwards.

    PostgreSQL knows no offset of 16 hours and more, which ISO 8601 allows, and Python no year before 1 and
    after 9999, where an offset may lead.
    """

    def to_python(self, value: Any) -> datetime | None:
        try:
            instant: datetime | None = super().to_python(value)
            return None if instant is None else instant.astimezone(UTC)
        except OverflowError as error:
            raise ValidationError(_("There is no such moment between the years 1 and 9999.")) from error


class _InstantRangeField(RangeField):  # type: ignore[misc]  # untyped package
    widget = DateRangeWidget

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__((InstantField(), InstantField()), *args, **kwargs)


class InstantRangeFilter(django_filters.IsoDateTimeFromToRangeFilter):  # type: ignore[misc]  # untyped package
    """From one moment to another; either may be left out: ``…_after`` and ``…_before``."""

    field_class = _InstantRangeField
