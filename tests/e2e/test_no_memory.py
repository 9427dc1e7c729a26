"""The system gives no more memory (ulimit -v): whatever clients do then, the server goes on with
what it has, loses nothing that it acknowledged, and recovers when they leave."""

import socket
import threading
import time
from contextlib import ExitStack

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from h2conn import PREFACE, frames
from keystore_env import SANITIZE, seeded
from server_process import Server
from times import wait_until

pytestmark = pytest.mark.skipif(SANITIZE != "", reason="a sanitizer takes addresses without end")
MIB = 1 << 20
# Threads take addresses for themselves.
LIMITS = [(1, 700), (2, 700), (8, 900)]
STEPS = 25


@pytest.fixture(name="start", params=LIMITS, ids=[f"{threads} threads" for threads, _ in LIMITS])
def start_fixture(request, fresh_server):
    threads, mib = request.param

    def start(*arguments):
        return fresh_server(*arguments, threads=threads, limits=[f"--as={mib * MIB}"])

    return start


def may_fail(method, request):
    """True if it was done; it may have been refused for lack of memory, and for nothing else."""
    try:
        method(request)
        return True
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error
        return False


def fill(stub, size):
    count = 0
    while may_fail(stub.Set, pb.KeyValue(key=b"fill:%d" % count, value=bytes(size))):
        count += 1
    assert count > 0
    return count


def empty(stub, count):
    for i in range(count):
        stub.Delete(pb.Key(key=b"fill:%d" % i))


def fill_list(stub, key, elements=40_000):
    for _ in range(0, elements, 4_000):
        stub.RPush(pb.ListInsert(key=key, values=[bytes(1000)] * 4_000))


def request_bytes(stream, method, message=None):
    """HEADERS of a call, and its message, if there is one."""
    path = b"/keystore.v1.KeyStore/" + method
    block = (b"\x83\x86\x04" + bytes([len(path)]) + path + b"\x0f\x10\x10application/grpc")
    result = frames.HeadersFrame(stream, data=block, flags=["END_HEADERS"]).serialize()
    if message is not None:
        data = b"\0" + len(message).to_bytes(4, "big") + message
        result += frames.DataFrame(stream, data=data, flags=["END_STREAM"]).serialize()
    return result


def connect(server, data):
    """A client that sends that and reads nothing; or tries to, for it may be turned away."""
    client = socket.create_connection(("127.0.0.1", server.port))
    client.settimeout(5)
    try:
        client.sendall(PREFACE + frames.SettingsFrame(0).serialize() + data)
    except OSError:
        pass
    return client


def test_answers_that_nobody_reads(start):
    server = start("--durability", "none", "--save", "")
    everything = pb.ListRange(key=b"list", start=0, stop=-1).SerializeToString()
    calls = b"".join(request_bytes(stream, b"LRange", everything) for stream in (1, 3))
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        fill_list(stub, b"list")
        with ExitStack() as stack:
            for _ in range(40):
                stack.enter_context(connect(server, calls))
                assert stub.Exists(pb.Keys(keys=[b"list"])).count == 1
        wait_until(lambda: may_fail(stub.LRange, pb.ListRange(key=b"list", start=0, stop=-1)))


def test_connections_and_streams_without_end(start):
    """They are not accepted, or their calls refused, while there is no memory for them."""
    server = start("--durability", "none", "--save", "")
    calls = b"".join(request_bytes(stream, b"Get") for stream in range(1, 400, 2))
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        count = fill(stub, 300_000)
        with ExitStack() as stack:
            for _ in range(800):
                stack.enter_context(connect(server, calls))
            assert stub.Get(pb.Key(key=b"fill:0")).value == bytes(300_000)
        empty(stub, count)
        wait_until(lambda: may_fail(stub.Set, pb.KeyValue(key=b"k", value=bytes(300_000))))
    with open_channel(server.address) as channel:
        assert Stub(channel).Get(pb.Key(key=b"k")).value == bytes(300_000)


def test_a_client_comes_and_removes_something(start):
    server = start("--durability", "none", "--save", "")
    with open_channel(server.address) as channel:
        count = fill(Stub(channel), 300_000)
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        assert stub.Get(pb.Key(key=b"fill:0")).value == bytes(300_000)
        empty(stub, count)
        wait_until(lambda: may_fail(stub.Set, pb.KeyValue(key=b"k", value=bytes(300_000))))


def test_copies_of_a_long_list(start):
    server = start("--durability", "none", "--save", "")
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        fill_list(stub, b"list", 100_000)
        done = 0
        while done < 20 and may_fail(stub.Copy, pb.CopyRequest(source=b"list",
                                                               target=b"copy:%d" % done)):
            done += 1
        keys = [b"list"] + [b"copy:%d" % i for i in range(done + 1)]
        assert stub.Exists(pb.Keys(keys=keys)).count == done + 1


