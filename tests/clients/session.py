"""What an operator does with a node in a day, with the commands that operators have. See README.md."""

import hashlib
import json
import os
import pathlib
import pty
import sys

from node import Node
from steps import Steps, equal, run, sha256

ISOS = ("/usr/lib/memtest86+/memtest86+x64.iso", "/usr/lib/grub-rescue/grub-rescue-cdrom.iso")
HERE = pathlib.Path(__file__).resolve().parent
PROJECT, OTHER_PROJECT = "9" * 32, "8" * 32
MISSING = "00000000-0000-4000-8000-000000000404"

step = Steps()


class Session:
    """What the steps hand on to each other."""

    def __init__(self, node):
        self.node = node
        self.iso = pathlib.Path(
            os.environ.get("GLANCE_CLIENT_ISO") or next(filter(os.path.exists, ISOS), ISOS[0])
        )
        self.qcow2 = node.state / "disk.qcow2"
        raw = node.state / "disk.raw"
        with open(raw, "wb") as disk:
            disk.write(os.urandom(5 << 20))
            disk.truncate(64 << 20)
        node.run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, self.qcow2)
        raw.unlink()
        self.iso_id = self.qcow2_id = None

    def save(self, tool, image):
        """Downloads an image with one of the clients, and gives the hash of the file."""
        target = self.node.state / f"download-{tool}"
        target.unlink(missing_ok=True)
        if tool == "glance":
            self.node.glance("image-download", "--file", target, image)
        else:
            self.node.openstack("image", "save", "--file", target, image)
        return sha256(target)


@step
def glance_image_create_uploads_an_iso(s):
    out = s.node.glance(
        "image-create", "--name", "memtest", "--disk-format", "iso", "--container-format", "bare",
        "--file", s.iso, "--property", "os_distro=memtest",
    )
    rows = [line.split("|") for line in out.splitlines() if line.startswith("|")]
    fields = {row[1].strip(): row[2].strip() for row in rows}
    s.iso_id = fields["id"]
    equal(fields["status"], "active")
    equal(int(fields["size"]), s.iso.stat().st_size)


@step
def openstack_image_create_uploads_a_qcow2(s):
    out = s.node.openstack(
        "image", "create", "-f", "json", "--disk-format", "qcow2", "--container-format", "bare",
        "--file", s.qcow2, "--property", "os_distro=none", "--tag", "golden", "disk",
    )
    s.qcow2_id = json.loads(out)["id"]
    equal(s.node.show(s.qcow2_id, "status", "size"), ["active", s.qcow2.stat().st_size])


@step
def the_hashes_are_those_of_the_files(s):
    for image, file in ((s.iso_id, s.iso), (s.qcow2_id, s.qcow2)):
        data = file.read_bytes()
        shown = s.node.show(image)
        properties = shown.get("properties") or {}
        equal(shown["checksum"], hashlib.md5(data).hexdigest())
        value = shown.get("os_hash_value") or properties.get("os_hash_value")
        equal(value, hashlib.sha512(data).hexdigest())


@step
def a_first_download_gives_the_bytes_and_fills_the_cache(s):
    equal(s.save("glance", s.iso_id), sha256(s.iso))
    equal(s.save("openstack", s.qcow2_id), sha256(s.qcow2))
    both = {s.iso_id, s.qcow2_id}
    s.node.until(lambda: set(s.node.cached()) == both, "both images are cached")


@step
def a_second_download_does_without_the_store(s):
    s.node.unplug_store()
    try:
        equal(s.save("openstack", s.iso_id), sha256(s.iso))
        equal(s.save("glance", s.qcow2_id), sha256(s.qcow2))
    finally:
        s.node.plug_store()


@step
def a_download_from_the_cache_is_a_hit(s):
    s.node.until(
        lambda: all(row["hits"] >= 1 for row in s.node.cached().values()), "both images had a hit"
    )


@step
def properties_are_set_and_unset(s):
    s.node.openstack(
        "image", "set", "--property", "hw_disk_bus=virtio", "--name", "memtest86+", "--min-disk", "1",
        s.iso_id,
    )
    name, min_disk, properties = s.node.show(s.iso_id, "name", "min_disk", "properties")
    equal((name, min_disk, properties["hw_disk_bus"]), ("memtest86+", 1, "virtio"))
    s.node.openstack("image", "unset", "--property", "hw_disk_bus", s.iso_id)
    equal("hw_disk_bus" in s.node.show(s.iso_id, "properties")[0], False)
    s.node.glance("image-update", "--property", "os_version=7", "--remove-property", "os_distro", s.iso_id)
    properties = s.node.show(s.iso_id, "properties")[0]
    equal((properties["os_version"], "os_distro" in properties), ("7", False))


@step
def tags_are_set_and_unset(s):
    s.node.openstack("image", "set", "--tag", "tested", s.iso_id)
    s.node.glance("image-tag-update", s.iso_id, "bootable")
    equal(sorted(s.node.show(s.iso_id, "tags")[0]), ["bootable", "tested"])
    s.node.openstack("image", "unset", "--tag", "tested", s.iso_id)
    s.node.glance("image-tag-delete", s.iso_id, "bootable")
    equal(s.node.show(s.iso_id, "tags")[0], [])


