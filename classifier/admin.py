"""Genres and the registry of classifiers, in the administration."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from classifier.genre_names import another_for, folded
from classifier.genre_translations import given_translations, translation_fields
from classifier.models import Genre, ModelVersion
from genreweb.shown_text import one_line

_MOST_LISTED = 20


class GenreForm(forms.ModelForm[Genre]):
    """A genre, with the browser's colour picker."""

    class Meta:
        model = Genre
        fields = ("slug", "name", "description", "colour", "position")
        widgets = {"colour": forms.TextInput(attrs={"type": "color"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for code, told in self.instance.translations.items():
            for part, text in told.items():
                if (name := f"{part}_{code}") in self.fields:
                    self.fields[name].initial = text

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        self.instance.translations = given_translations(self.cleaned_data)
        # Imports, players and labels find a genre by any spelling of any of its names.
        for field in self.fields:
            if field == "slug" or field.partition("_")[0] == "name":
                self._refuse_names_of_others(field)
        return cleaned

    def _refuse_names_of_others(self, field: str) -> None:
        name = self.cleaned_data.get(field) or ""
        other = another_for([name], than=self.instance if self.instance.pk else None)
        if other is not None:
            self.add_error(field, _("The genre “%(genre)s” is called that.") % {"genre": other.name})

    def clean_name(self) -> str:
        name = one_line(self.cleaned_data["name"])
        if not folded(name):
            raise forms.ValidationError(_("A genre needs a name with at least one letter or digit."))
        return name

    def clean_colour(self) -> str:
        colour: str = self.cleaned_data["colour"]
        return colour.lower()


class PositionForm(forms.ModelForm[Genre]):
    """The position of a genre, in the list of all."""

    class Meta:
        model = Genre
        fields = ("position",)
        widgets = {"position": forms.NumberInput(attrs={"aria-label": _("position")})}


@admin.register(Genre)
class GenreAdmin(admin.ModelAdmin[Genre]):
    """What the classifier's labels mean to people."""

    form = GenreForm
    list_display = ("name", "slug", "swatch", "position", "summary")
    list_editable = ("position",)
    search_fields = ("slug", "name", "description")

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> type[forms.ModelForm[Genre]]:
        return PositionForm

    def get_form(
        self, request: HttpRequest, obj: Genre | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        translated = type("TranslatedGenreForm", (GenreForm,), translation_fields())
        return super().get_form(request, obj, change=change, **{"form": translated, **kwargs})

    def get_fields(self, request: HttpRequest, obj: Genre | None = None) -> Any:
        return ["slug", "name", "description", *translation_fields(), "colour", "position"]

    def get_readonly_fields(self, request: HttpRequest, obj: Genre | None = None) -> tuple[str, ...]:
        # Analyses and classifiers know a genre by its label.
        return ("slug",) if obj else ()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, list[str]]:
        deleted, counts, missing, protected = super().get_deleted_objects(objs, request)
        # Versions know genres by their labels: what they predict would have no name, nor could it be
        # searched for.
        slugs = {genre.slug for genre in objs}
        predicting = [version for version in ModelVersion.objects.all() if slugs.intersection(version.labels)]
        told = [_("Version {name} predicts it").format(name=version.name) for version in predicting]
        kept = [*told, *_shortened(protected)]
        # Of clips and tracks that keep a genre nobody need delete any, so no permission is missing.
        return deleted, counts, set() if kept else missing, kept

    @admin.display(description=_("colour"), ordering="colour")
    def swatch(self, genre: Genre) -> str:
        return format_html(
            '<span class="colour"><svg viewBox="0 0 24 24" aria-hidden="true">'
            '<rect width="24" height="24" rx="6" fill="{0}"></rect></svg> <code>{0}</code></span>',
            genre.colour,
        )

    @admin.display(description=_("description"))
    def summary(self, genre: Genre) -> str:
        text = genre.display_description
        return text if len(text) <= 90 else f"{text[:89].rstrip()}…"


def _shortened(listed: list[str]) -> list[str]:
    """Keep the first of what is listed, and how many more there are: clips and tracks may be thousands."""
    rest = len(listed) - _MOST_LISTED
    if rest <= 0:
        return listed
    more = ngettext("and %(count)d more", "and %(count)d more", rest) % {"count": rest}
    return [*listed[:_MOST_LISTED], more]


@admin.register(ModelVersion)
class ModelVersionAdmin(admin.ModelAdmin[ModelVersion]):
    """The classifiers of this site, to look at: training, promotion and roll-back have pages of their own."""

    list_display = ("name", "source", "is_in_service", "accuracy", "feature_version", "created")
    list_filter = ("source", "is_in_service")
    search_fields = ("name", "sha256")
    fields = readonly_fields = (
        "name",
        "source",
        "is_in_service",
        "served_at",
        "fault",
        "accuracy",
        "label_list",
        "feature_version",
        "location",
        "sha256",
        "created",
        "added_by",
        "facts",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        return super().get_queryset(request).select_related("added_by").defer("files")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("accuracy on its test part"), empty_value="–")
    def accuracy(self, version: ModelVersion) -> str | None:
        test: dict[str, Any] = version.metadata.get("test", {})
        measured: dict[str, float] = test.get("accuracy", {})
        if not measured:
            return None
        return "{value:.1%} ({low:.1%} – {high:.1%})".format(**measured)

    @admin.display(description=_("labels"))
    def label_list(self, version: ModelVersion) -> str:
        return ", ".join(version.labels)

    @admin.display(description=_("metadata"))
    def facts(self, version: ModelVersion) -> str:
        text = json.dumps(version.metadata, indent=2, ensure_ascii=False, sort_keys=True)
        return format_html('<pre class="facts">{}</pre>', text)
