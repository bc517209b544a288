"""How long lists of images take the original: CONF ROUNDS.

Reads a question a line, [project, roles, query] as JSON; answers each with the least number of seconds.
"""

import json
import sys
import time

import glance_store
import webob

from glance.common import config

conf, rounds = sys.argv[1:]
config.parse_args(args=['--config-file', conf])
glance_store.register_opts(config.CONF)
glance_store.create_stores(config.CONF)
glance_store.verify_default_store()
app = config.load_paste_app('glance-api')


def ask(project, roles, query):
    headers = {
        'X-Identity-Status': 'Confirmed',
        'X-User-Id': 'user',
        'X-Project-Id': project,
        'X-Roles': roles,
    }
    start = time.perf_counter()
    answer = webob.Request.blank('/v2/images' + query, headers=headers).get_response(app)
    body = answer.body
    seconds = time.perf_counter() - start
    assert answer.status_int == 200, answer.status
    assert len(json.loads(body)['images']) == 25
    return seconds


for line in sys.stdin:
    question = json.loads(line)
    print('seconds', min(ask(*question) for _ in range(int(rounds))))
