"""nginx and haproxy in front: every kind of call passes, and a backend that is restarted shows no
error."""

import threading

import grpc
import pytest

import mini_redis_pb2 as pb
import mini_redis_pb2_grpc as rpc
from clients import Stub, admin_stub, open_channel
from errors import WRONG_TYPE, check_fails
from proxies import PROXIES, Proxy
from server_process import Server, own_loopback
from test_lifecycle import restart_under_load
from times import wait_until
from watching import Watcher, key_of

TIMEOUT_S = 60
MIB = 1 << 20


@pytest.fixture(scope="module", name="behind", params=PROXIES)
def behind_fixture(request, tmp_path_factory, server):
    """A stub whose calls pass the proxy, and the server that they reach."""
    directory = tmp_path_factory.mktemp(request.param)
    with Proxy(request.param, directory, [server.address] * 2) as proxy, \
            open_channel(proxy.address) as channel:
        yield Stub(channel), rpc.KeyStoreStub(channel), server


def streams_open(server):
    with open_channel(server.address) as channel:
        return int(admin_stub(channel).Info(pb.InfoRequest(sections=["clients"]))
                   .fields["streams_open"])


class Requests:
    """What a caller sends, one by one, as it likes."""

    def __init__(self, *first):
        self._requests = list(first)
        self._changed = threading.Condition()

    def send(self, request):
        with self._changed:
            self._requests.append(request)
            self._changed.notify()

    def end(self):
        self.send(None)

    def __iter__(self):
        while True:
            with self._changed:
                assert self._changed.wait_for(lambda: self._requests, TIMEOUT_S)
                request = self._requests.pop(0)
            if request is None:
                return
            yield request


@pytest.mark.parametrize("size", [0, 1, 100_000, 8 * MIB])
def test_unary(behind, key, size):
    stub, _, _ = behind
    value = bytes(size)
    assert stub.Set(pb.KeyValue(key=key, value=value)).ok
    assert stub.Get(pb.Key(key=key)).value == value


def test_an_error_has_its_details(behind, key):
    stub, _, _ = behind
    stub.RPush(pb.ListInsert(key=key, values=[b"1"]))
    check_fails(WRONG_TYPE, stub.Get, pb.Key(key=key))


def test_a_deadline_reaches_the_server(behind, key):
    stub, _, server = behind
    with pytest.raises(grpc.RpcError) as caught:
        stub.ListPop(pb.PopRequest(keys=[key], wait_ms=-1), timeout=0.3)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    with open_channel(server.address) as channel:
        admin = admin_stub(channel)
        wait_until(lambda: admin.Info(pb.InfoRequest()).fields["blocked_clients"] == "0")


def test_scan(behind, key):
    """Pages of a server stream, more than any buffer takes."""
    stub, streams, _ = behind
    names = {key + b"%04d" % number for number in range(500)}
    value = bytes(1000)
    for name in names:
        stub.Set(pb.KeyValue(key=name, value=value))
    request = pb.ScanRequest(pattern=key + b"*", with_values=True)
    found = [entry.key for page in streams.Scan(request, timeout=TIMEOUT_S)
             for entry in page.entries]
    assert set(found) == names


def test_pipeline(behind, key):
    """Requests and replies take turns, so neither is held up until the other is complete."""
    _, streams, _ = behind
    requests = Requests()
    replies = streams.Pipeline(iter(requests), timeout=TIMEOUT_S)
    for number in range(1, 100):
        requests.send(pb.OpBatch(ops=[pb.Op(incr=pb.Increment(key=key))]))
        assert next(replies).replies[0].number.integer == number
    requests.end()
    assert list(replies) == []


def test_watch(behind, key):
    """Each event arrives when it happens."""
    stub, streams, server = behind
    with Watcher(streams, key_of(key), with_changes=True) as watcher:
        for number in range(20):
            stub.Set(pb.KeyValue(key=key, value=b"%d" % number))
            assert watcher.events(1)[0].change.set.value == b"%d" % number
    wait_until(lambda: streams_open(server) == 0)  # the cancellation arrives, too


def test_consume(behind, key):
    stub, streams, server = behind
    requests = Requests(pb.ConsumeRequest(start=pb.ConsumeRequest.Start(
        keys=[key], max_in_flight=1, lease_ms=60000)))
    deliveries = streams.Consume(iter(requests), timeout=TIMEOUT_S)
    for number in range(20):
        stub.RPush(pb.ListInsert(key=key, values=[b"%d" % number]))
        delivery = next(delivery for delivery in deliveries if delivery.deliveries)
        assert [each.value for each in delivery.deliveries] == [b"%d" % number]
        requests.send(pb.ConsumeRequest(done=[each.id for each in delivery.deliveries]))
    requests.end()
    assert [list(each.done) for each in deliveries][-1] == [20]
    wait_until(lambda: streams_open(server) == 0)


def test_subscribe(behind, key):
    stub, streams, server = behind
    call = streams.Subscribe(pb.SubscribeRequest(channels=[key]), timeout=TIMEOUT_S)
    wait_until(lambda: streams_open(server) == 1)
    for number in range(20):
        wait_until(lambda number=number: stub.Publish(pb.Message(
            channel=key, payload=b"%d" % number)).count == 1)
        assert next(call).payload == b"%d" % number
    call.cancel()
    wait_until(lambda: streams_open(server) == 0)


@pytest.mark.parametrize("name", PROXIES)
def test_a_restart_shows_no_error(name, tmp_path, counts):
    """The clients send nothing again but what has not left them. Each of two servers is restarted
    three times."""
    places = [(tmp_path / "a", own_loopback()), (tmp_path / "b", own_loopback())]
    servers = [Server(listen=(f"{host}:0",), directory=path) for path, host in places]
    with Proxy(name, tmp_path, [server.address for server in servers]) as proxy:
        channels = [open_channel(proxy.address, retries=True) for _ in range(3)]
        restart_under_load(servers, places, channels, counts)
        for channel in channels:
            channel.close()
    for server in servers:
        server.stop()
