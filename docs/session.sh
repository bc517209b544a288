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
        tail -n 12 "$out" "$work/said" "$work/hello" >&2
    fi
    if [ -n "$server" ]; then
        kill -TERM "$server" 2>/dev/null || true
        wait "$server" || true
    fi
    rm -rf "$work"
}
trap finish EXIT

# As one who has just come starts it: no configuration, and no variables but these.
export PATH="$bin:$venv/bin:$PATH" PYTHONWARNINGS=ignore HOME="$work"
unset GLANCE_STATE_DIR XDG_STATE_HOME
cd "$work"
server_url=http://127.0.0.1:9292
: >"$work/hello"
glance-api >"$work/hello" 2>"$work/log" &
server=$!
until grep -q 'listens on' "$work/hello"; do
    kill -0 "$server" || { cat "$work/log" >&2; exit 1; }
    sleep 0.1
done

out=$work/session.txt
# The commands share a shell, as they do where somebody pastes them. What they say are comments, without the
# paths of this run.
say() {
    echo "$*" >>"$out"
    eval "$*" >"$work/said" 2>&1
    sed -e "s#$work#~#g" -e 's/^/# /' -e 's/ *$//' "$work/said" >>"$out"
}
part() {
    echo >>"$out"
}

iso_id=6f0c1d53-3f6a-4f1c-9d43-5b7bb7f3a5c1
disk_id=0c4f7a1e-8a55-4f0e-9f43-2f6a6d1f7b21
say "export OS_ENDPOINT=$server_url OS_IMAGE_URL=$server_url"
say "cp $iso memtest.iso"
say "qemu-img create -q -f qcow2 disk.qcow2 1G"
say "qemu-io -c 'write -P 7 0 8M' disk.qcow2 > qemu-io.log"
part
say "openstack --os-auth-type none image create --id $iso_id --disk-format iso --container-format bare --file memtest.iso -c size -c status memtest"
say "glance --os-auth-token none image-create --id $disk_id --name disk --disk-format qcow2 --container-format bare --file disk.qcow2 | grep -E '\\| (name|size|status) '"
part
say "openstack --os-auth-type none image save --file first.iso $iso_id"
say "mv ~/.local/state/glance/images images.away"
say "openstack --os-auth-type none image save --file second.iso $iso_id"
say "sha256sum memtest.iso first.iso second.iso"
say "mv images.away ~/.local/state/glance/images"
part
say "glance-cache-manage list-cached --human"
say "glance-cache-manage queue-image --force --wait --verbose $disk_id"
say "glance-cache-manage list-cached --json"
say "glance-cache-manage show --human $iso_id"
say "glance-cache-manage top --once"
say "glance-cache-pruner --verbose"
say "glance-cache-cleaner --verbose"
say "glance-cache-manage delete-all-cached-images --force --verbose"

python3 - "$readme" "$out" <<'P'
import re, sys
readme, out = sys.argv[1:]
session = open(out).read().strip()
text = open(readme).read()
block = f"<!-- session -->\n```sh\n{session}\n```\n<!-- end of session -->"
text = re.sub(r"<!-- session -->.*<!-- end of session -->", lambda _: block, text, flags=re.S)
open(readme, "w").write(text)
P
