"""How connections end in order: by age, by idleness, by silence, by too many PINGs; and that their
clients see no error of it. Servers that are restarted in turn, too."""

import json
import socket
import threading
from contextlib import contextmanager

import grpc
import pytest

import mini_redis_pb2 as pb
import mini_redis_pb2_grpc as rpc
from clients import Stub, admin_stub, open_channel
from errors import STOPPING
from h2conn import Closed, H2Conn
from keystore_env import BIN
from rpc_status import check_rpc_error
from server_process import Server, own_loopback
from test_cli import Prompt
from times import wait_until

GET = "/keystore.v1.KeyStore/Get"
WATCH = "/keystore.v1.KeyStore/Watch"
KEY = b"k"
ENTER = b"\r"
# What a client needs to see nothing of a restart: several servers, and calls sent again.
RETRYING = json.dumps({
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [{
        "name": [{"service": "keystore.v1.KeyStore"}],
        "waitForReady": True,
        "retryPolicy": {"maxAttempts": 5, "initialBackoff": "0.05s", "maxBackoff": "1s",
                        "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}]})


def info(server, *sections):
    with open_channel(server.address) as channel:
        return admin_stub(channel).Info(pb.InfoRequest(sections=sections)).fields


def closed(server, kind):
    return int(info(server, "stats")["connections_closed_" + kind])


class Load:
    """Threads that call until they are stopped; an error of any call fails the test."""

    def __init__(self):
        self._stops = threading.Event()
        self._threads = []
        self._errors = []
        self.calls = []

    def add(self, call):
        """Has a thread do call(number) over and over; its count is calls[what add() returned]."""
        index = len(self.calls)
        self.calls.append(0)

        def run():
            try:
                while not self._stops.is_set():
                    call(self.calls[index])
                    self.calls[index] += 1
            except Exception as error:  # pylint: disable=broad-except
                self._errors.append(error)

        self._threads.append(threading.Thread(target=run, daemon=True))
        self._threads[-1].start()
        return index

    def check(self):
        if self._errors:
            raise self._errors[0]

    def each_goes_on(self, by=20):
        """Waits until each thread has had so many calls more."""
        before = list(self.calls)

        def has_gone_on():
            self.check()
            return all(now >= then + by for now, then in zip(self.calls, before))

        wait_until(has_gone_on)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self._stops.set()
        for thread in self._threads:
            thread.join(60)
        if kind is None:
            self.check()


# Age.

def test_a_channel_outlives_its_connections(fresh_server, counts):
    """No call fails, although nothing is sent again but what has not left the client: a call that
    begins while its connection learns of the end."""
    server = fresh_server("--max-connection-age", 1)
    channels = [open_channel(server.address, retries=True) for _ in range(4)]
    with Load() as load:
        for number, channel in enumerate(channels):
            stub = Stub(channel)

            def call(count, stub=stub, number=number):
                value = b"%d" % count
                assert stub.Set(pb.KeyValue(key=b"k%d" % number, value=value)).ok
                assert stub.Get(pb.Key(key=b"k%d" % number)).value == value

            load.add(call)

        def rotated():
            load.check()
            return closed(server, "max_age") >= 5 * len(channels)

        wait_until(rotated)
    counts(f"{sum(load.calls)} pairs of calls")
    for channel in channels:
        channel.close()


def test_keystore_cli_outlives_its_connections(fresh_server):
    """The C library connects again, too."""
    server = fresh_server("--max-connection-age", 1)
    with Prompt(server) as prompt:
        for number in range(1, 4):
            prompt.ask(b"incr n", b"(integer) %d" % number)
            wait_until(lambda number=number: closed(server, "max_age") >= number)


def test_a_stream_goes_on_without_a_grace(fresh_server):
    server = fresh_server("--max-connection-age", 1)
    with H2Conn(server.address) as connection, open_channel(server.address) as channel:
        stream = connection.start(WATCH, watch_request().SerializeToString())
        connection.receive_until(lambda: len(connection.goaways) == 2)
        assert [each.additional_data for each in connection.goaways] == [b"max_age", b"max_age"]
        assert [each.error_code for each in connection.goaways] == [0, 0]
        assert connection.goaways[1].last_stream_id == stream
        assert Stub(channel).Set(pb.KeyValue(key=KEY, value=b"after it")).ok
        answer = connection.answers[stream]
        connection.receive_until(lambda: b"after it" in answer.body)


def watch_request():
    return pb.WatchRequest(selectors=[pb.WatchRequest.Selector(key=KEY)], with_changes=True)


def test_the_grace_ends_streams_and_waits(fresh_server):
    server = fresh_server("--max-connection-age", 1, "--max-connection-age-grace", 1)
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        pop = stub.ListPop.future(pb.PopRequest(keys=[b"list"], wait_ms=60000))
        watch = rpc.KeyStoreStub(channel).Watch(watch_request(), timeout=60)
        with pytest.raises(grpc.RpcError) as caught:
            for _ in watch:
                pass
        check_rpc_error(caught.value, *STOPPING)
        assert "this connection, is shutting down" in caught.value.details()
        with pytest.raises(grpc.RpcError) as caught:
            pop.result()
        check_rpc_error(caught.value, *STOPPING)
        assert "maximum age" in caught.value.details()
        assert stub.Set(pb.KeyValue(key=KEY, value=b"v")).ok
    wait_until(lambda: closed(server, "max_age") >= 1)
    assert "it has reached its maximum age (--max-connection-age)" in server.stderr


def test_idleness_is_told(fresh_server):
    server = fresh_server("--idle-timeout", 1)
    with H2Conn(server.address) as connection:
        connection.receive_until(lambda: len(connection.goaways) == 2)
        assert [each.additional_data for each in connection.goaways] == [b"max_idle", b"max_idle"]
        wait_until(lambda: closed(server, "max_idle") == 1)
    assert info(server, "stats")["idle_connections_ended"] == "1"


# Silence.

def test_a_peer_that_is_gone_is_closed(fresh_server):
    """It takes what is sent, in that its system does, and answers nothing; its wait ends with it."""
    server = fresh_server("--keepalive-time", 1, "--keepalive-timeout", 1)
    with H2Conn(server.address) as connection:
        connection.answer_pings = False
        connection.start("/keystore.v1.KeyStore/ListPop",
                         pb.PopRequest(keys=[b"list"], wait_ms=3600000).SerializeToString())
        wait_until(lambda: closed(server, "keepalive_timeout") == 1)
        wait_until(lambda: info(server, "clients")["blocked_clients"] == "0")
        with pytest.raises(Closed):
            connection.receive_until(lambda: False)
        assert connection.pings_unanswered
        assert [each.error_code for each in connection.goaways] == [0]
    assert "did not answer a PING in time (--keepalive-timeout)" in server.stderr


def test_a_peer_that_answers_stays(fresh_server):
    server = fresh_server("--keepalive-time", 1, "--keepalive-timeout", 1)
    with H2Conn(server.address) as connection:
        connection.answer_pings = False
        for _ in range(3):
            connection.receive_until(lambda: connection.pings_unanswered)
            connection.answer_late_pings()
            connection.answer_pings = False
        connection.ping()
        assert not connection.goaways
    assert closed(server, "keepalive_timeout") == 0


def test_keystore_cli_comes_back_after_silence(fresh_server):
    """It does not read between two commands."""
    server = fresh_server("--keepalive-time", 1, "--keepalive-timeout", 1)
    with Prompt(server) as prompt:
        for number in range(1, 3):
            prompt.ask(b"incr n", b"(integer) %d" % number)
            wait_until(lambda number=number: closed(server, "keepalive_timeout") == number)
        prompt.ask(b"get n", b'"2"')


# PINGs of clients.

@contextmanager
def pinging_channel(address, every_ms):
    options = [("grpc.keepalive_time_ms", every_ms), ("grpc.keepalive_timeout_ms", 20000),
               ("grpc.keepalive_permit_without_calls", 1), ("grpc.http2.max_pings_without_data", 0),
               ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address, options=options) as channel:
        yield channel


def test_too_many_pings_of_grpcio(fresh_server):
    server = fresh_server("--min-ping-interval", 3600)
    with pinging_channel(server.address, 1000) as channel:
        stub = Stub(channel)
        assert stub.Set(pb.KeyValue(key=KEY, value=b"v")).ok
        wait_until(lambda: closed(server, "too_many_pings") == 1)
        assert stub.Get(pb.Key(key=KEY)).value == b"v"  # on a new connection
    assert "the client sent PINGs too often" in server.stderr


def test_too_many_pings_are_told(fresh_server):
    """Calls in flight are answered."""
    server = fresh_server("--min-ping-interval", 10)
    with H2Conn(server.address) as connection, open_channel(server.address) as channel:
        pop = connection.start("/keystore.v1.KeyStore/ListPop", pb.PopRequest(
            keys=[b"list"], wait_ms=60000).SerializeToString())
        for _ in range(4):
            connection.ping()
        connection.receive_until(lambda: connection.goaways)
        assert connection.goaways[0].additional_data == b"too_many_pings"
        assert connection.goaways[0].error_code == 11  # ENHANCE_YOUR_CALM
        assert connection.goaways[0].last_stream_id == pop
        Stub(channel).RPush(pb.ListInsert(key=b"list", values=[b"element"]))
        assert b"element" in connection.wait(pop).message()
        with pytest.raises(Closed):
            connection.receive_until(lambda: False)


def test_pings_for_answers_are_free(fresh_server):
    server = fresh_server("--min-ping-interval", 3600)
    with H2Conn(server.address) as connection:
        for _ in range(100):
            connection.call(GET, pb.Key(key=KEY).SerializeToString()).message()
            connection.ping()
            connection.ping()
        assert not connection.goaways


class PingCounter:
    """Passes bytes between a client and the server, and counts the PINGs of the client."""

    def __init__(self, address):
        host, port = address.split(":")
        self._server = (host, int(port))
        self._listener = socket.create_server((own_loopback(), 0))
        self.address = "%s:%d" % self._listener.getsockname()
        self.pings = self.connections = 0
        self._sockets = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(self._server)
            self._sockets += [client, server]
            threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source, sink, counts):
        pending = bytearray()
        skip = 24  # the preface
        try:
            while data := source.recv(65536):
                sink.sendall(data)
                if not counts:
                    continue
                pending += data
                while len(pending) >= skip + 9:
                    del pending[:skip]
                    self.pings += pending[3] == 6 and not pending[4] & 1
                    skip = 9 + int.from_bytes(pending[:3], "big")
        except OSError:
            pass
        finally:
            sink.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self._sockets:
            each.close()


def test_a_conforming_keepalive_is_tolerated(fresh_server):
    """The server allows more than the client sends."""
    server = fresh_server("--min-ping-interval", 1)
    with PingCounter(server.address) as between, pinging_channel(between.address, 1500) as channel:
        stub = Stub(channel)
        assert stub.Set(pb.KeyValue(key=KEY, value=b"v")).ok
        wait_until(lambda: between.pings >= 4)
        assert stub.Get(pb.Key(key=KEY)).value == b"v"
        assert between.connections == 1
    assert closed(server, "too_many_pings") == 0


# Restarts.

def restart_under_load(servers, places, channels, counts):
    """Each server in turn is stopped in order and started again at its place, (directory, host),
    three times, while the channels call. An error of any call fails the test."""
    ports = [server.port for server in servers]
    with Load() as load:
        for number, channel in enumerate(channels):
            stub = Stub(channel)
            load.add(lambda count, stub=stub, number=number: stub.Set(
                pb.KeyValue(key=b"k%d" % number, value=b"%d" % count)))
            load.add(lambda count, stub=stub, number=number: stub.Get(
                pb.Key(key=b"k%d" % number)))
        load.each_goes_on()
        for _ in range(3):
            for index, (path, host) in enumerate(places):
                servers[index].stop()
                load.each_goes_on()
                servers[index] = Server(listen=(f"{host}:{ports[index]}",), directory=path)
                serves_again(load, servers[index])
    counts(f"{sum(load.calls)} calls, 6 restarts")


def test_a_rolling_restart_shows_no_error(tmp_path, counts):
    """Each server in turn is stopped in order and started again, under load, three times."""
    places = [(tmp_path / "a", own_loopback()), (tmp_path / "b", own_loopback())]
    servers = [Server(listen=(f"{host}:0",), directory=path) for path, host in places]
    target = "ipv4:" + ",".join(server.address for server in servers)
    channels = [grpc.insecure_channel(target, options=[
        ("grpc.service_config", RETRYING), ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_reconnect_backoff_ms", 200), ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100)]) for _ in range(3)]
    try:
        restart_under_load(servers, places, channels, counts)
    finally:
        for channel in channels:
            channel.close()
        for server in servers:
            server.stop()


def serves_again(load, server):
    """Waits until the clients have found the server."""
    def has_calls():
        load.check()
        return int(info(server, "stats")["total_commands_processed"]) > 200

    wait_until(has_calls)


def test_a_restart_of_the_only_server_shows_no_error(tmp_path):
    """Clients that wait for it to be back (wait_for_ready), on a unix socket."""
    path = f"unix:{tmp_path}/socket"
    server = Server(listen=("127.0.0.1:0", path), directory=tmp_path / "data")
    with grpc.insecure_channel(path, options=[
            ("grpc.service_config", RETRYING), ("grpc.max_reconnect_backoff_ms", 200),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100)]) as channel, Load() as load:
        stub = Stub(channel)

        def call(count):
            assert stub.Set(pb.KeyValue(key=KEY, value=b"%d" % count)).ok
            assert stub.Get(pb.Key(key=KEY)).value == b"%d" % count

        load.add(call)
        for _ in range(3):
            load.each_goes_on()
            server.stop()
            server = Server(listen=("127.0.0.1:0", path), directory=tmp_path / "data")
        load.each_goes_on()
    server.stop()
