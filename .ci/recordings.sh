#!/bin/bash
# Replays recorded conversations against a server: recordings.sh SHARED SERVER [PATH ...]
#   PATH   folders and files under SHARED/recordings/scenarios; otherwise those of recordings.txt
# PYTHON names one that has PyYAML.
set -euo pipefail

shared=${1:?usage: recordings.sh SHARED SERVER [PATH ...]}/recordings
server=$(realpath "${2:?usage: recordings.sh SHARED SERVER [PATH ...]}")
shift 2
if [ $# -eq 0 ]; then
    mapfile -t lines < <(grep -vE '^(#|$)' "$(dirname "$0")/recordings.txt")
    set -- "${lines[@]}"
fi
PYTHONDONTWRITEBYTECODE=1 exec "${PYTHON:-python3}" "$shared/replay.py" check \
    --server-cmd "$server" "${@/#/$shared/scenarios/}"
