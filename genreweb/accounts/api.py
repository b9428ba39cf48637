"""The API's tokens, and the user behind a request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast

from allauth.account.adapter import get_adapter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field, extend_schema_view
from rest_framework import exceptions, generics, mixins, serializers, status, viewsets
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from genreweb.accounts import factors, sign_in_rules
from genreweb.accounts.adapter import TooManyAttempts
from genreweb.accounts.addresses import is_verified, verification_is_mandatory
from genreweb.accounts.models import ApiToken, User
from genreweb.accounts.quotas import Quota, Quotas, quotas_of
from genreweb.accounts.scopes import Scope
from genreweb.accounts.tokens import TooManyTokensError, create_token
from genreweb.api_rates import AnonRateThrottle
from genreweb.shown_text import one_line

if TYPE_CHECKING:
    from rest_framework.permissions import _SupportsHasPermission


class CredentialsSerializer(serializers.Serializer[Any]):
    """A request for a token."""

    email = serializers.EmailField()
    password = serializers.CharField(trim_whitespace=False, style={"input_type": "password"}, max_length=4096)
    code = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=20,
        help_text="Of the authenticator app, or a recovery code: where two-factor authentication is on.",
    )
    name = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=80, help_text="What the token is for."
    )
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.choices),
        required=False,
        allow_empty=False,
        help_text="What the token may do. Left out: all of it.",
    )
    expires = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="When it stops working. Left out: never."
    )

    def validate_expires(self, value: datetime | None) -> datetime | None:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError(gettext("This moment is over."))
        return value


class TokenWordsSerializer(serializers.Serializer[Any]):
    """What of a token can be changed."""

    name = serializers.CharField(allow_blank=True, max_length=80, help_text="What the token is for.")


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token, without its secret."""

    id = serializers.CharField(source="token_key", read_only=True, help_text="How the token starts.")
    expires = serializers.DateTimeField(source="expiry", read_only=True, allow_null=True)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.choices), read_only=True, help_text="What it may do."
    )

    class Meta:
        model = ApiToken
        fields: ClassVar[list[str]] = ["id", "name", "scopes", "created", "last_used", "expires"]
        read_only_fields = fields


class NewTokenSerializer(TokenSerializer):
    """A token just made, with the secret that is never shown again."""

    token = serializers.CharField(read_only=True, help_text="Send it as `Authorization: Bearer <token>`.")

    class Meta(TokenSerializer.Meta):
        fields: ClassVar[list[str]] = ["token", *TokenSerializer.Meta.fields]
        read_only_fields = fields


class QuotaSerializer(serializers.Serializer[Quota]):
    """A limit and how much of it is used."""

    used = serializers.FloatField()
    most = serializers.FloatField(allow_null=True, help_text="Null where there is no limit.")
    left = serializers.FloatField(allow_null=True)


class QuotasSerializer(serializers.Serializer[Quotas]):
    """How much you may keep and send."""

    tracks = QuotaSerializer()
    bytes = QuotaSerializer(source="size", help_text="Of the files as you sent them.")
    minutes_today = QuotaSerializer(help_text="Of sound sent; the day ends at midnight UTC.")


class MeSerializer(serializers.ModelSerializer[User]):
    """The user behind a request."""

    is_curator = serializers.BooleanField(read_only=True)
    created = serializers.DateTimeField(source="date_joined", read_only=True)
    quotas = serializers.SerializerMethodField(help_text="How much you may keep and send.")

    class Meta:
        model = User
        fields: ClassVar[list[str]] = [
            *("id", "email", "display_name", "is_curator", "is_staff", "created", "quotas")
        ]
        read_only_fields: ClassVar[list[str]] = ["id", "email", "is_staff"]

    @extend_schema_field(QuotasSerializer)
    def get_quotas(self, user: User) -> dict[str, Any]:
        return dict(QuotasSerializer(quotas_of(user)).data)


class _TokenThrottle(AnonRateThrottle):
    """Counts by the address a request comes from; allauth counts by account besides."""

    scope = "login"


