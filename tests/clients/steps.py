"""Steps that a session takes one after the other, and how they went."""

import hashlib

from node import Failed


class Steps(list):
    """Collects steps as a decorator; the name of each is what it proves."""

    def __call__(self, function):
        self.append(function)
        return function


def equal(got, expected):
    if got != expected:
        raise Failed(f"is {got!r}, should be {expected!r}")


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def run(node, make_session, steps):
    """Starts the node, takes the steps and counts; the exit code tells whether all went well."""
    passed = failed = 0
    try:
        session = make_session(node)
        node.start()
        for each in steps:
            name = each.__name__.replace("_", " ")
            try:
                each(session)
            except Exception as error:  # A step that falls over has failed; the others still count.
                failed += 1
                told = str(error) or type(error).__name__
                print(f"FAIL {name}\n     {told[:2000]}", flush=True)
            else:
                passed += 1
                print(f"ok   {name}", flush=True)
    except Failed as error:
        failed += 1
        print(f"FAIL {error}", flush=True)
    finally:
        try:
            node.stop()
        except Failed as error:
            print(f"     {error}", flush=True)
    print(f"{passed} passed, {failed} failed")
    if failed:
        print(f"the server's folder: {node.state}")
    else:
        node.remove()
    return 1 if failed else 0
