"""Monitoring by HTTP (--metrics-listen): formats, health, and numbers that are exact."""

import json
import re
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

import health_pb2
import health_pb2_grpc
import mini_redis_pb2 as pb
from clients import PACKAGE_PATH, Stub, admin_stub, open_channel
from exposition import Monitor
from h2conn import H2Conn, prefixed
from keystore_env import ROOT
from loading import loading_directory, starting
from server_process import run_server
from times import wait_until

LISTEN = ("--metrics-listen", "127.0.0.1:0")


@pytest.fixture
def monitored(fresh_server):
    server = fresh_server(*LISTEN)
    return server, Monitor(server)


def method_of(name, service="keystore.v1.KeyStore", kind="unary"):
    return f'grpc_type="{kind}",grpc_service="{service}",grpc_method="{name}"'


def differences(before, after):
    """What has changed, without what time alone changes."""
    volatile = re.compile(r"process_|keystore_(worker_busy|memory_|client_|log_)|.*_seconds")
    return {name: after[name] - before.get(name, 0) for name in after
            if after[name] != before.get(name, 0) and not volatile.match(name)}


# HTTP.

def test_it_is_off_by_default(fresh_server):
    server = fresh_server()
    server.stop()
    assert server.stdout == [f"Server started on port {server.port}"]
    assert "metrics" not in server.stderr


def test_it_says_where(monitored):
    server, monitor = monitored
    assert f"metrics on http://127.0.0.1:{monitor.port}/" in server.stderr
    server.stop()
    assert server.stdout == [f"Server started on port {server.port}", f"Metrics on port {monitor.port}"]


@pytest.mark.parametrize("path,kind", [
    ("/", "text/html; charset=utf-8"), ("/healthz", "text/plain; charset=utf-8"),
    ("/readyz", "text/plain; charset=utf-8"), ("/slow", "application/json"),
    ("/metrics", "text/plain; version=0.0.4; charset=utf-8")])
def test_paths(monitored, path, kind):
    _, monitor = monitored
    status, headers, body = monitor.ask(path)
    assert status == 200 and headers["Content-Type"] == kind and body
    status, headers, empty = monitor.ask(path, "HEAD")
    assert status == 200 and headers["Content-Type"] == kind and empty == ""
    assert abs(int(headers["Content-Length"]) - len(body.encode())) < 200


def test_errors(monitored):
    _, monitor = monitored
    status, _, body = monitor.ask("/metric")
    assert status == 404 and "/metrics" in body and "/readyz" in body
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        status, headers, _ = monitor.ask("/metrics", method)
        assert status == 405 and headers["Allow"] == "GET, HEAD"


def test_the_page_is_self_contained(monitored):
    _, monitor = monitored
    _, headers, body = monitor.ask("/")
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    assert not re.search(r"(src|href)=\"(https?:)?//", body) and "@import" not in body
    assert "http" not in re.sub(r"http://www\.w3\.org/2000/svg", "", body)


@pytest.mark.parametrize("address,words", [
    ("unix:/tmp/x", "must be HOST:PORT"), ("9464", "HOST:PORT"), ("127.0.0.1:70000", "")])
def test_bad_addresses(address, words):
    result = run_server("--metrics-listen", address, "--listen", "127.0.0.1:0")
    assert result.returncode == 2 and words in result.stderr and "--metrics-listen" in result.stderr


