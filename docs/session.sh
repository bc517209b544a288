#!/bin/bash
# Runs the session of README.md against real binaries and clients, and puts what they said between its
# markers: docs/session.sh BIN_DIR CLIENT_VENV
set -euo pipefail
bin=$(realpath "${1:?usage: session.sh BIN_DIR CLIENT_VENV}")
venv=$(realpath "${2:?usage: session.sh BIN_DIR CLIENT_VENV}")
readme=$(realpath "$(dirname "$0")/../README.md")
iso=${GLANCE_CLIENT_ISO:-/usr/lib/memtest86+/memtest86+x64.iso}

work=$(mktemp -d)
server=
finish() {
    if [ "$?" != 0 ] && [ -e "${out:-}" ]; then
        echo "the session went wrong here:" >&2
        tail -n 12 "$out" >&2
    fi
    if [ -n "$server" ]; then
        kill -TERM "$server" 2>/dev/null || true
        wait "$server" || true
    fi
    rm -rf "$work"
}
trap finish EXIT

export PATH="$bin:$venv/bin:$PATH" PYTHONWARNINGS=ignore GLANCE_STATE_DIR="$work/glance"
export OS_ENDPOINT=http://127.0.0.1:9292
export OS_IMAGE_URL=$OS_ENDPOINT
cd "$work"
cp "$iso" memtest.iso
qemu-img create -q -f qcow2 disk.qcow2 1G
qemu-io -c 'write -P 7 0 8M' disk.qcow2 >/dev/null 2>&1 || true

out=$work/session.txt
# Says a command as one would type it, runs it and keeps what it says, without the paths of this run.
say() {
    echo "\$ $*" >>"$out"
    # The second half of the session is no use where the first went wrong.
    timeout 120 bash -c "$*" 2>&1 | sed "s#$work#~#g" >>"$out"
    echo >>"$out"
}

{
    echo '$ glance-api &'
    glance-api >"$work/hello" 2>"$work/log" &
    server=$!
    for _ in $(seq 100); do
        curl -fs "$OS_ENDPOINT/healthcheck" >/dev/null && break
        sleep 0.1
    done
    sed "s#$work#~#g" "$work/hello"
    echo
} >>"$out"

id=6f0c1d53-3f6a-4f1c-9d43-5b7bb7f3a5c1
say "export OS_ENDPOINT=$OS_ENDPOINT OS_IMAGE_URL=$OS_ENDPOINT"
say "openstack --os-auth-type none image create --id $id --disk-format iso --container-format bare --file memtest.iso -c id -c size -c status memtest"
say "glance --os-auth-token none image-create --name disk --disk-format qcow2 --container-format bare --file disk.qcow2 | grep -E '\\| (name|size|status) '"
say "openstack --os-auth-type none image save --file first.iso $id"
say "mv glance/images images.away"
say "openstack --os-auth-type none image save --file second.iso $id"
say "sha256sum memtest.iso first.iso second.iso"
say "mv images.away glance/images"
say "glance-cache-manage list-cached --human"
other=$(openstack --os-auth-type none image list --name disk -f value -c ID)
say "glance-cache-manage queue-image --force --wait --verbose $other"
say "glance-cache-manage list-cached --json"
say "glance-cache-pruner --verbose"
say "glance-cache-cleaner --verbose"
say "glance-cache-manage delete-all-cached-images --force --verbose"

python3 - "$readme" "$out" <<'P'
import re, sys
readme, out = sys.argv[1:]
session = open(out).read().strip()
text = open(readme).read()
block = f"<!-- session -->\n```console\n{session}\n```\n<!-- end of session -->"
text = re.sub(r"<!-- session -->.*<!-- end of session -->", lambda _: block, text, flags=re.S)
open(readme, "w").write(text)
P
