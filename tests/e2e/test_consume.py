"""Consume: deliveries, acknowledgements, what returns and when, and that nothing is ever lost."""

import asyncio
import queue
import signal
import subprocess
import sys

import grpc
import pytest

import mini_redis_pb2 as pb
import mini_redis_pb2_grpc as rpc
from clients import Stub, open_channel
from errors import STOPPING, reason_of
from slow_disk import start_on_slow_disk
from times import wait_until
from waiting import wait_until_blocked

PENDING = b"jobs:pending"


@pytest.fixture(name="own")
def own_fixture(fresh_server):
    server = fresh_server("--durability", "none", threads=3)
    with open_channel(server.address) as channel:
        yield server, channel, Stub(channel)


def push(stub, *values, key=b"jobs"):
    return stub.RPush(pb.ListInsert(key=key, values=values))


def values_of(stub, key=b"jobs"):
    return list(stub.LRange(pb.ListRange(key=key, stop=-1)).values)


class Consumer:
    """A stream whose requests are sent one by one."""

    def __init__(self, channel, keys=(b"jobs",), **start):
        self._requests = queue.Queue()
        self.replies = rpc.KeyStoreStub(channel).Consume(iter(self._requests.get, None), timeout=60)
        self._requests.put(pb.ConsumeRequest(start=pb.ConsumeRequest.Start(keys=keys, **start)))
        self.done, self.returned, self.ahead = [], [], []

    def send(self, **fields):
        self._requests.put(pb.ConsumeRequest(**fields))

    def take(self, count):
        """The next `count` deliveries; other reports are noted."""
        while len(self.ahead) < count:
            self._next()
        taken, self.ahead = self.ahead[:count], self.ahead[count:]
        return taken

    def _next(self):
        reply = next(self.replies)
        self.done += reply.done
        self.returned += reply.returned
        self.ahead += reply.deliveries

    def values(self, count):
        return [delivery.value for delivery in self.take(count)]

    def wait_done(self, *ids):
        while not set(ids) <= set(self.done):
            self._next()

    def wait_returned(self, *ids):
        while not set(ids) <= set(self.returned):
            self._next()

    def finish(self):
        """Ends the stream well; returns what else it says."""
        self._requests.put(None)
        for reply in self.replies:
            self.done += reply.done
            self.returned += reply.returned
            self.ahead += reply.deliveries
        return self.ahead

    def fails(self):
        """The reason for which the stream ends."""
        with pytest.raises(grpc.RpcError) as caught:
            while True:
                self._next()
        self._requests.put(None)
        return caught.value.code(), reason_of(caught.value)


def test_elements_are_delivered_and_acknowledged(own):
    _, channel, stub = own
    push(stub, b"a", b"b", b"c")
    consumer = Consumer(channel, max_in_flight=2)
    one, two = consumer.take(2)
    assert [(d.id, d.key, d.value) for d in (one, two)] == [(1, b"jobs", b"a"), (2, b"jobs", b"b")]
    assert values_of(stub, PENDING) == [b"a", b"b"] and values_of(stub) == [b"c"]
    consumer.send(done=[1])
    [three] = consumer.take(1)
    assert three.value == b"c" and values_of(stub, PENDING) == [b"b", b"c"]
    consumer.send(done=[2, 3])
    consumer.wait_done(1, 2, 3)
    wait_until_blocked(channel, 1)
    push(stub, b"d", b"e")
    assert consumer.values(2) == [b"d", b"e"]
    assert consumer.finish() == [] and consumer.returned == [4, 5]
    assert values_of(stub) == [b"d", b"e"] and values_of(stub, PENDING) == []


@pytest.mark.parametrize("end, order", [(pb.LIST_END_HEAD, [b"0", b"1", b"2", b"3"]),
                                        (pb.LIST_END_TAIL, [b"3", b"2", b"1", b"0"])])
def test_what_is_not_acknowledged_returns_in_order(own, end, order):
    _, channel, stub = own
    push(stub, b"0", b"1", b"2", b"3")
    consumer = Consumer(channel, max_in_flight=3, end=end, pending=b"mine")
    assert consumer.values(3) == order[:3]
    consumer.finish()
    assert values_of(stub) == [b"0", b"1", b"2", b"3"] and values_of(stub, b"mine") == []


