"""TLS: calls and streams of grpcio, certificates of clients, clients and servers that do not fit,
and certificates that are replaced while the server runs."""

import concurrent.futures
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time

import grpc
import pytest

import mini_redis_pb2 as pb
import mini_redis_pb2_grpc as rpc
from certs import LISTEN, Certs
from clients import CALL_TIMEOUT_S, Stub, admin_stub, open_channel
from keystore_env import BIN, ROOT, SANITIZE
from server_process import Server, run_server
from test_sessions import commands_of, steps_of
from times import wait_until
from watching import Watcher, prefix_of

LARGE = 16 * 1024 * 1024
H2 = ("-alpn", "h2")


@pytest.fixture(name="certs", scope="session")
def certs_fixture(tmp_path_factory):
    return Certs(tmp_path_factory.mktemp("certs"))


@pytest.fixture(name="others", scope="session")
def others_fixture(tmp_path_factory):
    """Of another CA."""
    return Certs(tmp_path_factory.mktemp("others"))


@pytest.fixture(name="own_certs")
def own_certs_fixture(tmp_path):
    """Certificates that a test may replace."""
    return Certs(tmp_path / "certs")


@pytest.fixture(name="secure", scope="session")
def secure_fixture(certs):
    """A server with TLS alone."""
    running = Server(*certs.server_options(), listen=())
    yield running
    running.stop()


def info(channel, name):
    return admin_stub(channel).Info(pb.InfoRequest()).fields[name]


def get_ok(channel):
    stub = Stub(channel)
    assert stub.Set(pb.KeyValue(key=b"tls", value=b"v")).ok
    assert stub.Get(pb.Key(key=b"tls")).value == b"v"


def wait_for_log(server, words):
    """A client may know of the end before the server has said why."""
    wait_until(lambda: words in server.stderr, lambda: f"not logged: {words}")


def fails_to_connect(channel):
    with pytest.raises(grpc.RpcError) as caught:
        Stub(channel).Get(pb.Key(key=b"k"))
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


# ---- calls and streams ----

def test_calls(secure, certs):
    with certs.channel(secure.address) as channel:
        get_ok(channel)
        value = os.urandom(LARGE)
        stub = Stub(channel)
        assert stub.Set(pb.KeyValue(key=b"large", value=value)).ok
        assert stub.Get(pb.Key(key=b"large")).value == value
        futures = [stub.Get.future(pb.Key(key=b"large" if i % 50 == 0 else b"tls"))
                   for i in range(100)]
        assert [len(each.result().value) for each in futures] == [
            LARGE if i % 50 == 0 else 1 for i in range(100)]
        assert secure.stdout[0].endswith(" with TLS")


def test_streams(secure, certs):
    with certs.channel(secure.address) as channel:
        calls = rpc.KeyStoreStub(channel)
        watcher = Watcher(calls, prefix_of(b"watched:"))
        batches = (pb.OpBatch(ops=[pb.Op(set=pb.KeyValue(key=b"watched:%d" % i,
                                                         value=os.urandom(1000)))])
                   for i in range(500))
        replies = calls.Pipeline(batches, timeout=CALL_TIMEOUT_S)
        assert sum(len(each.replies) for each in replies) == 500
        assert len(watcher.events(500)) == 500
        watcher.call.cancel()


def test_many_connections(secure, certs):
    def use(number):
        with certs.channel(secure.address, number=number) as channel:
            get_ok(channel)
            return number

    count = 50 if SANITIZE else 200
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert sorted(pool.map(use, range(count))) == list(range(count))
    with certs.channel(secure.address) as channel:
        assert int(info(channel, "tls_handshakes")) > count


def test_plaintext_beside_tls(certs, fresh_server):
    server = fresh_server(*certs.server_options())
    tls = int(server.wait_for_line(r"port (\d+) with TLS$").group(1))
    with open_channel(server.address) as plain, certs.channel(f"127.0.0.1:{tls}") as channel:
        get_ok(plain)
        get_ok(channel)
        assert int(info(plain, "tls_handshakes")) == 1


