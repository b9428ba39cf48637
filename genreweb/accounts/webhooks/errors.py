"""What can go wrong with webhooks, as a code for programs and a sentence for people."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.translation import gettext_lazy

from genreweb.domain_errors import DomainError


class WebhookError(DomainError):
    """A webhook that is refused, or a delivery that failed."""

    refusals: ClassVar[dict[str, Any]] = {
        "address_invalid": gettext_lazy("This is no address that begins with https:// and names a host."),
        "address_insecure": gettext_lazy("Addresses must begin with https://."),
        "address_internal": gettext_lazy(
            "This address lies inside a network, where this site does not send."
        ),
        "too_many_webhooks": gettext_lazy("You have {most} webhooks already. Delete one first."),
    }
    faults: ClassVar[dict[str, Any]] = {
        "name_unknown": gettext_lazy("The name of the host is not known."),
        "no_connection": gettext_lazy("No connection could be made."),
        "no_security": gettext_lazy("The certificate is not valid, or TLS failed."),
        "no_answer": gettext_lazy("There was no answer in time."),
        "wrong_answer": gettext_lazy("The answer was not one between 200 and 299."),
        "gone": gettext_lazy("The answer was 410: nobody wants this any more."),
        "turned_off": gettext_lazy("The webhook was turned off."),
        "internal": gettext_lazy("Something went wrong on our side."),
    }
