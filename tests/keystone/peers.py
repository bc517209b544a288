"""Nodes that ask each other for copies, and show the token of their service for it."""

import json
import os

from cloud import Service

from node import Failed
from steps import Steps, equal

OPTIONS = """[DEFAULT]
image_cache_dir = {state}/cache
image_cache_driver = centralized_db
worker_self_reference_url = {url}

[image_cache]
peers = true

[paste_deploy]
flavor = keystone+cachemanagement

[database]
connection = sqlite:///{first}/glance.sqlite

[fast]
filesystem_store_datadir = {first}/images
"""

step = Steps()


def options(node, first):
    return OPTIONS.format(state=node.state, url=node.url, first=first.state)


@step
def a_private_image_comes_from_the_copy_of_another_node(s):
    one, two = s.node, Service(s.node.bin_dir, s.node.keystone)
    one.restart(options=options(one, one))
    two.write(options=options(two, one))
    two.start()
    try:
        token = s.keystone.token("demo", "demo")
        admin = s.keystone.token("admin", "admin")
        wanted = {"disk_format": "raw", "container_format": "bare"}
        image = json.loads(one.ask("POST", "/v2/images", token, body=wanted)[2])["id"]
        data, path = os.urandom(3_000_000), f"/v2/images/{image}/file"
        octets = {"Content-Type": "application/octet-stream"}
        equal(one.ask("PUT", path, token, octets, data)[0], 204)
        equal(one.ask("GET", path, token)[0], 200)

        def told():
            status, _, body = two.ask("GET", f"/v2/cache/nodes/{image}", admin)
            return status == 200 and json.loads(body) == [one.url]

        two.until(told, "the second node knows of the copy")
        (one.state / "images").rename(one.state / "away")
        # Who may not have it does not get it from a copy either.
        equal(two.status(s.keystone.token("demo2", "demo2"), path), 404)
        if two.ask("GET", path, token)[2] != data:
            raise Failed(f"not the image: {two.log_end()}")
        log = (two.state / "server.log").read_text(errors="replace")
        if f"comes from the copy at {one.url}" not in log:
            raise Failed(f"nobody was asked: {two.log_end()}")
    finally:
        two.stop()
        if (one.state / "away").exists():
            (one.state / "away").rename(one.state / "images")
        one.restart()
    two.remove()
