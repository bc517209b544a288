"""Every image command of the `openstack` and `glance` clients, with the options they have. See README.md."""

import http.server
import json
import os
import pty
import sys
import threading

import identity
from node import TWO_STORES, Node
from steps import Steps, equal, run

PROJECT, OTHER_PROJECT = "9" * 32, "8" * 32

# Commands for what the server does not have, by how they begin, and why.
LEFT_OUT = {
    "openstack image metadef": "there are no metadata definitions",
    "glance md-": "there are no metadata definitions",
    "openstack image import": "images are not imported",
    "glance image-import": "images are not imported",
    "glance image-create-via-import": "images are not imported",
    "glance task-create": "tasks are not run",
    "glance task-show": "tasks are not run",
    "glance image-tasks": "tasks are not run",
    "openstack image task show": "tasks are not run",
    "glance usage": "limits of Keystone are not read",
}

STORE = "cheap"
TO_STORE = ("--store", STORE)

step = Steps()


class Web(http.server.BaseHTTPRequestHandler):
    """A web server that has the same data wherever one looks."""

    data = bytes(range(256)) * 64

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.data)))
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()
        self.wfile.write(self.data)

    def log_message(self, *_):
        pass


class Session:
    """What the steps hand on to each other."""

    def __init__(self, node):
        self.node = node
        self.web = f"http://127.0.0.1:{WEB.server_port}"
        self.data = node.state / "disk.raw"
        self.data.write_bytes(Web.data)
        # No other service is asked for anything but whether a project exists.
        node.environment["OS_IDENTITY_ENDPOINT_OVERRIDE"] = identity.serve()
        self.image = self.other = None

    def openstack(self, *arguments):
        return json.loads(self.node.openstack("image", *arguments, "-f", "json"))

    def table(self, *arguments, **kwargs):
        """The rows of a table of `glance`, by their first cell."""
        lines = self.node.glance(*arguments, **kwargs).splitlines()
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
        return {row[0]: row[1:] for row in rows[1:]}

    def empty(self, *options):
        """Makes an image without data. Clients upload what they can read, so it takes a terminal."""
        ours, theirs = pty.openpty()
        try:
            return self.table("image-create", "--name", "empty", *options, stdin=theirs)["id"][0]
        finally:
            os.close(theirs)
            os.close(ours)

    def names(self, *arguments):
        return sorted(row["Name"] for row in self.openstack("list", *arguments))


@step
def openstack_creates_with_every_option(s):
    made = s.openstack(
        "create", "--id", "11111111-1111-4111-8111-111111111111", "--container-format", "ovf",
        "--disk-format", "raw", "--min-disk", "2", "--min-ram", "64", "--file", s.data, "--protected",
        "--community", "--property", "a=b", "--tag", "t", "--project", PROJECT, "first",
    )
    s.image = made["id"]
    shown = s.openstack("show", s.image)
    fields = ("container_format", "min_disk", "min_ram", "protected", "visibility", "owner", "size", "tags", "status")
    equal(
        [shown[field] for field in fields],
        ["ovf", 2, 64, True, "community", PROJECT, s.data.stat().st_size, ["t"], "active"],
    )
    equal(shown["properties"]["a"], "b")
    equal(s.openstack("show", "--human-readable", s.image)["size"].endswith("K"), True)


@step
def glance_creates_with_every_option(s):
    made = s.table(
        "image-create", "--min-disk", "1", "--min-ram", "32", "--tags", "x", "y", "--disk-format", "raw",
        "--container-format", "bare", "--owner", OTHER_PROJECT, "--protected", "False", "--visibility", "private",
        "--name", "second", "--id", "22222222-2222-4222-8222-222222222222", "--hidden", "False",
        "--property", "c=d", "--file", s.data, *TO_STORE,
    )
    s.other = made["id"][0]
    fields = ("min_disk", "min_ram", "owner", "visibility", "stores", "status", "c")
    equal([made[field][0] for field in fields], ["1", "32", OTHER_PROJECT, "private", STORE, "active", "d"])
    equal(s.table("image-show", s.other)["name"], ["second"])
    equal(s.table("image-show", "--human-readable", s.other)["size"], ["16kB"])


