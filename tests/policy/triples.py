#!/usr/bin/env python3
"""Asks oslo.policy itself, and writes down what it says.

    python3 triples.py > triples.json
    python3 triples.py --defaults > defaults.json

Needs oslo.policy alone, and for the second form glance as well: it writes down the rules that glance ships,
which the first form asks about. The seed is fixed: the same libraries give the same file.

Every rule is asked about every caller and every target; the answers of one rule are a number in
hexadecimal, one bit per pair, callers outermost, the first pair in the lowest bit. Where oslo.policy
fails (a request would end with 500) the answer is no.

A reference to a rule that is not defined falls back to `default` in a real service, which lets everybody
in; here the fallback is switched off, because such a reference has to deny. Under a `not` it has to deny as
well, where oslo.policy lets in: rules with such a place are asked about a second time, with `@` in that place,
and stand with those answers under "fewer".

A site is a policy file over the shipped rules, with or without their older forms. Where a rule asks another
server, what that one is told is written down.
"""

import http.server
import json
import logging
import os
import random
import sys
import tempfile
import threading

from oslo_config import cfg
from oslo_context import context
from oslo_policy import _checks, _parser, opts, policy

SEED = 20260731
RULES = 2600
SITES = 24
DEFAULTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'defaults.json')

NAMED = {
    'own': 'project_id:%(project_id)s',
    'seen': "'public':%(visibility)s or 'community':%(visibility)s",
    'own_or_seen': 'rule:own or (role:reader and rule:seen)',
    'nobody': '!',
    'everybody': '@',
    'not_own': 'not rule:own',
}

CALLERS = [
    {},
    {'user_id': 'u1', 'project_id': 'p1', 'roles': ['member', 'reader']},
    {'user_id': 'u1', 'project_id': 'p1', 'roles': ['Reader']},
    {'user_id': 'u2', 'project_id': 'p2', 'roles': ['member', 'reader']},
    {'user_id': 'u3', 'project_id': 'p2', 'roles': ['admin', 'member', 'reader']},
    {'user_id': 'u4', 'project_id': 'p3', 'roles': ['service']},
    {'user_id': 'u5', 'roles': ['admin'], 'system_scope': 'all'},
    {'user_id': 'u6', 'roles': ['admin'], 'domain_id': 'd1'},
    {'user_id': 'u7', 'project_id': '', 'roles': ['reader', 'auditor'], 'system_scope': ''},
    {'user_id': 'u1', 'project_id': 'p1', 'roles': ['member'], 'user_domain_id': 'd1',
     'project_domain_id': 'd2', 'is_admin_project': False, 'service_user_id': 's1',
     'service_user_domain_id': 'd3', 'service_project_id': 'sp', 'service_project_domain_id': 'd4',
     'service_roles': ['service', 'Admin']},
]

TARGETS = [
    {},
    {'project_id': 'p1', 'owner': 'p1', 'visibility': 'private', 'member_id': None},
    {'project_id': 'p1', 'owner': 'p2', 'visibility': 'public', 'member_id': 'p2'},
    {'project_id': 'p2', 'owner': 'p2', 'visibility': 'shared', 'member_id': 'p1',
     'protected': True, 'size': 123, 'name': '100%'},
    {'project_id': None, 'owner': None, 'visibility': 'community', 'protected': False, 'size': 0,
     'name': 'Reader'},
    {'project_id': '', 'owner': 'd1', 'visibility': 'public', 'name': "it's"},
]

KEYS = ['project_id', 'owner', 'visibility', 'member_id', 'protected', 'size', 'name', 'absent']
CREDENTIALS = [
    'user_id', 'project_id', 'domain_id', 'user_domain_id', 'project_domain_id', 'system_scope',
    'system', 'roles', 'is_admin_project', 'service_user_id', 'service_user_domain_id',
    'service_project_id', 'service_project_domain_id', 'service_roles', 'is_admin', 'tenant',
    'user_id.x', 'roles.name', 'service_roles.x.y', 'some-name',
]
LITERALS = [
    "'public'", '"public"', "'shared'", "''", "'p1'", 'True', 'False', 'None', '123', '0',
    "'100%'", "'a.b'", '"it\'s"',
]
WORDS = ['p1', 'p2', 'u1', 'd1', 'd2', 'all', 'reader', 'Admin', 'service', 'True', 'None', '',
         '100%%', '100%', '%(name', '%(size)', 'a:b', 'x(y)z', '%%(name)s']
ROLES = ['admin', 'ADMIN', 'member', 'reader', 'Reader', 'service', 'auditor', 'absent',
         '%(name)s', '%(absent)s', '%(owner)s', '50%']
