"""``make audit`` finds weaknesses where a list can be had; where not, nothing fails or hangs."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from genreweb.embedded.paths import REPOSITORY

Answers = Callable[[str, str], None]


@pytest.fixture
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", REPOSITORY / "tools/audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def answers(audit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Have pip-audit and npm, whose lists are on the network, answer with these texts."""

    def set_to(python: str, node: str) -> None:
        def run(command: list[str], _end: float) -> subprocess.CompletedProcess[str]:
            said = node if "--package-lock-only" in command else python
            return subprocess.CompletedProcess(command, 1, said, "no route to host")

        monkeypatch.setattr(audit, "_run", run)
        monkeypatch.setattr(audit, "_pip_audit", lambda _end: Path("pip-audit"))

    return set_to


def dependencies(*rows: dict[str, Any]) -> str:
    return json.dumps({"dependencies": rows})


SOUND = {"name": "django", "version": "5.2.19", "vulns": []}
WEAK = {"name": "jinja2", "version": "2.10", "vulns": [{"id": "PYSEC-2019-217"}]}
UNKNOWN = {"name": "genreweb", "skip_reason": "not found"}


NONE_IN_NODE = '{"vulnerabilities": {}}'
ONE_IN_NODE = '{"vulnerabilities": {"htmx.org": {"severity": "high"}}}'
AWAY = '{"error": {"code": "ENOTFOUND"}}'


@pytest.mark.parametrize(
    ("lists", "told"),
    [
        ((dependencies(SOUND), NONE_IN_NODE), (0, "Python packages: no known")),
        ((dependencies(SOUND, WEAK), NONE_IN_NODE), (1, "jinja2 2.10: PYSEC-2019-217")),
        ((dependencies(SOUND), ONE_IN_NODE), (1, "htmx.org: high")),
        ((dependencies(UNKNOWN), AWAY), (0, "skipped: no list of weaknesses can be had: none of the")),
        (("", AWAY), (0, "skipped: no list of weaknesses can be had (no route to host)")),
    ],
)
def test_what_is_found_and_what_cannot_be_looked_up(
    audit: ModuleType,
    answers: Answers,
    capsys: pytest.CaptureFixture[str],
    lists: tuple[str, str],
    told: tuple[int, str],
) -> None:
    answers(*lists)
    assert audit.main() == told[0]
    assert told[1] in capsys.readouterr().out


def test_a_network_that_does_not_answer_holds_nobody_up(audit: ModuleType) -> None:
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    with pytest.raises(audit.SkippedError, match="in time"):
        audit._run(sleep, time.monotonic() + 0.5)
    with pytest.raises(audit.SkippedError, match="too long"):
        audit._run(sleep, time.monotonic() - 1)
    with pytest.raises(audit.SkippedError, match="cannot be run"):
        audit._run(["no-such-program"], time.monotonic() + 60)
