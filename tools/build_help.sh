#!/bin/sh
# Makes the pages that the site serves at /help/, English and Korean. Broken links and other faults fail.
# With --optional what goes wrong is said and stops nobody: the site works without them. PYTHON names one that has
# the packages already; else they are installed into .venv.
set -u
python="${PYTHON:-.venv/bin/python}"
optional=
[ "${1:-}" = --optional ] && optional=yes
target=docs/_build
fresh=$(mktemp -d) || exit 1
trap 'rm -rf "$fresh"' EXIT
log=$fresh/log

give_up() {
    echo "  The pages of help could not be made: $1. The site works without them." >&2
    [ "$optional" ] && exit 0
    exit 1
}

make_pages() { # source, target, words for Sphinx
    source=$1 pages=$2
    shift 2
    "$python" -m sphinx -q -W --keep-going -n -E -c docs -d "$fresh/doctrees-$(basename "$pages")" "$@" "$source" "$pages" >>"$log" 2>&1
}

: >"$log"
if [ -z "${PYTHON:-}" ] && { [ ! -e .venv/.docs ] || [ requirements-docs.txt -nt .venv/.docs ]; }; then
    echo "Installing what makes the pages of help"
    if [ "$optional" ]; then
        sh tools/pip_install.sh requirements-docs.txt 2>>"$log" || give_up "$(tail -n 1 "$log")"
    else
        sh tools/pip_install.sh requirements-docs.txt || exit 1
    fi
    touch .venv/.docs
fi
make_pages docs "$fresh/help" &
english=$!
make_pages docs/ko "$fresh/ko" -t ko &
korean=$!
wait "$english" || failed=yes
wait "$korean" || failed=yes
[ "${failed:-}" ] && { [ "$optional" ] || cat "$log" >&2; give_up "$(grep -m 1 'WARNING\|ERROR' "$log")"; }
rm -rf "$fresh/help/.buildinfo" "$fresh/help/objects.inv" "$fresh/ko/.buildinfo" "$fresh/ko/objects.inv"
mv "$fresh/ko" "$fresh/help/ko"
# The file that make looks at comes last.
touch "$fresh/help/index.html"
rm -rf "$target" && mkdir -p "$target" && mv "$fresh/help" "$target/help"
