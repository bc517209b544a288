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
other='images-members/bodies.yaml|images-patch/add-remove.yaml'
case $RECORDINGS_DATABASE in
mysql*)
    # To MySQL a name is the same in capitals, and a time has no fraction of a second, with the original as with us.
    other+='|images-create/properties.yaml|images-list/filters.yaml|images-list/sorting.yaml'
    other+='|images-tags/in-documents.yaml|identity/roles.yaml|schemas/custom.yaml|images-create/minimal.yaml'
    ;;
esac
mapfile -t files < <(find "${@/#/$shared/scenarios/}" -name '*.yaml' | grep -vE "($other)$" | sort)
# Stronger than what the profiles say.
export OS_DATABASE__CONNECTION=$RECORDINGS_DATABASE/glance_recordings_$$
fresh="$(realpath "$(dirname "$0")")/fresh-database.sh $(dirname "$server")/glance-manage"
report=$(mktemp -t recordings.XXXXXX)
trap '$fresh drop; rm -f "$report"' EXIT
trap 'exit 130' INT TERM
replay+=(--prepare-cmd "$fresh make" --report "$report")
# Images that are made in one second are in an order by chance where times are whole seconds: what failed for that
# passes when it is tried again.
failing='import json, sys
for scenario in json.load(open(sys.argv[1]))["scenarios"]:
    if scenario["failed"]:
        print(scenario["name"])'
chances=1
[[ $RECORDINGS_DATABASE == mysql* ]] && chances=20
failed=()
for ((chance = 1; chance <= chances; chance++)); do
    "${replay[@]}" "${failed[@]}" "${files[@]}" && exit 0
    mapfile -t names < <("${PYTHON:-python3}" -c "$failing" "$report")
    failed=("${names[@]/#/--only=}")
done
exit 1
