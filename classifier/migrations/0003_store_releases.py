import json
from pathlib import Path
from typing import Any

from django.db import migrations

from classifier import version_files
from classifier.releases.history import release_folder

FAULT = (
    "The files of this release are no longer part of the program, and the history of its folder does not hold "
    "them either. What it analysed stays as it is. To have it answer again, import its bundle from a site that "
    "still has it."
)


def _store_releases(apps: Any, schema_editor: Any) -> None:
    """Store the files of every shipped release that has a row; until now they lay with the program."""
    versions = apps.get_model("classifier", "ModelVersion").objects
    for version in versions.filter(source="release", files={}).order_by("pk"):
        # What was no name of a folder never was a release's location.
        named = version_files.FILE_NAME.fullmatch(version.location) is not None
        with release_folder(version.location if named else "-") as folder:
            if folder is None or not _is_of(folder, version):
                versions.filter(pk=version.pk).update(fault=FAULT)
                continue
            location, files = version_files.store(folder)
        # Row by row, so that an upgrade that was interrupted goes on where it was.
        versions.filter(pk=version.pk).update(location=location, files=files, fault="")


def _is_of(folder: Path, version: Any) -> bool:
    """Tell whether a folder holds the network that a row describes."""
    try:
        metadata = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    hashes = {entry["sha256"] for entry in version_files.entries_in(folder).values()}
    return bool(metadata.get("sha256") == version.sha256 and version.sha256 in hashes)


class Migration(migrations.Migration):
    # Files are stored meanwhile, which takes long on a distant storage.
    atomic = False

    dependencies = [("classifier", "0002_version_files")]

    operations = [migrations.RunPython(_store_releases, migrations.RunPython.noop)]
