"""Webhooks for programs: make, list, change, try, delete, and look at what was sent."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from genreweb.accounts.idempotency import idempotent
from genreweb.accounts.models import User
from genreweb.accounts.webhook_models import ADDRESS_LENGTH, Webhook, WebhookDelivery, WebhookEvent
from genreweb.accounts.webhooks import service


class WebhookSerializer(serializers.ModelSerializer[Webhook]):
    """A webhook, without its secret."""

    events = serializers.ListField(child=serializers.ChoiceField(choices=WebhookEvent.choices))
    stopped_at = serializers.DateTimeField(
        allow_null=True, help_text="When the site turned it off after a day of failures; null else."
    )

    class Meta:
        model = Webhook
        fields: ClassVar[list[str]] = [
            *("id", "address", "events", "active", "created", "failures", "failing_since", "stopped_at")
        ]
        read_only_fields = fields


class NewWebhookSerializer(serializers.Serializer[Any]):
    """A webhook to make."""

    address = serializers.CharField(max_length=ADDRESS_LENGTH, help_text="Begins with `https://`.")
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=WebhookEvent.choices), allow_empty=False, max_length=20
    )


class WebhookChangeSerializer(NewWebhookSerializer):
    """What may be changed of a webhook; what is left out stays."""

    active = serializers.BooleanField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["address"].required = self.fields["events"].required = False


class MadeWebhookSerializer(WebhookSerializer):
    """A webhook just made, with the secret that is never shown again."""

    secret = serializers.CharField(read_only=True, help_text="What messages are signed with.")

    class Meta(WebhookSerializer.Meta):
        fields: ClassVar[list[str]] = ["secret", *WebhookSerializer.Meta.fields]
        read_only_fields = fields


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    """One message and what came of it."""

    status = serializers.ChoiceField(choices=WebhookDelivery.Status.choices)
    next_try = serializers.DateTimeField(allow_null=True, help_text="Null once it is delivered or given up.")
    answer = serializers.IntegerField(allow_null=True, help_text="HTTP status of the last attempt.")
    milliseconds = serializers.IntegerField(allow_null=True, help_text="How long the last attempt took.")

    class Meta:
        model = WebhookDelivery
        fields: ClassVar[list[str]] = [
            *("id", "event", "status", "attempts", "next_try", "answer", "error_code", "milliseconds"),
            *("created", "finished_at"),
        ]
        read_only_fields = fields


class _OfPerson(GenericAPIView[Webhook]):
    """The webhooks of who asks. Changing them takes a token with all scopes: they tell of everything."""

    serializer_class = WebhookSerializer
    write_scope = None
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Webhook]:
        if getattr(self, "swagger_fake_view", False):
            return Webhook.objects.none()
        return Webhook.objects.filter(user=cast(User, self.request.user))


@extend_schema_view(
    get=extend_schema(operation_id="list_webhooks", tags=["webhooks"], summary="List webhooks")
)
class WebhookListView(_OfPerson, ListAPIView[Webhook]):
    """Your webhooks, the oldest first."""

    @extend_schema(
        operation_id="create_webhook",
        tags=["webhooks"],
        summary="Make a webhook",
        description=(
            f"At most {service.MOST_WEBHOOKS}. Messages are POSTed as JSON and signed by the specification "
            "Standard Webhooks (https://www.standardwebhooks.com) with the secret in the answer."
        ),
        request=NewWebhookSerializer,
        responses={201: MadeWebhookSerializer},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        asked = NewWebhookSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        webhook, secret = service.create(user=cast(User, request.user), **asked.validated_data)
        webhook.secret = secret
        return Response(MadeWebhookSerializer(webhook).data, status=status.HTTP_201_CREATED)


@extend_schema_view(get=extend_schema(operation_id="get_webhook", tags=["webhooks"], summary="Get a webhook"))
class WebhookView(_OfPerson):
    """One webhook of yours."""

    def get(self, request: Request, pk: str) -> Response:
        return Response(WebhookSerializer(self.get_object()).data)

    @extend_schema(
        operation_id="change_webhook",
        tags=["webhooks"],
        summary="Change a webhook",
        description="`active: true` turns on again what was turned off after failures.",
        request=WebhookChangeSerializer,
        responses=WebhookSerializer,
    )
    def patch(self, request: Request, pk: str) -> Response:
        webhook = self.get_object()
        asked = WebhookChangeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        service.change(webhook=webhook, **asked.validated_data)
        return Response(WebhookSerializer(webhook).data)

    @extend_schema(
        operation_id="delete_webhook",
        tags=["webhooks"],
        summary="Delete a webhook",
        responses={204: OpenApiResponse(description="Nothing more is sent.")},
    )
    def delete(self, request: Request, pk: str) -> Response:
        self.get_object().delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class WebhookTestView(_OfPerson):
    """Try a webhook."""

    @extend_schema(
        operation_id="test_webhook",
        tags=["webhooks"],
        summary="Send a test message",
        request=None,
        responses={202: DeliverySerializer},
    )
    def post(self, request: Request, pk: str) -> Response:
        row = service.send_test(webhook=self.get_object())
        return Response(DeliverySerializer(row).data, status=status.HTTP_202_ACCEPTED)


@extend_schema_view(
    get=extend_schema(operation_id="list_webhook_deliveries", tags=["webhooks"], summary="List what was sent")
)
class DeliveryListView(ListAPIView[WebhookDelivery]):
    """What was sent to a webhook of yours in the last 30 days, the newest first."""

    serializer_class = DeliverySerializer
    filter_backends = ()

    def get_queryset(self) -> QuerySet[WebhookDelivery]:
        if getattr(self, "swagger_fake_view", False):
            return WebhookDelivery.objects.none()
        hooks = Webhook.objects.filter(user=cast(User, self.request.user))
        return get_object_or_404(hooks, pk=self.kwargs["pk"]).deliveries.all()
