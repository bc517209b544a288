"""The whole of it: a Keystone, a proxy, a service, and all steps. See README.md."""

import os
import pathlib
import signal
import sys

import peers
import shared
import tokens
from cloud import Keystone, Proxy, Service

from node import Failed, free_port
from steps import Steps, run

last = Steps()


@last
def no_token_and_no_secret_is_ever_in_the_log(s):
    log = (s.node.state / "server.log").read_text(errors="replace")
    if "token" not in log:
        raise Failed("nothing was logged, so that this proves nothing")
    told = [secret for secret in s.keystone.tokens | s.keystone.secrets if secret in log]
    if told or len(s.keystone.tokens) < 20:
        raise Failed(f"{len(told)} of {len(s.keystone.tokens)} tokens are in the log")


def main(bin_dir, script, folder):
    keystone = Keystone(script, pathlib.Path(folder), free_port())
    try:
        keystone.start()
        proxy = Proxy(keystone)
        # What the service asks is the proxy; who looks for the public interface finds Keystone itself.
        identity = keystone.id_of("services", "keystone")
        listed = keystone.call("GET", f"/endpoints?service_id={identity}")["endpoints"]
        internal = next(place["id"] for place in listed if place["interface"] == "internal")
        keystone.call("PATCH", f"/endpoints/{internal}", {"endpoint": {"url": proxy.url}})
        node = Service(bin_dir, proxy.url)
        absent = shared.missing(os.environ["KEYSTONE_VENV"])
        if absent:
            print(f"skip what services share: there is no {absent}", flush=True)
        steps = [*([] if absent else shared.step), *tokens.step, *peers.step, *last]
        return run(node, lambda node: tokens.Session(node, keystone, proxy), steps)
    finally:
        keystone.stop()


if __name__ == "__main__":
    # Whoever ends this ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.umask(0o022)
    sys.exit(main(*sys.argv[1:]))
