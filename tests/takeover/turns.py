"""The original and this service take turns on one state; see README.md."""

import contextlib
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent

RULES = """add_image delete_image get_image get_images modify_image download_image upload_image
manage_image_cache cache_image cache_list cache_delete list_cached_nodes""".split()

CONFIG = """[DEFAULT]
bind_host = 127.0.0.1
bind_port = {port}
enabled_import_methods = []
node_staging_uri = file://{state}/staging
worker_self_reference_url = http://127.0.0.1:{port}
image_cache_dir = {state}/cache
image_cache_driver = {driver}

[database]
connection = {database}

[glance_store]
stores = file
default_store = file
filesystem_store_datadir = {state}/images

[oslo_policy]
policy_file = {state}/policy.yaml

[paste_deploy]
flavor = cachemanagement
config_file = {state}/glance-api-paste.ini

[oslo_concurrency]
lock_path = {state}/lock

[image_cache]
queue_settle = 0
"""

# What the original's worker may take to fetch, and anybody to start.
PATIENCE = 60


def free_port():
    """A port that nobody has, below those that the kernel gives to whoever asks for any."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", random.randrange(20000, 30000)))
            return probe.getsockname()[1]


def until(what, holds):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = holds()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"in vain: {what}")


class State:
    """What both work on, and whichever of them runs."""

    def __init__(self, bin_dir, venv, database, driver):
        self.bin_dir, self.venv = pathlib.Path(bin_dir), pathlib.Path(venv)
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="glance-takeover-"))
        self.port = free_port()
        for name in ("images", "cache", "staging", "lock"):
            (self.path / name).mkdir()
        self.database = database.copy_to(self.path)
        paste = HERE.parents[1] / "etc/glance-api-paste.ini"
        shutil.copy(paste, self.path / "glance-api-paste.ini")
        (self.path / "policy.yaml").write_text("".join(f'"{rule}": ""\n' for rule in RULES))
        self.use(driver)
        self.running = None

    def use(self, driver):
        conf = CONFIG.format(port=self.port, state=self.path, driver=driver,
            database=self.database)
        (self.path / "glance-api.conf").write_text(conf)

    def start(self, command):
        log = open(self.path / "log", "ab")
        self.running = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={"PATH": os.environ["PATH"], "HOME": str(self.path), "PYTHONWARNINGS": "ignore"},
        )
        until("it answers", self.answers)

    def start_original(self):
        python = str(self.venv / "bin/python")
        self.start([python, str(HERE / "original.py"), str(self.path), str(self.port)])

    def start_ours(self):
        conf = str(self.path / "glance-api.conf")
        self.start([str(self.bin_dir / "glance-api"), "--config-file", conf])

    def answers(self):
        if self.running.poll() is not None:
            raise AssertionError(f"it ended with {self.running.returncode}")
        try:
            return self.ask("GET", "/v2/cache")[0] == 200
        except OSError:
            return False

    def stop(self):
        self.running.send_signal(signal.SIGTERM)
        try:
            assert self.running.wait(120) in (0, -signal.SIGTERM)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self.running = None

    def kill(self):
        if self.running:
            os.killpg(self.running.pid, signal.SIGKILL)
            self.running.wait(10)
            self.running = None

    def ask(self, method, path, body=None, kind=None, headers=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", body, {**(headers or {})}, method=method
        )
        if kind:
            request.add_header("Content-Type", kind)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def image(self, size):
        """Makes an image of so many bytes."""
        document = json.dumps({"disk_format": "raw", "container_format": "bare"}).encode()
        status, made = self.ask("POST", "/v2/images", document, "application/json")
        assert status == 201, made
        image, data = json.loads(made)["id"], os.urandom(size)
        status, why = self.ask("PUT", f"/v2/images/{image}/file", data, "application/octet-stream")
        assert status == 204, why
        return image, data

    def serves(self, image):
        status, data = self.ask("GET", f"/v2/images/{image[0]}/file")
        assert status == 200, (status, data[:300])
        assert hashlib.sha256(data).digest() == hashlib.sha256(image[1]).digest()

    def cached(self):
        """Hits and last access of each copy."""
        status, answer = self.ask("GET", "/v2/cache")
        assert status == 200, answer
        rows = json.loads(answer)["cached_images"]
        return {row["image_id"]: (row["hits"], row["last_accessed"]) for row in rows}

    def caches(self, *images):
        until("it is cached", lambda: all(image[0] in self.cached() for image in images))

    def counts(self, hits):
        """That these copies are here and no others, each with its hits."""
        wanted = {image[0]: count for image, count in hits}
        seen = {image: hits for image, (hits, _) in self.cached().items()}
        assert seen == wanted, f"{seen} in place of {wanted}"

    def hits_on_disk(self):
        """What whoever starts next will find in the index."""
        with sqlite3.connect(self.path / "cache/cache.db") as index:
            return dict(index.execute("SELECT image_id, hits FROM cached_images"))

    def without_store(self):
        return Away(self.path / "images")


class Away:
    """The store, moved away."""

    def __init__(self, path):
        self.path, self.away = path, path.with_name("images.away")

    def __enter__(self):
        self.path.rename(self.away)

    def __exit__(self, *_):
        if self.path.exists():
            shutil.rmtree(self.path)
        self.away.rename(self.path)


def the_original_and_this_service_take_turns(state, driver, then=None):
    """First the original, then this service, with the driver `then` if given, and the original again."""
    state.start_original()
    one, two, queued, part = (state.image(size) for size in (10_000, 200_000, 3_000, 9_000_000))
    for image in (one, one, one, two):
        state.serves(image)
        state.caches(image)
    until("two hits are counted", lambda: state.cached()[one[0]][0] == 2)
    before = state.cached()
    state.stop()
    # The original fetches what is queued by itself, so it is queued as anybody may: by a file.
    (state.path / "cache/queue" / queued[0]).touch()

    if then:
        state.use(then)
    state.start_ours()
    state.caches(queued)
    until("the hits are taken over", lambda: state.cached()[one[0]][0] == 2)
    state.counts([(one, 2), (two, 0), (queued, 0)])
    for image in (one, two):
        known, found = before[image[0]][1], state.cached()[image[0]][1]
        assert abs(known - found) < 2, f"last access {found} in place of {known}"
    new = state.image(50_000)
    state.serves(new)
    state.caches(new)
    with state.without_store():
        for image in (one, two, queued, new):
            state.serves(image)
    status, _ = state.ask("GET", f"/v2/images/{part[0]}/file", headers={"Range": "bytes=0-99"})
    assert status == 206
    hits = [(one, 3), (two, 1), (queued, 1), (new, 1)]
    until("all is counted", lambda: sum(hits for hits, _ in state.cached().values()) == 6)
    state.counts(hits)
    after = state.cached()
    state.stop()
    left = list((state.path / "cache/incomplete").iterdir())
    assert left == [], left

    state.start_original()
    state.counts(hits)
    for image, _ in hits:
        known, found = after[image[0]][1], state.cached()[image[0]][1]
        assert abs(known - found) < 2, f"last access {found} in place of {known}"
    with state.without_store():
        for image, _ in hits:
            state.serves(image)
    until("all is counted", lambda: sum(hits for hits, _ in state.cached().values()) == 10)
    state.counts([(image, count + 1) for image, count in hits])
    if (then or driver) == "centralized_db":
        status, nodes = state.ask("GET", f"/v2/cache/nodes/{new[0]}")
        assert json.loads(nodes) == [f"http://127.0.0.1:{state.port}"], (status, nodes)
    state.serves(part)
    state.caches(part)
    state.stop()


def the_original_starts_where_this_service_was_killed(state):
    """SIGKILL in the middle of a fill, then the original, then this service again."""
    state.start_ours()
    one, two, part, cut = (state.image(size) for size in (10_000, 200_000, 9_000_000, 128 << 20))
    for image in (one, one, two):
        state.serves(image)
        state.caches(image)
    status, _ = state.ask("GET", f"/v2/images/{part[0]}/file", headers={"Range": "bytes=0-99"})
    assert status == 206
    until("its hit is written", lambda: state.hits_on_disk() == {one[0]: 1, two[0]: 0})
    with urllib.request.urlopen(f"http://127.0.0.1:{state.port}/v2/images/{cut[0]}/file") as body:
        body.read(1)
        state.kill()
    left = [path.name for path in (state.path / "cache/incomplete").iterdir()]
    assert left == [cut[0]], left

    state.start_original()
    state.counts([(one, 1), (two, 0)])
    with state.without_store():
        for image in (one, two):
            state.serves(image)
    until("all is counted", lambda: sum(hits for hits, _ in state.cached().values()) == 3)
    state.counts([(one, 2), (two, 1)])
    for image in (cut, part):
        state.serves(image)
    state.caches(part)
    state.stop()

    state.start_ours()
    for image in (cut, part, one, two):
        state.serves(image)
        state.caches(image)
    state.stop()
    check = [str(state.bin_dir / "glance-cache-manage"), "fsck", "--verify"]
    check += ["--config-file", str(state.path / "glance-api.conf")]
    checked = subprocess.run(check, timeout=PATIENCE, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def has_attributes():
    with tempfile.NamedTemporaryFile(prefix="glance-takeover-") as probe:
        try:
            os.setxattr(probe.name, "user.hits", b"0")
            return True
        except OSError:
            return False


def sync(venv, folder, url):
    """Has the original make its schema."""
    conf = folder / "glance-api.conf"
    conf.write_text(f"[database]\nconnection = {url}\n")
    manage = [f"{venv}/bin/glance-manage", "--config-file", str(conf), "db_sync"]
    subprocess.run(manage, check=True, timeout=300, capture_output=True)


class File:
    """A database in a file, which the original makes once for all."""

    def __init__(self, venv):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="glance-takeover-"))
        sync(venv, self.folder, f"sqlite:///{self.folder}/glance.sqlite")

    def copy_to(self, path):
        shutil.copy(self.folder / "glance.sqlite", path / "glance.sqlite")
        return f"sqlite:///{path}/glance.sqlite"

    def drop(self):
        shutil.rmtree(self.folder)


class OnServer:
    """A database on a server, which is dropped at the end. None where no server answers."""

    SERVERS = {
        "MariaDB": ("GLANCE_TEST_MYSQL", "mysql://root@127.0.0.1:3306", "mysql+pymysql"),
        "PostgreSQL": ("GLANCE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432", "postgresql+psycopg2"),
    }
    CREATE = """