@extend_schema_view(
    list=extend_schema(
        operation_id="list_tokens",
        tags=["account"],
        summary="List your tokens",
        description="Secrets are kept nowhere and cannot be shown again.",
    ),
    create=extend_schema(
        operation_id="create_token",
        tags=["account"],
        summary="Get a token",
        description=(
            "Give e-mail and password, get a token; with two-factor authentication, a code too. It works "
            "until it expires or is revoked, here or on the account page, whatever second factors come "
            "later. Attempts are limited per address and per account."
        ),
        request=CredentialsSerializer,
        responses={201: NewTokenSerializer},
    ),
    partial_update=extend_schema(
        operation_id="rename_token",
        tags=["account"],
        summary="Rename a token",
        request=TokenWordsSerializer,
        responses=TokenSerializer,
    ),
    destroy=extend_schema(
        operation_id="revoke_token",
        tags=["account"],
        summary="Revoke a token",
        responses={204: OpenApiResponse(description="The token no longer works.")},
    ),
)
class TokenViewSet(mixins.ListModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet[ApiToken]):
    serializer_class = TokenSerializer
    queryset = ApiToken.objects.none()
    lookup_field = "token_key"
    lookup_value_regex = "[A-Za-z0-9_]+"

    @property
    def _asks_for_a_token(self) -> bool:
        return self.request is not None and self.request.method == "POST"

    def get_authenticators(self) -> list[BaseAuthentication]:
        # Who asks for a token may well send an old one along that no longer works.
        return [] if self._asks_for_a_token else super().get_authenticators()

    def get_permissions(self) -> Sequence[_SupportsHasPermission]:
        return [AllowAny()] if self._asks_for_a_token else super().get_permissions()

    def get_throttles(self) -> list[BaseThrottle]:
        return [_TokenThrottle()] if self._asks_for_a_token else super().get_throttles()

    def get_authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def get_queryset(self) -> QuerySet[ApiToken]:
        tokens: QuerySet[ApiToken] = ApiToken.objects.filter(user=cast(User, self.request.user))
        return tokens

    def create(self, request: Request) -> Response:
        asked = CredentialsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        user = _sign_in(
            request._request, **{key: asked.validated_data[key] for key in ("email", "password", "code")}
        )
        try:
            token, secret = create_token(
                user=user,
                name=asked.validated_data["name"],
                scopes=asked.validated_data.get("scopes"),
                expires=asked.validated_data["expires"],
            )
        except TooManyTokensError as error:
            raise exceptions.ValidationError(error.message, code="too_many_tokens") from error
        token.token = secret
        return Response(NewTokenSerializer(token).data, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, token_key: str) -> Response:
        token = self.get_object()
        form = TokenWordsSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        token.name = " ".join(form.validated_data["name"].split())
        token.save(update_fields=["name"])
        return Response(TokenSerializer(token).data)


def _sign_in(request: HttpRequest, *, email: str, password: str, code: str) -> User:
    """Give the person with this address and password, by the same rules and counts as the page."""
    try:
        user: User | None = get_adapter(request).authenticate(request, email=email, password=password)
    except TooManyAttempts as limited:
        wait = int(limited.response["Retry-After"])
        raise exceptions.Throttled(wait, gettext("Too many attempts to sign in.")) from limited
    if user is None:
        raise exceptions.AuthenticationFailed(
            gettext("The e-mail address or the password is wrong."), code="wrong_credentials"
        )
    # Whoever comes this far knows the password, so nothing is given away.
    if not sign_in_rules.may_sign_in_here(user):
        words = gettext("%(refusal)s Make the token on the account page.")
        raise exceptions.PermissionDenied(
            words % {"refusal": sign_in_rules.refusal()}, code="single_sign_on_only"
        )
    if not user.is_active:
        raise exceptions.PermissionDenied(gettext("This account is closed."), code="account_inactive")
    if verification_is_mandatory() and not is_verified(user):
        raise exceptions.PermissionDenied(
            gettext(
                "Confirm your e-mail address first: sign in on the website, and a letter with a link comes."
            ),
            code="email_unverified",
        )
    if factors.has_second_factor(user):
        _check_second_factor(user, code)
    return user


def _check_second_factor(user: User, code: str) -> None:
    if not code:
        raise exceptions.AuthenticationFailed(
            gettext(
                "This account has two-factor authentication: send a code too, or make the token "
                "on the account page."
            ),
            code="second_factor_required",
        )
    if not factors.check_code(user=user, code=code):
        raise exceptions.AuthenticationFailed(
            gettext("This code is not right, or was used already."), code="wrong_code"
        )


@extend_schema_view(
    get=extend_schema(operation_id="get_me", tags=["account"], summary="Who you are"),
    patch=extend_schema(operation_id="change_me", tags=["account"], summary="Change your name to show"),
)
class MeView(generics.RetrieveUpdateAPIView[User]):
    serializer_class = MeSerializer
    http_method_names = ("get", "head", "patch", "options")

    def get_object(self) -> User:
        return cast(User, self.request.user)

    def perform_update(self, serializer: serializers.BaseSerializer[User]) -> None:
        user = self.get_object()
        user.display_name = one_line(serializer.validated_data.get("display_name", user.display_name))
        user.save(update_fields=["display_name"])