BROKEN = ['nonsense', "'quoted'", '"a:b"', "'x:%(name)s", '5x:p1', ':p1', 'a..b:p1', '1.2.3:x',
          '@@', '!@', '@:', "'half"]


def check(rng):
    kind = rng.random()
    if kind < 0.22:
        return 'role:' + rng.choice(ROLES[:6] if rng.random() < 0.7 else ROLES)
    if kind < 0.40:
        return '%s:%%(%s)s' % (rng.choice(CREDENTIALS[:6]), rng.choice(KEYS))
    if kind < 0.60:
        return '%s:%%(%s)s' % (rng.choice(LITERALS), rng.choice(KEYS))
    if kind < 0.74:
        return '%s:%s' % (rng.choice(CREDENTIALS), rng.choice(WORDS))
    if kind < 0.86:
        return 'rule:' + rng.choice(list(NAMED) + ['absent'])
    if kind < 0.91:
        return rng.choice(['@', '!'])
    if kind < 0.95:
        return '%s:%s%%(%s)s%s' % (rng.choice(LITERALS + CREDENTIALS), rng.choice(['', 'p', 'x-']),
                                   rng.choice(KEYS), rng.choice(['', '1', '%%']))
    return rng.choice(BROKEN)


def expression(rng, depth):
    if depth == 0 or rng.random() < 0.25:
        return check(rng)
    shape = rng.random()
    if shape < 0.2:
        return '%s %s' % (word(rng, 'not'), operand(rng, depth))
    joined = operand(rng, depth)
    for _ in range(rng.randint(1, 3)):
        joined += ' %s %s' % (word(rng, rng.choice(['and', 'or'])), operand(rng, depth))
    return joined


def operand(rng, depth):
    inner = expression(rng, depth - 1)
    shape = rng.random()
    if shape < 0.45:
        return '(%s)' % inner
    if shape < 0.5:
        return '( %s )' % inner
    if shape < 0.6:
        return 'not (%s)' % inner
    return inner


def word(rng, text):
    return rng.choice([text, text, text, text.upper(), text.capitalize()])


def damaged(rng, text):
    """One part lost, doubled or moved."""
    parts = text.split(' ')
    at = rng.randrange(len(parts))
    damage = rng.randrange(5)
    if damage == 0:
        parts.pop(at)
    elif damage == 1:
        parts.insert(at, parts[at])
    elif damage == 2:
        parts.insert(at, rng.choice(['and', 'or', 'not', '(', ')', "'x'"]))
    elif damage == 3:
        parts[at] = rng.choice(['(' + parts[at], parts[at] + ')', '((' + parts[at] + '))'])
    else:
        parts.insert(rng.randrange(len(parts)), '\t\n')
    return ' '.join(parts)


def lists(rng):
    return [
        check(rng) if rng.random() < 0.3 else [check(rng) for _ in range(rng.randint(0, 3))]
        for _ in range(rng.randint(0, 4))
    ]


def rules(rng):
    yield from ['', ' ', '@', '!', '()', [], [[]], [''], ['@', []]]
    yield from ['is_admin:True', 'not is_admin:True', 'is_admin:%(is_admin)s', 'is_admin:None']
    for _ in range(RULES):
        shape = rng.random()
        if shape < 0.1:
            yield lists(rng)
        elif shape < 0.3:
            yield damaged(rng, expression(rng, 2))
        else:
            yield expression(rng, rng.randint(0, 3))


def denying(check, sense=True):
    """The check with `@` for a reference to nothing under a `not`; the check itself where there is none."""
    if isinstance(check, _checks.RuleCheck):
        return check if sense or check.match in NAMED else _checks.TrueCheck()
    if isinstance(check, _checks.NotCheck):
        inner = denying(check.rule, not sense)
        return check if inner is check.rule else _checks.NotCheck(inner)
    if isinstance(check, (_checks.AndCheck, _checks.OrCheck)):
        parts = [denying(part, sense) for part in check.rules]
        same = all(new is old for new, old in zip(parts, check.rules))
        return check if same else type(check)(parts)
    return check


def answers(enforcer, rule):
    number = 0
    bit = 1
    for caller in CALLERS:
        for target in TARGETS:
            try:
                if enforcer.enforce(rule, target, context.RequestContext(**caller)):
                    number |= bit
            except Exception:  # a request would end with 500
                pass
            bit <<= 1
    return format(number, 'x')


