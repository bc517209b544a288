"""What projects may have by the limits that a real Keystone keeps. See README.md."""

import json
import os
import pathlib
import signal
import sys
import time

from cloud import Keystone, Service

from node import Failed, free_port
from steps import Steps, equal, run

MIB = 1 << 20
# The catalogue has another image service already.
NAME = "limited"
OPTIONS = """
[oslo_limit]
auth_type = password
auth_url = {keystone}
username = glance
password = glance
user_domain_id = default
system_scope = all
{endpoint}

[server]
limits_cache_time = 0

[DEFAULT]
use_keystone_limits = true
"""
REGISTERED = {
    "image_size_total": 5, "image_stage_total": 5, "image_count_total": 4, "image_count_uploading": 2,
}
WHOLE_CLOUD = {"system": {"all": True}}
FORMATS = {"disk_format": "raw", "container_format": "bare"}

step = Steps()


class Session:
    """What the steps hand on to each other."""

    def __init__(self, node, keystone, service, endpoint):
        self.node, self.keystone, self.service = node, keystone, service
        self.demo = keystone.token("demo", "demo")
        self.project = keystone.id_of("projects", "demo")
        self.options = OPTIONS.format(keystone=keystone.url, endpoint=f"endpoint_id = {endpoint}")
        node.write(options=self.options)

    def limit(self, project, **limits):
        """Gives a project limits of its own."""
        made = [
            {"service_id": self.service, "region_id": "RegionOne", "project_id": project,
             "resource_name": name, "resource_limit": limit}
            for name, limit in limits.items()
        ]
        system = self.keystone.token("admin", WHOLE_CLOUD)
        return self.keystone.call("POST", "/limits", {"limits": made}, system)["limits"]

    def create(self, token=None):
        return self.node.ask("POST", "/v2/images", token or self.demo, body=FORMATS)

    def planned(self, token=None):
        status, _, body = self.create(token)
        equal(status, 201)
        return json.loads(body)["id"]

    def upload(self, size, where="file"):
        path = f"/v2/images/{self.planned()}/{where}"
        headers = {"Content-Type": "application/octet-stream"}
        return self.node.ask("PUT", path, self.demo, headers, b"x" * size)

    def usage(self, token=None):
        status, _, body = self.node.ask("GET", "/v2/info/usage", token or self.demo)
        equal(status, 200)
        told = json.loads(body)["usage"]
        return {name: (one["usage"], one["limit"]) for name, one in told.items()}

    def clear(self):
        images = json.loads(self.node.ask("GET", "/v2/images", self.demo)[2])["images"]
        for image in images:
            equal(self.node.ask("DELETE", f"/v2/images/{image['id']}", self.demo)[0], 204)


def over(answer, project, resource, limit, usage, delta):
    sentence = (
        f"Project {project} is over a limit for [Resource {resource} is over limit of {limit} due to "
        f"current usage {usage} and delta {delta}]"
    )
    status, _, body = answer
    equal(status, 413)
    if sentence not in body.decode():
        raise Failed(f"not {sentence!r}: {body!r}")


@step
def usage_and_registered_limits_are_told(s):
    equal(s.usage(), {name: (0, limit) for name, limit in REGISTERED.items()})


@step
def declared_data_is_refused_before_there_is_too_much(s):
    equal(s.upload(3 * MIB)[0], 204)
    over(s.upload(3 * MIB), s.project, "image_size_total", 5, 3, 3)
    equal(s.upload(2 * MIB)[0], 204)
    equal(s.usage()["image_size_total"], (5, 5))


@step
def staged_data_has_a_limit_of_its_own(s):
    s.clear()
    equal(s.upload(3 * MIB, "stage")[0], 204)
    over(s.upload(3 * MIB, "stage"), s.project, "image_stage_total", 5, 3, 3)
    equal(s.upload(2 * MIB, "stage")[0], 204)
    equal(s.usage()["image_stage_total"], (5, 5))
    equal(s.usage()["image_count_uploading"], (2, 2))
    over(s.upload(1), s.project, "image_count_uploading", 2, 3, 0)


