"""What a client that may not look into Keystone gets of it: which version it is, and no more.

`openstack image add project` and its like look the project up before they ask the image service. Who is not
allowed to (as most users are not) is taken at its word: the name is the id.
"""

import http.server
import json
import threading


class Identity(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path.rstrip("/") in ("", "/v3"):
            here = f"http://127.0.0.1:{self.server.server_port}/v3/"
            version = {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": here}]}
            self.answer(200, {"version": version})
        else:
            message = {"code": 403, "title": "Forbidden", "message": "You are not authorized."}
            self.answer(403, {"error": message})

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve():
    """Starts one for as long as this process runs, and gives its URL."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Identity)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/v3"
