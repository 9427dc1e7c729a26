"""How a client in Python talks to script/interop, where the protocol stands."""

import sys


def server(what):
    """Asks script/interop for something; what it answers."""
    print("server", what, flush=True)
    return sys.stdin.readline().strip()


def run(checks):
    """Runs functions by their names, in order; each says by an exception that it has failed."""
    print(f"1..{len(checks)}", flush=True)
    for number, (name, check) in enumerate(checks.items(), 1):
        try:
            check()
            print(f"ok {number} {name}", flush=True)
        except Exception as error:  # whatever it is, the others run
            print(f"not ok {number} {name}: {type(error).__name__} {error}".replace("\n", " "),
                  flush=True)