def test_elements_are_given_back(own):
    _, channel, stub = own
    push(stub, b"0", b"1", b"2")
    consumer = Consumer(channel, max_in_flight=3)
    consumer.take(3)
    consumer.send(give_back=[1, 3], done=[2])
    assert [(d.id, d.value) for d in consumer.take(2)] == [(4, b"0"), (5, b"2")]
    consumer.finish()
    assert consumer.done == [2] and sorted(consumer.returned) == [1, 3, 4, 5]
    assert values_of(stub) == [b"0", b"2"]


def test_a_lease_ends(own):
    _, channel, stub = own
    push(stub, b"0", b"1")
    consumer = Consumer(channel, max_in_flight=2, lease_ms=30)
    assert consumer.values(2) == [b"0", b"1"]
    assert consumer.values(2) == [b"0", b"1"]  # again
    assert consumer.returned == [1, 2]
    consumer.send(done=[1, 2])  # too late: of no effect
    consumer.take(2)
    consumer.finish()
    assert consumer.done == [] and values_of(stub) == [b"0", b"1"]


def test_a_client_that_is_gone(own):
    server, channel, stub = own
    push(stub, *[b"%d" % i for i in range(500)])
    other = open_channel(server.address)
    consumer = Consumer(other, max_in_flight=100)
    consumer.take(100)
    consumer.send(done=list(range(1, 11)))
    consumer.take(10)
    other.close()
    wait_until(lambda: values_of(stub, PENDING) == [])
    assert values_of(stub) == [b"%d" % i for i in range(10, 500)]


def test_a_cancelled_stream(own):
    _, channel, stub = own
    push(stub, b"0", b"1")
    consumer = Consumer(channel)
    consumer.take(1)
    consumer.replies.cancel()
    wait_until(lambda: values_of(stub) == [b"0", b"1"])
    waiting = Consumer(channel, keys=[b"none", b"neither"])
    wait_until_blocked(channel, 1)
    waiting.replies.cancel()
    wait_until_blocked(channel, 0)


def test_a_deadline(own):
    _, channel, stub = own
    push(stub, b"0")
    start = pb.ConsumeRequest(start=pb.ConsumeRequest.Start(keys=[b"jobs"]))
    requests = queue.Queue()
    requests.put(start)
    call = rpc.KeyStoreStub(channel).Consume(iter(requests.get, None), timeout=0.2)
    assert next(call).deliveries[0].value == b"0"
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    requests.put(None)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    wait_until(lambda: values_of(stub) == [b"0"])


def test_a_shutdown(fresh_server, tmp_path):
    server = fresh_server(directory=tmp_path)
    with open_channel(server.address) as channel:
        push(Stub(channel), b"0", b"1", b"2")
        consumer = Consumer(channel, max_in_flight=2)
        assert consumer.values(2) == [b"0", b"1"]
        server.send_signal()
        assert consumer.fails() == STOPPING
        assert consumer.returned == [1, 2]
    server.wait()
    server = fresh_server(directory=tmp_path)
    with open_channel(server.address) as channel:
        assert values_of(Stub(channel)) == [b"0", b"1", b"2"]
        assert values_of(Stub(channel), PENDING) == []


def test_a_crash_of_the_server(fresh_server, tmp_path):
    """What was acknowledged is gone, everything else is there; the first one that names the list
    has it returned, and others lose nothing by it."""
    server = fresh_server("--durability", "always", directory=tmp_path)
    with open_channel(server.address) as channel:
        push(Stub(channel), *[b"%d" % i for i in range(10)])
        one, other = Consumer(channel, max_in_flight=3), Consumer(channel, max_in_flight=3)
        one.take(3), other.take(3)
        one.send(done=[2])
        one.wait_done(2)
        server.kill()
    server = fresh_server("--durability", "always", directory=tmp_path)
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        left = values_of(stub) + values_of(stub, PENDING)
        assert len(left) == 9 and len(values_of(stub, PENDING)) >= 5
        one = Consumer(channel, max_in_flight=5)
        got = one.values(5)
        other = Consumer(channel, max_in_flight=5)
        got += other.values(4)
        assert sorted(got) == sorted(left)
        one.finish(), other.finish()
        assert sorted(values_of(stub)) == sorted(left) and values_of(stub, PENDING) == []