def test_an_address_in_use(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        result = run_server("--metrics-listen", address, "--listen", "127.0.0.1:0", "--dir", tmp_path / "d")
    assert result.returncode == 1
    assert f"cannot serve metrics on {address}: the address is in use" in result.stderr


# Health.

def metrics_port(server_log):
    match = re.search(r"metrics on http://127\.0\.0\.1:(\d+)/", server_log.read_text())
    return match and int(match[1])


class Line:
    """Says what a server's standard output would say later."""

    def __init__(self, port):
        self.port = port

    def wait_for_line(self, _):
        return re.match("(.*)", str(self.port))


def test_while_it_loads(tmp_path):
    loading_directory(tmp_path / "data")
    log = tmp_path / "log"
    with open(log, "w", encoding="utf-8") as output, starting(
            tmp_path / "data", "--listen", f"unix:{tmp_path}/socket", *LISTEN, stderr=output):
        wait_until(lambda: metrics_port(log), log.read_text)
        monitor = Monitor(Line(metrics_port(log)))
        status, _, body = monitor.ask("/readyz")
        assert status == 503 and "loading" in body
        assert monitor.ask("/healthz")[0] == 200
        now = monitor.values()
        assert now["keystore_loading"] == 1 and "keystore_revision" not in now


def test_while_it_drains(monitored):
    """A request that has not arrived in full holds up the end; meanwhile it is alive but not ready."""
    server, monitor = monitored
    assert monitor.ask("/readyz")[::2] == (200, "ok\n")
    message = prefixed(pb.Key(key=b"k").SerializeToString())
    with H2Conn(server.address) as connection:
        stream_id = connection.open(PACKAGE_PATH + "Get")
        connection.send(stream_id, message[:3])
        connection.ping()
        server.send_signal()
        wait_until(lambda: monitor.ask("/readyz")[0] == 503, lambda: monitor.ask("/readyz"))
        assert "stopping" in monitor.ask("/readyz")[2]
        assert monitor.ask("/healthz")[0] == 200
        assert monitor.values()["keystore_connections"] == 1
        connection.send(stream_id, message[3:], end=True)
        assert connection.wait(stream_id).grpc_status == 0
    server.wait()


def test_during_the_drain_delay(fresh_server):
    """It serves calls, but says what health says."""
    server = fresh_server("--drain-delay", 3600, *LISTEN)
    monitor = Monitor(server)
    assert monitor.ask("/readyz")[::2] == (200, "ok\n")
    with open_channel(server.address) as channel:
        watching = Stub(channel, health_pb2_grpc.HealthStub).Watch(health_pb2.HealthCheckRequest())
        assert next(watching).status == health_pb2.HealthCheckResponse.SERVING
        server.send_signal()
        assert next(watching).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert monitor.ask("/readyz")[::2] == (503, "the server is stopping\n")
        assert monitor.ask("/healthz")[0] == 200
        assert Stub(channel).Set(pb.KeyValue(key=b"k", value=b"v")).ok
        assert monitor.ask("/readyz")[0] == 503
        server.send_signal()
    server.wait()


# Numbers.

def test_formats(monitored):
    """Every answer satisfies the strict parsers, and both formats have the same families."""
    server, monitor = monitored
    with open_channel(server.address) as channel:
        Stub(channel).Set(pb.KeyValue(key=b"k", value=b"v"))
        plain, opened = monitor.families(), monitor.families(is_open=True)
    names = {name.removesuffix("_total") if family.type == "counter" else name: family.type
             for name, family in plain.items()}
    assert names == {name: family.type for name, family in opened.items()}


def test_calls_are_counted_exactly(monitored):
    server, monitor = monitored
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        stub.Set(pb.KeyValue(key=b"string", value=b"v"))
        wait_until(lambda: monitor.values().get(f'grpc_server_handled_total{{{method_of("Set")},grpc_code="OK"}}'))
        before = monitor.values()
        for _ in range(7):
            stub.Get(pb.Key(key=b"string"))
        for _ in range(3):
            stub.Get(pb.Key(key=b"none"))
        for _ in range(2):
            with pytest.raises(grpc.RpcError):
                stub.LPush(pb.ListInsert(key=b"string", values=[b"x"]))
        get, push = method_of("Get"), method_of("LPush")
        wanted = {
            f"grpc_server_started_total{{{get}}}": 10, f"grpc_server_started_total{{{push}}}": 2,
            f'grpc_server_handled_total{{{get},grpc_code="OK"}}': 10,
            f'grpc_server_handled_total{{{push},grpc_code="FailedPrecondition"}}': 2,
            f"grpc_server_msg_received_total{{{get}}}": 10, f"grpc_server_msg_received_total{{{push}}}": 2,
            f"grpc_server_msg_sent_total{{{get}}}": 10,
            'keystore_errors_total{reason="WRONG_TYPE"}': 2, "keystore_commands_total": 12,
            'keystore_lookups_total{result="hit"}': 7, 'keystore_lookups_total{result="miss"}': 3}
        wait_until(lambda: differences(before, monitor.values()) == wanted,
                   lambda: differences(before, monitor.values()))
        after = monitor.values()
        assert after[f"grpc_server_handling_seconds_count{{{get}}}"] == 10
        assert after[f"grpc_server_handling_seconds_count{{{push}}}"] == 2


def test_the_same_as_info(monitored):
    server, monitor = monitored
    with open_channel(server.address) as channel:
        stub, admin = Stub(channel), admin_stub(channel)
        for i in range(100):
            stub.Set(pb.KeyValue(key=b"%d" % i, db=i % 3, value=b"v" * i, ttl_ms=10**9 if i % 2 else 0))
        info = dict(admin.Info(pb.InfoRequest()).fields)
        now = monitor.values()
    for name, theirs in {
            "keystore_revision": "revision", "keystore_connections": "connected_clients",
            "keystore_connections_limit": "maxclients", "keystore_log_size_bytes": "log_bytes",
            "keystore_log_sync_seconds_count": "log_syncs", "keystore_memory_used_bytes": "used_memory",
            "keystore_expired_keys_total": "expired_keys", "keystore_workers": "worker_threads",
            "keystore_connections_accepted_total": "total_connections_received",
            "keystore_snapshot_changes": "rdb_changes_since_last_save"}.items():
        assert now[name] == int(info[theirs]), name
    assert now["keystore_durable_revision"] == now["keystore_revision"]
    for db in range(3):
        keys, expires = now[f'keystore_keys{{db="{db}"}}'], now[f'keystore_keys_with_deadline{{db="{db}"}}']
        assert info[f"db{db}"] == f"keys={keys:.0f},expires={expires:.0f}"
    for name, value in info.items():
        if name.startswith("errorstat_"):
            assert now[f'keystore_errors_total{{reason="{name[len("errorstat_"):]}"}}'] == int(value)


def test_counters_never_fall(monitored, random_of_test):
    """While calls of all kinds come and go."""
    server, monitor = monitored
    stop = threading.Event()

    def call():
        with open_channel(server.address) as channel:
            stub = Stub(channel)
            while not stop.is_set():
                key = b"%d" % random_of_test.randrange(50)
                stub.Set(pb.KeyValue(key=key, value=b"v"))
                stub.Get(pb.Key(key=key))

    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(call) for _ in range(3)]
        try:
            before = monitor.families()
            for _ in range(30):
                now = monitor.families()
                for name, family in now.items():
                    if family.type != "gauge":
                        for key, value in before[name].samples.items():
                            assert family.samples[key] >= value, key
                before = now
        finally:
            stop.set()
        for each in running:
            each.result()


