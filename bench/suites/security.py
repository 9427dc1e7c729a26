"""What TLS, users and the hardened build cost, and handshakes compared with nginx.

Parts, of which `--only` chooses some:

- `tls`: CPU time of the server for a Get over TLS and in plaintext, at two addresses of one server.
- `users`: the same with a token and the rule `read,write keys=key:*`, and of a server without users.
- `handshakes`: full handshakes per CPU second of the server, with ECDSA P-256, of KeyStore and of
  nginx with the same certificate and HTTP/2. The client (`peers/handshakes.c`) makes one after the
  other, greets in HTTP/2 and waits for the server's SETTINGS.
- `idle`: RSS per connection that has made one Get, with TLS and in plaintext.
- `hardened`: CPU time for a Get of two builds of these sources, with -DKEYSTORE_HARDENED=ON and OFF
  (in build/bench-hardened-on and -off), over plaintext.

Servers have one thread on core 0, loads run on core 1. Each round measures both sides of a comparison,
and every other round in reverse order. A ratio is the median of the rounds' ratios.
"""
import contextlib
import os
import ssl
import statistics
import subprocess
import tempfile
import time

from harness import loads, options, process, report
from harness.idle import IdleConnections
from harness.process import Failure, Server, raise_file_limit, say

SHAPES = {"10 x 100": (10, 100), "50 x 1": (50, 1)}
# Calls, so that a measurement is at least a second of the server's CPU time.
CALLS = {"10 x 100": 1500000, "50 x 1": 250000}
VERSIONS = ("1.3", "1.2")
AIM_TLS, AIM_USERS, AIM_HARDENED = 1.6, 1.03, 1.02  # CPU time over the other's, at most
AIM_HANDSHAKES = 0.8                                # of nginx's per CPU second, at least
AIM_IDLE = 40 * 1024
CLOSING_S = 30
PARTS = ("tls", "users", "handshakes", "idle", "hardened")
NGINX_READY = r'using the "epoll" event method'


class Suite:
    def __init__(self, chosen, folder):
        self.options = chosen
        self.folder = folder
        self.usages = []
        self.rounds = []  # rows of the report's last table
        script = ["script/dev-certs", f"{folder}/certs"]
        subprocess.run(script, check=True, stdout=subprocess.DEVNULL)
        self.ca = f"{folder}/certs/ca.pem"
        self.pair = (f"{folder}/certs/server.pem", f"{folder}/certs/server.key")
        self.tls = ssl.create_default_context(cafile=self.ca)
        self.tls.set_alpn_protocols(["h2"])

    def tls_options(self, port):
        return ["--tls-listen", f"127.0.0.1:{port}", "--tls-cert", self.pair[0], "--tls-key",
                self.pair[1]]

    def compare(self, name, sides, measure, rounds=None):
        """[(the values of a round)], of the sides in their order."""
        results = []
        for number in range(rounds or self.options.rounds):
            say(f"{name}: round {number + 1} of {rounds or self.options.rounds}")
            order = list(enumerate(sides))
            values = [None] * len(sides)
            for at, side in reversed(order) if number % 2 else order:
                values[at] = measure(side)
            results.append(values)
            self.rounds.append([name, number + 1, *(f"{value:.4g}" for value in values)])
        return results

    def cpu_us_of_get(self, server, shape, *more):
        connections, streams = SHAPES[shape]
        calls = CALLS[shape] // 100 if self.options.quick else CALLS[shape]
        _, usage = loads.call_grpc(server, self.options.keys, connections, streams, calls, "--op",
                                   "get", *more)
        self.usages.append(usage)
        return usage.server_cpu_s * 1e6 / calls

    def gets(self, label, names, sides, aim):
        """Rows of the CPU time for a Get. `sides`: two functions from a shape to that."""
        for shape in SHAPES:
            values = self.compare(f"{label}, {shape}", sides, lambda side, shape=shape: side(shape))
            base, other = (statistics.median(column) for column in zip(*values))
            ratio = ratio_of(values)
            yield [f"Get {shape}: CPU µs {names[0]}", f"{base:.2f}", "", ""]
            yield [f"Get {shape}: CPU µs {names[1]}", f"{other:.2f}", "", ""]
            yield [f"Get {shape}: {names[1]} over {names[0]}", f"{ratio:.3f}x", f"{aim}x at most",
                   report.verdict(ratio <= aim)]


