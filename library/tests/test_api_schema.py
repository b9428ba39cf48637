"""The API describes itself, fully and without warnings, and shows it on a page of this site."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def schema() -> dict[str, Any]:
    out = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    return dict(yaml.safe_load(out.getvalue()))


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
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Error"}
    assert schema["components"]["schemas"]["Error"]["required"] == ["error"]


def test_an_upload_is_described(schema: dict[str, Any]) -> None:
    post = schema["paths"]["/api/v1/tracks/"]["post"]
    assert list(post["requestBody"]["content"]) == ["multipart/form-data"]
    assert set(post["responses"]) == {"200", "202", "default"}
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
    assert yaml.safe_load(client.get("/api/v1/schema/").content)["openapi"].startswith("3.")
    as_json = client.get("/api/v1/schema/?format=json")
    assert as_json.json()["info"]["title"] == "Genreweb API"


def test_the_page_keeps_the_sites_policy(client: Client) -> None:
    page = client.get("/api/v1/docs/")
    assert page.status_code == 200
    html = page.content.decode()
    policy = page["Content-Security-Policy"]
    assert "script-src 'self'" in policy.split("; ")
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", html, re.DOTALL)
    assert scripts
    assert all("src=" in attributes and not body.strip() for attributes, body in scripts)
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", html)
    script = client.get(re.search(r'src="(/api/v1/docs/\?script=[^"]*)"', html).group(1))  # type: ignore[union-attr]
    assert script["Content-Type"].startswith("application/javascript")
    assert "/api/v1/schema/" in script.content.decode().replace("\\u002D", "-")
