#!/bin/sh
# Makes .venv with a Python that is new enough: the one in PYTHON, python3, or the newest of a known name.
set -u
PATH_ENTRY='import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "genreweb.pth").write_text("../../../..\n")'

new_enough() {
    command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

chosen=
for name in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14 python}; do
    if new_enough "$name"; then
        chosen=$name
        break
    fi
done
if [ -z "$chosen" ]; then
    found=$("${PYTHON:-python3}" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo none)
    echo "Genreweb needs Python 3.11 or newer (found: $found): install one, or name it, for example PYTHON=/opt/bin/python3.12 make run." >&2
    exit 1
fi

echo "Making .venv with $("$chosen" --version)"
# A folder that an interrupted start left behind may be half of one.
if ! said=$("$chosen" -m venv --clear .venv 2>&1); then
    case $said in
        *ensurepip*) echo "Python's venv module is not whole: on Debian and Ubuntu, apt install python3-venv mends it." >&2 ;;
        *) echo "Cannot make .venv: $(echo "$said" | tail -n 1)" >&2 ;;
    esac
    exit 1
fi
# The project itself is found from every folder, as if it were installed.
.venv/bin/python -c "$PATH_ENTRY" && touch .venv/.made
