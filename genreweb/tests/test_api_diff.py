"""Clients that were written for the stored schema still work; and each way to break one is noticed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from genreweb import api_diff

TRACKS = "/api/v1/tracks/"
Schema = dict[str, Any]


@pytest.fixture(scope="module")
def stored() -> Schema:
    return api_diff.stored()


@pytest.mark.slow
def test_nothing_has_changed_incompatibly(stored: Schema) -> None:
    # Where that is wanted: python -m genreweb.api_diff --accept
    assert api_diff.breaks(stored, api_diff.current()) == []


def schema_of(schema: Schema, name: str) -> Schema:
    found: Schema = schema["components"]["schemas"][name]
    return found


def remove_operation(schema: Schema) -> None:
    del schema["paths"][TRACKS]["get"]


def remove_field(schema: Schema) -> None:
    del schema_of(schema, "Track")["properties"]["title"]


def remove_value(schema: Schema) -> None:
    schema_of(schema, "TrackStatusEnum")["enum"].remove("failed")


def remove_parameter(schema: Schema) -> None:
    parameters = schema["paths"][TRACKS]["get"]["parameters"]
    parameters.remove(next(one for one in parameters if one["name"] == "artist"))


def remove_status(schema: Schema) -> None:
    del schema["paths"][TRACKS]["post"]["responses"]["202"]


def remove_way_to_send(schema: Schema) -> None:
    del schema["paths"][TRACKS]["post"]["requestBody"]["content"]["application/octet-stream"]


def need_new_input(schema: Schema) -> None:
    sent = schema_of(schema, "UploadRequest")
    sent["properties"]["mood"] = {"type": "string"}
    sent["required"].append("mood")


def need_old_input(schema: Schema) -> None:
    schema_of(schema, "UploadRequest")["required"].append("title")


def need_parameter(schema: Schema) -> None:
    parameter = {"in": "query", "name": "key", "required": True, "schema": {"type": "string"}}
    schema["paths"][TRACKS]["get"]["parameters"].append(parameter)


def change_type(schema: Schema) -> None:
    schema_of(schema, "Track")["properties"]["channels"]["type"] = "string"


def become_null(schema: Schema) -> None:
    schema_of(schema, "Track")["properties"]["title"]["nullable"] = True


def remove_kind_of_answer(schema: Schema) -> None:
    answer = schema["paths"]["/api/v1/playlists/{id}/files/{kind}/"]["get"]["responses"]["200"]
    del answer["content"]["application/xspf+xml"]


BREAKS: dict[Callable[[Schema], None], str] = {
    remove_operation: "get /api/v1/tracks/ is gone",
    remove_field: "get /api/v1/tracks/{id}/ > 200 > answer > title is gone",
    remove_value: 'get /api/v1/tracks/{id}/ > 200 > answer > status no longer knows "failed"',
    remove_parameter: "get /api/v1/tracks/ > query artist is gone",
    remove_status: "post /api/v1/tracks/ > 202 is gone",
    remove_way_to_send: "post /api/v1/tracks/ > application/octet-stream is gone",
    need_new_input: "post /api/v1/tracks/ > multipart/form-data > mood is new and must be given",
    need_old_input: "post /api/v1/tracks/ > multipart/form-data > title must be given",
    need_parameter: "get /api/v1/tracks/ > query key is new and must be given",
    change_type: "get /api/v1/tracks/{id}/ > 200 > answer > channels was integer and is string",
    remove_kind_of_answer: "get /api/v1/playlists/{id}/files/{kind}/ > 200 > application/xspf+xml is gone",
    become_null: "get /api/v1/tracks/{id}/ > 200 > answer > title may be null",
}


@pytest.mark.parametrize("change", BREAKS, ids=lambda change: change.__name__)
def test_what_breaks_clients_is_noticed(stored: Schema, change: Callable[[Schema], None]) -> None:
    changed = copy.deepcopy(stored)
    change(changed)
    assert BREAKS[change] in api_diff.breaks(stored, changed)


def test_what_is_added_breaks_nobody(stored: Schema) -> None:
    changed = copy.deepcopy(stored)
    schema_of(changed, "Track")["properties"]["tempo"] = {"type": "number"}
    schema_of(changed, "Track")["required"].append("tempo")
    schema_of(changed, "UploadRequest")["properties"]["mood"] = {"type": "string"}
    schema_of(changed, "TrackStatusEnum")["enum"].append("paused")
    schema_of(changed, "Track")["properties"]["title"]["description"] = "Other words."
    new = copy.deepcopy(changed["paths"][TRACKS]["post"])
    new["parameters"].append({"in": "query", "name": "q", "required": True, "schema": {"type": "string"}})
    changed["paths"]["/api/v1/more/"] = {"post": new}
    assert api_diff.breaks(stored, changed) == []


def test_accepting_stores_what_is_so_now(
    stored: Schema, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = copy.deepcopy(stored)
    remove_field(changed)
    monkeypatch.setattr(api_diff, "STORED", tmp_path / "openapi.json")
    monkeypatch.setattr(api_diff, "current", lambda: stored)
    assert api_diff.main(["--accept"]) == 0
    assert api_diff.stored() == stored
    monkeypatch.setattr(api_diff, "current", lambda: changed)
    assert api_diff.main([]) == 1
    assert "title is gone" in capsys.readouterr().out
    assert api_diff.stored() == stored
    assert api_diff.main(["--accept"]) == 0
    assert api_diff.main([]) == 0
