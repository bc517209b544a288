"""Callers with tokens of a real Keystone, and what becomes of them when it is away. See README.md."""

import concurrent.futures
import http.client
import json
import time

from cloud import PASSWORD, Proxy, certificates

from node import Failed, free_port
from steps import Steps, equal

EVERY_TIME = "token_cache_time = -1"
PUBLIC = 'Keystone uri="http://public.example:5000"'
ADMIN_IN_HEADERS = {
    "X-Identity-Status": "Confirmed", "X-Roles": "admin", "X-User-Id": "root",
    "X-Project-Id": "0" * 32, "OpenStack-System-Scope": "all", "X-Service-Roles": "service",
}
# Seconds that tokens live where they are to end during a step.
SHORT = 10

step = Steps()


class Session:
    """What the steps hand on to each other."""

    def __init__(self, node, keystone, proxy):
        self.node, self.keystone, self.proxy = node, keystone, proxy
        self.demo = keystone.token("demo", "demo")
        self.project = keystone.id_of("projects", "demo")

    def owner_of_new(self, token, **headers):
        status, _, body = self.node.ask("POST", "/v2/images", token, headers, {"name": "mine"})
        equal(status, 201)
        return json.loads(body)["owner"]

    def grant(self, user, role, where):
        user, role = self.keystone.id_of("users", user), self.keystone.id_of("roles", role)
        self.keystone.call("PUT", f"{where}/users/{user}/roles/{role}")


@step
def a_token_is_its_owner_whatever_headers_claim(s):
    equal(s.owner_of_new(s.demo, **ADMIN_IN_HEADERS), s.project)
    equal(s.node.ask("GET", "/v2/tasks", s.demo, ADMIN_IN_HEADERS)[0], 403)


@step
def keystone_is_asked_where_the_catalogue_says_it_is(s):
    if not any(path.startswith("/v3/auth/tokens") for path in s.proxy.paths):
        raise Failed(f"the internal interface was not asked: {s.proxy.paths}")


@step
def roles_that_others_imply_count(s):
    admin = s.keystone.token("admin", "admin")
    equal(s.node.status(admin, "/v2/tasks"), 200)
    # Who may look is a reader, which nobody made the administrator.
    equal(s.node.status(admin), 200)
    made = s.keystone.call("POST", "/roles", {"role": {"name": "curator"}})["role"]["id"]
    member = s.keystone.id_of("roles", "member")
    s.keystone.call("PUT", f"/roles/{made}/implies/{member}")
    s.grant("reader", "curator", f"/projects/{s.keystone.id_of('projects', 'demo2')}")
    equal(s.node.ask("POST", "/v2/images", s.keystone.token("reader", "demo"), body={})[0], 403)
    equal(s.node.ask("POST", "/v2/images", s.keystone.token("reader", "demo2"), body={})[0], 201)


@step
def without_a_valid_token_nobody_is_let_in_and_hears_where_to_get_one(s):
    for token in (None, "unknown", "gAAAAAB" + "x" * 180, "é".encode().decode("latin-1")):
        for claims in ({}, ADMIN_IN_HEADERS):
            status, headers, _ = s.node.ask("GET", "/v2/images", token, claims)
            equal((status, headers["WWW-Authenticate"]), (401, PUBLIC))


@step
def tokens_for_the_system_a_domain_or_nothing_open_no_project(s):
    s.grant("admin", "admin", "/domains/default")
    for scope in ({"system": {"all": True}}, {"domain": {"id": "default"}}, {"unscoped": {}}):
        equal(s.node.status(s.keystone.token("admin", scope)), 403)


@step
def a_trust_lends_the_rights_of_its_owner(s):
    trustor, trustee = (s.keystone.id_of("users", name) for name in ("demo", "demo2"))
    trust = {
        "trustor_user_id": trustor, "trustee_user_id": trustee, "project_id": s.project,
        "impersonation": False, "roles": [{"name": "member"}],
    }
    made = s.keystone.call("POST", "/OS-TRUST/trusts", {"trust": trust}, s.demo)["trust"]["id"]
    token = s.keystone.token("demo2", {"OS-TRUST:trust": {"id": made}})
    equal(s.owner_of_new(token), s.project)


@step
def an_application_credential_is_held_to_its_access_rules(s):
    rules = [{"service": "image", "method": "GET", "path": "/v2/images"}]
    free = s.keystone.by_credential(s.keystone.credential("demo", "demo"))
    ruled = s.keystone.by_credential(s.keystone.credential("demo", "demo", access_rules=rules))
    equal(s.owner_of_new(free), s.project)
    # Unless it is said what they call this service, none of their rules can be judged.
    equal(s.node.status(ruled), 401)
    s.node.restart(options="service_type = image")
    equal(s.node.status(ruled), 200)
    equal(s.node.status(ruled, "/v2/schemas/image"), 401)
    equal(s.node.ask("POST", "/v2/images", ruled, body={})[0], 401)