def test_no_key_in_a_label(monitored):
    server, monitor = monitored
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        stub.Set(pb.KeyValue(key=b"secret-name", value=b"secret-value"))
        with pytest.raises(grpc.RpcError):
            stub.LPush(pb.ListInsert(key=b"secret-name", values=[b"x"]))
    with open_channel(server.address) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary("/no.Such/secret-method")(b"", timeout=60)
    assert "secret" not in monitor.ask("/metrics")[2]


def test_slow_calls(fresh_server):
    """Whoever reaches the port may read them, so there is nothing in them of the data or who asked."""
    server = fresh_server(*LISTEN, "--slow-log-us", "0")
    monitor = Monitor(server)
    assert json.loads(monitor.ask("/slow")[2])["calls"] == []
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        stub.Set(pb.KeyValue(key=b"secret-name", value=b"secret-value"),
                 metadata=(("keystore-request-id", "secret-id"),))
        with pytest.raises(grpc.RpcError):
            stub.LPush(pb.ListInsert(key=b"secret-name", values=[b"x", b"y"]))
        newest = lambda: json.loads(monitor.ask("/slow")[2])["calls"]
        wait_until(lambda: len(newest()) == 2, newest)
        theirs = list(admin_stub(channel).SlowLog(pb.SlowLogRequest()).entries)[-2:]
        text = monitor.ask("/slow")[2]
    assert "secret" not in text and "127.0.0.1" not in text
    now = json.loads(text)
    push, first = now["calls"][-2:]
    assert (push["method"], push["status"], push["elements"]) == ("LPush", "FAILED_PRECONDITION", 2)
    assert (first["method"], first["status"], first["keys"]) == ("Set", "OK", 1)
    for ours, entry in zip((push, first), theirs):
        assert f'{ours["service"]}/{ours["method"]}' == entry.method
        assert (ours["id"], ours["us"], ours["unix_ms"]) == (entry.id, entry.duration_us, entry.unix_ms)
        assert (ours["request_bytes"], ours["reply_bytes"]) == (entry.request_bytes, entry.reply_bytes)
        assert entry.unix_ms <= now["unix_ms"]


