#!/bin/sh
# Drives the binaries of a directory with the real glance and openstack clients; see README.md.
set -eu
bin=$(realpath "${1:?usage: run.sh BIN_DIR}")
here=$(dirname "$(realpath "$0")")
venv=${GLANCE_CLIENT_VENV:-$here/../../target/client-venv}
if [ ! -x "$venv/bin/openstack" ] || [ ! -x "$venv/bin/glance" ]; then
    python3 -m venv "$venv"
    timeout 600 "$venv/bin/pip" install --quiet --disable-pip-version-check \
        python-glanceclient python-openstackclient
fi
failed=0
for session in session commands; do
    python3 "$here/$session.py" "$bin" "$(realpath "$venv")" || failed=1
done
exit $failed
