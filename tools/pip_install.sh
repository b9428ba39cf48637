#!/bin/sh
# Installs exactly what a lock file names: pip checks the hash of each file.
set -u
log=.venv/install.log
# Both packages write the folder tensorflow/: where the lock now names the other one, this one goes first.
if [ "$(uname -sm)" = "Linux x86_64" ] && ls -d .venv/lib/python*/site-packages/tensorflow-[0-9]*.dist-info >/dev/null 2>&1; then
    .venv/bin/python -m pip uninstall --yes --quiet tensorflow >/dev/null 2>&1
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
    .venv/bin/python tools/trim_packages.py && .venv/bin/python tools/compile_librosa.py
    exit
fi
if grep -qi 'NewConnectionError\|Name or service not known\|name resolution\|Network is unreachable\|ConnectTimeout\|Read timed out\|Connection refused\|ProxyError' "$log"; then
    echo "The package index cannot be reached: check the network (and PIP_INDEX_URL, if you use one), then try again." >&2
else
    echo "pip could not install $1: $(grep '^ERROR' "$log" | head -n 1) (all of it is in $log)" >&2
fi
exit 1
