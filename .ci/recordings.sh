#!/bin/bash
# Replays recorded conversations against a server: recordings.sh SHARED SERVER [PATH ...]
#   PATH   folders and files under SHARED/recordings/scenarios; otherwise those of recordings.txt
# PYTHON names one that has PyYAML; RECORDINGS_DATABASE a server, on which each start of ours gets a new database.
set -euo pipefail

shared=${1:?usage: recordings.sh SHARED SERVER [PATH ...]}/recordings
server=$(realpath "${2:?usage: recordings.sh SHARED SERVER [PATH ...]}")
shift 2
if [ $# -eq 0 ]; then
    mapfile -t lines < <(grep -vE '^(#|$)' "$(dirname "$0")/recordings.txt")
    set -- "${lines[@]}"
fi
export PYTHONDONTWRITEBYTECODE=1
replay=("${PYTHON:-python3}" "$shared/replay.py" check --server-cmd "$server")
if [ -z "${RECORDINGS_DATABASE:-}" ]; then
    exec "${replay[@]}" "${@/#/$shared/scenarios/}"
fi
# Recorded with SQLite, which keeps names of any length; the columns of a server end at 255.
too_long='images-members/bodies.yaml|images-patch/add-remove.yaml'
mapfile -t files < <(find "${@/#/$shared/scenarios/}" -name '*.yaml' | grep -vE "($too_long)$" | sort)
# Stronger than what the profiles say.
export OS_DATABASE__CONNECTION=$RECORDINGS_DATABASE/glance_recordings_$$
fresh="$(realpath "$(dirname "$0")")/fresh-database.sh $(dirname "$server")/glance-manage"
trap '$fresh drop' EXIT
trap 'exit 130' INT TERM
"${replay[@]}" --prepare-cmd "$fresh make" "${files[@]}"
