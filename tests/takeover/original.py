"""The original behind Python's own server: original.py CONFIG_DIR PORT."""

import os
import signal
import socketserver
import sys
import wsgiref.simple_server

os.environ["OS_GLANCE_CONFIG_DIR"] = sys.argv[1]
sys.argv[0] = "glance-api"

from glance.common import wsgi_app  # noqa: E402


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


def end(*_):
    raise SystemExit(0)


signal.signal(signal.SIGTERM, end)
application = wsgi_app.init_app()
port = int(sys.argv[2])
wsgiref.simple_server.make_server("127.0.0.1", port, application, server_class=Server).serve_forever()
