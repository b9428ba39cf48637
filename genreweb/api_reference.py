"""The reference of the API as a page of the site, made from the schema that the API gives of itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import escape, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

Schema = Mapping[str, Any]

METHODS = ("get", "post", "put", "patch", "delete")
_CODE = re.compile(r"`([^`]+)`")
_REFERENCE = "#/components/schemas/"
_ERROR = "#/components/responses/Error"


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter of a call or a part of an object."""

    name: str
    kind: SafeString
    place: str
    required: bool
    words: SafeString


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent or answered: an object of the list below, or fields of its own."""

    status: str
    media_type: str
    kind: SafeString
    words: SafeString


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that the API does."""

    name: str
    method: str
    path: str
    summary: str
    words: SafeString
    public: bool
    parameters: list[Field]
    sent: list[Content]
    answers: list[Content]
    errors: list[str]
    scopes: list[str]
    example: str


@dataclass(frozen=True, slots=True)
class Group:
    """Operations on one subject."""

    name: str
    words: SafeString
    operations: list[Operation]


@dataclass(frozen=True, slots=True)
class Described:
    """An object that is sent or answered."""

    name: str
    words: SafeString
    fields: list[Field]
    values: list[str]


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show every call, what it takes and what it answers."""
    return render(request, "api/docs.html", {"reference": _reference(get_language() or "")})


@lru_cache(maxsize=4)
def _reference(_language: str) -> dict[str, Any]:
    # The schema holds sentences in the reader's language.
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]  # drf-spectacular has no types
    return reference(generator.get_schema(request=None, public=True))  # type: ignore[no-untyped-call]


def reference(schema: Schema) -> dict[str, Any]:
    """Arrange a schema for the page."""
    by_tag: dict[str, list[Operation]] = {tag["name"]: [] for tag in schema.get("tags", [])}
    for path, methods in schema["paths"].items():
        for method in METHODS:
            if method in methods:
                tag = (methods[method].get("tags") or ["other"])[0]
                by_tag.setdefault(tag, []).append(_operation(path, method, methods[method]))
    words = {tag["name"]: tag.get("description", "") for tag in schema.get("tags", [])}
    objects = schema["components"]["schemas"]
    return {
        "title": schema["info"]["title"],
        "version": schema["info"]["version"],
        "words": marked(schema["info"].get("description", "")),
        "groups": [Group(tag, marked(words.get(tag, "")), found) for tag, found in by_tag.items() if found],
        "objects": [_described(name, objects[name]) for name in sorted(objects)],
    }


def marked(text: str) -> SafeString:
    """Turn the paragraphs and the code of a description into HTML."""
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
    told = [(mark_safe(_CODE.sub(r"<code>\1</code>", escape(part))),) for part in paragraphs]  # noqa: S308  # escaped
    return format_html_join("", "<p>{}</p>", told)


def _operation(path: str, method: str, found: Schema) -> Operation:
    security = found.get("security", [])
    parameters = found.get("parameters", [])
    errors = [status for status, answer in found.get("responses", {}).items() if answer.get("$ref") == _ERROR]
    return Operation(
        name=found["operationId"],
        method=method.upper(),
        path=path,
        summary=found.get("summary", ""),
        words=marked(found.get("description", "")),
        public={} in security or not security,
        parameters=[
            Field(
                each["name"],
                kind_of(each["schema"]),
                each["in"],
                bool(each.get("required")),
                marked(each.get("description", "")),
            )
            for each in parameters
        ],
        sent=list(_contents("", found.get("requestBody", {}))),
        answers=[
            content
            for status, answer in found.get("responses", {}).items()
            if status not in errors and status != "304"
            for content in _contents(status, answer)
        ],
        errors=errors,
        scopes=found.get("x-token-scopes", []),
        example=_example(path, method, found),
    )


def _contents(status: str, found: Schema) -> Iterable[Content]:
    words = marked(found.get("description", ""))
    media = found.get("content", {})
    if not media and status:
        yield Content(status, "", SafeString(), words)
    for media_type, content in media.items():
        yield Content(status, media_type, kind_of(content.get("schema", {})), words)


def _example(path: str, method: str, found: Schema) -> str:
    words = ["curl"]
    if method != "get":
        words.append(f"-X {method.upper()}")
    security = found.get("security", [])
    if security and {} not in security:
        words.append('-H "Authorization: Bearer $TOKEN"')
    media = found.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in media:
        words.append(found.get("x-curl", "-F file=@song.mp3"))
    elif "application/json" in media:
        words.append('-H "Content-Type: application/json" -d @body.json')
    return " ".join([*words, f'"$SITE{path}"'])


def _described(name: str, found: Schema) -> Described:
    required = set(found.get("required", []))
    return Described(
        name=name,
        words=marked(found.get("description", "")),
        fields=[
            Field(each, kind_of(part), "", each in required, marked(part.get("description", "")))
            for each, part in found.get("properties", {}).items()
        ],
        values=[json.dumps(value, ensure_ascii=False) for value in found.get("enum", [])],
    )


def kind_of(schema: Schema) -> SafeString:
    """Say what kind of value a schema describes, with links to the objects."""
    told = _kind(schema)
    if schema.get("nullable"):
        told = mark_safe(f"{told} | null")  # noqa: S308  # made of escaped parts
    return told


def _kind(schema: Schema) -> SafeString:
    if name := schema.get("$ref", "").removeprefix(_REFERENCE):
        return format_html_join("", '<a href="#object-{0}">{0}</a>', [(name,)])
    for several, word in (("oneOf", " | "), ("anyOf", " | "), ("allOf", " & ")):
        if several in schema:
            return format_html_join(word, "{}", [(kind_of(each),) for each in schema[several]])
    if "enum" in schema:
        return format_html_join(
            " | ", "<code>{}</code>", [(json.dumps(each, ensure_ascii=False),) for each in schema["enum"]]
        )
    kind = schema.get("type", "any")
    if kind == "array":
        return format_html_join("", "list of {}", [(kind_of(schema.get("items", {})),)])
    inner = schema.get("additionalProperties")
    if kind == "object" and isinstance(inner, Mapping) and inner:
        return format_html_join("", "object of {}", [(kind_of(inner),)])
    form = f" ({schema['format']})" if "format" in schema else ""
    return SafeString(escape(f"{kind}{form}"))
