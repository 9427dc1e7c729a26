"""Where attacks take place: a server, an innocent client beside it, and what must hold meanwhile.

An attack is a function of a Target, which attacks once, and returns when the server has ended the
connection or refused the calls; it fails an assertion if that does not happen within BAR_S.
"""

import ssl
import time
from concurrent.futures import ThreadPoolExecutor

from certs import Certs
from h2conn import H2Conn
from innocent import Innocent
from rawframes import Peer
from server_process import Server
from test_http2_limits import MIB, Memory
from users import UsersFile, token_of

# Within this many seconds the attacker is disconnected; the server's own timeouts are 1 s.
BAR_S = 10
MOST_GROWTH = 64 * MIB
MOST_RATIO = 5  # of the innocent client's 99th percentile to what it is without an attack
# The innocent client has another one.
ATTACKER = "127.0.0.2"
CONNECTIONS_PER_ADDRESS = 500
MAX_VALUE, CLIENT_MEMORY = 8 * MIB, 32 * MIB

OPTIONS = ["--greeting-timeout", 1, "--header-timeout", 1, "--write-timeout", 1,
           "--request-timeout", 1, "--min-ping-interval", 10, "--max-value", MAX_VALUE,
           "--max-client-memory", CLIENT_MEMORY,
           "--max-connections-per-address", CONNECTIONS_PER_ADDRESS,
           "--durability", "none", "--save", "", "--log-level", "info"]
RULES = {"app": ["read,write,stream keys=app:*"], "boss": ["all"], "nobody": []}


class Target:
    """One address of the server: plaintext, or TLS with the context `tls`."""

    def __init__(self, ground, port, tls):
        self.ground, self.tls = ground, tls
        self.address = f"127.0.0.1:{port}"
        self.name = "TLS" if tls else "plaintext"

    def peer(self, **options):
        """Speaks HTTP/2 frame by frame."""
        return Peer(self.address, tls=self.tls, source=ATTACKER, **options)

    def calls(self, **options):
        """Makes calls."""
        return H2Conn(self.address, tls=self.tls, source=ATTACKER, **options)


class Ground:
    """`guarded`: with a users file."""

    def __init__(self, folder, *, guarded=False, seconds=0):
        self.is_long = seconds > 0
        self.seconds = seconds
        self.certs = Certs(folder / "certs")
        self.users = UsersFile(folder, RULES) if guarded else None
        more = ["--users-file", self.users.path] if guarded else []
        self.server = Server(*OPTIONS, *more, *self.certs.server_options())
        tls_port = int(self.server.wait_for_line(r"port (\d+) with TLS$").group(1))
        context = ssl.create_default_context(cafile=self.certs.path("ca.pem"))
        context.set_alpn_protocols(["h2"])
        self.targets = [Target(self, self.server.port, None), Target(self, tls_port, context)]
        self.innocent = Innocent(plain=self.server.address, tls=self.targets[1].address,
                                 ca=str(self.certs.path("ca.pem")),
                                 token=token_of("app") if guarded else "")
        self.innocent.take()  # it has connected

    def close(self):
        self.innocent.stop()
        self.server.stop()


class Verdict:
    """What an attack has led to."""

    def __init__(self, before, during, rounds):
        self.calls, self.failed, self.failures = (during[name] for name in
                                                  ("calls", "failed", "failures"))
        self.rounds = rounds
        self.ratio = during["p99_s"] / before["p99_s"]
        self.p99_ms = during["p99_s"] * 1000


def sample(ground, seconds):
    """How the innocent client fares without an attack."""
    ground.innocent.take()
    time.sleep(seconds)
    return ground.innocent.take()


def repeat(attack, target, until):
    rounds = 0
    while rounds == 0 or time.monotonic() < until:
        attack(target)
        rounds += 1
    return rounds


def run(ground, attack):
    """Attacks all addresses at the same time: once, or for the ground's seconds. Asserts all but
    the ratio, which is in the verdict."""
    before = sample(ground, ground.seconds)
    targets = [target for target in ground.targets if attack.suits(target)]
    with Memory(ground.server, MOST_GROWTH):
        with ThreadPoolExecutor(len(targets)) as pool:
            until = time.monotonic() + ground.seconds
            runs = [pool.submit(repeat, attack.attack, target, until) for target in targets]
            rounds = sum(each.result() for each in runs)
        during = ground.innocent.take()
    verdict = Verdict(before, during, rounds)
    assert verdict.failed == 0, (
        f"{verdict.failed} of {verdict.calls} innocent calls failed: {verdict.failures}")
    return verdict