def test_unix_socket_with_tls(certs, tmp_path):
    server = subprocess.Popen(
        [BIN / "keystore-server", "--dir", tmp_path / "data", *certs.server_options()[2:],
         "--tls-listen", f"unix:{tmp_path}/s"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == f"Server started on unix:{tmp_path}/s with TLS\n"
        with grpc.secure_channel(f"unix:{tmp_path}/s", certs.credentials(), options=[
                ("grpc.ssl_target_name_override", "localhost")]) as channel:
            get_ok(channel)
    finally:
        server.terminate()
        assert server.wait(CALL_TIMEOUT_S) == 0


def test_a_client_that_does_not_read(certs, fresh_server):
    """It is disconnected in time, and costs no memory."""
    server = fresh_server(*certs.server_options("--write-timeout", "1"), listen=())
    with certs.channel(server.address) as channel:
        stub = Stub(channel)
        assert stub.Set(pb.KeyValue(key=b"large", value=bytes(LARGE))).ok
        before = server.resident_bytes()
        context = ssl.create_default_context(cafile=certs.path("ca.pem"))
        context.set_alpn_protocols(["h2"])
        with socket.create_connection(("127.0.0.1", server.port)) as raw, \
                context.wrap_socket(raw, server_hostname="localhost") as peer:
            peer.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
                         b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\x7f\xff\xff\xff" +
                         b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x7f\xff\x00\x00" +
                         b"".join(large_get(number) for number in range(1, 80, 2)))
            wait_until(lambda: int(info(channel, "connections_closed_write_timeout")) == 1)
        if not SANITIZE:
            assert server.resident_bytes() - before < 64 * 1024 * 1024
        get_ok(channel)


def large_get(stream):
    """HEADERS and DATA of a Get, without Huffman coding."""
    def field(name, value):
        return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value

    block = (field(b":method", b"POST") + field(b":scheme", b"https") +
             field(b":path", b"/keystore.v1.KeyStore/Get") + field(b":authority", b"localhost") +
             field(b"content-type", b"application/grpc") + field(b"te", b"trailers"))
    message = b"\x00\x00\x00\x00\x07\x0a\x05large"
    return (len(block).to_bytes(3, "big") + b"\x01\x04" + stream.to_bytes(4, "big") + block +
            len(message).to_bytes(3, "big") + b"\x00\x01" + stream.to_bytes(4, "big") + message)


def test_drain(certs):
    """Calls in flight are answered, and streams end in order."""
    server = Server(*certs.server_options(), listen=())
    with certs.channel(server.address) as channel:
        stub = Stub(channel)
        get_ok(channel)
        waiting = stub.ListPop.future(pb.PopRequest(keys=[b"nothing"], wait_ms=30000))
        wait_until(lambda: int(info(channel, "blocked_clients")) == 1)
        server.send_signal()
        with pytest.raises(grpc.RpcError) as caught:
            waiting.result()
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "ERROR_REASON_STOPPING" in str(caught.value.trailing_metadata())
        server.wait()


# ---- clients that do not fit ----

def s_client(server, *options, command=("true",), ca=None):
    """What `openssl s_client` says, whose input is that of a command."""
    arguments = ["openssl", "s_client", "-connect", server.address, *map(str, options)]
    if ca is not None:
        arguments += ["-CAfile", str(ca), "-verify_return_error"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as given:
        done = subprocess.run(arguments, stdin=given.stdout, capture_output=True, text=True,
                              timeout=CALL_TIMEOUT_S, check=False)
    return done.stdout + done.stderr


def test_versions(secure, certs):
    ca = certs.path("ca.pem")
    for version, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
        said = s_client(secure, version, *H2, ca=ca)
        assert f"{name}, Cipher is" in said and "ALPN protocol: h2" in said, said
    for version in ("-tls1", "-tls1_1"):
        said = s_client(secure, version, "-cipher", "ALL:@SECLEVEL=0", *H2)
        assert "alert protocol version" in said and "Cipher is (NONE)" in said, said


def test_protocols(secure):
    for options in ((), ("-alpn", "http/1.1"), ("-alpn", "h3,h2c")):
        said = s_client(secure, *options)
        assert "alert no application protocol" in said, said
    wait_for_log(secure, "does not offer the protocol h2 (ALPN)")
    assert "ALPN protocol: h2" in s_client(secure, "-alpn", "http/1.1,h2")


def test_weak_suites(secure):
    for suite in ("ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-SHA384"):
        assert "alert handshake failure" in s_client(secure, "-tls1_2", "-cipher", suite, *H2)


def test_renegotiation(secure):
    """R asks for it; in TLS 1.3, k asks for new keys, which are given."""
    said = s_client(secure, "-tls1_2", *H2, command=("sh", "-c", "echo R; sleep 1"))
    assert "no renegotiation" in said, said


def failures(server, certs):
    with certs.channel(server.address) as channel:
        return int(info(channel, "tls_handshake_failures"))


def test_plaintext_to_tls(certs, fresh_server):
    server = fresh_server(*certs.server_options(), listen=())
    with open_channel(server.address) as channel:
        fails_to_connect(channel)
    wait_until(lambda: failures(server, certs) > 0)
    wait_for_log(server, "this is not a TLS handshake; this listener speaks TLS")
    with certs.channel(server.address) as channel:
        wait_until(lambda: int(info(channel, "connections_closed_tls_failed")) > 0)


def test_tls_to_plaintext(server, certs):
    with certs.channel(server.address) as channel:
        fails_to_connect(channel)


def test_an_unknown_ca(secure, others):
    with others.channel(secure.address) as channel:
        fails_to_connect(channel)


def test_garbage(secure, certs, random_of_test):
    for number in range(30):
        with socket.create_connection(("127.0.0.1", secure.port), timeout=CALL_TIMEOUT_S) as peer:
            start = b"\x16\x03\x01\x02\x00\x01" if number % 2 else b""
            peer.sendall(start + random_of_test.randbytes(1000))
            peer.shutdown(socket.SHUT_WR)
            try:
                while peer.recv(1000):
                    pass
            except ConnectionResetError:
                pass
    with certs.channel(secure.address) as channel:
        get_ok(channel)


def test_a_handshake_that_is_not_completed(certs, fresh_server):
    server = fresh_server(*certs.server_options("--greeting-timeout", "1"), listen=())
    silent = socket.create_connection(("127.0.0.1", server.port), timeout=CALL_TIMEOUT_S)
    slow = socket.create_connection(("127.0.0.1", server.port), timeout=CALL_TIMEOUT_S)
    slow.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
    with silent, slow:
        assert silent.recv(100) == slow.recv(100) == b""
        with certs.channel(server.address) as channel:
            assert int(info(channel, "connections_closed_handshake_timeout")) == 2


# ---- certificates of clients ----

def test_required(certs, others, fresh_server):
    server = fresh_server(*certs.server_options("--tls-client-ca", certs.path("ca.pem")),
                          listen=())
    with certs.channel(server.address, "client") as channel:
        get_ok(channel)
    with certs.channel(server.address) as channel:
        fails_to_connect(channel)
    stranger = grpc.ssl_channel_credentials(certs.read("ca.pem"), others.read("client.key"),
                                            others.read("client.pem"))
    with grpc.secure_channel(server.address, stranger) as channel:
        fails_to_connect(channel)
    wait_for_log(server, "peer did not return a certificate")
    wait_for_log(server, "certificate verify failed")


def test_optional(certs, others, fresh_server):
    server = fresh_server(*certs.server_options("--tls-client-ca", certs.path("ca.pem"),
                                                "--tls-client-certs", "optional"), listen=())
    for pair in ("client", None):
        with certs.channel(server.address, pair) as channel:
            get_ok(channel)
    stranger = grpc.ssl_channel_credentials(certs.read("ca.pem"), others.read("client.key"),
                                            others.read("client.pem"))
    with grpc.secure_channel(server.address, stranger) as channel:
        fails_to_connect(channel)


# ---- files ----

@pytest.mark.parametrize("arguments, words", [
    (["--tls-listen", LISTEN], "--tls-cert and --tls-key"),
    (["--tls-listen", LISTEN, "--tls-cert", "server.pem"], "--tls-cert and --tls-key"),
    (["--tls-listen", LISTEN, "--tls-cert", "no.pem", "--tls-key", "server.key"],
     "cannot read no.pem (--tls-cert): No such file or directory"),
    (["--tls-listen", LISTEN, "--tls-cert", "server.pem", "--tls-key", "client.key"],
     "the key in client.key (--tls-key) does not belong to the certificate in server.pem"),
    (["--tls-listen", LISTEN, "--tls-cert", "server.key", "--tls-key", "server.key"],
     "server.key (--tls-cert) has no certificate in PEM format"),
    (["--tls-listen", LISTEN, "--tls-cert", "server.pem", "--tls-key", "server.key",
      "--tls-client-ca", "client.key"], "client.key (--tls-client-ca) has no certificate"),
    (["--tls-listen", LISTEN, "--tls-cert", "server.pem", "--tls-key", "server.key",
      "--tls-client-certs", "required"], "--tls-client-ca"),
])
def test_files_that_cannot_be_used(certs, arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(certs.folder)
    done = run_server("--dir", tmp_path, *arguments)
    assert done.returncode == 1 and words in done.stderr, done.stderr


def peer_serial(server, certs):
    """Of the certificate that a new connection gets."""
    context = ssl.create_default_context(cafile=certs.path("ca.pem"))
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", server.port), timeout=CALL_TIMEOUT_S) as raw, \
            context.wrap_socket(raw, server_hostname="localhost") as peer:
        return peer.getpeercert()["serialNumber"]


class Running:
    """A stream that must survive what happens to certificates."""

    def __init__(self, channel):
        self.stub = Stub(channel)
        self.watcher = Watcher(rpc.KeyStoreStub(channel), prefix_of(b"running:"))
        self.count = 0

    def check(self):
        self.count += 1
        assert self.stub.Set(pb.KeyValue(key=b"running:%d" % self.count, value=b"v")).ok
        [event] = self.watcher.events(1)
        assert event.key == b"running:%d" % self.count


@pytest.mark.parametrize("by_signal", [True, False])
def test_a_new_certificate(own_certs, fresh_server, by_signal):
    server = fresh_server(*own_certs.server_options(), listen=())
    with own_certs.channel(server.address) as channel:
        running = Running(channel)
        running.check()
        before = peer_serial(server, own_certs)
        own_certs.make("more.example.org")
        if by_signal:
            server.send_signal(signal.SIGHUP)
        wait_until(lambda: peer_serial(server, own_certs) != before)
        running.check()
    wait_for_log(server, "new connections get the certificate in")


def test_a_pair_that_does_not_match(own_certs, others, fresh_server):
    server = fresh_server(*own_certs.server_options(), listen=())
    with own_certs.channel(server.address) as channel:
        running = Running(channel)
        before = peer_serial(server, own_certs)
        shutil.copy(others.path("server.pem"), own_certs.path("server.pem"))
        wait_for_log(server, "does not belong to the certificate")
        assert peer_serial(server, own_certs) == before
        server.send_signal(signal.SIGHUP)
        wait_until(lambda: server.stderr.count("does not belong to the certificate") == 2)
        own_certs.path("server.key").write_text("no key")
        wait_for_log(server, "has no private key in PEM format")
        assert peer_serial(server, own_certs) == before
        running.check()
        own_certs.make()
        wait_until(lambda: peer_serial(server, own_certs) != before)
        running.check()
    # Once for each change, not once a second.
    assert server.stderr.count("has no private key in PEM format") == 1


def test_a_ca_that_is_replaced(own_certs, others, fresh_server):
    """Its clients are refused from then on, at every address, even those that resume a session."""
    ca = own_certs.path("client-ca.pem")
    shutil.copy(own_certs.path("ca.pem"), ca)
    server = fresh_server(*own_certs.server_options("--tls-client-ca", ca, "--tls-listen", LISTEN),
                          listen=())
    port = int(server.wait_for_line(r"Server started on port (\d+) with TLS$").group(1))
    addresses = [server.address, f"127.0.0.1:{port}"]
    for address in addresses:
        with own_certs.channel(address, "client") as channel:
            get_ok(channel)
    shutil.copy(others.path("ca.pem"), ca)
    wait_for_log(server, "new connections get the certificate in")
    for address in addresses:
        with own_certs.channel(address, "client") as channel:
            fails_to_connect(channel)


def test_expiry(certs, tmp_path, fresh_server):
    """It is in Info, and there is a warning from 30 days ahead."""
    soon = tmp_path / "soon.pem"
    subprocess.run(["openssl", "req", "-x509", "-key", certs.path("server.key"), "-out", soon,
                    "-days", "20", "-subj", "/CN=x"], check=True, capture_output=True)
    until = ssl.cert_time_to_seconds(re.search("notAfter=(.*)", subprocess.run(
        ["openssl", "x509", "-enddate", "-noout", "-in", certs.path("server.pem")],
        capture_output=True, text=True, check=True).stdout).group(1))
    server = fresh_server(*certs.server_options(), listen=())
    assert time.time() + 80 * 86400 < until
    with certs.channel(server.address) as channel:
        assert int(info(channel, "tls_certificate_expires")) == until
    assert "expires" not in server.stderr
    other = fresh_server("--tls-listen", LISTEN, "--tls-cert", soon, "--tls-key",
                         certs.path("server.key"), listen=())
    assert re.search("expires in (19|20) days, on ", other.stderr)


# ---- script/dev-certs ----

def test_dev_certs(tmp_path):
    folder = tmp_path / "made"
    certs = Certs(folder, "db.example.org", "10.1.2.3")
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())
    text = subprocess.run(["openssl", "x509", "-text", "-noout", "-in", folder / "server.pem"],
                          capture_output=True, text=True, check=True).stdout
    for name in ("DNS:localhost", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1",
                 "DNS:db.example.org", "IP Address:10.1.2.3"):
        assert name in text, text
    ca = certs.read("ca.pem")
    assert "keystore-server --tls-listen" in certs.make()
    assert certs.read("ca.pem") == ca


# ---- keystore-cli ----

def cli(server, *arguments, host="localhost"):
    return subprocess.run([BIN / "keystore-cli", "-h", host, "-p", str(server.port),
                           *map(str, arguments)], capture_output=True, text=True,
                          timeout=CALL_TIMEOUT_S, check=False)


def test_cli(secure, certs):
    ca = certs.path("ca.pem")
    for host in ("localhost", "127.0.0.1"):
        assert cli(secure, "--ca", ca, "SET", "cli", "value", host=host).stdout == "OK\n"
    assert cli(secure, "--ca", ca, "--server-name", "localhost", "GET", "cli",
               host="127.0.0.1").stdout == "value\n"
    assert cli(secure, "--ca", ca, "--health").stdout == "SERVING\n"
    lines = "".join(f"SET cli:{i} v{'x' * (i % 100)}\n" for i in range(2000))
    done = subprocess.run([BIN / "keystore-cli", "-h", "localhost", "-p", str(secure.port), "--ca",
                           ca, "--pipe"], input=lines, capture_output=True, text=True,
                          timeout=CALL_TIMEOUT_S, check=False)
    assert done.stderr == "2000 commands, 0 errors\n"
    environment = {**os.environ, "SSL_CERT_FILE": str(ca)}  # as if the system trusted it
    done = subprocess.run([BIN / "keystore-cli", "-h", "localhost", "-p", str(secure.port), "--tls",
                           "PING"], capture_output=True, text=True, env=environment,
                          timeout=CALL_TIMEOUT_S, check=False)
    assert done.stdout == "PONG\n", done.stderr


def test_bench(secure, certs):
    """Every answer is verified."""
    done = subprocess.run([BIN / "keystore-bench", "-h", "localhost", "-p", str(secure.port),
                           "--ca", certs.path("ca.pem"), "-c", "5", "-m", "20", "-n", "20000",
                           "--mix", "9:1", "--fill", "--verify", "-r", "1000", "-d", "5000", "-q"],
                          capture_output=True, text=True, timeout=CALL_TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr


def test_cli_that_does_not_fit(secure, server, certs, others):
    ca = certs.path("ca.pem")
    for on, arguments, words in (
            (secure, ["PING"], "speaks TLS: connect with TLS"),
            (server, ["--ca", ca, "PING"], "does not speak TLS"),
            (secure, ["--ca", others.path("ca.pem"), "PING"], "is not signed by a CA that"),
            (secure, ["--tls", "PING"], "is not signed by a CA that"),
            (secure, ["--ca", ca, "--server-name", "example.org", "PING"],
             "is for other names than 'example.org'"),
            (secure, ["--ca", "/nowhere", "PING"], "No such file"),
            (secure, ["--ca", ca, "--cert", ca, "PING"], "are needed together")):
        done = cli(on, *arguments)
        assert done.returncode == 1 and words in done.stderr, (arguments, done.stderr)


def test_cli_with_a_certificate(certs, others, fresh_server):
    server = fresh_server(*certs.server_options("--tls-client-ca", certs.path("ca.pem")),
                          listen=())
    ca = ["--ca", certs.path("ca.pem")]
    own = ["--cert", certs.path("client.pem"), "--key", certs.path("client.key")]
    assert cli(server, *ca, *own, "PING").stdout == "PONG\n"
    done = cli(server, *ca, "PING")
    assert done.returncode == 1 and "whether it wants a client's certificate" in done.stderr
    assert "certificate required" in done.stderr
    stranger = ["--cert", others.path("client.pem"), "--key", others.path("client.key")]
    done = cli(server, *ca, *stranger, "PING")
    assert done.returncode == 1 and "unknown ca" in done.stderr


def test_the_two_commands_of_the_readme(tmp_path):
    made, asked = commands_of("README.md", "TLS in two commands")
    (make, _), (serve, _) = steps_of(made)
    ((ask, answer),) = steps_of(asked)
    (tmp_path / "script").symlink_to(ROOT / "script")
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "bin").symlink_to(BIN)
    subprocess.run(["sh", "-c", make], cwd=tmp_path, check=True, capture_output=True)
    command = serve.replace("127.0.0.1:50052", LISTEN)
    assert command != serve
    with subprocess.Popen(["sh", "-c", f"exec {command}"], cwd=tmp_path, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as server:
        port = re.search(r"port (\d+) with TLS", server.stdout.readline()).group(1)
        done = subprocess.run(["sh", "-c", ask.replace("-p 50052", f"-p {port}")], cwd=tmp_path,
                              capture_output=True, text=True, timeout=CALL_TIMEOUT_S, check=False)
        server.terminate()
        assert done.stdout.splitlines() == answer, done.stderr
        assert server.wait(CALL_TIMEOUT_S) == 0