def enforcer(use_conf, new_defaults=True, **options):
    conf = cfg.ConfigOpts()
    conf([], project='triples', default_config_files=[], default_config_dirs=[])
    opts._register(conf)
    conf.set_override('enforce_new_defaults', new_defaults, group='oslo_policy')
    for option, value in options.items():
        conf.set_override(option, value, group='oslo_policy')
    return policy.Enforcer(conf, use_conf=use_conf, default_rule='switched off')


def shipped():
    """The rules that glance ships: name, rule, whether it is for projects, the older rule if it was another."""
    from glance import policies

    for rule in policies.list_rules():
        older = rule.deprecated_rule
        assert older is None or older.name == rule.name
        changed = older and older.check_str != rule.check_str
        yield [rule.name, rule.check_str, rule.scope_types == ['project'],
               older.check_str if changed else None]


def registered(rule):
    name, check, for_projects, older = rule
    deprecated = older and policy.DeprecatedRule(
        name, older, deprecated_reason='new defaults', deprecated_since='then')
    return policy.RuleDefault(
        name, check, scope_types=['project'] if for_projects else None, deprecated_rule=deprecated)


def site(defaults, text, new_defaults):
    """The answers of each rule under a policy file."""
    with tempfile.TemporaryDirectory() as dir:
        path = os.path.join(dir, 'policy.yaml')
        with open(path, 'w') as file:
            file.write(text)
        asked = enforcer(True, new_defaults, policy_file=path, policy_dirs=[])
        asked.suppress_default_change_warnings = True
        asked.register_defaults([registered(rule) for rule in defaults])
        return [answers(asked, rule[0]) for rule in defaults]


def overrides(rng, defaults):
    names = [rule[0] for rule in defaults if rule[0] != 'context_is_admin']
    # What others refer to is what matters most.
    chosen = rng.sample(names, 12) + rng.sample(['default', 'metadef_default', 'manage_image_cache'], 2)
    safe = [name for name in NAMED if 'rule:' not in NAMED[name]]
    return {name: NAMED[rng.choice(safe)] if rng.random() < 0.4 else check_without_references(rng)
            for name in chosen}


def check_without_references(rng):
    while True:
        text = expression(rng, 1)
        if 'rule:' not in text and len(text) < 120:
            return text


def told():
    """What another server is told, for each caller and one of the targets."""
    heard = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(json.loads(self.rfile.read(int(self.headers['Content-Length']))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'True')

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(('127.0.0.1', 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    asking = enforcer(use_conf=False, remote_content_type='application/json')
    rule = 'http://127.0.0.1:%d/' % server.server_port
    asking.set_rules(policy.Rules.from_dict({'asked': 'rule:remote', 'remote': rule}))
    for at, caller in enumerate(CALLERS):
        target = TARGETS[at % len(TARGETS)]
        assert asking.enforce('asked', target, context.RequestContext(**caller))
    server.shutdown()
    return heard


def main():
    logging.disable(logging.CRITICAL)
    if sys.argv[1:] == ['--defaults']:
        print('[\n%s]' % ',\n'.join(map(json.dumps, shipped())))
        return
    rng = random.Random(SEED)

    bare = enforcer(use_conf=False)
    bare.set_rules(policy.Rules.from_dict(NAMED, 'switched off'))
    asked, fewer = {}, {}
    for rule in rules(rng):
        if len(json.dumps(rule)) < 220:
            parsed = _parser.parse_rule(rule)
            asked[json.dumps(rule)] = answers(bare, parsed)
            stricter = denying(parsed)
            if stricter is not parsed:
                fewer[rule] = answers(bare, stricter)

    with open(DEFAULTS) as file:
        rows = json.load(file)
    defaults = [row + [answer] for row, answer in zip(rows, site(rows, '', True))]
    older = [[row[0], answer] for row, answer in zip(rows, site(rows, '', False))]
    sites = []
    for at in range(SITES):
        file = overrides(rng, rows)
        sites.append([file, at % 2 == 0, site(rows, json.dumps(file), at % 2 == 0)])

    out = sys.stdout
    out.write('{"named": %s,\n' % json.dumps(NAMED))
    for name, table in [('callers', CALLERS), ('targets', TARGETS), ('defaults', defaults),
                        ('older', older), ('sites', sites), ('told', told())]:
        out.write('"%s": [\n%s],\n' % (name, ',\n'.join(map(json.dumps, table))))
    rows = ['%s: "%s"' % (json.dumps(rule), answer) for rule, answer in fewer.items()]
    out.write('"fewer": {\n%s},\n' % ',\n'.join(rows))
    out.write('"rules": [\n%s]}\n' % ',\n'.join('[%s, "%s"]' % pair for pair in asked.items()))


if __name__ == '__main__':
    main()