@step
def openstack_sets_with_every_option(s):
    s.node.openstack(
        "image", "set", "--name", "renamed", "--min-disk", "3", "--min-ram", "128", "--unprotected", "--private",
        "--property", "e=f", "--tag", "u", "--architecture", "x86_64", "--instance-id", "i", "--kernel-id",
        s.other, "--os-distro", "debian", "--os-version", "12", "--ramdisk-id", s.other,
        "--project", OTHER_PROJECT, "--hidden", s.image,
    )
    shown = s.openstack("show", s.image)
    fields = ("name", "min_disk", "min_ram", "protected", "visibility", "owner", "tags")
    shown["tags"].sort()
    equal(
        [shown[field] for field in fields],
        ["renamed", 3, 128, False, "private", OTHER_PROJECT, ["t", "u"]],
    )
    added = ("a", "e", "architecture", "instance_uuid", "instance_id", "kernel_id", "os_distro", "os_version", "ramdisk_id", "os_hidden")
    properties = {key: shown["properties"].get(key) for key in added if key in shown["properties"]}
    properties.pop("instance_uuid", None) or properties.pop("instance_id", None)
    equal(
        properties,
        {"a": "b", "e": "f", "architecture": "x86_64", "kernel_id": s.other, "os_distro": "debian",
         "os_version": "12", "ramdisk_id": s.other, "os_hidden": True},
    )
    for visibility in ("public", "community", "shared"):
        s.node.openstack("image", "set", f"--{visibility}", s.image)
        equal(s.openstack("show", s.image)["visibility"], visibility)
    s.node.openstack("image", "set", "--unhidden", "--deactivate", s.image)
    shown = s.openstack("show", s.image)
    equal((shown["properties"]["os_hidden"], shown["status"]), (False, "deactivated"))
    s.node.openstack("image", "set", "--activate", s.image)
    s.node.openstack("image", "unset", "--tag", "u", "--property", "e", s.image)
    shown = s.openstack("show", s.image)
    equal((shown["tags"], "e" in shown["properties"]), (["t"], False))


@step
def openstack_changes_the_formats_of_an_image_without_data(s):
    made = s.empty("--disk-format", "raw", "--container-format", "bare")
    s.node.openstack("image", "set", "--disk-format", "qcow2", "--container-format", "ovf", made)
    shown = s.openstack("show", made)
    equal((shown["disk_format"], shown["container_format"]), ("qcow2", "ovf"))
    s.node.openstack("image", "delete", made)


@step
def glance_updates_with_every_option(s):
    made = s.empty()
    updated = s.table(
        "image-update", "--min-disk", "4", "--min-ram", "5", "--disk-format", "raw", "--container-format", "bare",
        "--owner", PROJECT, "--protected", "True", "--visibility", "shared", "--name", "updated",
        "--hidden", "True", "--property", "g=h", "--property", "i=j", made,
    )
    fields = ("min_disk", "min_ram", "disk_format", "owner", "protected", "visibility", "name", "os_hidden", "g")
    equal(
        [updated[field][0] for field in fields],
        ["4", "5", "raw", PROJECT, "True", "shared", "updated", "True", "h"],
    )
    updated = s.table("image-update", "--protected", "False", "--remove-property", "i", made)
    equal((updated["protected"], "i" in updated), (["False"], False))
    s.node.glance("image-delete", made)


@step
def openstack_lists_with_every_option(s):
    both = ["renamed", "second"]
    equal(s.names(), both)
    for options, found in (
        (("--all",), both), (("--private",), ["second"]), (("--shared",), ["renamed"]), (("--public",), []),
        (("--community",), []), (("--property", "c=d"), ["second"]), (("--name", "second"), ["second"]),
        (("--status", "active"), both), (("--project", PROJECT), []), (("--project", OTHER_PROJECT), both),
        (("--tag", "x", "--tag", "y"), ["second"]), (("--hidden",), []), (("--limit", "1"), None),
        (("--max-items", "1"), None), (("--member-status", "all"), None),
    ):
        names = s.names(*options)
        if found is not None:
            equal((options, names), (options, found))
    rows = s.openstack("list", "--long", "--sort", "name:desc")
    equal([row["Name"] for row in rows], both[::-1])
    equal({row["Disk Format"] for row in rows}, {"raw"})
    # The server sorts by age, the newest first; the client sorts what it was given.
    equal(s.names("--sort", "name:asc", "--marker", s.other), ["renamed"])


