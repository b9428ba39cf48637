"""Which addresses the site sends to: public ones, and networks that its owner allows.

A person names the address, so it must not lead to what only the site can reach (server-side request
forgery). A name is resolved once for each delivery and the connection goes to what was checked, so that the
answer cannot change in between (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from genreweb.accounts.webhook_models import ADDRESS_LENGTH
from genreweb.accounts.webhooks.errors import WebhookError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORTS = {"http": 80, "https": 443}
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_HOST = re.compile(
    r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
)
_TRANSLATING = tuple(
    ipaddress.IPv6Network(network)
    # NAT64 (RFC 6052, RFC 8215), 6to4 and Teredo carry IPv4 addresses of any kind; site-local is deprecated.
    for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10", "::/96")
)


@dataclass(frozen=True, slots=True)
class Target:
    """An address taken apart."""

    secure: bool
    host: str
    port: int
    path: str


def parse(address: str) -> Target:
    """Take an address apart.

    Raises
    ------
    WebhookError
        ``address_invalid``, ``address_insecure``, or ``address_internal`` where it names such an IP address.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise WebhookError("address_invalid") from None
    literal = _literal(host)
    if not _is_well_formed(address, parts) or not (literal or _HOST.fullmatch(host)):
        raise WebhookError("address_invalid")
    if parts.scheme == "http" and not (settings.WEBHOOKS_ALLOW_HTTP or settings.DEBUG):
        raise WebhookError("address_insecure")
    if literal and not is_allowed(literal):
        raise WebhookError("address_internal")
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    return Target(parts.scheme == "https", host, port or _PORTS[parts.scheme], path)


def _is_well_formed(address: str, parts: SplitResult) -> bool:
    return (
        len(address) <= ADDRESS_LENGTH
        and bool(_VISIBLE.fullmatch(address))
        and parts.scheme in _PORTS
        and parts.port != 0
        and "@" not in parts.netloc
        and "#" not in address
        and len(parts.hostname or "") <= 253  # RFC 1035
    )


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_allowed(address: Address) -> bool:
    """Tell whether the site may connect to an IP address."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if any(address in network for network in settings.WEBHOOKS_ALLOWED_NETWORKS):
        return True
    if isinstance(address, ipaddress.IPv6Address) and any(address in network for network in _TRANSLATING):
        return False
    internal = (
        *(address.is_private, address.is_loopback, address.is_link_local, address.is_multicast),
        *(address.is_reserved, address.is_unspecified),
    )
    return address.is_global and not any(internal)


def resolve(target: Target) -> list[str]:
    """Give the IP addresses of a target, all of them allowed.

    Raises
    ------
    WebhookError
        ``name_unknown``, or ``address_internal`` where any of them is not allowed.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise WebhookError("name_unknown") from None
    addresses = list(dict.fromkeys(str(row[4][0]) for row in found))
    if not addresses or not all(is_allowed(ipaddress.ip_address(one.partition("%")[0])) for one in addresses):
        raise WebhookError("address_internal" if addresses else "name_unknown")
    return addresses