def test_values_larger_than_what_there_is(start):
    server = start("--durability", "none", "--save", "", "--max-value", "512MiB",
                   "--max-client-memory", "4GiB")
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        assert stub.Set(pb.KeyValue(key=b"small", value=b"v")).ok
        for size in (100, 500):
            may_fail(stub.Set, pb.KeyValue(key=b"set:%d" % size, value=bytes(size * MIB)))
            may_fail(stub.Append, pb.KeyValue(key=b"set:%d" % size, value=bytes(size * MIB // 8)))
            may_fail(stub.SetRange, pb.ByteRange(key=b"range", start=size * MIB, value=b"v"))
        assert not may_fail(stub.Set, pb.KeyValue(key=b"small", value=bytes(500 * MIB)))
        assert not may_fail(stub.SetRange, pb.ByteRange(key=b"small", start=500 * MIB, value=b"v"))
        assert not may_fail(stub.SetBit, pb.BitRequest(key=b"small", offset=500 * MIB * 8, bit=True))
        assert stub.Get(pb.Key(key=b"small")).value == b"v"


def test_compressed_messages(start, random_of_test):
    """What they inflate to is refused like what comes as it is, and replies come all the same."""
    server = start("--durability", "none", "--save", "", "--max-client-memory", "4GiB")
    value = bytearray(50 * MIB)
    value[::64] = random_of_test.randbytes(len(value) // 64)
    value, gzipped = bytes(value), {"compression": grpc.Compression.Gzip}
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        calls = [stub.Set.future(pb.KeyValue(key=b"value:%d" % i, value=value), **gzipped)
                 for i in range(8)]
        stored = [i for i, call in enumerate(calls) if may_fail(lambda _, call=call: call.result(),
                                                                None)]
        for i in stored[:2]:
            assert stub.Get(pb.Key(key=b"value:%d" % i), **gzipped).value == value
        for i in range(8):
            stub.Delete(pb.Key(key=b"value:%d" % i))
        wait_until(lambda: may_fail(stub.Set, pb.KeyValue(key=b"k", value=bytes(300_000))))
        assert stub.Get(pb.Key(key=b"k")).value == bytes(300_000)


class Client(threading.Thread):
    """Random steps on keys of its own; knows what is there."""

    def __init__(self, address, number, errors):
        super().__init__()
        self.address, self.number, self.errors = address, number, errors
        self.random = seeded(f"no memory {number}")
        self.strings, self.elements = {}, 0

    def step(self, stub):
        name, rnd = b"%d:%d" % (self.number, self.random.randrange(20)), self.random
        kind = rnd.randrange(5)
        size = rnd.choice([10, 20_000, 1_000_000, 20_000_000, 60_000_000])
        fill_byte = bytes([rnd.randrange(256)])
        if kind == 0 and may_fail(stub.Set, pb.KeyValue(key=name, value=fill_byte * size)):
            self.strings[name] = fill_byte * size
        elif kind == 1 and len(self.strings.get(name, b"")) + size < 64_000_000:
            if may_fail(stub.Append, pb.KeyValue(key=name, value=fill_byte * size)):
                self.strings[name] = self.strings.get(name, b"") + fill_byte * size
        elif kind == 2:
            count = rnd.choice([10, 20_000])
            if may_fail(stub.RPush, pb.ListInsert(key=b"list:%d" % self.number,
                                                  values=[bytes(rnd.choice([0, 700]))] * count)):
                self.elements += count
        elif kind == 3:
            may_fail(stub.LRange, pb.ListRange(key=b"list:%d" % self.number, start=0, stop=-1))
        elif kind == 4:
            stub.Delete(pb.Key(key=name))
            self.strings.pop(name, None)

    def check(self, stub):
        for i in range(20):
            name = b"%d:%d" % (self.number, i)
            assert stub.Get(pb.Key(key=name)).value == self.strings.get(name, b"")
        assert stub.Describe(pb.Key(key=b"list:%d" % self.number)).length == self.elements

    def run(self):
        try:
            with open_channel(self.address) as channel:
                for _ in range(STEPS):
                    self.step(Stub(channel))
        except BaseException as error:  # told by the test's thread
            self.errors.append(error)


@pytest.mark.parametrize("threads, mib", LIMITS)
def test_nothing_acknowledged_is_lost(tmp_path, threads, mib):
    server = Server("--save", "60 1", threads=threads, directory=tmp_path,
                    limits=[f"--as={mib * MIB}"])
    errors = []
    clients = [Client(server.address, number, errors) for number in range(6)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert not errors, (errors, server.stderr)
    with open_channel(server.address) as channel:
        for client in clients:
            client.check(Stub(channel))
    server.stop()
    again = Server(directory=tmp_path)
    with open_channel(again.address) as channel:
        for client in clients:
            client.check(Stub(channel))
    again.stop()