@step
def glance_lists_with_every_option(s):
    # In a table a long value is broken into lines.
    shown = s.openstack("show", s.other)
    digest = shown["properties"]["os_hash_value"]
    for options, found in (
        (("--limit", "2", "--page-size", "1"), {s.image, s.other}), (("--visibility", "private"), {s.other}),
        (("--owner", OTHER_PROJECT), {s.image, s.other}), (("--property-filter", "c=d"), {s.other}),
        (("--checksum", shown["checksum"]), {s.image, s.other}),
        (("--hash", digest), {s.image, s.other}), (("--tag", "x"), {s.other}),
        (("--sort-key", "size", "--sort-dir", "asc"), {s.image, s.other}), (("--hidden", "True"), set()),
        (("--sort", "name:asc,size:desc"), {s.image, s.other}), (("--member-status", "all"), {s.image, s.other}),
    ):
        equal((options, set(s.table("image-list", *options))), (options, found))
    equal(s.table("image-list", "--include-stores")[s.other][-1], STORE)


@step
def both_download_the_same_bytes(s):
    for tool, arguments in (
        ("openstack", ("image", "save", "--file")), ("glance", ("image-download", "--file")),
    ):
        target = s.node.state / f"download-{tool}"
        getattr(s.node, tool)(*arguments, target, s.other)
        equal(target.read_bytes(), s.data.read_bytes())
    target = s.node.state / "download-chunks"
    s.node.openstack("image", "save", "--chunk-size", "100", "--file", target, s.image)
    equal(target.read_bytes(), s.data.read_bytes())


@step
def data_are_uploaded_and_staged(s):
    empty = s.empty("--disk-format", "raw", "--container-format", "bare")
    s.node.glance("image-upload", "--size", s.data.stat().st_size, *TO_STORE, "--file", s.data, empty)
    equal(s.node.show(empty, "status"), ["active"])
    s.node.glance("image-delete", empty)
    for tool in ("openstack", "glance"):
        made = s.empty("--disk-format", "raw", "--container-format", "bare")
        if tool == "openstack":
            s.node.openstack("image", "stage", "--file", s.data, made)
        else:
            s.node.glance("image-stage", "--size", s.data.stat().st_size, "--file", s.data, made)
        equal(s.node.show(made, "status"), ["uploading"])
        s.node.openstack("image", "delete", made)


@step
def projects_are_added_shown_and_removed(s):
    s.node.openstack("image", "add", "project", s.image, PROJECT)
    rows = s.openstack("member", "list", s.image)
    equal([(row["Member ID"], row["Status"]) for row in rows], [(PROJECT, "pending")])
    for answer in ("accept", "reject", "pending"):
        s.node.openstack("image", "set", f"--{answer}", "--project", PROJECT, s.image)
        member = s.openstack("member", "get", s.image, PROJECT)
        equal(member["status"], {"accept": "accepted", "reject": "rejected", "pending": "pending"}[answer])
    s.node.openstack("image", "remove", "project", s.image, PROJECT)
    equal(s.openstack("member", "list", s.image), [])


@step
def glance_members_are_created_updated_and_deleted(s):
    s.node.glance("member-create", s.image, PROJECT)
    s.node.glance("member-update", s.image, PROJECT, "accepted")
    equal("accepted" in s.node.glance("member-get", s.image, PROJECT), True)
    equal(s.table("member-list", "--image-id", s.image)[s.image], [PROJECT, "accepted"])
    s.node.glance("member-delete", s.image, PROJECT)
    equal(s.table("member-list", "--image-id", s.image), {})


@step
def glance_tags_and_states_change(s):
    s.node.glance("image-tag-update", s.other, "z")
    s.node.glance("image-tag-delete", s.other, "x")
    equal(sorted(s.node.show(s.other, "tags")[0]), ["y", "z"])
    s.node.glance("image-deactivate", s.other)
    equal(s.node.show(s.other, "status"), ["deactivated"])
    s.node.glance("image-reactivate", s.other)
    equal(s.node.show(s.other, "status"), ["active"])


@step
def stores_are_told(s):
    equal({row["ID"] for row in s.openstack("stores", "list")}, {"fast", "cheap", "web"})
    equal(len(s.openstack("stores", "list", "--detail")), 3)
    for options in ((), ("--detail",)):
        out = s.node.glance("stores-info", *options)
        equal(all(name in out for name in ("fast", "cheap", "web")), True)


@step
def import_methods_and_tasks_are_told(s):
    for out in (s.node.openstack("image", "import", "info", "-f", "json"), s.node.glance("import-info")):
        equal("glance-" in out, True)
    equal(s.openstack("task", "list"), [])
    equal(s.table("task-list"), {})


