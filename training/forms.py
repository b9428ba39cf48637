"""Forms of training's pages."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from classifier.models import Genre
from library.models import TITLE_LENGTH
from library.services.genres import DESCRIPTION_LENGTH, NAME_LENGTH
from training.models.clips import COMMENT_LENGTH
from training.services.clips import LEAST_SECONDS, MOST_SECONDS

AUTO, CUT = "auto", "cut"
_MOMENT = re.compile(r"(?:(?:(\d{1,2}):)?(\d{1,3}):)?(\d{1,5}(?:\.\d{0,6})?)", re.ASCII)
# The page rounds to a tenth of a second; a part of exactly the maximum length must be accepted.
_SLACK = 0.11


class MomentField(forms.CharField):
    """A time in a sound, in seconds: "65.5" or "1:05.5"."""

    def to_python(self, value: Any) -> Any:
        text = (super().to_python(value) or "").strip().replace(",", ".")
        if not text:
            return None
        match = _MOMENT.fullmatch(text)
        if not match:
            raise forms.ValidationError(_("Write a time like 1:05 or 65.5."))
        hours, minutes, seconds = match.groups()
        return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)


class ClipForm(forms.Form):
    """A contributed clip: its genre, its artist, and the part of the sound."""

    genre = forms.ModelChoiceField(
        label=_("Genre"),
        queryset=Genre.objects.none(),
        to_field_name="slug",
        empty_label=_("Choose the genre"),
        error_messages={
            "required": _("Choose the genre of the clip."),
            "invalid_choice": _("There is no such genre here."),
        },
    )
    title = forms.CharField(label=_("Title"), max_length=TITLE_LENGTH, required=False)
    artist = forms.CharField(label=_("Artist"), max_length=TITLE_LENGTH, required=False)
    comment = forms.CharField(
        label=_("Comment"),
        max_length=COMMENT_LENGTH,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("For the curator who listens to it."),
    )
    part = forms.ChoiceField(choices=[(AUTO, AUTO), (CUT, CUT)], required=False)
    start = MomentField(label=_("From"), required=False)
    end = MomentField(label=_("To"), required=False)
    rights = forms.BooleanField(
        error_messages={"required": _("Confirm that you may give this recording away for training.")}
    )

    def __init__(self, *args: Any, duration: float | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        genre = self.fields["genre"]
        assert isinstance(genre, forms.ModelChoiceField)  # noqa: S101  # as declared above
        genre.queryset = Genre.objects.all()
        self.duration = duration

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("part") != CUT:
            return {**cleaned, "start": None, "end": None}
        if "start" in self.errors or "end" in self.errors:
            return cleaned
        start, end = cleaned.get("start"), cleaned.get("end")
        if start is None or end is None:
            self.add_error("end", gettext("Say where the part starts and where it ends."))
        elif end - start < LEAST_SECONDS - _SLACK:
            self.add_error("end", too_short())
        elif end - start > MOST_SECONDS + _SLACK:
            self.add_error("end", too_long())
        elif self.duration is not None and end > self.duration + _SLACK:
            self.add_error("end", beyond())
        else:
            end = min(end, start + MOST_SECONDS)
            return {**cleaned, "end": end if self.duration is None else min(end, self.duration)}
        return cleaned

    def first_error(self) -> str:
        return next((str(errors[0]) for errors in self.errors.values()), "")


def too_short() -> str:
    return gettext("The part must be at least %(seconds)g seconds long.") % {"seconds": LEAST_SECONDS}


def too_long() -> str:
    return gettext("The part may be at most %(seconds)g seconds long.") % {"seconds": MOST_SECONDS}


def beyond() -> str:
    return gettext("The part reaches beyond the end of the sound.")


class GenreForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=NAME_LENGTH)
    description = forms.CharField(
        label=_("Description"),
        max_length=DESCRIPTION_LENGTH,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("One or two sentences on how it sounds, for people who read a result."),
    )
    colour = forms.RegexField(
        label=_("Colour"),
        regex=r"^#[0-9a-fA-F]{6}\Z",
        error_messages={"invalid": _("A colour is written like #1b9e77.")},
        widget=forms.TextInput(attrs={"type": "color"}),
    )