@step
def the_service_may_have_an_application_credential(s):
    mine = s.keystone.credential("glance", "service")
    s.node.restart(
        account="auth_type = v3applicationcredential\n"
        f"application_credential_id = {mine['id']}\napplication_credential_secret = {mine['secret']}"
    )
    equal(s.node.status(s.demo), 200)


@step
def the_account_may_stand_in_a_section_of_its_own(s):
    elsewhere = f"auth_section = Account\n[account]\n{PASSWORD}\nauth_url = {s.proxy.url}"
    s.node.restart(account="", options=elsewhere)
    equal(s.node.status(s.demo), 200)


@step
def the_region_chooses_among_several_keystones(s):
    s.keystone.call("POST", "/regions", {"region": {"id": "Elsewhere"}})
    place = {
        "interface": "internal", "region_id": "Elsewhere", "url": f"http://127.0.0.1:{free_port()}",
        "service_id": s.keystone.id_of("services", "keystone"),
    }
    s.keystone.call("POST", "/endpoints", {"endpoint": place})
    once = "http_request_max_retries = 0"
    s.node.restart(options=once)
    equal(s.node.status(s.demo), 200)
    s.node.restart(options=once, region="Elsewhere")
    equal(s.node.status(s.demo), 503)


@step
def the_catalogue_is_asked_for_only_where_it_is_wanted(s):
    for options, asked in (("", False), ("include_service_catalog = false", True)):
        s.node.restart(options=options)
        s.proxy.calm()
        equal(s.node.status(s.demo), 200)
        equal(any("nocatalog" in path for path in s.proxy.paths), asked)


@step
def keystone_is_believed_by_its_certificate(s):
    folder = s.node.state / "tls"
    tls = certificates(folder)
    proxy = Proxy(s.keystone, tls)
    # What a token's catalogue says of the identity service has to lead there, too.
    s.keystone.call("POST", "/regions", {"region": {"id": "Tls"}})
    place = {
        "interface": "internal", "region_id": "Tls", "url": proxy.url,
        "service_id": s.keystone.id_of("services", "keystone"),
    }
    s.keystone.call("POST", "/endpoints", {"endpoint": place})
    mine = f"certfile = {folder}/service.pem\nkeyfile = {folder}/service.key"
    once = "http_request_max_retries = 0\nhttp_connect_timeout = 60"
    for options, status in (
        (f"cafile = {folder}/ca.pem\n{mine}", 200),
        (f"insecure = true\n{mine}", 200),
        # Who shows nothing of itself is not let in, and whom nobody vouches for is not believed.
        (f"cafile = {folder}/ca.pem", 503),
        (f"cafile = {folder}/other.pem\n{mine}", 503),
        (mine, 503),
    ):
        s.node.restart(options=f"{options}\n{once}", region="Tls", keystone=proxy.url)
        equal((options, s.node.status(s.demo)), (options, status))


@step
def a_service_with_a_wrong_password_is_503_and_the_log_says_why(s):
    s.node.restart(
        account=PASSWORD.replace("password = glance", "password = glance-has-forgotten-it")
    )
    equal(s.node.status(s.demo), 503)
    if "gives the service no token: 401 Unauthorized" not in s.node.log_end():
        raise Failed(f"no word in the log: {s.node.log_end()}")


@step
def the_token_of_a_service_is_one_only_with_its_role(s):
    s.node.restart(delay=False)
    service = s.keystone.token("cinder", "service")
    equal(s.node.status(s.demo, X_Service_Token=service), 200)
    for other in (s.demo, "unknown"):
        status, headers, body = s.node.ask("GET", "/v2/images", s.demo, {"X-Service-Token": other})
        equal((status, headers["WWW-Authenticate"]), (401, PUBLIC))
        equal(json.loads(body)["error"]["code"], 401)
    s.node.restart(options="service_token_roles_required = false", delay=False)
    equal(s.node.status(s.demo, X_Service_Token=s.demo), 200)
    equal(s.node.status(s.demo, X_Service_Token="unknown"), 401)
    s.node.restart(options="service_token_roles = curator, nobody", delay=False)
    equal(s.node.status(s.demo, X_Service_Token=service), 401)
    # As shipped it is left to the service, which lets the user in and believes no service.
    s.node.restart()
    equal(s.node.status(s.demo, X_Service_Token="unknown"), 200)


@step
def a_revoked_token_is_refused_as_soon_as_keystone_is_asked_again(s):
    s.node.restart(options="token_cache_time = 15")
    token = s.keystone.token("demo", "demo")
    equal(s.node.status(token), 200)
    known = time.monotonic()
    s.keystone.revoke(token)
    if time.monotonic() - known < 5:
        equal(s.node.status(token), 200)
    s.node.until(lambda: s.node.status(token) == 401, "it is refused")
    s.node.restart(options=EVERY_TIME)
    token = s.keystone.token("demo", "demo")
    equal(s.node.status(token), 200)
    s.keystone.revoke(token)
    equal(s.node.status(token), 401)


