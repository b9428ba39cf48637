"""Make the bucket that ``S3_BUCKET`` names where there is none; waits a while for its server."""

from __future__ import annotations

import os
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

SECONDS = 60


def main() -> int:
    name = os.environ.get("S3_BUCKET", "")
    if not name:
        print("S3_BUCKET is not set.", file=sys.stderr)
        return 2
    bucket = boto3.resource(
        "s3",
        endpoint_url=os.environ.get("S3_ENDPOINT_URL") or None,
        aws_access_key_id=os.environ.get("S3_ACCESS_KEY_ID") or None,
        aws_secret_access_key=os.environ.get("S3_SECRET_ACCESS_KEY") or None,
        region_name=os.environ.get("S3_REGION") or None,
        config=Config(s3={"addressing_style": os.environ.get("S3_ADDRESSING_STYLE") or "auto"}),
    ).Bucket(name)
    end = time.monotonic() + float(os.environ.get("SECONDS_TO_WAIT", SECONDS))
    while True:
        try:
            if bucket.creation_date is None:
                bucket.create()
                print(f"The bucket {name} is made.")
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > end:
                print(f"The bucket {name} cannot be made: {error}", file=sys.stderr)
                return 1
            time.sleep(1)
        else:
            return 0


if __name__ == "__main__":
    sys.exit(main())
