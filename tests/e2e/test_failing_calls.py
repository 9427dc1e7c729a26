"""Every Nth allocation, call of OpenSSL or call of libuv fails: at start the server says why and ends, or
goes on; later it goes on, whatever it costs the call that needed it. Nothing is left behind.

tests/faults/fail_nth.c makes them fail. KEYSTORE_FAULTS_EVERY=1 tries each of them, which is the long
form; otherwise some, beginning at one that the seed chooses."""

import mmap
import os
import signal
import ssl
import struct
import subprocess
import time
from contextlib import contextmanager, suppress

import pytest

import mini_redis_pb2 as pb
from certs import Certs
from clients import PACKAGE_PATH
from h2conn import Closed, H2Conn, prefixed
from keystore_env import ROOT, SANITIZE, seeded
from server_process import SANITIZER_REPORT, Server
from times import wait_until
from users import UsersFile, metadata_of

GET, SET = PACKAGE_PATH + "Get", PACKAGE_PATH + "Set"
SOURCE = ROOT / "tests" / "faults" / "fail_nth.c"
KINDS = ["openssl", "libuv"] + ([] if SANITIZE else ["malloc"])
# How many of the calls the short form tries.
SAMPLES = 25
EVERY = int(os.environ.get("KEYSTORE_FAULTS_EVERY", "0"))
CALL_S = 10
RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = 8, 13, 14, 16

# The address sanitizer also finds what libuv itself leaves when its calls fail.
pytestmark = pytest.mark.skipif(bool(SANITIZE), reason="sanitizers do not like to be second")


