"""Webhooks: where they may lead, and that the connection goes there and nowhere else."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from genreweb.accounts.models import User
from genreweb.accounts.tests import receiver as receivers
from genreweb.accounts.tests.conftest import LOCAL
from genreweb.accounts.tests.receiver import Receiver
from genreweb.accounts.webhooks import addresses, delivery, sending, service
from genreweb.accounts.webhooks.errors import WebhookError

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1"),
        "2001:0:7f00:1::",
    ],
)
def test_internal_addresses_are_refused(address: str) -> None:
    assert not addresses.is_allowed(ipaddress.ip_address(address))
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(WebhookError, match="address_internal"):
        addresses.parse(f"https://{host}/")


def test_public_and_allowed_addresses_are_not(settings: Settings) -> None:
    for address in ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"):
        assert addresses.is_allowed(ipaddress.ip_address(address))
    settings.WEBHOOKS_ALLOWED_NETWORKS = [ipaddress.ip_network("10.1.0.0/16")]
    assert addresses.is_allowed(ipaddress.ip_address("10.1.2.3"))
    assert addresses.is_allowed(ipaddress.ip_address("::ffff:10.1.2.3"))
    assert not addresses.is_allowed(ipaddress.ip_address("10.2.2.3"))


@pytest.mark.parametrize(
    "address",
    [
        *("", "example.org", "ftp://example.org/", "https://", "https:///x", "https://user:pw@example.org/"),
        *(
            "https://example.org/#part",
            "https://exa mple.org/",
            "https://example.org/\r\nX: y",
            "javascript:1",
        ),
        *(
            "https://example.org:99999/",
            "https://example.org:0/",
            "https://[::1",
            "https://ex_%61mple/",
            "https://-",
        ),
        "https://" + "a" * 300 + ".org/",
    ],
)
def test_malformed_addresses_are_refused(address: str) -> None:
    with pytest.raises(WebhookError, match="address_invalid"):
        addresses.parse(address)


def test_plain_http_is_refused_unless_it_is_allowed(settings: Settings) -> None:
    with pytest.raises(WebhookError, match="address_insecure"):
        addresses.parse("http://example.org/")
    settings.WEBHOOKS_ALLOW_HTTP = True
    assert addresses.parse("http://example.org/").port == 80


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """Let a name mean one list of addresses after the other, as a hostile name server does."""
    known: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in known:
            return real(host, port, *args, **kwargs)
        found = known[host].pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


def test_a_name_that_means_something_internal_is_refused(
    receiver: Receiver, settings: Settings, names: dict[str, list[list[str]]], person: User
) -> None:
    settings.WEBHOOKS_ALLOWED_NETWORKS = []
    names["hooks.example.org"] = [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["93.184.216.34"]]
    target = addresses.parse(f"http://hooks.example.org:{receiver.port}/")
    for _ in range(2):
        with pytest.raises(WebhookError, match="address_internal"):
            addresses.resolve(target)
    assert addresses.resolve(target) == ["93.184.216.34"]
    assert receiver.got == []


def test_the_connection_goes_to_what_was_checked(
    receiver: Receiver, names: dict[str, list[list[str]]], person: User
) -> None:
    # Asked once: the second answer, elsewhere, is never heard.
    names["hooks.example.org"] = [["127.0.0.1"], ["192.0.2.1"]]
    address = f"http://hooks.example.org:{receiver.port}/x"
    webhook, _secret = service.create(user=person, address=address, events=["track.failed"])
    row = service.send_test(webhook=webhook)
    assert delivery.deliver(delivery_id=row.pk)
    row.refresh_from_db()
    assert row.status == "delivered"
    assert receiver.got[0][1]["host"] == f"hooks.example.org:{receiver.port}"
    assert names["hooks.example.org"] == [["192.0.2.1"]]


def test_certificates_are_checked_for_the_name(
    settings: Settings, names: dict[str, list[list[str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEBHOOKS_ALLOWED_NETWORKS = LOCAL
    trusted = receivers.certificate(tmp_path, "hooks.example.org")
    with receivers.running(trusted) as secure:

        def post(host: str) -> sending.Answer:
            names[host] = [["127.0.0.1"]]
            address = f"https://{host}:{secure.port}/"
            return sending.post(address=address, message_id="1", secret="whsec_AAAA", body=b"{}")

        assert post("hooks.example.org").error_code == "no_security"
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert post("hooks.example.org").status == 204
        assert post("another.example.org").error_code == "no_security"
    assert len(secure.got) == 1
