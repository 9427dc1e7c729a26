"""grpc.health.v1, as load balancers and supervisors use it: while the server loads, serves, has a
full disk, and stops; and how keystore-cli and a listener of its own give it to them."""

import re
import signal
import subprocess
from contextlib import ExitStack, contextmanager

import grpc
import pytest
from hyperframe import frame as frames

import health_pb2
import health_pb2_grpc
import mini_redis_pb2 as pb
from clients import CALL_TIMEOUT_S, Stub, admin_stub, open_channel
from errors import NOT_SERVED, STOPPING, check_ends, check_fails
from h2conn import H2Conn, prefixed
from keystore_env import BIN, SANITIZE, SERVER
from loading import loading_directory, starting
from server_process import Server
from small_disk import fill_up
from test_reflection import Reflection
from times import wait_until

UNKNOWN_SERVICE = (grpc.StatusCode.NOT_FOUND, "ERROR_REASON_NOT_FOUND")
SERVING, NOT_SERVING, SERVICE_UNKNOWN = (
    health_pb2.HealthCheckResponse.ServingStatus.Value(name)
    for name in ("SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"))
OWN = {"", "keystore.live", "keystore.write"}
WATCH = "/grpc.health.v1.Health/Watch"
# What a server loads in that time, in commands of loading_directory().
SOME_SECONDS = {"": 400, "thread": 8}.get(SANITIZE, 40)


class Health:
    def __init__(self, channel):
        self.calls = Stub(channel, health_pb2_grpc.HealthStub)

    def check(self, service=""):
        return self.calls.Check(health_pb2.HealthCheckRequest(service=service)).status

    def list(self):
        statuses = self.calls.List(health_pb2.HealthListRequest()).statuses
        return {name: response.status for name, response in statuses.items()}

    def watch(self, service=""):
        return self.calls.Watch(health_pb2.HealthCheckRequest(service=service))


@contextmanager
def health_of(address):
    with open_channel(address) as channel:
        yield Health(channel)


@pytest.fixture(name="health")
def health_fixture(channel):
    return Health(channel)


def cli(*options):
    """What `keystore-cli OPTIONS` prints, without the newline, and its exit code."""
    done = subprocess.run([BIN / "keystore-cli", *map(str, options)], capture_output=True,
                          text=True, timeout=CALL_TIMEOUT_S, check=False)
    return done.stdout.rstrip("\n"), done.returncode


def expect(watching, *statuses):
    """The next statuses of a Watch."""
    assert [next(watching).status for _ in statuses] == list(statuses)


# ---- a server that serves ----

def test_all_services(health, channel):
    declared = set(Reflection(channel, "v1").services())
    assert "grpc.health.v1.Health" in declared
    assert health.list() == dict.fromkeys(declared | OWN, SERVING)
    assert all(health.check(name) == SERVING for name in declared | OWN)


def test_without_reflection(fresh_server):
    with health_of(fresh_server("--reflection", "off").address) as health:
        assert not any("reflection" in name for name in health.list())
        check_fails(UNKNOWN_SERVICE, health.check, "grpc.reflection.v1.ServerReflection")


def test_unknown_services(health):
    for name in ("keystore", "keystore.v1.KeyStore/Get", "x" * 10_000, "\N{SNOWMAN}"):
        check_fails(UNKNOWN_SERVICE, health.check, name, "List names those that it has")
        watching = health.watch(name)
        expect(watching, SERVICE_UNKNOWN)
        assert health.check() == SERVING and watching.is_active()
        watching.cancel()


def test_the_client_of_grpc_follows_it(fresh_server):
    """A channel whose service config has a healthCheckConfig makes calls only while it may."""
    server = fresh_server()
    config = '{"healthCheckConfig": {"serviceName": "%s"}, "loadBalancingConfig": ' \
             '[{"round_robin": {}}]}'
    for name, reachable in (("keystore.v1.KeyStore", True), ("keystore.v1.None", False)):
        with grpc.insecure_channel(server.address, options=[
                ("grpc.service_config", config % name),
                ("grpc.use_local_subchannel_pool", 1)]) as channel:
            get = channel.unary_unary("/keystore.v1.KeyStore/Get")
            if reachable:
                get(b"\x0a\x01k", timeout=CALL_TIMEOUT_S)
                continue
            with pytest.raises(grpc.RpcError) as caught:
                get(b"\x0a\x01k", timeout=CALL_TIMEOUT_S)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


# ---- one that loads ----