class Faults:
    """The library, and the file that it shares with the test."""

    def __init__(self, folder, kind):
        self.kind, self.path = kind, folder / f"faults-{kind}"
        self.path.write_bytes(bytes(64))
        self.library = folder / "fail-nth.so"
        if not self.library.exists():
            more = ["-DFAIL_NTH_WITHOUT_MALLOC"] if SANITIZE else []
            subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-D_GNU_SOURCE",
                            *more, "-o", self.library, SOURCE, "-ldl", "-lcrypto"], check=True)
        with open(self.path, "r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 64)

    def arm(self, number):
        """The call with this number from now on fails; 0: none."""
        self._shared[0:64] = struct.pack("qq", number, 0) + bytes(48)

    @property
    def calls(self):
        return struct.unpack("q", self._shared[8:16])[0]

    @property
    def failed(self):
        """The function that has failed; empty: none."""
        return self._shared[16:64].rstrip(b"\0").decode()

    @contextmanager
    def preloaded(self, monkeypatch):
        libraries = [str(self.library)]
        if SANITIZE:
            said = subprocess.run(["cc", "-print-file-name=libasan.so"], capture_output=True,
                                  text=True, check=True)
            libraries.insert(0, said.stdout.strip())
        with monkeypatch.context() as environment:
            environment.setenv("LD_PRELOAD", ":".join(libraries))
            environment.setenv("FAIL_NTH_FILE", str(self.path))
            environment.setenv("FAIL_NTH_KIND", self.kind)
            yield


@pytest.fixture(name="faults", params=KINDS)
def faults_fixture(request, tmp_path):
    return Faults(tmp_path, request.param)


def numbers(count, name):
    """Those of `count` calls that are tried."""
    step = EVERY or max(count // SAMPLES, 1)
    return range(1 + seeded(name).randrange(step), count + 1, step)


@pytest.fixture(name="options")
def options_fixture(tmp_path):
    """TLS with client certificates, users, and no background work that makes calls at its own
    times."""
    certs, users = Certs(tmp_path / "certs"), UsersFile(tmp_path, {"app": ["all"]})
    return certs, certs.server_options(
        "--tls-client-ca", certs.path("ca.pem"), "--tls-client-certs", "optional", "--users-file",
        users.path, "--save", "")


def started(options, threads=2):
    return Server(*options, threads=threads)


# ---- at start ----

def start_and_stop(options, faults, monkeypatch):
    """None if it started and ended cleanly; else what it said."""
    with faults.preloaded(monkeypatch):
        try:
            server = started(options)
        except AssertionError as error:
            return str(error)
    server.stop()
    return None


def test_at_start(options, faults, monkeypatch, counts):
    """A message of our own, and no other end than that of exit() or of a failed allocation."""
    faults.arm(0)
    assert start_and_stop(options[1], faults, monkeypatch) is None
    count, failed = faults.calls, {}
    assert count > 0
    for number in numbers(count, f"start {faults.kind}"):
        faults.arm(number)
        said = start_and_stop(options[1], faults, monkeypatch)
        if said is not None:
            assert faults.failed, f"call {number}: {said}"
            words = said.partition("standard error: ")[2]
            assert words.strip(), f"call {number}, {faults.failed}: it says nothing: {said}"
            assert "check failed" not in words and not SANITIZER_REPORT.search(words), (
                f"call {number}, {faults.failed}: {words}")
            failed[faults.failed] = failed.get(faults.failed, 0) + 1
    counts(f"{count} calls at start; fatal: {failed}")


# ---- later ----

def certificate(certs):
    context = ssl.create_default_context(cafile=certs.path("ca.pem"))
    context.load_cert_chain(certs.path("client.pem"), certs.path("client.key"))
    context.set_alpn_protocols(["h2"])
    return context


def use(address, tls):
    """A connection, calls with a token, a stream, a large answer, and its end; True if all of it was
    done. Only what needed the failed call may fail."""
    try:
        with H2Conn(address, tls=tls) as connection:
            headers = list(metadata_of("app"))
            answers = [connection.call(SET, pb.KeyValue(
                key=b"k", value=bytes(100_000)).SerializeToString(), headers=headers)]
            answers.append(connection.call(GET, pb.Key(key=b"k").SerializeToString(),
                                           headers=headers))
            stream = connection.open(PACKAGE_PATH + "Scan", headers=headers)
            connection.send(stream, prefixed(pb.ScanRequest().SerializeToString()), end=True)
            answers.append(connection.wait(stream, CALL_S))
            for each in answers:
                assert each.reset or each.grpc_status in (0, RESOURCE_EXHAUSTED, INTERNAL,
                                                          UNAVAILABLE, UNAUTHENTICATED), each
            return all(each.grpc_status == 0 for each in answers)
    except (Closed, ConnectionError, ssl.SSLError):
        return False


def scenario(server, tls_address, context):
    done = [use(server.address, None), use(tls_address, context)]
    # The users' file is the last that is read.
    before = server.stderr.count("the users file")
    server.send_signal(signal.SIGHUP)
    wait_until(lambda: server.stderr.count("the users file") > before or not server.running,
               lambda: server.stderr)
    return all(done)


def descriptors(server):
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def test_later(options, faults, monkeypatch, counts):
    """It runs on, the next clients notice nothing, and no connection is left."""
    certs, arguments = options
    context = certificate(certs)
    faults.arm(0)
    with faults.preloaded(monkeypatch):
        server = started(arguments)
    tls_port = int(server.wait_for_line(r"port (\d+) with TLS$").group(1))
    tls_address = f"127.0.0.1:{tls_port}"
    try:
        for _ in range(3):  # until it has allocated what it keeps
            assert scenario(server, tls_address, context)
        faults.arm(0)
        assert scenario(server, tls_address, context)
        count, quiet, failed = faults.calls, descriptors(server), {}
        assert count > 0
        for number in numbers(count, f"later {faults.kind}"):
            faults.arm(number)
            done = scenario(server, tls_address, context)
            name = faults.failed
            faults.arm(0)
            assert server.running, f"call {number}, {name}: {server.stderr}"
            if not done:
                assert name, f"call {number}: it failed without a failed call"
                failed[name] = failed.get(name, 0) + 1
            assert scenario(server, tls_address, context), (
                f"after call {number}, {name}: {server.stderr}")
        wait_until(lambda: descriptors(server) <= quiet,
                   lambda: f"{descriptors(server)} descriptors, not {quiet}")
    finally:
        faults.arm(0)
        if server.running:
            server.stop()
    counts(f"{count} calls; those that cost a client something: {failed}")


def test_at_the_end(options, faults, monkeypatch, counts):
    """It ends with 0 all the same, and the data are there."""
    certs, arguments = options
    context = certificate(certs)

    def run(number):
        faults.arm(0)
        with faults.preloaded(monkeypatch):
            server = started(arguments)
        tls_port = int(server.wait_for_line(r"port (\d+) with TLS$").group(1))
        with suppress(Closed, OSError), H2Conn(f"127.0.0.1:{tls_port}", tls=context) as connection:
            connection.call(SET, pb.KeyValue(key=b"k").SerializeToString(),
                            headers=list(metadata_of("app"))).message()
            faults.arm(number)
            server.send_signal()
            deadline = time.monotonic() + 60
            while server.running and time.monotonic() < deadline:
                with suppress(TimeoutError):
                    connection.receive(time.monotonic() + 0.05)
        server.wait()
        return faults.calls

    count = run(0)
    for number in numbers(max(count, 1), f"end {faults.kind}"):
        run(number)
    counts(f"{count} calls")