@step
def a_list_is_paged_sorted_and_filtered(s):
    names = [f"page-{n}" for n in range(5)]
    for name in names:
        s.node.glance(
            "image-create", "--name", name, "--disk-format", "raw", "--container-format", "bare",
            "--tags", "page",
        )

    def openstack(*arguments):
        out = s.node.openstack("image", "list", "-f", "json", "--sort", "name:asc", *arguments)
        return [row["Name"] for row in json.loads(out)]

    # openstack sorts what it was given, glance has the server do it.
    def glance(*arguments):
        out = s.node.glance("image-list", "--tag", "page", *arguments)
        rows = [line.split("|") for line in out.splitlines() if line.startswith("|")]
        return [row[2].strip() for row in rows[1:]]

    equal(openstack("--tag", "page"), names)
    equal(openstack("--tag", "golden"), ["disk"])
    equal(openstack("--property", "os_version=7"), ["memtest86+"])
    equal(openstack("--status", "queued"), [])
    equal(len(openstack("--tag", "page", "--limit", "2")), 2)
    equal(glance("--sort", "name:desc"), names[::-1])
    equal(glance("--sort", "name:asc", "--page-size", "2"), names)
    equal(glance("--sort", "name:asc", "--limit", "3", "--page-size", "2"), names[:3])


@step
def an_image_is_deactivated_and_comes_back(s):
    s.node.openstack("image", "set", "--deactivate", s.iso_id)
    equal(s.node.show(s.iso_id, "status"), ["deactivated"])
    s.node.openstack("image", "set", "--activate", s.iso_id)
    equal(s.node.show(s.iso_id, "status"), ["active"])


@step
def glance_deactivates_and_reactivates(s):
    s.node.glance("image-deactivate", s.iso_id)
    equal(s.node.show(s.iso_id, "status"), ["deactivated"])
    s.node.glance("image-reactivate", s.iso_id)
    equal(s.node.show(s.iso_id, "status"), ["active"])


@step
def members_come_answer_and_go(s):
    s.node.openstack("image", "set", "--shared", s.iso_id)
    # `openstack image add project` asks Keystone who that is; there is none here.
    for project in (PROJECT, OTHER_PROJECT):
        s.node.glance("member-create", s.iso_id, project)
    out = s.node.openstack("image", "member", "list", "-f", "json", s.iso_id)
    members = {row["Member ID"]: row["Status"] for row in json.loads(out)}
    equal(members, {PROJECT: "pending", OTHER_PROJECT: "pending"})
    s.node.glance("member-update", s.iso_id, PROJECT, "accepted")
    equal("accepted" in s.node.glance("member-list", "--image-id", s.iso_id), True)
    s.node.glance("member-delete", s.iso_id, PROJECT)
    s.node.glance("member-delete", s.iso_id, OTHER_PROJECT)
    equal(json.loads(s.node.openstack("image", "member", "list", "-f", "json", s.iso_id)), [])


@step
def a_protected_image_is_not_deleted(s):
    s.node.openstack("image", "set", "--protected", s.iso_id)
    s.node.openstack("image", "delete", s.iso_id, ok=(1,))
    s.node.openstack("image", "set", "--unprotected", s.iso_id)
    equal(s.node.show(s.iso_id, "status", "protected"), ["active", False])


@step
def stores_are_shown_only_where_there_are_several(s):
    for options in ((), ("--detail",)):
        equal(s.node.glance("stores-info", *options, ok=(1,)), "")


@step
def openstacksdk_and_the_library_of_nova_get_the_same_bytes(s):
    out = s.node.run(s.node.venv / "bin/python", HERE / "libraries.py", s.node.url, s.iso, s.iso_id)
    equal(out, "done\n")


@step
def glance_cache_commands_list_delete_and_queue(s):
    equal(s.iso_id in s.node.glance("cache-list"), True)
    s.node.glance("cache-delete", s.iso_id)
    s.node.until(lambda: s.iso_id not in s.node.cached(), "the image has left the cache")
    s.node.glance("cache-queue", s.iso_id)
    s.node.until(lambda: s.iso_id in s.node.cached(), "the queued image is cached")
    s.node.glance("cache-clear")
    s.node.until(lambda: not s.node.cached(), "the cache is empty")


@step
def manage_lists_as_it_always_did(s):
    equal(s.node.manage("list-cached"), "No cached images.\n")
    equal(s.node.manage("list-queued"), "No queued images.\n")


@step
def manage_queues_and_waits(s):
    s.node.manage("queue-image", "-f", "--wait", "--timeout", "100", s.iso_id, s.qcow2_id)
    equal(set(s.node.cached()), {s.iso_id, s.qcow2_id})
    table = s.node.manage("list-cached").splitlines()
    equal(table[0], "Found 2 cached images...")
    titles = [cell.strip() for cell in table[2].strip("|").split("|")]
    equal(titles, ["ID", "Last Accessed (UTC)", "Last Modified (UTC)", "Size", "Hits"])


