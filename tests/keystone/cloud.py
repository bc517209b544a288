"""A real Keystone, a proxy in front of it that may misbehave, and a glance-api that asks it."""

import http.client
import http.server
import json
import os
import pathlib
import ssl
import subprocess
import threading
import time
import urllib.parse

from node import Failed, Node

CONFIG = """[DEFAULT]
debug = true
bind_host = 127.0.0.1
bind_port = {port}
enabled_backends = fast:file

[database]
connection = sqlite:///{state}/glance.sqlite

[glance_store]
default_backend = fast

[fast]
filesystem_store_datadir = {state}/images

[paste_deploy]
flavor = keystone
config_file = {state}/paste.ini

[keystone_authtoken]
www_authenticate_uri = http://public.example:5000
auth_url = {keystone}
region_name = {region}
{account}
{options}
"""

PASSWORD = """auth_type = password
username = glance
password = glance
project_name = service
user_domain_id = default
project_domain_id = default"""

PASTE = pathlib.Path(__file__).resolve().parents[2] / "etc/glance-api-paste.ini"

# What each request is asked with: nobody may wait longer.
PATIENCE = 60


def ask(url, method, path, headers=None, body=None):
    """One request; gives status, headers and body."""
    place = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=PATIENCE)
    try:
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers = {"Content-Type": "application/json", **(headers or {})}
        connection.request(method, place.path + path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


class Keystone:
    """The identity service, as `keystone.sh` of the backends starts it. It remembers every token it gave."""

    def __init__(self, script, folder, port):
        self.script, self.folder, self.port = script, folder, port
        self.url = f"http://127.0.0.1:{port}/v3"
        self.tokens = set()
        self.secrets = {"glance-has-forgotten-it"}

    def start(self, **options):
        """`options` are those of keystone.conf, as oslo.config takes them from the environment."""
        self.control("start", **options)

    def stop(self):
        self.control("stop")

    def control(self, verb, **options):
        environment = {**os.environ, "KEYSTONE_PORT": str(self.port), **options}
        with open(self.folder / "keystone-sh.log", "ab") as log:
            done = subprocess.run(
                [self.script, verb, self.folder], timeout=600, env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        if done.returncode:
            raise Failed(f"keystone.sh {verb}: exit {done.returncode}, see {log.name}")

    def token(self, user="admin", scope=None, **identity):
        """A token for a user, whose password is its name, in a project or another scope."""
        if isinstance(scope, str):
            scope = {"project": {"name": scope, "domain": {"id": "default"}}}
        if not identity:
            named = {"name": user, "password": user, "domain": {"id": "default"}}
            identity = {"methods": ["password"], "password": {"user": named}}
        auth = {"identity": identity, **({"scope": scope} if scope else {})}
        status, headers, body = ask(self.url, "POST", "/auth/tokens", body={"auth": auth})
        if status != 201:
            raise Failed(f"no token for {user}: {status} {body[:300]}")
        self.tokens.add(headers["X-Subject-Token"])
        return headers["X-Subject-Token"]

    def credential(self, user, scope, **more):
        """An application credential of the user, as the methods of a token want it."""
        token = self.token(user, scope)
        mine = json.loads(self.described(token)[2])["token"]["user"]["id"]
        wanted = {"name": f"of-{user}-{time.monotonic_ns()}", **more}
        made = self.call(
            "POST", f"/users/{mine}/application_credentials", {"application_credential": wanted},
            token,
        )["application_credential"]
        self.secrets.add(made["secret"])
        return {"id": made["id"], "secret": made["secret"]}

    def by_credential(self, credential):
        return self.token(methods=["application_credential"], application_credential=credential)

    def described(self, token):
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        return ask(self.url, "GET", "/auth/tokens", headers)

    def revoke(self, token):
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        status, _, body = ask(self.url, "DELETE", "/auth/tokens", headers)
        if status != 204:
            raise Failed(f"not revoked: {status} {body[:300]}")

    def call(self, method, path, body=None, token=None):
        """Asks as the administrator of the cloud, unless a token is given."""
        token = token or self.token("admin", "admin")
        status, _, answer = ask(self.url, method, path, {"X-Auth-Token": token}, body)
        if not 200 <= status < 300:
            raise Failed(f"{method} {path}: {status} {answer[:300]}")
        return json.loads(answer) if answer else {}

    def id_of(self, kind, name):
        return self.call("GET", f"/{kind}?name={name}")[kind][0]["id"]


class Proxy:
    """Stands where the catalogue says that Keystone is, and is as well-behaved as a step wants it."""

    def __init__(self, keystone, tls=None):
        """`tls` is the context of a server that speaks it."""
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def pass_on(self):
                proxy.handle(self, keystone)

            do_GET = do_POST = pass_on

        self.keystone = keystone
        self.calm()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}/v3"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def calm(self):
        self.delay, self.nonsense = 0, None
        self.validated, self.paths = 0, []

    def handle(self, request, keystone):
        self.paths.append(request.path)
        self.validated += request.command == "GET" and "/auth/tokens" in request.path
        time.sleep(self.delay)
        if self.nonsense:
            return self.answer(request, *self.nonsense)
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        path = request.path.removeprefix("/v3")
        passed = {
            name: request.headers[name]
            for name in ("X-Auth-Token", "X-Subject-Token", "Content-Type",
                         "OpenStack-Identity-Access-Rules")
            if name in request.headers
        }
        keystone.tokens.update(passed.get(name) for name in ("X-Auth-Token",) if name in passed)
        try:
            status, headers, answer = ask(keystone.url, request.command, path, passed, body)
        except OSError:
            return self.answer(request, 502, b"<html>bad gateway</html>")
        subject = headers.get("X-Subject-Token")
        keystone.tokens.update({subject} if subject else ())
        return self.answer(request, status, answer, {"X-Subject-Token": subject} if subject else {})

    @staticmethod
    def answer(request, status, body, headers=None):
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        try:
            request.end_headers()
            request.wfile.write(body)
        except OSError:
            # Whoever asked has lost patience.
            pass


def certificates(folder):
    """An authority, what it signed for a server and for a service, and another authority; and the context of
    a server that wants to see who asks."""
    folder.mkdir()

    def openssl(*arguments):
        subprocess.run(
            ["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60
        )

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for name in ("ca", "other"):
        openssl("req", "-x509", *key, "-subj", f"/CN={name}", "-days", "2",
                "-keyout", f"{name}.key", "-out", f"{name}.pem")
    for name in ("server", "service"):
        (folder / "names").write_text("subjectAltName = IP:127.0.0.1\n")
        openssl("req", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", "request")
        openssl("x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", f"{name}.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "server.pem", folder / "server.key")
    tls.load_verify_locations(folder / "ca.pem")
    tls.verify_mode = ssl.CERT_REQUIRED
    return tls


class Service(Node):
    """A glance-api whose callers Keystone knows."""

    def __init__(self, bin_dir, keystone):
        super().__init__(bin_dir, "/nonexistent")
        self.keystone = keystone
        # The built-in rules count here.
        (self.state / "policy.yaml").unlink()
        self.write()

    def write(
        self, account=PASSWORD, options="", delay=True, region="RegionOne", keystone=None
    ):
        """`delay` is `delay_auth_decision`, which is on in the pipelines as they are shipped."""
        paste = PASTE.read_text()
        switched = paste if delay else paste.replace(
            "delay_auth_decision = true", "delay_auth_decision = false"
        )
        (self.state / "paste.ini").write_text(switched)
        self.conf.write_text(
            CONFIG.format(
                port=self.port, state=self.state, keystone=keystone or self.keystone,
                account=account, options=options, region=region,
            )
        )

    def restart(self, **configuration):
        """The configuration is changed, and counts from now on."""
        self.stop()
        self.write(**configuration)
        self.start()

    def ask(self, method, path, token=None, headers=None, body=None):
        headers = {**({"X-Auth-Token": token} if token else {}), **(headers or {})}
        return ask(self.url, method, path, headers, body)

    def status(self, token=None, path="/v2/images", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("GET", path, token, named)[0]
