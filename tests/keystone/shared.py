"""Tokens that services share in memcached, with Python's keystonemiddleware at the other end. See README.md."""

import contextlib
import getpass
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

from node import Failed, free_port
from steps import Steps, equal

HERE = pathlib.Path(__file__).resolve().parent
KEY = "a-key-of-the-services"

step = Steps()


class Memcached:
    """Two servers, for what lies where has to be the same for everybody."""

    def __init__(self):
        self.ports = [free_port(), free_port()]
        self.servers = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        self.processes = []

    def __enter__(self):
        command = ["memcached", "-l", "127.0.0.1", "-m", "16", "-u", getpass.getuser()]
        self.processes = [
            subprocess.Popen([*command, "-p", str(port)], stdin=subprocess.DEVNULL)
            for port in self.ports
        ]
        for port in self.ports:
            end = time.monotonic() + 60
            while not reachable(port):
                if time.monotonic() > end:
                    raise Failed("memcached does not start")
                time.sleep(0.05)
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
            process.wait(60)

    def kept(self):
        """How much lies in each of them."""
        return [int(self.stats(port)["curr_items"]) for port in self.ports]

    @staticmethod
    def stats(port):
        lines = talk(port, b"stats\r\n", b"END\r\n").splitlines()
        return dict(line.split()[1:3] for line in lines if line.startswith("STAT"))

    def everything(self):
        """The names of all that is kept, and what is kept."""
        for port in self.ports:
            for line in talk(port, b"lru_crawler metadump all\r\n", b"END\r\n").splitlines():
                if line.startswith("key="):
                    name = line.split()[0][4:].replace("%27", "'").replace("%2F", "/")
                    name = name.replace("%2B", "+").replace("%3D", "=")
                    yield port, name, talk(port, f"get {name}\r\n".encode(), b"END\r\n")


def reachable(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def talk(port, request, end):
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(request)
        answer = b""
        while not answer.endswith(end):
            part = connection.recv(1 << 16)
            if not part:
                break
            answer += part
        return answer.decode("latin-1")


def strategy(name, key=KEY):
    return f"memcache_security_strategy = {name}\nmemcache_secret_key = {key}"


def middleware(s, memcached, name, tokens):
    """The projects of the tokens, as the middleware tells them."""
    conf = {
        "auth_type": "password", "auth_url": s.proxy.url, "username": "glance", "password": "glance",
        "project_name": "service", "user_domain_id": "default", "project_domain_id": "default",
        "memcached_servers": memcached.servers, "memcache_security_strategy": name,
        "memcache_secret_key": KEY, "delay_auth_decision": "false",
    }
    python = pathlib.Path(os.environ["KEYSTONE_VENV"]) / "bin/python"
    done = subprocess.run(
        [python, HERE / "middleware.py", json.dumps(conf), *tokens], capture_output=True, text=True,
        timeout=120, env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    if done.returncode:
        raise Failed(done.stderr[-1500:])
    return json.loads(done.stdout)


def tokens_are_shared(s, name):
    with Memcached() as memcached:
        options = f"memcached_servers = {memcached.servers}\n{strategy(name)}"
        s.node.restart(options=options)
        theirs = [s.keystone.token("demo", "demo") for _ in range(6)]
        ours = [s.keystone.token("demo", "demo") for _ in range(6)]

        s.proxy.calm()
        equal(middleware(s, memcached, name, theirs), [s.project] * 6)
        equal(s.proxy.validated, 6)
        equal([s.node.status(token) for token in theirs], [200] * 6)
        equal(("asked again", s.proxy.validated), ("asked again", 6))

        equal([s.node.status(token) for token in ours], [200] * 6)
        equal(s.proxy.validated, 12)
        s.node.until(lambda: sum(memcached.kept()) == 12, "all are kept")
        equal(middleware(s, memcached, name, ours), [s.project] * 6)
        equal(("asked again", s.proxy.validated), ("asked again", 12))
        # Six tokens in one of two places: once in 2048 runs.
        if 0 in memcached.kept():
            raise Failed(f"all lies in one place: {memcached.kept()}")
        if name == "ENCRYPT":
            for _, _, kept in memcached.everything():
                if any(token in kept for token in theirs + ours) or "default" in kept:
                    raise Failed("something can be read")
        return list(memcached.everything())


@step
def tokens_are_shared_with_the_middleware_as_they_are(s):
    tokens_are_shared(s, "None")


@step
def tokens_are_shared_with_the_middleware_signed(s):
    tokens_are_shared(s, "MAC")


@step
def tokens_are_shared_with_the_middleware_encrypted(s):
    tokens_are_shared(s, "ENCRYPT")


@step
def what_nobody_with_the_key_put_there_counts_for_nothing(s):
    for name in ("None", "MAC", "ENCRYPT"):
        with Memcached() as memcached:
            s.node.restart(options=f"memcached_servers = {memcached.servers}\n{strategy(name)}")
            equal(s.node.status(s.demo), 200)
            s.node.until(lambda: sum(memcached.kept()) == 1, "it is kept")
            for port, key, _ in list(memcached.everything()):
                talk(port, f"set {key} 0 0 8\r\nnonsense\r\n".encode(), b"STORED\r\n")
            # Another process of the same service, which does not know the token by itself.
            s.node.restart(options=f"memcached_servers = {memcached.servers}\n{strategy(name)}")
            s.proxy.calm()
            equal((s.node.status(s.demo), s.proxy.validated), (200, 1))


@step
def memcached_that_is_away_or_silent_costs_nobody_anything(s):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for servers in (f"127.0.0.1:{free_port()}", f"127.0.0.1:{port}", "10.255.255.1:11211"):
            patient = "memcache_pool_socket_timeout = 120"
            s.node.restart(options=f"memcached_servers = {servers}\n{strategy('MAC')}\n{patient}")
            for _ in range(4):
                token = s.keystone.token("demo", "demo")
                # Keystone itself is as slow as it is.
                began = time.monotonic()
                s.keystone.described(token)
                usual = time.monotonic() - began
                began = time.monotonic()
                equal(s.node.status(token), 200)
                took = time.monotonic() - began
                if took > 2 * usual + 60:
                    raise Failed(f"{servers}: it took {took:.2f} s, and Keystone {usual:.2f} s")


@step
def memcached_that_comes_back_is_asked_again(s):
    memcached = Memcached()
    with memcached:
        s.node.restart(options=f"memcached_servers = {memcached.servers}")
        equal(s.node.status(s.demo), 200)
        s.node.until(lambda: sum(memcached.kept()) == 1, "it is kept")
    equal(s.node.status(s.keystone.token("demo", "demo")), 200)
    with memcached:
        def kept():
            equal(s.node.status(s.keystone.token("demo", "demo")), 200)
            return sum(memcached.kept()) > 0

        s.node.until(kept, "it is asked again")


def missing(venv):
    """What these steps cannot be taken without, where it is not there and cannot be had."""
    if not shutil.which("memcached"):
        return "memcached"
    modules = "import keystonemiddleware, memcache"
    python = f"{venv}/bin/python"
    if subprocess.run([python, "-c", modules], capture_output=True).returncode == 0:
        return None
    install = [python, "-m", "pip", "install", "-q", "keystonemiddleware", "python-memcached"]
    if subprocess.run(install, timeout=300).returncode:
        return "python-memcached"
    return None
