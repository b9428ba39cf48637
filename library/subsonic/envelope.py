"""How answers are written: the element ``subsonic-response`` as XML or JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element, tostring

from django.http import HttpResponse, JsonResponse

from genreweb.version import VERSION
from library.subsonic.errors import SubsonicError

API_VERSION: Final = (1, 16, 1)
XML, JSON = "xml", "json"
_NAME: Final = "subsonic-response"
_NAMESPACE: Final = "http://subsonic.org/restapi"
_TEXT: Final = "value"
"""What JSON calls so is the text of an element in XML."""
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Payload = Mapping[str, Any]


def success(payload: Payload, form: str) -> HttpResponse:
    return _written({**_head("ok"), **payload}, form, 200)


def failure(error: SubsonicError, form: str, *, help_url: str = "", by_http: bool = False) -> HttpResponse:
    """Write an error; with `by_http` its status is that of HTTP."""
    fields: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.help_url and help_url:
        fields["helpUrl"] = help_url
    return _written(
        {**_head("failed"), "error": fields}, form, error.http_status if by_http else error.status
    )


def _head(status: str) -> dict[str, Any]:
    return {
        "status": status,
        "version": ".".join(map(str, API_VERSION)),
        "type": "genreweb",
        "serverVersion": VERSION,
        "openSubsonic": True,
    }


def _written(answer: Payload, form: str, status: int) -> HttpResponse:
    response: HttpResponse
    if form == JSON:
        response = JsonResponse({_NAME: answer}, status=status)
    else:
        root = next(_elements(_NAME, answer))
        root.set("xmlns", _NAMESPACE)
        body = tostring(root, encoding="utf-8", xml_declaration=True)
        response = HttpResponse(body, status=status, content_type="text/xml; charset=utf-8")
    response["Cache-Control"] = "no-store, private"
    return response


def _elements(name: str, value: Any) -> Iterator[Element]:
    """Write a value as elements: an object has attributes, a list is repeated."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        for each in value:
            yield from _elements(name, each)
        return
    element = Element(name)
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, Mapping) or (isinstance(inner, Sequence) and not isinstance(inner, str)):
                element.extend(_elements(key, inner))
            elif key == _TEXT:
                element.text = _shown(inner)
            else:
                element.set(key, _shown(inner))
    else:
        element.text = _shown(value)
    yield element


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _NOT_IN_XML.sub("\ufffd", str(value))
