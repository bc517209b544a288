#!/bin/sh
# Lets the real original and the glance-api of a directory take turns on one state; see README.md.
set -eu
bin=$(realpath "${1:?usage: run.sh BIN_DIR}")
here=$(dirname "$(realpath "$0")")
venv=${GLANCE_ORIGINAL_VENV:-$here/../../target/original-venv}
if ! "$venv/bin/python" -c 'import glance, xattr, pymysql, psycopg2' 2> /dev/null; then
    python3 -m venv "$venv"
    timeout 900 "$venv/bin/pip" install --quiet --disable-pip-version-check \
        glance xattr pymysql psycopg2-binary
fi
exec python3 "$here/turns.py" "$bin" "$(realpath "$venv")"