@step
def whose_account_is_closed_is_refused(s):
    token = s.keystone.token("demo2", "demo2")
    equal(s.node.status(token), 200)
    account = f"/users/{s.keystone.id_of('users', 'demo2')}"
    s.keystone.call("PATCH", account, {"user": {"enabled": False}})
    equal(s.node.status(token), 401)
    s.keystone.call("PATCH", account, {"user": {"enabled": True}})


@step
def a_slow_keystone_is_asked_once_however_many_wait(s):
    s.node.restart()
    equal(s.node.status(s.demo), 200)
    token = s.keystone.token("demo", "demo")
    s.proxy.calm()
    s.proxy.delay = 2
    with concurrent.futures.ThreadPoolExecutor(30) as many:
        answers = set(many.map(lambda _: s.node.status(token), range(30)))
    equal((answers, s.proxy.validated), ({200}, 1))


@step
def a_keystone_that_is_too_slow_is_503(s):
    s.node.restart(options="http_connect_timeout = 10\n" + EVERY_TIME)
    s.proxy.delay = 0
    equal(s.node.status(s.demo), 200)
    s.proxy.delay = 60
    began = time.monotonic()
    equal(s.node.status(s.demo), 503)
    if time.monotonic() - began > 45:
        raise Failed("the limit did not count")


@step
def nonsense_is_503_and_never_401(s):
    s.node.restart(options=EVERY_TIME)
    pages = (b"<html>no keystone</html>", b"", b"{}", b'{"token": {}}', b'{"token": [1]}')
    for status in (200, 300, 401, 403, 404, 500, 502, 503):
        for page in pages:
            s.proxy.calm()
            equal(s.node.status(s.demo), 200)
            s.proxy.nonsense = (status, page)
            equal((status, page, s.node.status(s.demo)), (status, page, 503))
    s.proxy.calm()


@step
def without_keystone_known_tokens_go_on_and_others_are_503(s):
    s.node.restart()
    other = s.keystone.token("reader", "demo")
    equal(s.node.status(s.demo), 200)
    s.keystone.stop()
    equal(s.node.status(s.demo), 200)
    for token in (other, "unknown"):
        status, _, body = s.node.ask("GET", "/v2/images", token)
        equal(status, 503)
        if b"The Keystone service is temporarily unavailable." not in body:
            raise Failed(f"no clear sentence: {body}")
    # Who has no token at all needs no Keystone to be told so.
    equal(s.node.status(), 401)
    # A service that starts now knows nobody, and is healthy all the same.
    s.node.restart(delay=False)
    equal((s.node.status(s.demo), s.node.status(path="/healthcheck")), (503, 200))


@step
def it_goes_on_by_itself_when_keystone_is_back(s):
    s.keystone.start(OS_TOKEN__EXPIRATION=str(SHORT))
    equal(s.node.status(s.demo), 200)


@step
def an_ended_token_is_refused_unless_a_service_passes_it_on(s):
    s.node.restart(options=EVERY_TIME)
    token = s.keystone.token("demo", "demo")
    began = time.monotonic()
    s.node.until(lambda: s.node.status(token) == 401, "it has ended", SHORT + 60)
    if time.monotonic() - began < SHORT / 2:
        raise Failed("it ended before its time")
    service = s.keystone.token("cinder", "service")
    equal(s.node.status(token, X_Service_Token=service), 200)
    equal(s.node.status(token), 401)


@step
def the_services_own_token_is_renewed_in_time(s):
    s.proxy.calm()
    end = time.monotonic() + 2 * SHORT
    while time.monotonic() < end:
        equal(s.node.status(s.demo), 200)
        time.sleep(0.5)


@step
def a_long_upload_survives_the_end_of_its_token(s):
    token = s.keystone.token("demo", "demo")
    wanted = {"disk_format": "raw", "container_format": "bare"}
    image = json.loads(s.node.ask("POST", "/v2/images", token, body=wanted)[2])["id"]

    def parts():
        yield b"a" * 70_000
        s.node.until(lambda: s.node.status(token) == 401, "the token has ended", SHORT + 60)
        yield b"b" * 70_000

    connection = http.client.HTTPConnection("127.0.0.1", s.node.port, timeout=60)
    headers = {"X-Auth-Token": token, "Content-Type": "application/octet-stream"}
    connection.request("PUT", f"/v2/images/{image}/file", parts(), headers, encode_chunked=True)
    equal(connection.getresponse().status, 204)
    connection.close()
    shown = json.loads(s.node.ask("GET", f"/v2/images/{image}", s.demo)[2])
    equal((shown["status"], shown["size"]), ("active", 140_000))