CLIENT = """
import queue, sys
sys.path[:0] = %r
import mini_redis_pb2 as pb, mini_redis_pb2_grpc as rpc, grpc
requests = queue.Queue()
requests.put(pb.ConsumeRequest(start=pb.ConsumeRequest.Start(keys=[b"jobs"], max_in_flight=4)))
for reply in rpc.KeyStoreStub(grpc.insecure_channel(%r)).Consume(iter(requests.get, None)):
    for delivery in reply.deliveries:
        print(delivery.id, flush=True)
"""


def test_a_client_that_is_killed(own):
    server, _, stub = own
    push(stub, *[b"%d" % i for i in range(6)])
    client = subprocess.Popen([sys.executable, "-c", CLIENT % (sys.path, server.address)],
                              stdout=subprocess.PIPE)
    assert [client.stdout.readline() for _ in range(4)] == [b"1\n", b"2\n", b"3\n", b"4\n"]
    assert values_of(stub, PENDING) == [b"0", b"1", b"2", b"3"]
    client.send_signal(signal.SIGKILL)
    client.wait()
    wait_until(lambda: values_of(stub) == [b"%d" % i for i in range(6)])


def test_nothing_is_shown_that_a_crash_could_undo(tmp_path, monkeypatch):
    server = start_on_slow_disk(tmp_path, monkeypatch, 200_000, directory=tmp_path / "data")
    with open_channel(server.address) as channel:
        push(Stub(channel), b"0", b"1")
        consumer = Consumer(channel, max_in_flight=1)
        consumer.take(1)
        consumer.send(done=[1])
        consumer.wait_done(1)
        server.kill()
    server = start_on_slow_disk(tmp_path, monkeypatch, 0, directory=tmp_path / "data")
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        assert values_of(stub) + values_of(stub, PENDING) == [b"1"]
    server.stop()


def test_elements_that_are_popped(own):
    """auto_ack: the client need not say anything more."""
    _, channel, stub = own
    push(stub, *[b"%d" % i for i in range(2500)])
    start = pb.ConsumeRequest.Start(keys=[b"none", b"jobs"], auto_ack=True, max_in_flight=1000)
    replies = stub.Consume(iter([pb.ConsumeRequest(start=start)]))
    got = []
    for reply in replies:
        got += [delivery.value for delivery in reply.deliveries]
        if len(got) == 2500:
            push(stub, b"end")
        if got[-1] == b"end":
            break
    assert got == [b"%d" % i for i in range(2500)] + [b"end"]
    assert values_of(stub) == [] and values_of(stub, PENDING) == []
    replies.cancel()
    wait_until_blocked(channel, 0)


def test_a_client_that_does_not_read(own):
    _, channel, stub = own
    push(stub, *[b"x" * 100 for _ in range(3000)])
    consumer = Consumer(channel, max_in_flight=700)
    wait_until(lambda: len(values_of(stub, PENDING)) == 700)
    assert len(values_of(stub)) == 2300
    assert len(consumer.take(700)) == 700
    consumer.finish()
    assert len(values_of(stub)) == 3000


def test_large_elements(own):
    _, channel, stub = own
    values = [bytes([65 + i]) * 1_000_000 for i in range(6)]
    push(stub, *values)
    consumer = Consumer(channel, max_in_flight=10)
    assert consumer.values(6) == values
    consumer.send(done=[2, 4, 6])
    consumer.wait_done(2, 4, 6)
    consumer.finish()
    assert values_of(stub) == [values[0], values[2], values[4]]


def test_equal_elements(own):
    _, channel, stub = own
    push(stub, b"x", b"y", b"x")
    consumer = Consumer(channel, max_in_flight=3)
    consumer.take(3)
    consumer.send(done=[3])
    consumer.wait_done(3)
    assert values_of(stub, PENDING) == [b"x", b"y"]
    consumer.finish()
    assert values_of(stub) == [b"x", b"y"]


def test_many_keys_have_an_order(own):
    _, channel, stub = own
    for name in b"low", b"high":
        push(stub, b"1", b"2", key=name)
    consumer = Consumer(channel, keys=[b"high", b"low"], max_in_flight=3)
    assert [(d.key, d.value) for d in consumer.take(3)] == [
        (b"high", b"1"), (b"high", b"2"), (b"low", b"1")]
    consumer.finish()
    assert values_of(stub, b"high") == values_of(stub, b"low") == [b"1", b"2"]


