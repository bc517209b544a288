#!/bin/sh
# Drives the glance-api of a directory with tokens and limits of a real Keystone; see README.md.
set -eu
bin=$(realpath "${1:?usage: run.sh BIN_DIR}")
here=$(dirname "$(realpath "$0")")
backends=$(realpath "${GLANCE_SHARED:-$here/../../../shared}/backends")
KEYSTONE_VENV=${KEYSTONE_VENV:-$here/../../target/keystone-venv}
export KEYSTONE_VENV
# The node, and how steps are taken, are those of the clients.
export PYTHONPATH="$here/../clients" PYTHONDONTWRITEBYTECODE=1
status=0
for steps in session limits; do
    folder=$(mktemp -d /tmp/glance-keystone-XXXXXX)
    if python3 "$here/$steps.py" "$bin" "$backends/keystone.sh" "$folder"; then
        rm -rf "$folder"
    else
        echo "Keystone's folder: $folder"
        status=1
    fi
done
exit $status
