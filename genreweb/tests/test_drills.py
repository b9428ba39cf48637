"""The parts of ``make drill``: what they break is broken and mended again, and what is lost is told."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from genreweb.drills import report
from genreweb.drills.clock import DAY, Clock, library
from genreweb.drills.crowd import shares
from genreweb.drills.disk import LEFT_BYTES, MIB, NoDiskError, SmallDisk
from genreweb.drills.report import Report, Row
from genreweb.drills.second_host import SecondHost
from genreweb.drills.storage import Bucket


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with Bucket() as running:
        yield running


def test_storage_that_fails_hangs_and_is_mended(bucket: Bucket) -> None:
    told = bucket.environment
    client = boto3.client(
        "s3",
        endpoint_url=told["S3_ENDPOINT_URL"],
        aws_access_key_id=told["S3_ACCESS_KEY_ID"],
        aws_secret_access_key=told["S3_SECRET_ACCESS_KEY"],
        region_name=told["S3_REGION"],
        config=Config(read_timeout=0.5, retries={"total_max_attempts": 1}),
    )
    client.put_object(Bucket=told["S3_BUCKET"], Key="a", Body=b"sound")

    bucket.fail()
    with pytest.raises(ClientError, match="A drill"):
        client.get_object(Bucket=told["S3_BUCKET"], Key="a")
    bucket.mend()
    bucket.hang()
    with pytest.raises(ReadTimeoutError):
        client.put_object(Bucket=told["S3_BUCKET"], Key="b", Body=b"sound")
    bucket.mend()

    assert (bucket.refused, bucket.hung) == (1, 1)
    assert client.get_object(Bucket=told["S3_BUCKET"], Key="a")["Body"].read() == b"sound"


def test_disk_that_is_filled_and_freed() -> None:
    try:
        disk = SmallDisk(size=16 * MIB).__enter__()
    except NoDiskError as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    try:
        disk.fill()
        file = disk.folder / "more"
        with pytest.raises(OSError, match="No space") as full:
            file.write_bytes(bytes(2 * LEFT_BYTES))
        assert full.value.errno == errno.ENOSPC
        disk.free()
        file.write_bytes(bytes(8 * MIB))
    finally:
        disk.__exit__(None, None, None)
    assert not disk.folder.exists()


@pytest.mark.slow
def test_clock_that_jumps(tmp_path_factory: pytest.TempPathFactory) -> None:
    found = library()
    if found is None:
        pytest.skip("libfaketime is not installed")
    clock = Clock(found, tmp_path_factory.mktemp("clock"))
    code = "import sys, time\nfor _ in sys.stdin: print(time.time(), time.monotonic(), flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, **clock.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def shown() -> tuple[float, float]:
            assert process.stdin is not None
            assert process.stdout is not None
            print(file=process.stdin, flush=True)
            wall, span = process.stdout.readline().split()
            return float(wall) - time.time(), float(span) - time.monotonic()

        assert abs(shown()[0]) < DAY / 2
        clock.move(2 * DAY)
        deadline = time.monotonic() + 60
        while shown()[0] < DAY and time.monotonic() < deadline:
            time.sleep(0.1)
        wall, span = shown()
        assert abs(wall - 2 * DAY) < 60
        assert abs(span) < 60
        process.stdin.close()


def test_a_second_host_is_told_nothing_but_addresses_and_the_key() -> None:
    host = SecondHost(
        {"DATABASE_URL": "d", "REDIS_URL": "r", "S3_BUCKET": "b", "SECRET_KEY": "k", "SITE_URL": "no"}
    )
    assert set(host.told) == {"DATABASE_URL", "REDIS_URL", "S3_BUCKET", "SECRET_KEY"}
    assert host.analysed() == 0
    host.close()


def test_each_fault_meets_its_share_of_the_uploads() -> None:
    assert shares(15, 4) == [3, 4, 4, 4]
    assert shares(2, 3) == [0, 1, 1]


@pytest.mark.parametrize(
    ("rows", "status", "lines"),
    [
        ([("a", "done", 1), ("b", "done", 1)], 0, ("lost 0, of which 0 failed", "twice 0")),
        ([("a", "done", 1)], 1, ("lost 1, of which 0 failed", "twice 0")),
        ([("a", "done", 1), ("b", "failed", 0)], 1, ("lost 1, of which 1 failed", "twice 0")),
        ([("a", "done", 1), ("b", "done", 2)], 1, ("lost 0, of which 0 failed", "twice 1")),
        ([("a", "done", 1), ("b", "done", 1), ("b", "done", 1)], 1, ("lost 0, of which 0 failed", "twice 1")),
    ],
)
def test_what_is_lost_or_twice_is_told(
    rows: list[Row], status: int, lines: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.tell(Report(), rows, uploads=2) == status
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert set(lines) <= set(said)


def test_a_site_that_did_not_recover_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    found = Report(problems=["it stayed away"], skipped=["the clock: no library"])
    assert report.tell(found, [("a", "done", 1)], uploads=1) == 1
    assert "PROBLEM: it stayed away" in capsys.readouterr().out