def test_while_it_loads(tmp_path):
    loading_directory(tmp_path / "data")
    places = [f"unix:{tmp_path}/socket", f"unix:{tmp_path}/health"]
    with starting(tmp_path / "data", "--listen", places[0], "--health-listen", places[1]):
        for place in places:
            with open_channel(place) as channel:
                grpc.channel_ready_future(channel).result(timeout=CALL_TIMEOUT_S)
                health = Health(channel)
                statuses = health.list()
                assert statuses.pop("keystore.live") == health.check("keystore.live") == SERVING
                assert set(statuses.values()) == {NOT_SERVING}
                assert all(health.check(name) == NOT_SERVING for name in statuses)
                expect(health.watch(), NOT_SERVING)
                expect(health.watch("keystore.live"), SERVING)
            socket = place.removeprefix("unix:")
            assert cli("-s", socket, "--health") == ("NOT_SERVING", 4)
            assert cli("-s", socket, "--health", "keystore.live") == ("SERVING", 0)


def test_the_end_of_loading_is_told(tmp_path):
    loading_directory(tmp_path / "data", SOME_SECONDS)
    place = f"unix:{tmp_path}/socket"
    with starting(tmp_path / "data", "--listen", place) as process, open_channel(place) as channel:
        grpc.channel_ready_future(channel).result(timeout=CALL_TIMEOUT_S)
        watched = [Health(channel).watch(name) for name in ("", "keystore.write")]
        for watching in watched:
            expect(watching, NOT_SERVING, SERVING)
        assert Stub(channel).Set(pb.KeyValue(key=b"k", value=b"v")).ok
        process.send_signal(signal.SIGTERM)
        for watching in watched:
            expect(watching, NOT_SERVING)
            check_ends(watching, STOPPING)
        assert process.wait(CALL_TIMEOUT_S) == 0


# ---- one whose disk is full ----

def test_a_full_disk(small_disk, fresh_server):
    server = fresh_server(directory=small_disk / "data")
    with open_channel(server.address) as channel:
        stub, health = Stub(channel), Health(channel)
        everything, writes = health.watch(), health.watch("keystore.write")
        expect(everything, SERVING)
        expect(writes, SERVING)

        def is_stored():
            try:
                return stub.Set(pb.KeyValue(key=b"k", value=b"v" * 100_000)).ok
            except grpc.RpcError:
                return False

        filler = fill_up(small_disk)
        wait_until(lambda: not is_stored())
        expect(writes, NOT_SERVING)
        statuses = health.list()
        assert statuses.pop("keystore.write") == NOT_SERVING
        assert set(statuses.values()) == {SERVING}
        assert cli("-p", server.port, "--health", "keystore.write") == ("NOT_SERVING", 4)
        assert cli("-p", server.port, "--health") == ("SERVING", 0)
        filler.unlink()
        expect(writes, SERVING)
        assert is_stored()
        server.send_signal()
        expect(everything, NOT_SERVING)
        check_ends(everything, STOPPING)
    server.wait()


# ---- one that stops ----

class Recording(H2Conn):
    """Remembers all frames."""

    def __init__(self, *arguments, **options):
        self.frames = []
        super().__init__(*arguments, **options)

    def _on_frame(self, frame):
        self.frames.append(frame)
        super()._on_frame(frame)

    def watch(self, service=b""):
        request = b"\x0a" + bytes([len(service)]) + service if service else b""
        stream_id = self.start(WATCH, request)
        self.receive_until(lambda: self.answers[stream_id].body)
        return stream_id


def response(status):
    return prefixed(bytes([8, status]))


def test_not_serving_comes_before_goaway(fresh_server):
    server = fresh_server(threads=4)
    with ExitStack() as stack:
        connections = [stack.enter_context(Recording(server.address)) for _ in range(20)]
        watched = [(connection, [connection.watch(b"keystore.v1.KeyStore") for _ in range(5)])
                   for connection in connections]
        server.send_signal()
        for connection, streams in watched:
            for stream_id in streams:
                answer = connection.wait(stream_id)
                assert answer.body == response(SERVING) + response(NOT_SERVING)
                assert answer.trailers["grpc-status"] == "14"
                assert answer.trailers["keystore-reason"] == "ERROR_REASON_STOPPING"
            connection.receive_until(lambda: connection.goaways)
            kinds = [type(frame) for frame in connection.frames]
            last = max(number for number, frame in enumerate(connection.frames)
                       if isinstance(frame, frames.DataFrame) and frame.data)
            assert last < kinds.index(frames.GoAwayFrame)
    server.wait()