@step
def a_project_may_have_limits_of_its_own(s):
    s.clear()
    for _ in range(4):
        s.planned()
    over(s.create(), s.project, "image_count_total", 4, 4, 1)
    [own] = s.limit(s.project, image_count_total=5)
    s.planned()
    over(s.create(), s.project, "image_count_total", 5, 5, 1)
    system = s.keystone.token("admin", WHOLE_CLOUD)
    s.keystone.call("PATCH", f"/limits/{own['id']}", {"limit": {"resource_limit": 6}}, system)
    s.planned()
    s.keystone.call("DELETE", f"/limits/{own['id']}", None, system)
    over(s.create(), s.project, "image_count_total", 4, 6, 1)
    other = s.keystone.token("demo2", "demo2")
    equal(s.usage(other)["image_count_total"], (0, 4))


@step
def without_keystone_nothing_is_added_and_nothing_hangs(s):
    s.clear()
    s.keystone.stop()
    try:
        start = time.monotonic()
        equal(s.create()[0], 503)
        equal(s.node.ask("GET", "/v2/info/usage", s.demo)[0], 503)
        equal(s.node.status(s.demo), 200)
        if time.monotonic() - start > 25:
            raise Failed("it took too long")
    finally:
        s.keystone.start()
    # It may not be itself at once.
    s.node.until(lambda: s.create()[0] == 201, "images are made again")


@step
def the_endpoint_is_found_by_its_service(s):
    found = f"endpoint_service_type = image\nendpoint_service_name = {NAME}\nendpoint_region_name = RegionOne"
    s.node.restart(options=OPTIONS.format(keystone=s.keystone.url, endpoint=found))
    equal(s.usage()["image_size_total"], (0, 5))
    s.node.restart(options=s.options)


@step
def a_family_shares_what_the_project_at_its_top_may_have(s):
    s.clear()
    s.keystone.stop()
    s.keystone.start(OS_UNIFIED_LIMIT__ENFORCEMENT_MODEL="strict_two_level")
    wanted = {"name": "child", "domain_id": "default", "parent_id": s.project}
    child = s.keystone.call("POST", "/projects", {"project": wanted})["project"]["id"]
    user, role = s.keystone.id_of("users", "demo"), s.keystone.id_of("roles", "member")
    s.keystone.call("PUT", f"/projects/{child}/users/{user}/roles/{role}")
    s.limit(s.project, image_count_total=3)
    s.limit(child, image_count_total=2)
    # What kind of limits there are is believed for a while.
    s.node.restart(options=s.options)
    of_child = s.keystone.token("demo", "child")
    s.planned(of_child)
    s.planned(of_child)
    over(s.create(of_child), child, "image_count_total", 2, 2, 1)
    s.planned()
    over(s.create(), s.project, "image_count_total", 3, 3, 1)


@step
def no_token_and_no_secret_is_in_the_log(s):
    log = (s.node.state / "server.log").read_text(errors="replace")
    if any(token in log for token in s.keystone.tokens):
        raise Failed("there is a token in the log")


def prepare(keystone):
    """Enters the image service with its limits, and lets its account read them. Says what the ids are."""
    entry = {"type": "image", "name": NAME}
    service = keystone.call("POST", "/services", {"service": entry})["service"]["id"]
    place = {
        "service_id": service, "region_id": "RegionOne", "interface": "public",
        "url": "http://127.0.0.1:9292",
    }
    endpoint = keystone.call("POST", "/endpoints", {"endpoint": place})["endpoint"]["id"]
    system = keystone.token("admin", WHOLE_CLOUD)
    limits = [
        {"service_id": service, "region_id": "RegionOne", "resource_name": name, "default_limit": limit}
        for name, limit in REGISTERED.items()
    ]
    keystone.call("POST", "/registered_limits", {"registered_limits": limits}, system)
    user, role = keystone.id_of("users", "glance"), keystone.id_of("roles", "reader")
    keystone.call("PUT", f"/system/users/{user}/roles/{role}", None, system)
    return service, endpoint


def main(bin_dir, script, folder):
    keystone = Keystone(script, pathlib.Path(folder), free_port())
    try:
        keystone.start()
        service, endpoint = prepare(keystone)
        node = Service(bin_dir, keystone.url)
        return run(node, lambda node: Session(node, keystone, service, endpoint), step)
    finally:
        keystone.stop()


if __name__ == "__main__":
    # Whoever ends this ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.umask(0o022)
    sys.exit(main(*sys.argv[1:]))
