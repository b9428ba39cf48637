"""Whether a change of the API breaks clients that were written for the schema in ``docs/openapi.json``.

    python -m genreweb.api_diff            says what has changed incompatibly, and ends with 1 if anything has
    python -m genreweb.api_diff --accept   stores the schema as it is now

Incompatible are: an operation, a status of success, a field of an answer, a parameter or a field of a body
that is gone; a value of an enumeration that is gone; another type; a new input that must be given, or one
that must be by now; an answer that may be null by now. Everything else may be added.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STORED = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"
_METHODS = ("get", "post", "put", "patch", "delete")
_DEEPEST = 8
_JSON = "application/json"
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a schema says: an operation, a parameter, a status, or a field of a body."""

    sent: bool
    kind: str = ""
    required: bool = False
    nullable: bool = False
    values: frozenset[str] = frozenset()


def parts(schema: Schema) -> dict[str, Part]:
    """Name all parts of a schema, as ``get /tracks/ > 200 > results[] > title``."""
    return dict(_operations(schema))


def breaks(old: Schema, new: Schema) -> list[str]:
    """Say what of `old` clients rely on that `new` does not keep."""
    before, after = parts(old), parts(new)
    found = [f"{name} is gone" for name in before if name not in after]
    # Of what is new inside something new nobody needs to know.
    found += [
        f"{name} is new and must be given"
        for name, part in after.items()
        if name not in before and part.sent and part.required and name.rpartition(" > ")[0] in before
    ]
    for name in before.keys() & after.keys():
        found += [f"{name} {change}" for change in _changes(before[name], after[name])]
    return sorted(found)


def _changes(old: Part, new: Part) -> Iterator[str]:
    if old.kind != new.kind:
        yield f"was {old.kind} and is {new.kind}"
    if gone := old.values - new.values:
        # An enumeration that became free text takes its former values still.
        if new.values or not new.sent:
            yield f"no longer knows {', '.join(sorted(gone))}"
    elif new.sent and new.values and not old.values:
        yield f"takes nothing but {', '.join(sorted(new.values))}"
    if new.sent and new.required and not old.required:
        yield "must be given"
    if new.sent and old.nullable and not new.nullable:
        yield "may not be null"
    if not new.sent and new.nullable and not old.nullable:
        yield "may be null"
    if not new.sent and old.required and not new.required:
        yield "may be missing"


def _operations(schema: Schema) -> Iterator[tuple[str, Part]]:
    for path, methods in schema["paths"].items():
        for method in _METHODS:
            if method not in methods:
                continue
            operation, name = methods[method], f"{method} {path}"
            yield name, Part(sent=False)
            for parameter in operation.get("parameters", ()):
                at = f"{name} > {parameter['in']} {parameter['name']}"
                required = bool(parameter.get("required"))
                yield from _body(schema, at, parameter.get("schema", {}), sent=True, required=required)
            body = operation.get("requestBody", {})
            for media_type, content in body.get("content", {}).items():
                at = f"{name} > {media_type}"
                required = bool(body.get("required"))
                yield from _body(schema, at, content.get("schema", {}), sent=True, required=required)
            for status, answer in operation.get("responses", {}).items():
                if status.startswith("2"):
                    yield f"{name} > {status}", Part(sent=False, required=True)
                    for media_type, content in answer.get("content", {}).items():
                        at = f"{name} > {status} > {'answer' if media_type == _JSON else media_type}"
                        yield from _body(schema, at, content.get("schema", {}), sent=False, required=True)


def _body(
    schema: Schema, at: str, found: Schema, *, sent: bool, required: bool, deep: int = 0
) -> Iterator[tuple[str, Part]]:
    found = _resolved(schema, found)
    values = frozenset(json.dumps(value) for value in found.get("enum", ()) if value is not None)
    yield (
        at,
        Part(
            sent=sent,
            kind=found.get("type", ""),
            required=required,
            nullable=bool(found.get("nullable")),
            values=values,
        ),
    )
    if deep == _DEEPEST:
        return
    needed = found.get("required", ())
    inner: dict[str, Any] = {"sent": sent, "deep": deep + 1}
    for name, part in found.get("properties", {}).items():
        yield from _body(schema, f"{at} > {name}", part, required=name in needed, **inner)
    if isinstance(found.get("items"), Mapping):
        yield from _body(schema, f"{at}[]", found["items"], required=False, **inner)
    if isinstance(found.get("additionalProperties"), Mapping):
        yield from _body(schema, f"{at} > *", found["additionalProperties"], required=False, **inner)


def _resolved(schema: Schema, found: Schema) -> dict[str, Any]:
    """Put together what a reference and the parts of ``allOf`` or ``oneOf`` say."""
    merged: dict[str, Any] = {
        key: value for key, value in found.items() if key not in ("$ref", "allOf", "oneOf")
    }
    inner = [schema["components"]["schemas"][found["$ref"].rpartition("/")[2]]] if "$ref" in found else []
    for part in (*inner, *found.get("allOf", ()), *found.get("oneOf", ())):
        for key, value in _resolved(schema, part).items():
            if key == "enum":
                merged["enum"] = [*merged.get("enum", ()), *value]
            else:
                merged.setdefault(key, value)
    if None in merged.get("enum", ()):
        merged["nullable"] = True
    return merged


def current() -> dict[str, Any]:
    """Give the schema as it is now, in English."""
    from django.utils import translation
    from drf_spectacular.generators import SchemaGenerator
    from rest_framework.renderers import JSONRenderer

    with translation.override("en"):
        generator = SchemaGenerator()  # type: ignore[no-untyped-call]
        schema = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
        return dict(json.loads(JSONRenderer().render(schema)))


def stored() -> dict[str, Any]:
    """Give the schema that clients were written for."""
    return dict(json.loads(STORED.read_text()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, or store; Django must be set up."""
    parser = argparse.ArgumentParser(prog="python -m genreweb.api_diff", description=__doc__)
    parser.add_argument("--accept", action="store_true", help="store the schema as it is now")
    accept = parser.parse_args(arguments).accept
    found = breaks(stored(), current()) if STORED.exists() else []
    print("\n".join(found) or "Nothing has changed incompatibly.")
    if accept:
        STORED.write_text(json.dumps(current(), ensure_ascii=False, indent=1, sort_keys=True) + "\n")
        print(f"Stored in {STORED.name}.")
        return 0
    return 1 if found else 0


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "genreweb.settings")
    # Not in main(): where Django is set up already, this would close the log handlers of the whole process.
    django.setup()
    sys.exit(main())
