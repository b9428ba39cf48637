"""The pages of webhooks: list, make, change, try, delete, and what was sent."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from genreweb.accounts.models import User
from genreweb.accounts.webhook_models import ADDRESS_LENGTH, Webhook, WebhookDelivery, WebhookEvent
from genreweb.accounts.webhooks import service
from genreweb.accounts.webhooks.errors import WebhookError
from genreweb.post_only import post_only

_SHOWN = 50


class WebhookForm(forms.Form):
    """Where to send, and what."""

    address = forms.CharField(
        label=_("Address"),
        max_length=ADDRESS_LENGTH,
        widget=forms.URLInput(attrs={"autocomplete": "off", "placeholder": "https://"}),
    )
    events = forms.MultipleChoiceField(
        label=_("What is told"), choices=WebhookEvent.choices, widget=forms.CheckboxSelectMultiple
    )


class ChangeWebhookForm(WebhookForm):
    """The same, and whether it is on."""

    active = forms.BooleanField(label=_("On"), required=False)


def _webhook(request: HttpRequest, pk: UUID) -> Webhook:
    return get_object_or_404(Webhook, pk=pk, user=cast(User, request.user))


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def webhooks(request: HttpRequest) -> HttpResponse:
    """List a person's webhooks; make another, and show its secret this once."""
    person = cast(User, request.user)
    form = WebhookForm(request.POST or None)
    context: dict[str, Any] = {"form": form, "most": service.MOST_WEBHOOKS}
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                made, context["secret"] = service.create(user=person, **form.cleaned_data)
            except WebhookError as error:
                form.add_error("address", error.message)
            else:
                context |= {"made": made, "form": WebhookForm()}
                status = 201
    return render(
        request, "accounts/webhooks.html", {**context, "webhooks": person.webhooks.all()}, status=status
    )


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def webhook(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a webhook with what was sent lately; change it."""
    hook = _webhook(request, pk)
    shown = {"address": hook.address, "events": hook.events, "active": hook.active}
    form = ChangeWebhookForm(request.POST or None, initial=shown)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                service.change(webhook=hook, **form.cleaned_data)
            except WebhookError as error:
                form.add_error("address", error.message)
            else:
                messages.success(request, gettext("Saved."))
                return redirect("accounts:webhook", pk=hook.pk)
    context = {
        "webhook": Webhook.objects.get(pk=hook.pk),
        "form": form,
        "deliveries": _recent_deliveries(hook),
    }
    return render(request, "accounts/webhook.html", context, status=status)


def _recent_deliveries(hook: Webhook) -> list[tuple[WebhookDelivery, str]]:
    rows = hook.deliveries.all()[:_SHOWN]
    return [(row, WebhookError(row.error_code).message if row.error_code else "") for row in rows]


@never_cache
@login_required
@post_only("accounts:webhook", "pk")
def test(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send a message that says nothing."""
    hook = _webhook(request, pk)
    service.send_test(webhook=hook)
    messages.success(request, gettext("A test message is on its way. Look at the list in a moment."))
    return redirect("accounts:webhook", pk=hook.pk)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask whether a webhook shall go, then delete it."""
    hook = _webhook(request, pk)
    if request.method != "POST":
        return render(request, "accounts/webhook_delete.html", {"webhook": hook})
    hook.delete()
    messages.success(request, gettext("The webhook is deleted."))
    return redirect("accounts:webhooks")
