"""Clips: submit, list, retrieve, withdraw."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

import django_filters
from django.utils.translation import gettext
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from classifier.models import Genre
from genreweb.accounts.idempotency import idempotent
from genreweb.accounts.models import User
from genreweb.accounts.scopes import Scope
from library.api.serializers import FailureSerializer
from library.models import TITLE_LENGTH, Track
from training.errors import training_sentence
from training.models import Clip
from training.models.clips import COMMENT_LENGTH, ClipQuerySet
from training.services.clips import Submitted, submit_clip, withdraw
from training.services.states import STATES, in_states, state_of, versions_of, with_versions

LOCATION = OpenApiParameter(
    "Location",
    OpenApiTypes.URI,
    OpenApiParameter.HEADER,
    response=[200, 202],
    description="The address of the clip.",
)


class ClipSerializer(serializers.ModelSerializer[Clip]):
    """A labelled clip and its state."""

    status = serializers.SerializerMethodField(
        help_text="used: approved, and a version that went into service learnt from it or was measured on it."
    )
    genre = serializers.CharField(source="genre.slug", read_only=True)
    contributed_genre = serializers.CharField(source="contributed_genre.slug", read_only=True)
    mine = serializers.SerializerMethodField(help_text="Whether you gave it and may withdraw it.")
    contributor = serializers.SerializerMethodField(help_text="The name to show, if there is one.")
    dataset = serializers.CharField(source="dataset.name", read_only=True, default=None, allow_null=True)
    track = serializers.UUIDField(source="track_id", read_only=True, allow_null=True)
    origin = serializers.UUIDField(
        source="origin_id", read_only=True, allow_null=True, help_text="The first piece, for those after it."
    )
    duration = serializers.FloatField(read_only=True, allow_null=True, help_text="In seconds.")
    sound = serializers.SerializerMethodField(help_text="A link that expires; null where there is no sound.")
    error = serializers.SerializerMethodField(help_text="Why it was not accepted, else null.")
    reason = serializers.CharField(read_only=True, help_text="The curator's.")
    same_as = serializers.SerializerMethodField(
        help_text="A clip that holds the same recording, if you may see it."
    )
    is_duplicate = serializers.SerializerMethodField(help_text="Whether any other clip holds it.")
    leaks = serializers.BooleanField(
        read_only=True, help_text="Whether it is in the frozen test set: then nothing is ever trained on it."
    )
    versions = serializers.SerializerMethodField(
        help_text="Versions that went into service and learnt from it."
    )

    class Meta:
        model = Clip
        fields: tuple[str, ...] = (
            *("id", "status", "genre", "contributed_genre", "title", "artist", "comment", "mine"),
            *("contributor", "dataset", "track", "origin", "start", "end", "duration", "sound", "created"),
            *("error", "reason", "reviewed_at", "same_as", "is_duplicate", "leaks", "leaks_into", "versions"),
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=STATES))
    def get_status(self, clip: Clip) -> str:
        return state_of(clip)

    def get_mine(self, clip: Clip) -> bool:
        return clip.contributor_id is not None and clip.contributor_id == self._user.pk

    def get_contributor(self, clip: Clip) -> str | None:
        return (clip.contributor.display_name or None) if clip.contributor else None

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_sound(self, clip: Clip) -> str | None:
        if not clip.sound:
            return None
        return str(self.context["request"].build_absolute_uri(clip.sound.url))

    @extend_schema_field(FailureSerializer(allow_null=True))
    def get_error(self, clip: Clip) -> dict[str, str] | None:
        if not clip.error_code:
            return None
        return {"code": clip.error_code, "message": training_sentence(clip.error_code, clip.error_params)}

    def get_same_as(self, clip: Clip) -> UUID | None:
        twin = clip.duplicate_of
        seen = twin is not None and (self._user.is_curator or twin.contributor_id == self._user.pk)
        return twin.pk if twin is not None and seen else None

    def get_is_duplicate(self, clip: Clip) -> bool:
        return clip.duplicate_of_id is not None

    def get_versions(self, clip: Clip) -> list[str]:
        return versions_of(clip)

    @property
    def _user(self) -> User:
        return cast(User, self.context["request"].user)


class SentClipSerializer(ClipSerializer):
    """A clip that was just submitted."""

    duplicate = serializers.SerializerMethodField(
        help_text="Whether you had sent the same piece before; then this is the clip of that time."
    )

    class Meta(ClipSerializer.Meta):
        fields = (*ClipSerializer.Meta.fields, "duplicate")
        read_only_fields = fields

    def get_duplicate(self, clip: Clip) -> bool:
        return bool(self.context.get("duplicate"))


class GenreField(serializers.SlugRelatedField[Genre]):
    """A genre by its label."""

    def to_internal_value(self, data: str) -> Genre:
        # PostgreSQL does not store NUL in text.
        if "\0" in str(data):
            self.fail("invalid")
        return super().to_internal_value(data)


class ClipUploadSerializer(serializers.Serializer[Any]):
    """A sound, or one of your tracks, as an example of a genre."""

    # The service decides whether an empty file is refused, and with which error.
    file = serializers.FileField(required=False, allow_empty_file=True, help_text="Any audio file.")
    track = serializers.UUIDField(required=False, help_text="Instead of a file: one of your tracks.")
    genre = GenreField(
        slug_field="slug", queryset=Genre.objects.all(), help_text="Its label, as in the list of genres."
    )
    rights = serializers.BooleanField(
        default=False, help_text="Must be true: that you may give this recording for training."
    )
    title = serializers.CharField(required=False, allow_blank=True, max_length=TITLE_LENGTH)
    artist = serializers.CharField(required=False, allow_blank=True, max_length=TITLE_LENGTH)
    comment = serializers.CharField(required=False, allow_blank=True, max_length=COMMENT_LENGTH)
    start = serializers.FloatField(
        required=False, help_text="Seconds; with start or end, this piece is taken, 3 to 30 s long."
    )
    end = serializers.FloatField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("file" in attrs) == ("track" in attrs):
            raise ValidationError({"file": [gettext("Send either a file or the id of a track.")]})
        return attrs


class ClipFilter(django_filters.FilterSet):  # type: ignore[misc]  # untyped package
    """The parameters of a list of clips."""

    status = django_filters.MultipleChoiceFilter(choices=STATES, method="by_status")
    genre = django_filters.ModelMultipleChoiceFilter(
        queryset=Genre.objects.all(),
        to_field_name="slug",
        method="by_genre",
        label="A genre's slug.",
    )
    mine = django_filters.BooleanFilter(method="by_owner", label="Only those that you gave; or only others'.")

    class Meta:
        model = Clip
        fields: list[str] = []

    def by_status(self, queryset: ClipQuerySet, name: str, value: list[str]) -> ClipQuerySet:
        return in_states(queryset, value) if value else queryset

    def by_genre(self, queryset: ClipQuerySet, name: str, value: list[Genre]) -> ClipQuerySet:
        return queryset.filter(genre__in=value) if value else queryset

    def by_owner(self, queryset: ClipQuerySet, name: str, value: bool) -> ClipQuerySet:
        if value:
            return queryset.filter(contributor=self.request.user)
        return queryset.exclude(contributor=self.request.user)


def shown_clips() -> ClipQuerySet:
    """Query for clips with everything that is serialised, in a constant number of queries."""
    related = ("genre", "contributed_genre", "contributor", "dataset", "duplicate_of")
    return with_versions(Clip.objects.select_related(*related).without_long_columns())


@extend_schema_view(
    get=extend_schema(
        operation_id="list_clips",
        tags=["clips"],
        summary="List clips",
        description="Yours; for curators, everybody's.",
    )
)
class ClipListView(ListAPIView[Clip]):
    """Contributed clips."""

    write_scope = Scope.CONTRIBUTE
    serializer_class = ClipSerializer
    permission_classes = (IsAuthenticated,)
    parser_classes = (MultiPartParser,)
    filterset_class = ClipFilter
    queryset = Clip.objects.none()

    @property
    def throttle_scope(self) -> str | None:
        return "upload" if self.request.method == "POST" else None

    def get_queryset(self) -> ClipQuerySet:
        return shown_clips().visible_to(cast(User, self.request.user))

    @extend_schema(
        operation_id="add_clip",
        tags=["clips"],
        summary="Give a clip",
        description=(
            "Stores the sound and queues its checks; a curator decides afterwards. What is longer than 30 s "
            "is divided unless a piece is named. The same piece sent twice is recognised."
        ),
        parameters=[LOCATION],
        request={"multipart/form-data": ClipUploadSerializer},
        responses={200: SentClipSerializer, 202: SentClipSerializer},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        form = ClipUploadSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        user = cast(User, request.user)
        data = form.validated_data
        file = data.get("file")
        sent = submit_clip(
            contributor=user,
            genre=data["genre"],
            rights=data["rights"],
            file=file,
            track=_track(user, data["track"]) if "track" in data else None,
            name=file.name if file else "",
            **{name: data[name] for name in ("title", "artist", "comment", "start", "end") if name in data},
        )
        return _answer(request, sent)


class ClipView(APIView):
    """One clip."""

    write_scope = Scope.CONTRIBUTE
    permission_classes = (IsAuthenticated,)

    @extend_schema(operation_id="get_clip", tags=["clips"], summary="Get a clip", responses=ClipSerializer)
    def get(self, request: Request, pk: UUID) -> Response:
        """Return a clip of your own; for curators, anybody's."""
        clip = shown_clips().visible_to(cast(User, request.user)).filter(pk=pk).first()
        if clip is None:
            raise NotFound(gettext("There is no such clip."))
        return Response(ClipSerializer(clip, context={"request": request}).data)

    @extend_schema(
        operation_id="withdraw_clip", tags=["clips"], summary="Withdraw a clip", responses={204: None}
    )
    def delete(self, request: Request, pk: UUID) -> Response:
        """Delete a clip of your own with its sound; versions that were trained on it are marked."""
        clip = Clip.objects.contributed_by(cast(User, request.user)).only("pk").filter(pk=pk).first()
        if clip is None:
            raise NotFound(gettext("There is no such clip among yours."))
        withdraw(clip=clip)
        return Response(status=204)


def _track(user: User, pk: UUID) -> Track:
    track = Track.objects.owned_by(user).filter(pk=pk).first()
    if track is None:
        raise NotFound(gettext("There is no such track among yours."))
    return track


def _answer(request: Request, sent: Submitted) -> Response:
    clip = shown_clips().filter(pk=sent.clip.pk).first()
    if clip is None:
        raise NotFound(gettext("There is no such clip."))
    return Response(
        SentClipSerializer(clip, context={"request": request, "duplicate": sent.duplicate}).data,
        status=200 if sent.duplicate else 202,
        headers={"Location": reverse("api:clip", args=[clip.pk], request=request)},
    )
