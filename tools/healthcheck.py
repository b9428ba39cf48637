"""Ask the web server of this container how it is; the exit status says it to Docker."""

from __future__ import annotations

import http.client
import json
import os
import sys


def main() -> int:
    # The site answers to its own names only.
    host = (os.environ.get("ALLOWED_HOSTS") or "localhost").split(",")[0].strip().lstrip(".")
    connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=4)
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost" if host == "*" else host})
        said = connection.getresponse().read()
        checks = json.loads(said)["checks"]
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        print(error)
        return 1
    print(said.decode())
    # The workers wait for this very answer before they start.
    return 0 if all(state == "ok" for name, state in checks.items() if name != "worker") else 1


if __name__ == "__main__":
    sys.exit(main())
