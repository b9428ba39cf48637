#!/bin/sh
# Installs exactly what a lock file names, each file checked by its hash: with uv, which fetches many at once, or
# with pip where uv cannot be had, or cannot reach the index that pip is told of.
set -u
log=.venv/install.log
python=.venv/bin/python

with_uv() {
    # Pinned, as all else, by the lock of the tests, whose first part that names it is copied.
    awk '/^uv==/ { found = 1 } found { print } found && !/\\$/ { exit }' requirements-dev.txt >.venv/uv.txt
    "$python" -m pip install --require-hashes --no-deps --no-input --quiet --requirement .venv/uv.txt || return 1
    index=${PIP_INDEX_URL:-$("$python" -m pip config get global.index-url 2>/dev/null)}
    [ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
    [ -z "${PIP_CERT:-}" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$PIP_CERT}"
    "$python" -m uv pip install --python "$python" --require-hashes --requirement "$1"
}

# Both packages write the folder tensorflow/: where the lock now names the other one, this one goes first.
if [ "$(uname -sm)" = "Linux x86_64" ] && ls -d .venv/lib/python*/site-packages/tensorflow-[0-9]*.dist-info >/dev/null 2>&1; then
    .venv/bin/python -m pip uninstall --yes --quiet tensorflow >/dev/null 2>&1
fi
if with_uv "$1" >"$log" 2>&1; then
    grep '^Installed' "$log" | awk '{print "  " $2 " packages installed"}'
    "$python" tools/trim_packages.py
    exit
fi
if .venv/bin/python -m pip install --require-hashes --no-input --progress-bar off --requirement "$1" >"$log" 2>&1 &
then pid=$!; fi
trap 'kill "$pid" 2>/dev/null; exit 130' INT TERM HUP
# One line that grows says that something happens, and survives a terminal that shows no bars.
shown=0
while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    now=$(grep -c '^Collecting\|^Downloading\|^  Downloading' "$log" 2>/dev/null || true)
    if [ "${now:-0}" -ge $((shown + 20)) ]; then
        shown=$now
        echo "  … $(grep -c '^Collecting' "$log") packages looked up"
    fi
done
if wait "$pid"; then
    grep '^Successfully installed' "$log" | awk '{print "  " NF - 2 " packages installed"}'
    "$python" tools/trim_packages.py
    exit
fi
if grep -qi 'NewConnectionError\|Name or service not known\|name resolution\|Network is unreachable\|ConnectTimeout\|Read timed out\|Connection refused\|ProxyError' "$log"; then
    echo "The package index cannot be reached: check the network (and PIP_INDEX_URL, if you use one), then try again." >&2
else
    echo "pip could not install $1: $(grep '^ERROR' "$log" | head -n 1) (all of it is in $log)" >&2
fi
exit 1
