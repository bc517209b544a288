#!/bin/bash
# OpenStack's acceptance tests of the image service against the glance-api of a directory; see README.md.
set -euo pipefail
bin=$(realpath "${1:?usage: run.sh BIN_DIR}")
here=$(dirname "$(realpath "$0")")
bed=$(realpath "${GLANCE_SHARED:-$here/../../../shared}/tempest")
export VENV=${TEMPEST_VENV:-$here/../../target/tempest-venv}
export KEYSTONE_PORT=${KEYSTONE_PORT:-23600} GLANCE_PORT=${GLANCE_PORT:-23692}
export GLANCE_REMOTE_PORT=${GLANCE_REMOTE_PORT:-23693} WEB_PORT=${WEB_PORT:-23680}
CB=$(mktemp -d /tmp/glance-tempest-XXXXXX)
export CB

if [ ! -x "$VENV/bin/stestr" ]; then
    python3 -m venv "$VENV"
    timeout 900 "$VENV/bin/pip" install --quiet --disable-pip-version-check tempest glance-tempest-plugin \
        stestr keystone python-openstackclient uwsgi glance psycopg2-binary 'setuptools<81'
fi
# The server of PostgreSQL has a user of its own, who has to come in.
chmod 755 "$CB"

down() {
    "$bed/glance-down.sh" || true
    "$bed/web-down.sh" || true
    "$bed/keystone-down.sh" || true
    "$bed/pg-down.sh" || true
} > /dev/null 2>&1
trap down EXIT
trap 'exit 130' INT TERM

"$bed/keystone-up.sh"
OURS_CMD=$bin/glance-api FRESH=1 "$bed/glance-up.sh"
"$bed/tempest-run.sh" "http://127.0.0.1:$GLANCE_PORT" "http://127.0.0.1:$GLANCE_REMOTE_PORT" > "$CB/run.txt" || true
results=$CB/tempest-${PROFILE:-strict}
tail -n 1 "$CB/run.txt"
[ -s "$results/results.tsv" ] || { tail -n 20 "$CB/run.txt"; exit 1; }

not_yet=$(grep -v '^#' "$here/not-yet.txt" | grep .)
# A part of them says nothing about the lines.
[ -n "${REGEX:-}" ] || while read -r line; do
    grep -q -E -e "$line" "$results/failed.txt" || echo "nothing fails any more of $line"
done <<< "$not_yet"
if grep -E -v -f <(echo "$not_yet") "$results/failed.txt"; then
    echo "these fail; why stands in $results/failures.log"
    exit 1
fi
echo 'all that fail wait for what is not there yet'
down
rm -rf "$CB"
