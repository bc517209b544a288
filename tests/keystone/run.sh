#!/bin/sh
# Drives the glance-api of a directory with tokens of a real Keystone; see README.md.
set -eu
bin=$(realpath "${1:?usage: run.sh BIN_DIR}")
here=$(dirname "$(realpath "$0")")
backends=$(realpath "${GLANCE_SHARED:-$here/../../../shared}/backends")
KEYSTONE_VENV=${KEYSTONE_VENV:-$here/../../target/keystone-venv}
export KEYSTONE_VENV
folder=$(mktemp -d /tmp/glance-keystone-XXXXXX)
if python3 "$here/tokens.py" "$bin" "$backends/keystone.sh" "$folder"; then
    rm -rf "$folder"
else
    echo "Keystone's folder: $folder"
    exit 1
fi
