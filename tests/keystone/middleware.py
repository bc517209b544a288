"""Asks Python's keystonemiddleware about tokens: `middleware.py CONF TOKEN...`, CONF in JSON.

It runs in the environment that has Keystone, and prints a JSON list of the project of each token, or null.
"""

import json
import logging
import sys

import webob
from keystonemiddleware import auth_token

logging.disable(logging.CRITICAL)


def application(environ, start_response):
    start_response("200 OK", [])
    return [environ.get("HTTP_X_PROJECT_ID", "").encode()]


middleware = auth_token.AuthProtocol(application, json.loads(sys.argv[1]))
projects = []
for token in sys.argv[2:]:
    request = webob.Request.blank("/", headers={"X-Auth-Token": token})
    answer = request.get_response(middleware)
    projects.append(answer.text if answer.status_int == 200 else None)
print(json.dumps(projects))
