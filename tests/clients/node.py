"""A node to drive: a glance-api with its state in a temporary directory, and the commands that ask it."""

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

# What the steps need of the policy, for a pipeline that asks nobody who they are.
RULES = """add_image delete_image get_image get_images modify_image publicize_image communitize_image
download_image upload_image delete_image_location get_image_location set_image_location add_member
delete_member get_member get_members modify_member manage_image_cache deactivate reactivate cache_image
cache_list cache_delete tasks_api_access get_tasks add_image_location fetch_image_location
stores_info_detail list_cached_nodes""".split()

CONFIG = """[DEFAULT]
bind_host = 127.0.0.1
bind_port = {port}
enabled_import_methods = []
node_staging_uri = file://{state}/staging
worker_self_reference_url = {url}
image_cache_dir = {state}/cache
image_cache_driver = sqlite
{options}

[database]
connection = sqlite:///{state}/glance.sqlite

{stores}

[oslo_policy]
policy_file = {state}/policy.yaml

[paste_deploy]
flavor = cachemanagement

[oslo_concurrency]
lock_path = {state}/lock
"""

ONE_STORE = """[glance_store]
stores = file, http
default_store = file
filesystem_store_datadir = {state}/images"""

TWO_STORES = """[glance_store]
default_backend = fast

[fast]
filesystem_store_datadir = {state}/images

[cheap]
filesystem_store_datadir = {state}/cheap"""


class Failed(Exception):
    """A step did not go as it should."""


# Below those that the kernel gives to whoever asks for any, so that nobody gets one in between.
PORTS = iter(random.sample(range(20000, 30000), 1000))


def free_port():
    """A port that nobody has, and that this process gives away once."""
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


class Node:
    """A running glance-api. Its store can be moved away, as when a network share is lost."""

    def __init__(self, bin_dir, venv, options="", stores=ONE_STORE):
        self.bin_dir, self.venv = pathlib.Path(bin_dir), pathlib.Path(venv)
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="glance-clients-"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.conf = self.state / "glance-api.conf"
        self.server = None
        for name in ("images", "cache", "staging"):
            (self.state / name).mkdir()
        self.conf.write_text(
            CONFIG.format(
                port=self.port, url=self.url, state=self.state, options=options,
                stores=stores.format(state=self.state),
            )
        )
        self.environment = {"PYTHONWARNINGS": "ignore"}
        self.called = []
        (self.state / "policy.yaml").write_text("".join(f'"{rule}": ""\n' for rule in RULES))

    def start(self):
        command = os.environ.get("GLANCE_CLIENT_SERVER", str(self.bin_dir / "glance-api")).split()
        log = open(self.state / "server.log", "ab")
        self.server = subprocess.Popen(
            [*command, "--config-file", str(self.conf)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "GLANCE_STATE_DIR": str(self.state)},
        )
        self.until(self.healthy, "the server is ready", 60)

    def healthy(self):
        if self.server.poll() is not None:
            raise Failed(f"the server ended with {self.server.returncode}: {self.log_end()}")
        try:
            return urllib.request.urlopen(f"{self.url}/healthcheck", timeout=5).status == 200
        except (OSError, urllib.error.URLError):
            return False

    def stop(self):
        if self.server and self.server.poll() is None:
            self.server.send_signal(signal.SIGTERM)
            try:
                self.server.wait(120)
            except subprocess.TimeoutExpired:
                os.killpg(self.server.pid, signal.SIGKILL)
                self.server.wait(10)
                raise Failed("SIGTERM did not end the server within 120 s") from None
        return self.server.returncode

    def log_end(self):
        lines = (self.state / "server.log").read_text(errors="replace").splitlines()
        return " | ".join(lines[-5:])

    def remove(self):
        shutil.rmtree(self.state, ignore_errors=True)

    # -- asking -------------------------------------------------------------------------------------

    def run(self, *command, ok=(0,), timeout=120, **kwargs):
        """Runs a command and gives its standard output; another exit code than one of `ok` fails."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OS_")}
        environment.update(self.environment)
        try:
            done = subprocess.run(
                [str(part) for part in command], text=True, timeout=timeout, env=environment,
                **{
                    "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                    "stderr": subprocess.PIPE, **kwargs,
                },
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"{command[0]} did not end within {timeout} s") from None
        if done.returncode not in ok:
            raise Failed(
                f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stdout} {done.stderr}"
            )
        return done.stdout

    def glance(self, *arguments, **kwargs):
        """The client of python-glanceclient. It wants a token even where the API wants none."""
        self.called.append(("glance", *map(str, arguments)))
        return self.run(
            self.venv / "bin/glance", "--os-image-url", self.url, "--os-auth-token", "none",
            *arguments, **kwargs,
        )

    def openstack(self, *arguments, **kwargs):
        self.called.append(("openstack", *map(str, arguments)))
        return self.run(
            self.venv / "bin/openstack", "--os-auth-type", "none", "--os-endpoint", self.url,
            *arguments, **kwargs,
        )

    def show(self, image, *fields):
        """Fields of an image as `openstack image show` tells them."""
        shown = json.loads(self.openstack("image", "show", "-f", "json", image))
        return shown if not fields else [shown.get(field) for field in fields]

    def document(self, image):
        """What the API itself says of an image."""
        return json.load(urllib.request.urlopen(f"{self.url}/v2/images/{image}", timeout=60))

    def manage(self, *arguments, **kwargs):
        return self.run(self.bin_dir / "glance-cache-manage", "-p", self.port, *arguments, **kwargs)

    def job(self, name, *arguments, **kwargs):
        return self.run(
            self.bin_dir / f"glance-cache-{name}", "--config-file", self.conf, *arguments, **kwargs
        )

    def cached(self):
        """The rows of the cache's listing, by image."""
        rows = json.loads(self.manage("list-cached", "--json"))["cached_images"]
        return {row["image_id"]: row for row in rows}

    def queued(self):
        return json.loads(self.manage("list-queued", "--json"))["queued_images"]

    # -- the world around it ------------------------------------------------------------------------

    def unplug_store(self):
        (self.state / "images").rename(self.state / "images.away")

    def plug_store(self):
        (self.state / "images.away").rename(self.state / "images")

    @staticmethod
    def until(holds, what, seconds=60):
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise Failed(f"after {seconds} s it does not hold that {what}")
            time.sleep(0.05)