@step
def schemas_are_explained(s):
    for model, attribute in (("image", "id"), ("member", "member_id")):
        equal((model, attribute in s.table("explain", model)), (model, True))


@step
def the_cache_is_listed_queued_and_cleared(s):
    s.node.openstack("cached", "image", "queue", s.image)
    s.node.glance("cache-queue", s.other)
    s.node.until(lambda: set(s.node.cached()) == {s.image, s.other}, "both images are cached")
    rows = json.loads(s.node.openstack("cached", "image", "list", "-f", "json"))
    equal({row["ID"]: row["State"] for row in rows}, {s.image: "cached", s.other: "cached"})
    equal(set(s.table("cache-list")), {s.image, s.other})
    equal(s.node.url in s.node.glance("cache-nodes-list", s.image), True)
    s.node.openstack("cached", "image", "delete", s.image)
    equal(set(s.node.cached()), {s.other})
    s.node.glance("cache-delete", s.other)
    equal(s.node.cached(), {})
    for clear in (
        lambda: s.node.openstack("cached", "image", "clear"), lambda: s.node.glance("cache-clear"),
    ):
        s.node.glance("cache-queue", s.image)
        s.node.until(lambda: s.image in s.node.cached(), "the image is cached")
        clear()
        equal(s.node.cached(), {})
    s.node.glance("cache-clean")
    s.node.glance("cache-prune")


@step
def locations_are_added_updated_and_deleted(s):
    one, two = f"{s.web}/one", f"{s.web}/two"
    made = s.empty("--disk-format", "raw", "--container-format", "bare")
    s.node.glance("location-add", "--url", one, made)
    equal(s.node.show(made, "status"), ["active"])
    s.node.glance("location-add", "--url", two, "--metadata", '{"note": "a"}', made)
    s.node.glance("location-update", "--url", two, "--metadata", '{"note": "b"}', made)
    locations = lambda: {row["url"]: row["metadata"].get("note") for row in s.node.document(made)["locations"]}
    equal(locations(), {one: None, two: "b"})
    s.node.glance("location-delete", "--url", one, made)
    equal(locations(), {two: "b"})
    target = s.node.state / "download-location"
    s.node.glance("image-download", "--file", target, made)
    equal(target.read_bytes(), s.data.read_bytes())
    s.node.glance("image-delete", made)


@step
def a_location_is_added_by_a_call_of_its_own(s):
    made = s.empty("--disk-format", "raw", "--container-format", "bare")
    s.node.glance("add-location", "--url", f"{s.web}/three", made)
    s.node.until(lambda: s.node.show(made, "status") == ["active"], "the image is active")
    s.node.glance("image-delete", made)


@step
def images_leave_a_store_and_go(s):
    # An image keeps its last copy.
    s.node.glance("stores-delete", "--store", STORE, s.other, ok=(1,))
    s.node.glance("image-delete", s.other)
    s.node.openstack("image", "delete", s.image)
    equal(s.names(), [])


@step
def no_command_was_forgotten(s):
    """Whatever the installed clients can: a step called it, or it is left out for a reason."""
    groups = json.loads(s.node.openstack("command", "list", "--group", "openstack.image.v2", "-f", "json"))
    commands = [f"openstack {name}" for group in groups for name in group["Commands"]]
    for line in s.node.glance("help").splitlines():
        if line.startswith("    ") and line[4:5].isalpha():
            commands.append(f"glance {line.split()[0]}")
    s.node.glance("bash-completion")
    called = [" ".join(words) + " " for words in s.node.called]
    forgotten = []
    for command in sorted(set(commands)):
        excuses = [why for start, why in LEFT_OUT.items() if command.startswith(start)]
        done = any(words.startswith(command + " ") for words in called)
        if not done and excuses:
            print(f"skip {command}: {excuses[0]}", flush=True)
        elif not done:
            forgotten.append(command)
    equal(forgotten, [])


if __name__ == "__main__":
    WEB = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=WEB.serve_forever, daemon=True).start()
    options = "\n".join((
        "enabled_backends = fast:file, cheap:file, web:http",
        "show_multiple_locations = true",
        "enabled_import_methods = [glance-direct]",
        "image_cache_driver = centralized_db",
    ))
    allowed = f"[import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = [{WEB.server_port}]"
    stores = f"{TWO_STORES}\n\n{allowed}"
    sys.exit(run(Node(*sys.argv[1:3], options=options, stores=stores), Session, step))