import sqlalchemy, sys
engine = sqlalchemy.create_engine(sys.argv[1], isolation_level="AUTOCOMMIT")
with engine.connect() as server:
    server.execute(sqlalchemy.text(sys.argv[2]))
"""

    @classmethod
    def find(cls, kind, venv):
        variable, usual, dialect = cls.SERVERS[kind]
        server = urllib.parse.urlsplit(os.environ.get(variable, usual))
        port = server.port or (3306 if kind == "MariaDB" else 5432)
        try:
            socket.create_connection((server.hostname, port), 5).close()
        except OSError as error:
            print(f"skipped: centralized_db on {kind}: no server at {server.netloc} ({variable} names another): {error}")
            return None
        return cls(kind, venv, f"{dialect}://{server.netloc}")

    def __init__(self, kind, venv, server):
        self.kind, self.venv, self.server = kind, venv, server
        self.name = f"glance_takeover_{os.getpid()}"

    def about(self, statement):
        database = "postgres" if self.kind == "PostgreSQL" else ""
        python = [f"{self.venv}/bin/python", "-c", self.CREATE, f"{self.server}/{database}", statement]
        subprocess.run(python, check=True, timeout=60)

    def copy_to(self, path):
        self.about(f"CREATE DATABASE {self.name}")
        url = f"{self.server}/{self.name}"
        sync(self.venv, path, url)
        return url

    def drop(self):
        force = " WITH (FORCE)" if self.kind == "PostgreSQL" else ""
        self.about(f"DROP DATABASE IF EXISTS {self.name}{force}")


def main(bin_dir, venv):
    file = File(venv)
    failed = False
    take_turns = the_original_and_this_service_take_turns
    turns = {
        "sqlite": ("sqlite", file, take_turns),
        "xattr": ("xattr", file, take_turns),
        "centralized_db": ("centralized_db", file, take_turns),
        "sqlite to centralized_db": (
            "sqlite", file, lambda state, driver: take_turns(state, driver, "centralized_db")
        ),
        "sqlite after a kill": (
            "sqlite", file, lambda state, _: the_original_starts_where_this_service_was_killed(state)
        ),
    }
    for kind in OnServer.SERVERS:
        server = OnServer.find(kind, venv)
        if server:
            turns[f"centralized_db on {kind}"] = ("centralized_db", server, take_turns)
    for name, (driver, database, turn) in turns.items():
        if driver == "xattr" and not has_attributes():
            print(f"skipped: {name}: files have no extended attributes here")
            continue
        state = None
        try:
            state = State(bin_dir, venv, database, driver)
            turn(state, driver)
            print(f"passed: {name}")
            shutil.rmtree(state.path)
        except Exception as error:  # the next one may still pass
            failed = True
            print(f"FAILED: {name}: {error!r}" + (f"; see {state.path}/log" if state else ""))
        finally:
            if state:
                state.kill()
            if database is not file:
                database.drop()
    file.drop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
