"""Webhooks: where they may lead, what is sent and signed, and what becomes of what does not arrive."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from celery import current_app
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from genreweb.accounts import personal_data
from genreweb.accounts.models import User, Webhook, WebhookDelivery
from genreweb.accounts.tests.conftest import LOCAL, browser
from genreweb.accounts.tests.receiver import Receiver
from genreweb.accounts.tokens import create_token
from genreweb.accounts.webhooks import delivery, sending, service

pytestmark = pytest.mark.django_db
API = "/api/v1/webhooks/"


@pytest.fixture
def hook(receiver: Receiver, person: User) -> tuple[Webhook, str]:
    return service.create(user=person, address=receiver.address, events=["track.analysed"])


def row_of(hook: Webhook) -> WebhookDelivery:
    return hook.deliveries.get()


def make_due(hook: Webhook) -> None:
    hook.deliveries.filter(status="waiting").update(next_try=timezone.now())


def fail(hook: Webhook, times: int = 1) -> None:
    for _ in range(times):
        make_due(hook)
        delivery.deliver(delivery_id=hook.deliveries.filter(status="waiting").latest("created").pk)


# --- what is sent ----------------------------------------------------------------------------------------
def test_signs_as_the_specification_does() -> None:
    # The example that the libraries of Standard Webhooks are tested with.
    signature = sending.sign(
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_message_arrives_signed_and_once(
    *,
    hook: tuple[Webhook, str],
    receiver: Receiver,
    person: User,
    other: User,
    django_capture_on_commit_callbacks: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    webhook, secret = hook
    sent: list[Any] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, args, **more: sent.append((name, args)))
    with django_capture_on_commit_callbacks(execute=True):
        service.emit(event="track.analysed", user_id=person.pk, data={"track": {"title": "Ärger"}})
        # What nobody asked for, and what is somebody else's, goes nowhere.
        service.emit(event="track.failed", user_id=person.pk, data={})
        service.emit(event="track.analysed", user_id=other.pk, data={})
    row = row_of(webhook)
    assert sent == [(delivery.TASK, [str(row.pk)])]
    assert [delivery.deliver(delivery_id=row.pk) for _ in range(2)] == [True, False]
    [(path, headers, body)] = receiver.got
    assert path == "/hook?for=me"
    assert json.loads(body)["type"] == "track.analysed"
    assert json.loads(body)["data"] == {"track": {"title": "Ärger"}}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256)
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert headers["webhook-id"] == str(row.pk)
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    row.refresh_from_db()
    assert (row.status, row.attempts, row.answer, row.next_try) == ("delivered", 1, 204, None)
    assert secret not in Webhook.objects.get().secret


# --- what does not arrive --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "code"), [(500, "wrong_answer"), (302, "wrong_answer"), (404, "wrong_answer")]
)
def test_what_is_refused_is_tried_again_and_given_up(
    hook: tuple[Webhook, str], receiver: Receiver, status: int, code: str
) -> None:
    webhook, _secret = hook
    receiver.status, receiver.location = status, receiver.address
    service.send_test(webhook=webhook)
    pauses = []
    for attempt in range(1, len(delivery.DELAYS) + 1):
        fail(webhook)
        row = row_of(webhook)
        assert (row.status, row.attempts, row.answer, row.error_code) == ("waiting", attempt, status, code)
        assert row.next_try
        pauses.append((row.next_try - timezone.now()).total_seconds())
        assert not delivery.deliver(delivery_id=row.pk)
    assert pauses == sorted(pauses)
    fail(webhook)
    assert row_of(webhook).status == "failed"
    # Redirects are not followed: one request for each attempt.
    assert len(receiver.got) == len(delivery.DELAYS) + 1


def test_a_day_of_failures_turns_it_off_and_the_owner_turns_it_on(
    hook: tuple[Webhook, str], receiver: Receiver, person: User
) -> None:
    webhook, _secret = hook
    receiver.status = 500
    for _ in range(delivery.STOPPED_AFTER_FAILURES):
        service.send_test(webhook=webhook)
        fail(webhook)
    webhook.refresh_from_db()
    assert (webhook.active, webhook.failures) == (True, delivery.STOPPED_AFTER_FAILURES)
    Webhook.objects.update(failing_since=timezone.now() - delivery.STOPPED_AFTER)
    service.send_test(webhook=webhook)
    fail(webhook)
    webhook.refresh_from_db()
    assert not webhook.active
    client = browser(person)
    url = f"/account/webhooks/{webhook.pk}/"
    assert "Turned off on" in client.get(url).content.decode()
    # What waits is not sent any more.
    before = len(receiver.got)
    fail(webhook)
    assert len(receiver.got) == before
    service.emit(event="track.analysed", user_id=person.pk, data={})
    assert not webhook.deliveries.filter(event="track.analysed").exists()
    form = {"address": webhook.address, "events": ["track.analysed"], "active": "on"}
    client.post(url, form)
    receiver.status = 204
    service.send_test(webhook=webhook)
    fail(webhook)
    webhook.refresh_from_db()
    assert (webhook.active, webhook.failures, webhook.stopped_at) == (True, 0, None)


def test_a_receiver_that_is_gone_is_not_asked_again(hook: tuple[Webhook, str], receiver: Receiver) -> None:
    receiver.status = 410
    service.send_test(webhook=hook[0])
    fail(hook[0])
    assert row_of(hook[0]).status == "failed"
    assert not Webhook.objects.get().active


def test_one_that_drips_is_cut_off(
    hook: tuple[Webhook, str], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "SECONDS", 1.0)
    receiver.silent = True
    service.send_test(webhook=hook[0])
    fail(hook[0])
    row = row_of(hook[0])
    assert (row.status, row.error_code) == ("waiting", "no_answer")
    receiver.release.set()


def test_nobody_listens(person: User, settings: Settings) -> None:
    settings.WEBHOOKS_ALLOWED_NETWORKS, settings.WEBHOOKS_ALLOW_HTTP = LOCAL, True
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/"
    webhook, _secret = service.create(user=person, address=address, events=["track.failed"])
    service.send_test(webhook=webhook)
    fail(webhook)
    assert row_of(webhook).error_code == "no_connection"


def test_the_rows_are_the_truth(
    hook: tuple[Webhook, str], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook, _secret = hook
    sent: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, args, **more: sent.extend(args))
    row = service.send_test(webhook=webhook)
    # A worker claimed it and died: it comes up again when its claim ends.
    assert delivery._claim(row.pk)
    assert not delivery.deliver(delivery_id=row.pk)
    assert delivery.sweep() == 0
    past = timezone.now() - 2 * delivery.LEASE
    WebhookDelivery.objects.update(next_try=past, queued_at=past)
    assert delivery.sweep() == 1
    assert delivery.sweep() == 0
    assert sent == [str(row.pk)]
    assert delivery.deliver(delivery_id=UUID(sent[0]))
    assert row_of(webhook).attempts == 2
    WebhookDelivery.objects.update(created=timezone.now() - delivery.KEPT - timedelta(hours=1))
    assert delivery.forget_old() == 1


# --- pages, API, personal data ---------------------------------------------------------------------------
def test_the_pages_make_change_try_and_delete(receiver: Receiver, person: User, other: User) -> None:
    client = browser(person)
    refused = client.post("/account/webhooks/", {"address": "https://10.0.0.1/", "events": ["track.failed"]})
    assert refused.status_code == 422
    assert "lies inside a network" in refused.content.decode()
    assert not Webhook.objects.exists()
    form = {"address": receiver.address, "events": ["track.failed", "batch.finished"]}
    made = client.post("/account/webhooks/", form)
    assert made.status_code == 201
    assert "whsec_" in made.content.decode()
    assert "whsec_" not in client.get("/account/webhooks/").content.decode()
    webhook = Webhook.objects.get()
    url = f"/account/webhooks/{webhook.pk}/"
    assert client.post(f"{url}test/").status_code == 302
    fail(webhook)
    assert "HTTP 204" in client.get(url).content.decode()
    client.post(url, {"address": receiver.address, "events": ["track.failed"]})
    webhook.refresh_from_db()
    assert (webhook.events, webhook.active) == (["track.failed"], False)
    stranger = browser(other)
    for page in (url, f"{url}delete/", f"{url}test/"):
        assert stranger.post(page).status_code == 404
    assert "Delete this webhook?" in client.get(f"{url}delete/").content.decode()
    client.post(f"{url}delete/")
    assert not Webhook.objects.exists()


def test_the_api_does_the_same(receiver: Receiver, person: User, other: User) -> None:
    def ask(user: User, method: str, url: str, body: Any = None, scopes: Any = None) -> Any:
        bearer = {"Authorization": f"Bearer {create_token(user=user, scopes=scopes)[1]}"}
        return Client().generic(
            method, url, json.dumps(body), content_type="application/json", headers=bearer
        )

    body = {"address": receiver.address, "events": ["track.failed"]}
    assert ask(person, "POST", API, body, ["read", "upload"]).status_code == 403
    refused = ask(person, "POST", API, {**body, "address": "https://169.254.169.254/latest/"})
    assert refused.status_code == 400
    assert refused.json()["code"] == "address_internal"
    assert ask(person, "POST", API, {**body, "events": ["everything"]}).status_code == 400
    made = ask(person, "POST", API, body).json()
    assert made["secret"].startswith("whsec_")
    url = f"{API}{made['id']}/"
    assert "secret" not in ask(person, "GET", url, scopes=["read"]).json()
    assert ask(person, "PATCH", url, {"active": False}).json()["active"] is False
    ask(person, "PATCH", url, {"active": True, "events": ["run.finished"]})
    assert ask(person, "POST", f"{url}test/").status_code == 202
    fail(Webhook.objects.get())
    [row] = ask(person, "GET", f"{url}deliveries/").json()["results"]
    assert (row["event"], row["status"], row["answer"]) == ("test", "delivered", 204)
    for method, path in (("GET", url), ("PATCH", url), ("DELETE", url), ("POST", f"{url}test/")):
        assert ask(other, method, path, {}).status_code == 404
    assert ask(other, "GET", f"{url}deliveries/").status_code == 404
    assert ask(other, "GET", API).json()["results"] == []
    for _ in range(service.MOST_WEBHOOKS - 1):
        assert ask(person, "POST", API, body).status_code == 201
    assert ask(person, "POST", API, body).status_code == 400
    assert person.webhooks.count() == service.MOST_WEBHOOKS
    assert ask(person, "DELETE", url).status_code == 204
    assert not Webhook.objects.filter(pk=made["id"]).exists()


def test_export_and_deletion(hook: tuple[Webhook, str], person: User) -> None:
    service.send_test(webhook=hook[0])
    exported = dict(personal_data.export(person))["webhooks.json"]
    assert isinstance(exported, bytes)
    [told] = json.loads(exported)
    assert (told["address"], told["deliveries"][0]["event"]) == (hook[0].address, "test")
    for secret in (hook[1], hook[0].secret):
        assert secret not in exported.decode()
    personal_data.delete_account(user=person)
    assert not Webhook.objects.exists()
    assert not WebhookDelivery.objects.exists()