def test_the_drain_delay(fresh_server):
    """Between the signals everything goes on, but whoever asks is told to go."""
    server = fresh_server("--drain-delay", 3600)
    with Recording(server.address) as connection, open_channel(server.address) as channel:
        stub, health = Stub(channel), Health(channel)
        everything, live = health.watch(), health.watch("keystore.live")
        expect(everything, SERVING)
        expect(live, SERVING)
        watching = connection.watch()
        server.send_signal()
        expect(everything, NOT_SERVING)
        connection.receive_until(
            lambda: connection.answers[watching].body == response(SERVING) + response(NOT_SERVING))
        assert health.check("keystore.live") == SERVING
        assert health.check("keystore.write") == NOT_SERVING
        assert stub.Set(pb.KeyValue(key=b"k", value=b"v")).ok
        with open_channel(server.address) as another:
            assert Stub(another).Get(pb.Key(key=b"k")).value == b"v"
        connection.ping()
        assert not connection.goaways and not connection.answers[watching].ended
        assert "received: serving for another 3600 s" in server.stderr
        server.send_signal()
        check_ends(everything, STOPPING)
        check_ends(live, STOPPING)
        connection.receive_until(lambda: connection.goaways)
    server.wait()


def test_the_drain_delay_ends(fresh_server):
    server = fresh_server("--drain-delay", 1)
    server.stop()
    assert "serving for another 1 s" in server.stderr and "finishing the calls" in server.stderr


# ---- a listener for it alone ----

def health_address(server):
    [found] = re.findall(r"listening on (\S+) for health checks", server.stderr)
    return found


def test_a_listener_serves_nothing_else(fresh_server):
    server = fresh_server("--health-listen", "127.0.0.1:0")
    with open_channel(health_address(server)) as channel:
        health = Health(channel)
        assert health.check() == SERVING and health.list()["keystore.write"] == SERVING
        stub = Stub(channel)
        check_fails(NOT_SERVED, stub.Get, pb.Key(key=b"k"), "--health-listen")
        check_fails(NOT_SERVED, lambda _: list(stub.Watch(pb.WatchRequest())), None,
                    "serves only health checks")
        with pytest.raises(grpc.RpcError) as caught:
            Reflection(channel, "v1").services()
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
        watching = health.watch()
        expect(watching, SERVING)
        server.send_signal()
        expect(watching, NOT_SERVING)
        check_ends(watching, STOPPING)
    server.wait()


def test_probes_of_a_full_server(fresh_server):
    """A server that has all the connections it may have is not dead."""
    server = fresh_server("--max-connections", 3, "--max-connections-per-address", 3,
                          "--health-listen", "127.0.0.1:0")
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(H2Conn(server.address)).ping()
        assert cli("-p", server.port, "--timeout", 5000, "--health")[1] == 2
        port = health_address(server).rpartition(":")[2]
        for _ in range(5):
            assert cli("-p", port, "--health") == ("SERVING", 0)


def test_too_many_probes(fresh_server):
    """They keep nobody else from connecting, and the log tells of them."""
    server = fresh_server("--health-listen", "127.0.0.1:0", "--max-connections", 3)
    address = health_address(server)
    with ExitStack() as stack:
        for _ in range(64):
            stack.enter_context(H2Conn(address)).ping()
        assert cli("-p", address.rpartition(":")[2], "--timeout", 5000, "--health")[1] == 2
        with open_channel(server.address) as channel:
            assert not Stub(channel).Get(pb.Key(key=b"k")).found
            fields = admin_stub(channel).Info(pb.InfoRequest(sections=["clients"])).fields
            assert fields["connected_clients"] == "1"
        wait_until(lambda: "connections for health checks were refused" in server.stderr)


def test_a_listener_that_cannot_be(fresh_server, tmp_path):
    address = health_address(fresh_server("--health-listen", "127.0.0.1:0"))
    for option in ("--listen", "--health-listen"):
        ran = subprocess.run([SERVER, "--dir", tmp_path, "--listen", "127.0.0.1:0", option,
                              address], capture_output=True, text=True, check=False,
                             timeout=CALL_TIMEOUT_S)
        assert ran.returncode == 1
        assert f"choose another with {option}\n" in ran.stderr


def test_the_socket_of_a_listener_goes(tmp_path):
    server = Server("--health-listen", f"unix:{tmp_path}/health")
    assert cli("-s", tmp_path / "health", "--health") == ("SERVING", 0)
    server.stop()
    assert not (tmp_path / "health").exists()


# ---- keystore-cli ----

def test_exit_codes(server):
    assert cli("-p", server.port, "--health") == ("SERVING", 0)
    assert cli("-p", server.port, "--health", "keystore.write") == ("SERVING", 0)
    assert cli("-p", server.port, "--health", "keystore.none") == ("", 3)
    assert cli("-s", "/nowhere", "--health") == ("", 2)
    assert cli("--health", "a", "b") == ("", 2)