def ratio_of(values):
    """Of the second to the first; what was too short for the clock has none."""
    if any(base == 0 for base, _ in values):
        return float("nan")
    return statistics.median(other / base for base, other in values)


def part_tls(suite):
    port = process.free_port()
    with loads.start_keystore(more=suite.tls_options(port)) as server:
        loads.fill_grpc(server, suite.options.keys)
        yield from suite.gets("tls", ("plaintext", "TLS"), [
            lambda shape: suite.cpu_us_of_get(server, shape),
            lambda shape: suite.cpu_us_of_get(server, shape, "-p", port, "--ca", suite.ca),
        ], AIM_TLS)


def make_token(users):
    """Of a user of the new file, who may read and write the keys of the load."""
    cli = [f"{loads.BIN}/keystore-cli", "--users-file", users]
    subprocess.run([*cli, "user", "add", "bench", "read,write keys=key:*"], check=True,
                   stdout=subprocess.DEVNULL)
    return subprocess.run([*cli, "token", "new", "bench", "bench", "1"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


@contextlib.contextmanager
def sent(token):
    """keystore-bench finds it in its environment."""
    os.environ["KEYSTORE_TOKEN"] = token
    try:
        yield
    finally:
        del os.environ["KEYSTORE_TOKEN"]


def part_users(suite):
    users = f"{suite.folder}/users"
    token = make_token(users)

    def with_token(shape):
        with sent(token):
            return suite.cpu_us_of_get(known, shape)

    with loads.start_keystore("without users") as anyone, \
            loads.start_keystore("with users", more=["--users-file", users]) as known:
        loads.fill_grpc(anyone, suite.options.keys)
        with sent(token):
            loads.fill_grpc(known, suite.options.keys)
        yield from suite.gets("users", ("without users", "with a token and a rule"), [
            lambda shape: suite.cpu_us_of_get(anyone, shape), with_token], AIM_USERS)


def start_nginx(suite):
    """One process with what matters here as KeyStore has it: tickets, no cache of sessions."""
    port = process.free_port()
    path = f"{suite.folder}/nginx.conf"
    report.write(path, f"""
daemon off; master_process off; pid {suite.folder}/nginx.pid; error_log stderr notice;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    {"".join(f"{kind}_temp_path {suite.folder}/{kind};" for kind in (
        "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {suite.pair[0]}; ssl_certificate_key {suite.pair[1]};
        ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache off; ssl_session_tickets on;
        location / {{ return 204; }}
    }}
}}
""")
    # Its log, with the line that says that it listens, goes to standard error.
    return Server("nginx", ["sh", "-c", 'exec "$0" "$@" 2>&1', "nginx", "-e", "stderr", "-p",
                            suite.folder, "-c", path], NGINX_READY, port)


def part_handshakes(suite):
    count = 50 if suite.options.quick else 3000
    port = process.free_port()

    def per_cpu_s(server, port, version):
        _, usage = process.run_load(server, [f"{loads.PEERS}/handshakes", port, suite.ca, version,
                                             count])
        suite.usages.append(usage)
        if usage.server_cpu_s == 0:
            raise Failure(f"{count} handshakes were too few for the clock of 10 ms")
        return count / usage.server_cpu_s

    with loads.start_keystore(more=suite.tls_options(port)) as keystore, \
            start_nginx(suite) as nginx:
        for version in VERSIONS:
            values = suite.compare(f"handshakes, TLS {version}", [
                (nginx, nginx.port), (keystore, port)], lambda side: per_cpu_s(*side, version))
            for name, column in zip(("nginx", "KeyStore"), zip(*values)):
                yield [f"TLS {version} handshakes per CPU second, {name}",
                       report.number(statistics.median(column)), "", ""]
            ratio = ratio_of(values)
            yield [f"TLS {version} handshakes per CPU second, KeyStore over nginx", f"{ratio:.2f}x",
                   f"{AIM_HANDSHAKES}x at least", report.verdict(ratio >= AIM_HANDSHAKES)]


def idle_bytes(suite, tls):
    """Of a fresh server, per connection."""
    count = 300 if suite.options.quick else 10000
    port = process.free_port()
    with loads.start_keystore(more=suite.tls_options(port)) as server:
        address = (port, suite.tls) if tls else (server.port, None)
        # What the first connection of all brings, such as tables of libraries, is nobody's.
        with IdleConnections(address[0], 1, address[1]) as first:
            first.get_once()
            files = server.open_files()
        deadline = time.monotonic() + CLOSING_S
        while server.open_files() >= files:
            if time.monotonic() > deadline:
                raise Failure(f"a connection was still open {CLOSING_S} s after its end")
            time.sleep(0.01)
        before = server.rss_bytes()
        with IdleConnections(address[0], count, address[1]) as idle:
            idle.get_once()
            return (server.rss_bytes() - before) / count


def part_idle(suite):
    raise_file_limit(10000 + 200)
    values = suite.compare("idle connections", [False, True], lambda tls: idle_bytes(suite, tls),
                           min(2, suite.options.rounds))
    plain, tls = (statistics.median(column) for column in zip(*values))
    yield ["memory per idle connection, plaintext", f"{plain:,.0f} B", "", ""]
    yield ["memory per idle connection, TLS", f"{tls:,.0f} B", f"{AIM_IDLE:,} B at most",
           report.verdict(tls <= AIM_IDLE)]


def build(hardened):
    """The folder with keystore-server."""
    folder = f"build/bench-hardened-{hardened.lower()}"
    say(f"building {folder}")
    for command in (["cmake", "--preset", "release", "-B", folder, "-DKEYSTORE_TESTS=OFF",
                     f"-DKEYSTORE_BIN_DIR={os.path.abspath(folder)}/bin",
                     f"-DKEYSTORE_HARDENED={hardened}"],
                    ["cmake", "--build", folder, "--target", "keystore-server"]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise Failure(f"`{' '.join(command)}` failed: {done.stdout[-2000:]}")
        with open(f"{folder}/CMakeCache.txt", encoding="utf-8") as cache:
            # A variable that no CMakeLists.txt declares has no type.
            if "KEYSTORE_HARDENED:BOOL=" not in cache.read():
                raise Failure("these sources have no CMake option KEYSTORE_HARDENED; leave out the "
                              "part `hardened` with --only tls,users,handshakes,idle")
    return f"{folder}/bin"


def start_build(folder, name):
    return Server(name, [f"{folder}/keystore-server", "--listen", "127.0.0.1:0", "--threads", 1,
                         "--log-level", "error", "--durability", "none", "--save", "", "--dir",
                         tempfile.mkdtemp(dir=loads.DATA.name)], loads.KEYSTORE_READY)


def part_hardened(suite):
    folders = [build(hardened) for hardened in ("OFF", "ON")]
    with start_build(folders[0], "plain build") as plain, \
            start_build(folders[1], "hardened build") as hardened:
        for server in (plain, hardened):
            loads.fill_grpc(server, suite.options.keys)
        yield from suite.gets("hardened", ("plain build", "hardened build"), [
            lambda shape: suite.cpu_us_of_get(plain, shape),
            lambda shape: suite.cpu_us_of_get(hardened, shape)], AIM_HARDENED)


def parts_of(text):
    parts = text.split(",")
    for part in parts:
        if part not in PARTS:
            raise Failure(f"there is no part '{part}'; the parts are {', '.join(PARTS)}")
    return parts


def main(arguments):
    parser = options.parser("security", __doc__, keys=100000)
    parser.add_argument("--only", metavar="PART,...", help="these parts (default: all)")
    chosen = options.parse(parser, arguments)
    parts = parts_of(chosen.only) if chosen.only else PARTS
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="keystore-bench-security-") as folder:
        suite = Suite(chosen, folder)
        # The builds come first: what cannot be measured is better known at once.
        made = {part: list(globals()[f"part_{part}"](suite)) for part in sorted(
            parts, key=lambda part: part != "hardened")}
    rows = [row for part in parts for row in made[part]]
    summary = "\n".join([
        "## What security costs\n",
        report.table(["", " value", " target", "reached"], rows), *(
            [report.disturbance(suite.usages)] if suite.usages else [])])
    print(summary)
    machine = report.machine_rows(f"{loads.BIN}/keystore-server")
    machine += [["OpenSSL", report.package_version("libssl3")],
                ["nginx", report.package_version("nginx-light")]]
    report.write(report.results_path(chosen.results, "security", "md"), "\n".join([
        "# What security costs\n", report.table(["machine", ""], machine), summary, "",
        "## How\n", __doc__.partition("\n\n")[2],
        f"`script/bench security` with {chosen.rounds} rounds, {chosen.keys:,} keys of 16 bytes with "
        f"values of 32; it took {time.monotonic() - began:.0f} s.\n",
        "## Each round\n", report.table(["what", " round", " first", " second"], suite.rounds)]))


if __name__ == "__main__":
    options.run(main)
