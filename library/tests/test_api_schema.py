"""The API describes itself, fully and without warnings, and shows it on a page of this site."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

from genreweb.api_reference import kind_of, marked

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    out = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", format="openapi-json", stdout=out)
    return dict(json.loads(out.getvalue()))


def test_what_words_say_may_be_null_may_be_null_by_its_type(schema: dict[str, Any]) -> None:
    named = re.compile(r"\bnull\b", re.IGNORECASE)
    astray = {
        (name, field)
        for name, found in schema["components"]["schemas"].items()
        for field, part in found.get("properties", {}).items()
        if named.search(part.get("description", ""))
        and not re.search('"nullable": true|NullEnum', json.dumps(part))
    }
    assert astray == set()


def test_every_operation_is_described(schema: dict[str, Any]) -> None:
    operations = {
        (method, path): operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    }
    base = "/api/v1/tracks/"
    assert set(operations) >= {
        ("get", base),
        ("post", base),
        ("get", f"{base}{{id}}/"),
        ("patch", f"{base}{{id}}/"),
        ("delete", f"{base}{{id}}/"),
        ("post", f"{base}{{id}}/analyse/"),
        ("get", f"{base}{{id}}/similar/"),
        ("get", f"{base}{{id}}/pictures/"),
        ("get", f"{base}{{id}}/explanation/"),
        ("post", f"{base}{{id}}/explanation/"),
        ("post", "/api/v1/classify/"),
        ("get", "/api/v1/genres/"),
        ("post", "/api/v1/tokens/"),
    }
    for operation in operations.values():
        assert operation["summary"]
        assert operation["responses"]["429"] == {"$ref": "#/components/responses/Error"}
        # What JSON is to be read as, not as bytes.
        bodies = [
            answer.get("content", {}).get("application/json") for answer in operation["responses"].values()
        ]
        assert {"schema": {"type": "string", "format": "binary"}} not in bodies
    assert "error" in schema["components"]["schemas"]["Error"]["required"]
    assert list(schema["components"]["responses"]["Error"]["content"]) == ["application/problem+json"]


def test_an_upload_is_described(schema: dict[str, Any]) -> None:
    post = schema["paths"]["/api/v1/tracks/"]["post"]
    assert list(post["requestBody"]["content"]) == [
        *("multipart/form-data", "audio/*", "application/octet-stream")
    ]
    assert {status for status in post["responses"] if status < "4"} == {"200", "202"}
    assert set(post["responses"]) >= {"400", "401", "403", "409", "413", "415", "422", "429", "503", "507"}
    assert "Location" in post["responses"]["202"]["headers"]
    assert {"in": "header", "name": "Prefer"}.items() <= {
        key: value for key, value in post["parameters"][0].items() if key in ("in", "name")
    }.items()
    sent = schema["components"]["schemas"]["UploadRequest"]
    assert sent["required"] == ["file"]
    assert sent["properties"]["file"]["format"] == "binary"


def test_what_may_be_read_without_an_account(schema: dict[str, Any]) -> None:
    assert {} in schema["paths"]["/api/v1/genres/"]["get"]["security"]
    assert {} not in schema["paths"]["/api/v1/tracks/"]["post"]["security"]


def test_it_is_served(client: Client) -> None:
    # Python's own loader of YAML takes twenty times as long.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    as_yaml = yaml.load(client.get("/api/v1/schema/").content, Loader=loader)
    assert as_yaml["openapi"].startswith("3.")
    as_json = client.get("/api/v1/schema/?format=json")
    assert as_json.json()["info"]["title"] == "Genreweb API"


def test_the_page_tells_of_every_call_and_object(client: Client, schema: dict[str, Any]) -> None:
    answer = client.get("/api/v1/docs/")
    assert answer.status_code == 200
    html = answer.content.decode()
    for methods in schema["paths"].values():
        for found in methods.values():
            if isinstance(found, dict):
                assert f'id="{found["operationId"]}"' in html
    for name in schema["components"]["schemas"]:
        assert f'id="object-{name}"' in html
    # Every link to an object leads to one.
    linked = set(re.findall(r'href="#object-([^"]+)"', html))
    assert linked
    assert linked <= set(schema["components"]["schemas"])
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", html)


def test_what_a_description_says_is_escaped() -> None:
    assert marked("Use `<b>`.\n\nThen <i>.") == "<p>Use <code>&lt;b&gt;</code>.</p><p>Then &lt;i&gt;.</p>"
    assert kind_of({"enum": ["<a>"], "nullable": True}) == "<code>&quot;&lt;a&gt;&quot;</code> | null"