# It stands what clients do to it.

def test_many_scrapes_at_once(monitored):
    _, monitor = monitored
    with ThreadPoolExecutor(50) as pool:
        for families in pool.map(lambda i: monitor.families(is_open=i % 2 == 0), range(300)):
            assert families["keystore_build_info"].samples


def test_slow_clients_do_not_keep_others_out(monitored):
    _, monitor = monitored
    slow = [socket.create_connection(("127.0.0.1", monitor.port)) for _ in range(100)]
    for each in slow:
        each.sendall(b"GET /metrics HTTP/1.1\r\n")
    assert monitor.values()["keystore_workers"] == 2
    for each in slow:
        each.close()


def test_clients_of_the_api_leave_descriptors_for_it(fresh_server):
    server = fresh_server(*LISTEN, limits=["--nofile=120"])
    monitor = Monitor(server)
    clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(150)]
    wait_until(lambda: sum(value for name, value in monitor.values().items()
                           if name.startswith("keystore_limit_hits_total")) > 0)
    now = monitor.values()
    assert now["keystore_connections"] <= now["keystore_connections_limit"] < 80
    for each in clients:
        each.close()


def test_it_ends_with_the_server(monitored):
    server, monitor = monitored
    half = socket.create_connection(("127.0.0.1", monitor.port))
    half.sendall(b"GET /metrics HT")
    server.stop(signal.SIGINT)
    assert half.recv(1) == b""
    half.close()


# The documentation.

def documented():
    rows = re.findall(r"^\| `(\w+)(?:\{([^}]*)\})?` \| (\w+) \|", (ROOT / "docs/metrics.md").read_text(), re.M)
    assert len({name for name, _, _ in rows}) == len(rows)
    return {name: (set(filter(None, re.split(", ?", labels))), kind) for name, labels, kind in rows}


def test_the_documentation_lists_what_is_served(monitored):
    server, monitor = monitored
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        stub.Get(pb.Key(key=b"k"))
        wait_until(lambda: monitor.families()["grpc_server_handled_total"].samples)
    served = {name: ({key for _, labels in family.samples for key, _ in labels} - {"le"}, family.type)
              for name, family in monitor.families().items()}
    assert documented() == served


def test_alerts_and_dashboard_name_what_there_is():
    known = set(documented())
    known |= {name + suffix for name in known for suffix in ("_bucket", "_sum", "_count")}
    for path in ("deploy/prometheus/alerts.yml", "deploy/grafana/dashboard.json"):
        text = (ROOT / path).read_text()
        used = set(re.findall(r"\b((?:keystore|grpc_server|process)_[a-z_]*[a-z])\b", text))
        assert used and used <= known, (path, used - known)
