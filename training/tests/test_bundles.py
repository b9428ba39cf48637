"""Bundles: export from one site, import into another, and everything that is refused."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import struct
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from pytest_django import Settings

from classifier import registry
from classifier.models import ModelVersion
from classifier.releases import current_release
from genreweb.accounts.models import User
from library.tests.storages import PathlessStorage
from training.errors import TrainingError
from training.services import bundles
from training.services.bundles import bundle_name, import_bundle, write_bundle
from training.services.releases import sync_release
from training.tests.versions import damage, make_version

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

Refused = Callable[[bytes], TrainingError]


def bundle_of(version: ModelVersion) -> bytes:
    return b"".join(write_bundle(version))


def unpacked(bundle: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(bundle)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def packed(files: dict[str, bytes], /, **manifest: Any) -> bytes:
    """Make a bundle whose manifest matches its files, with changes."""
    contents = {
        "format": 1,
        "name": "theirs",
        "files": {name: {"sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()},
        **manifest,
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:
        bundle.writestr("manifest.json", json.dumps(contents))
        for name, part in files.items():
            bundle.writestr(name, part)
    return content.getvalue()


def release_files(**metadata: Any) -> dict[str, bytes]:
    """The required files of a bundle of the shipped release, with some of its metadata replaced."""
    shipped = current_release()
    merged = {**json.loads((shipped / "metadata.json").read_text()), **metadata}
    return {
        "metadata.json": json.dumps({k: v for k, v in merged.items() if v is not None}).encode(),
        **{
            name: (shipped / name).read_bytes()
            for name in ("model.tflite", "tagger_head.npz", "music_detector.npz", "recording_head.npz")
        },
    }


def with_model(model: bytes) -> dict[str, bytes]:
    return {**release_files(sha256=hashlib.sha256(model).hexdigest()), "model.tflite": model}


def sent(bundle: bytes) -> ContentFile[bytes]:
    return ContentFile(bundle, name="bundle.zip")


@pytest.fixture
def refused(curator: User, stored: Callable[[], list[str]]) -> Refused:
    """Bring in a bundle that must be refused, and see that nothing is left of it."""

    def bring(bundle: bytes) -> TrainingError:
        before, rows = stored(), ModelVersion.objects.count()
        with pytest.raises(TrainingError) as error:
            import_bundle(sent(bundle), by=curator)
        assert stored() == before
        assert ModelVersion.objects.count() == rows
        assert error.value.message
        return error.value

    return bring


def another_site(settings: Settings, tmp_path: Path) -> None:
    """Forget every version and file."""
    ModelVersion.objects.all().delete()
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "genreweb.storage.SignedFileSystemStorage",
            "OPTIONS": {"location": tmp_path / "elsewhere"},
        },
    }


def test_a_bundle_says_what_it_holds() -> None:
    version = make_version("Version 7 – für alle")
    files = unpacked(bundle_of(version))
    manifest = json.loads(files.pop("manifest.json"))
    assert (manifest["format"], manifest["name"], manifest["sha256"]) == (1, version.name, version.sha256)
    assert set(files) == set(version.files) == set(manifest["files"])
    assert {"model.tflite", "metadata.json", "MODEL_CARD.md", "network.weights.h5"} <= set(files)
    for name, content in files.items():
        assert hashlib.sha256(content).hexdigest() == manifest["files"][name]["sha256"]
    assert bundle_name(version) == "genreweb-Version-7-fur-alle.zip"


def test_from_one_site_to_another(settings: Settings, tmp_path: Path, curator: User) -> None:
    version = make_version("seven", note="kept")
    content = bundle_of(version)
    another_site(settings, tmp_path)
    imported, new = import_bundle(sent(content), by=curator)
    assert new
    assert (imported.name, imported.source, imported.added_by) == ("seven", "imported", curator)
    assert (imported.sha256, imported.labels, imported.files) == (
        version.sha256,
        version.labels,
        version.files,
    )
    assert imported.metadata == version.metadata
    assert not imported.is_in_service
    assert sorted(default_storage.listdir(imported.location)[1]) == sorted(version.files)
    assert registry.load(imported).labels == tuple(version.labels)
    assert unpacked(bundle_of(imported)) == unpacked(content)


def test_the_shipped_release_travels_too(curator: User) -> None:
    release = sync_release()
    known, new = import_bundle(sent(bundle_of(release)), by=curator)
    assert (known, new) == (release, False)


def test_the_same_version_twice_is_one(settings: Settings, tmp_path: Path, curator: User) -> None:
    content = bundle_of(make_version("seven"))
    another_site(settings, tmp_path)
    first, new = import_bundle(sent(content), by=curator)
    second, new_again = import_bundle(sent(content), by=curator)
    assert (first, new, new_again) == (second, True, False)
    assert len(default_storage.listdir("versions")[0]) == 1


def test_another_version_of_the_same_name_gets_a_number(curator: User) -> None:
    make_version("theirs")
    calibration = {"temperature": 2.0, "unsure_below": 0.5, "music_threshold": 0.5}
    imported, new = import_bundle(sent(packed(release_files(calibration=calibration))), by=curator)
    assert (imported.name, new) == ("theirs (2)", True)


@pytest.mark.django_db(transaction=True)
def test_the_same_version_twice_at_once_is_one(settings: Settings, tmp_path: Path, curator: User) -> None:
    another_site(settings, tmp_path)
    content, barrier = packed(release_files()), threading.Barrier(2)
    found: list[tuple[ModelVersion, bool]] = []

    def bring() -> None:
        barrier.wait()
        try:
            found.append(import_bundle(sent(content), by=curator))
        finally:
            connection.close()

    # A row to be held, as every site has one.
    sync_release()
    ModelVersion.objects.update(sha256="0" * 64)
    threads = [threading.Thread(target=bring) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({version.pk for version, _new in found}) == 1
    assert sorted(new for _version, new in found) == [False, True]
    assert ModelVersion.objects.count() == 2


def test_what_is_damaged_here_is_not_given_away() -> None:
    version = make_version("bad")
    damage(version, "network.weights.h5")
    with pytest.raises(TrainingError, match="bundle_damaged"):
        write_bundle(version)


# --- hostile -------------------------------------------------------------------------------------------
def test_what_is_no_archive_is_refused(refused: Refused) -> None:
    content = packed(release_files())
    for bad in (b"", b"RIFF....WAVE", content[: len(content) // 2], content[:-1000] + b"\0" * 1000):
        assert refused(bad).code == "bundle_not_zip"


def test_a_part_that_was_changed_on_the_way_is_refused(refused: Refused) -> None:
    content = bytearray(packed(release_files()))
    content[len(content) // 2] ^= 1
    assert refused(bytes(content)).code == "bundle_not_zip"


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/etc/passwd", "a/b.txt", "..", ".hidden", "C:\\x", "x" * 200, "ü.txt"]
)
def test_names_that_lead_elsewhere_are_refused(name: str, refused: Refused) -> None:
    error = refused(packed({**release_files(), name: b"evil"}))
    assert error.code == "bundle_contents"


def test_links_are_refused(refused: Refused) -> None:
    content = io.BytesIO(packed(release_files()))
    with zipfile.ZipFile(content, "a") as bundle:
        link = zipfile.ZipInfo("weights")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        bundle.writestr(link, "/etc/passwd")
    assert refused(content.getvalue()).params == {"what": "weights"}


def test_a_part_twice_is_refused(refused: Refused) -> None:
    content = io.BytesIO(packed(release_files()))
    with (
        zipfile.ZipFile(content, "a") as bundle,
        pytest.warns(UserWarning, match="Duplicate"),
    ):
        bundle.writestr("model.tflite", b"another")
    assert refused(content.getvalue()).code == "bundle_contents"


def test_encrypted_parts_are_refused(refused: Refused) -> None:
    content = bytearray(packed(release_files()))
    at = content.rindex(b"PK\x01\x02")
    (flags,) = struct.unpack_from("<H", content, at + 8)
    struct.pack_into("<H", content, at + 8, flags | 1)
    assert refused(bytes(content)).code == "bundle_contents"


def test_too_many_parts_are_refused(refused: Refused) -> None:
    assert refused(packed({f"part{n}": b"" for n in range(40)})).code == "bundle_contents"


def test_a_bomb_is_not_unpacked(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MOST_UNPACKED_BYTES", 6 * 2**20)
    bomb = packed({**release_files(), "bomb": bytes(12 * 2**20)})
    assert len(bomb) - len(packed(release_files())) < 2**16
    assert refused(bomb).code == "bundle_too_large"
    # The head of the archive lies about the size: it is unpacked no further than allowed.
    lying = bytearray(bomb)
    at = lying.rindex(b"PK\x01\x02")
    struct.pack_into("<I", lying, at + 24, 10)
    assert refused(bytes(lying)).code in ("bundle_too_large", "bundle_not_zip", "bundle_hash")


def test_too_large_a_file_is_not_even_opened(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MOST_BYTES", 1000)
    assert refused(packed(release_files())).code == "bundle_too_large"


@pytest.mark.parametrize(
    "manifest",
    [
        {"format": 2},
        {"name": ""},
        {"name": 7},
        {"files": []},
        {"files": {}},
        {"files": {"model.tflite": None, "metadata.json": None}},
        {"files": {"model.tflite": {"sha256": "0" * 64}, "metadata.json": {"sha256": "0" * 64}}},
        {"files": {"model.tflite": {}, "metadata.json": {}, "more": {}}},
    ],
    ids=str,
)
def test_a_manifest_that_does_not_fit_is_refused(manifest: dict[str, Any], refused: Refused) -> None:
    assert refused(packed(release_files(), **manifest)).code in ("bundle_contents", "bundle_hash")


def test_a_bundle_needs_manifest_and_metadata(refused: Refused) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as bundle:
        bundle.writestr("model.tflite", b"")
    assert refused(content.getvalue()).params == {"what": "manifest.json"}
    assert refused(packed({"model.tflite": b""})).params == {"what": "metadata.json"}


@pytest.mark.parametrize(
    "metadata",
    [
        {"format_version": 99},
        {"feature_version": "99"},
        {"architecture": "perceptron"},
        {"labels": None},
        {"labels": ["a", "a"]},
        {"calibration": {"temperature": 0, "unsure_below": 0.5, "music_threshold": 0.5}},
        {"sha256": "0" * 64},
        {"patches": {}},
    ],
    ids=str,
)
def test_what_this_program_cannot_use_is_refused(metadata: dict[str, Any], refused: Refused) -> None:
    error = refused(packed(release_files(**metadata)))
    assert error.code == "bundle_unusable"
    assert len(error.message) > 60


@pytest.mark.parametrize(
    "metadata",
    [
        {"test": "very good"},
        {"test": {"accuracy": {"value": 2, "low": 0, "high": 1}}},
        {"test_predictions": {"blues.00001": ["blues", 7]}},
        {"test_predictions": [1]},
        {"test_channels": {"hum": {"accuracy": 0.5}}},
        {"robustness": 1},
        {"trained_on": "everything"},
        {"labels": [f"<b>{n}</b>" for n in range(10)], "test": None, "validation": None},
        {"note": "\0"},
        {"note": {"deep": ["\ud800"]}},
    ],
    ids=str,
)
def test_what_it_says_of_itself_must_make_sense(metadata: dict[str, Any], refused: Refused) -> None:
    assert refused(packed(release_files(**metadata))).code == "bundle_metadata"


def test_numbers_beyond_all_bounds_are_refused(refused: Refused) -> None:
    for number in (b"1e999", b"NaN", b"-Infinity"):
        files = release_files(note="here")
        files["metadata.json"] = files["metadata.json"].replace(b'"here"', number)
        assert refused(packed(files)).code in ("bundle_metadata", "bundle_unusable")


def test_metadata_nested_without_end_are_refused(refused: Refused) -> None:
    files = release_files(note="here")
    files["metadata.json"] = files["metadata.json"].replace(b'"here"', b"[" * 90_000 + b"]" * 90_000)
    assert refused(packed(files)).code in ("bundle_unusable", "bundle_metadata")


def test_a_network_that_does_not_run_is_refused(refused: Refused) -> None:
    model = release_files()["model.tflite"]
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, len(model), dtype=np.uint8).tobytes()
    for bad in (b"", b"no network", model[: len(model) // 3], model[:8] + noise[8:]):
        error = refused(packed(with_model(bad)))
        assert error.code in ("bundle_unusable", "bundle_does_not_run")


def test_a_network_with_other_outputs_than_its_labels_is_refused(refused: Refused) -> None:
    labels = [f"genre{n}" for n in range(11)]
    error = refused(packed(release_files(labels=labels, test=None, validation=None)))
    assert error.code == "bundle_unusable"


def test_a_network_that_kills_its_process_harms_no_other(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    killer = tmp_path / "classifier" / "core"
    killer.mkdir(parents=True)
    for package in (killer, killer.parent):
        (package / "__init__.py").touch()
    (killer / "tryout.py").write_text("import os\nos.abort()\n")
    monkeypatch.setattr("training.services.bundles.settings.BASE_DIR", tmp_path)
    assert refused(packed(release_files())).code == "bundle_does_not_run"


def test_arrays_with_code_in_them_are_refused(refused: Refused) -> None:
    content = io.BytesIO()
    np.savez(content, embeddings=np.array([{"a": 1}], dtype=object))
    error = refused(packed({**release_files(), "replay.npz": content.getvalue()}))
    assert error.code == "bundle_unusable"
    assert "replay.npz" in error.message


def test_a_full_disk_is_said_to_be_full(
    curator: User, monkeypatch: pytest.MonkeyPatch, stored: Callable[[], list[str]]
) -> None:
    saves = []

    def full(storage: object, name: str, content: object) -> str:
        saves.append(name)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PathlessStorage, "_save", full)
    with pytest.raises(TrainingError) as error:
        import_bundle(sent(packed(release_files())), by=curator)
    assert (error.value.code, len(saves)) == ("storage_full", 1)
    assert (ModelVersion.objects.count(), stored()) == (0, [])
