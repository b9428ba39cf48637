"""Read and write the tags of strangers' files in a confined process; one for each file, as they are few."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from classifier.core.tag_writing import FIELDS, TagWritingError, Values

log = logging.getLogger(__name__)

_SECONDS: Final = 60


def read_fields(file: IO[bytes]) -> Values:
    """Read the fields of a file of the disk, by name.

    Raises
    ------
    TagWritingError
        As `classifier.core.tag_writing.read_fields`; ``unreadable`` also where reading it crashed.
    """
    return _ask(file, {})


def write_fields(file: IO[bytes], values: Mapping[str, Sequence[str]]) -> Values:
    """Write fields into a file of the disk, in place; return what it holds then.

    Raises
    ------
    TagWritingError
        As `read_fields`; then the file may have been changed in part.
    """
    return _ask(file, {"values": {field: list(texts) for field, texts in values.items()}})


def _ask(file: IO[bytes], asked: dict[str, Any]) -> Values:
    file.flush()
    number = file.fileno()
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and arguments
            [sys.executable, "-m", "classifier.tag_process", str(number)],
            input=json.dumps(asked).encode(),
            stdout=subprocess.PIPE,
            pass_fds=(number,),
            cwd=Path(__file__).resolve().parents[1],
            env={"PYTHONDONTWRITEBYTECODE": "1"},
            timeout=_SECONDS,
            check=False,
        )
        answer = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        log.warning("the tags of a file could not be read: %s", error)
        raise TagWritingError("unreadable") from error
    if not isinstance(answer, dict) or "fields" not in answer:
        code = answer.get("error") if isinstance(answer, dict) else None
        raise TagWritingError("unsupported" if code == "unsupported" else "unreadable")
    return {
        str(field): [str(text) for text in texts]
        for field, texts in answer["fields"].items()
        if field in FIELDS and isinstance(texts, list)
    }