@step
def the_tables_are_those_of_the_original(s):
    """Where its tool is installed beside the clients: the same cache, told by both."""
    original = s.node.venv / "bin/glance-cache-manage"
    if not original.exists():
        print("skip the comparison with the original's tool: it is not installed", flush=True)
        return
    account = ("--os-username", "none", "--os-password", "none", "--os-auth-token", "none")
    for command in ("list-cached", "list-queued"):
        theirs = s.node.run(
            original, "-H", "127.0.0.1", "-p", s.node.port, "-S", "noauth", *account, command
        )
        equal(s.node.manage(command), theirs)


@step
def a_terminal_sees_how_far_it_has_come(s):
    s.node.manage("delete-all-cached-images", "-f")
    ours, theirs = pty.openpty()
    try:
        out = s.node.manage(
            "queue-image", "-f", "--wait", "--timeout", "100", "-v", s.iso_id, s.qcow2_id, stderr=theirs,
        )
        shown = os.read(ours, 1 << 16).decode()
    finally:
        os.close(theirs)
        os.close(ours)
    equal("of 2 images cached [" in shown, True)
    equal(out.count("Cached image "), 2)


@step
def manage_refuses_to_wait_for_what_is_not_there(s):
    s.node.manage("queue-image", "-f", "--wait", "--timeout", "100", MISSING, ok=(1,))
    equal(s.node.queued(), [])


@step
def manage_takes_images_back_from_the_queue(s):
    s.node.manage("delete-cached-image", "-f", s.iso_id)
    s.node.manage("queue-image", "-f", s.iso_id)
    equal(s.node.queued(), [s.iso_id])
    s.node.manage("delete-queued-image", "-f", s.iso_id)
    equal(s.node.queued(), [])


@step
def manage_asks_before_it_deletes(s):
    s.node.manage("delete-all-cached-images", ok=(1,))
    equal(set(s.node.cached()), {s.qcow2_id})
    would = s.node.manage("delete-all-cached-images", "--dry-run")
    equal(would, f"Would delete cached image {s.qcow2_id}\n")
    equal(set(s.node.cached()), {s.qcow2_id})


@step
def manage_works_on_the_directory_alone(s):
    directory = ("--cache-dir", s.node.state / "cache")
    rows = json.loads(s.node.manage("list-cached", "--json", *directory))["cached_images"]
    equal([row["image_id"] for row in rows], [s.qcow2_id])
    s.node.manage("queue-image", "-f", s.iso_id, *directory)
    s.node.until(lambda: s.iso_id in s.node.cached(), "the daemon found the image in the queue")


@step
def pruner_and_cleaner_are_quiet_when_all_is_well(s):
    equal(s.node.job("pruner"), "")
    equal(s.node.job("cleaner"), "")


@step
def the_cleaner_takes_away_invalid_data(s):
    bad = s.node.state / "cache" / "invalid" / MISSING
    bad.parent.mkdir(exist_ok=True)
    bad.write_bytes(b"broken")
    report = json.loads(s.node.job("cleaner", "--json", "--dry-run"))
    equal((report["total_files_cleaned"], bad.exists()), (1, True))
    s.node.job("cleaner")
    equal(bad.exists(), False)


@step
def the_pruner_takes_the_cache_back_to_its_limit(s):
    small = s.node.state / "small.conf"
    small.write_text("[DEFAULT]\nimage_cache_max_size = 1\n")
    report = json.loads(s.node.job("pruner", "--config-file", small, "--json"))
    equal(report["total_files_pruned"], 2)
    equal(s.node.cached(), {})


@step
def the_prefetcher_fetches_through_the_api(s):
    s.node.manage("queue-image", "-f", s.iso_id)
    report = json.loads(s.node.job("prefetcher", "--json", "--timeout", "100"))
    equal((report["cached"], report["failed"]), ([s.iso_id], []))
    equal(set(s.node.cached()), {s.iso_id})


@step
def a_deleted_image_leaves_the_cache(s):
    s.node.openstack("image", "delete", s.iso_id)
    equal((s.node.state / "cache" / s.iso_id).exists(), False)
    equal(s.node.cached(), {})
    s.node.glance("image-show", s.iso_id, ok=(1,))


@step
def sigterm_ends_the_server_cleanly(s):
    equal(s.node.stop(), 0)
    equal(list((s.node.state / "cache" / "incomplete").iterdir()), [])


@step
def without_an_api_the_tools_say_what_to_do(s):
    s.node.manage("list-cached", ok=(1,))
    s.node.manage(
        "queue-image", "-f", s.qcow2_id, "--cache-dir", s.node.state / "cache"
    )
    s.node.job("prefetcher")
    equal(sha256(s.node.state / "cache" / s.qcow2_id), sha256(s.qcow2))


@step
def a_new_start_serves_what_was_cached(s):
    s.node.start()
    s.node.unplug_store()
    try:
        equal(s.save("openstack", s.qcow2_id), sha256(s.qcow2))
    finally:
        s.node.plug_store()
    s.node.stop()


if __name__ == "__main__":
    sys.exit(run(Node(*sys.argv[1:3]), Session, step))