def test_a_pending_list_that_somebody_edits(own):
    """What is no longer there is reported as returned, whatever it was."""
    _, channel, stub = own
    push(stub, b"0", b"1", b"2")
    consumer = Consumer(channel, max_in_flight=3)
    consumer.take(3)
    stub.LRem(pb.ListFind(key=PENDING, value=b"1"))
    push(stub, b"own", key=PENDING)
    consumer.send(done=[1, 2], give_back=[])
    consumer.wait_done(1)
    consumer.wait_returned(2)
    stub.Delete(pb.Key(key=PENDING))
    consumer.send(done=[3])
    consumer.wait_returned(3)
    push(stub, b"3")
    consumer.take(1)
    stub.Set(pb.KeyValue(key=PENDING, value=b"text"))
    consumer.send(done=[4])
    assert consumer.fails() == (grpc.StatusCode.FAILED_PRECONDITION, "ERROR_REASON_WRONG_TYPE")


def test_what_a_crash_left_returns_only_while_nobody_has_any(own):
    _, channel, stub = own
    push(stub, b"left", b"over", key=PENDING)
    push(stub, b"0")
    one = Consumer(channel, max_in_flight=4)
    assert one.values(3) == [b"left", b"over", b"0"]
    other = Consumer(channel)
    wait_until_blocked(channel, 2)
    push(stub, b"next")
    assert one.values(1) == [b"next"]
    one.send(done=[1, 2, 3, 4])
    one.wait_done(1, 2, 3, 4)
    one.finish()
    other.finish()
    assert values_of(stub) == values_of(stub, PENDING) == []


BAD_STARTS = {
    "no keys": {"keys": []},
    "an empty key": {"keys": [b""]},
    "a database that is unknown": {"db": 99},
    "too many in flight": {"max_in_flight": 10001},
    "pending that is a key": {"keys": [b"a", b"b"], "pending": b"b"},
    "a negative lease": {"lease_ms": -1},
    "a lease without acknowledgements": {"lease_ms": 1, "auto_ack": True},
    "an unknown end": {"end": 3},
    "too many keys": {"keys": [b"%d" % i for i in range(1001)]},
}


@pytest.mark.parametrize("name", BAD_STARTS)
def test_bad_starts(own, name):
    consumer = Consumer(own[1], **BAD_STARTS[name])
    assert consumer.fails() == (grpc.StatusCode.INVALID_ARGUMENT, "ERROR_REASON_BAD_ARGUMENT")


def test_bad_messages(own):
    _, channel, stub = own
    start = pb.ConsumeRequest.Start(keys=[b"jobs"])
    for requests in ([], [pb.ConsumeRequest()], [pb.ConsumeRequest(start=start, done=[1])],
                     [pb.ConsumeRequest(start=start), pb.ConsumeRequest(start=start)],
                     [pb.ConsumeRequest(start=start), pb.ConsumeRequest(done=[1])],
                     [pb.ConsumeRequest(start=start), pb.ConsumeRequest(give_back=[0])]):
        with pytest.raises(grpc.RpcError) as caught:
            list(stub.Consume(iter(requests)))
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    stub.Set(pb.KeyValue(key=b"text", value=b"v"))
    assert Consumer(channel, keys=[b"text"]).fails()[1] == "ERROR_REASON_WRONG_TYPE"
    assert Consumer(channel, pending=b"text").fails()[1] == "ERROR_REASON_WRONG_TYPE"


def test_asyncio(own):
    server, _, stub = own
    push(stub, b"0", b"1", b"2")

    async def consume():
        async with grpc.aio.insecure_channel(server.address) as channel:
            call = rpc.KeyStoreStub(channel).Consume(timeout=60)
            start = pb.ConsumeRequest.Start(keys=[b"jobs"], max_in_flight=2)
            await call.write(pb.ConsumeRequest(start=start))
            got, done = [], []
            while len(done) < 3:
                reply = await call.read()
                got += [delivery.value for delivery in reply.deliveries]
                done += reply.done
                ids = [delivery.id for delivery in reply.deliveries]
                if ids:
                    await call.write(pb.ConsumeRequest(done=ids))
            await call.done_writing()
            assert await call.read() == grpc.aio.EOF
            return got

    assert asyncio.run(consume()) == [b"0", b"1", b"2"]
    assert values_of(stub) == values_of(stub, PENDING) == []
