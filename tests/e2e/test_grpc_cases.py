"""gRPC's interoperability cases (https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md)
with an unmodified grpcio: the official sizes, texts and metadata, on methods of ours. docs/interop.md
lists for each official case the test that shows it; those for streams of every kind are also in
test_streams.py.
"""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

import mini_redis_pb2 as pb
import mini_redis_pb2_grpc as rpc
from clients import PACKAGE_PATH, Stub, admin_stub, open_channel, raw_method
from errors import BAD_ARGUMENT, NOT_SERVED, check_ends, check_fails
from h2conn import H2Conn, prefixed
from keystore_env import ROOT
from rpc_status import check_rpc_error
from waiting import wait_for_numbers

LARGE_REQUEST, LARGE_REPLY = 271828, 314159
REQUEST_SIZES = (27182, 8, 1828, 45904)
REPLY_SIZES = (31415, 9, 2653, 58979)
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
METADATA = (("x-grpc-test-echo-initial", "test_initial_metadata_value"),
            ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab"),
            ("all-bytes-bin", bytes(range(256))), ("empty-bin", b""), ("empty", ""),
            ("twice", "1"), ("twice", "2"))


@pytest.fixture(name="streams")
def streams_fixture(channel, admin):
    """The generated stub; in the end the server has no stream of the test."""
    yield rpc.KeyStoreStub(channel)
    wait_for_numbers(admin, {"streams_open": 0})


class Requests:
    """What is sent on a stream, one by one, until close()."""

    def __init__(self):
        self._ready, self._items = threading.Condition(), []

    def send(self, item):
        with self._ready:
            self._items.append(item)
            self._ready.notify()

    def close(self):
        self.send(None)

    def __iter__(self):
        return self

    def __next__(self):
        with self._ready:
            self._ready.wait_for(lambda: self._items)
            item = self._items.pop(0)
        if item is None:
            raise StopIteration
        return item


def exchange(key, size, **fields):
    """Sets a value of that size, for the former one."""
    return pb.KeyValue(key=key, value=bytes(size), return_previous=True, **fields)


# ---- unary ----

def test_empty_unary(fresh_server):
    """A request and a reply that are empty on the wire."""
    with open_channel(fresh_server().address) as channel:
        assert raw_method(channel, "/keystore.v1.KeyStore/RandomKey")(b"") == b""


def check_large_unary(stub, key):
    stub.Set(pb.KeyValue(key=key, value=bytes(LARGE_REPLY)))
    reply = stub.Set(exchange(key, LARGE_REQUEST))
    assert reply.previous.value == bytes(LARGE_REPLY)
    assert stub.Get(pb.Key(key=key)).value == bytes(LARGE_REQUEST)


def test_large_unary(stub, key):
    check_large_unary(stub, key)


def test_concurrent_large_unary(stub, key):
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda number: check_large_unary(stub, key + b"%d" % number), range(200)))


def test_rpc_soak(stub, key):
    for _ in range(1000):
        stub.Incr(pb.Increment(key=key))
    assert stub.Get(pb.Key(key=key)).value == b"1000"


def test_channel_soak(server, key):
    for number in range(50):
        with open_channel(server.address) as channel:
            assert Stub(channel).Incr(pb.Increment(key=key)).integer == number + 1


# ---- streams ----

def test_client_streaming(streams, stub, key):
    """All requests, then the end; the last reply has the sum of their sizes."""
    requests = (pb.OpBatch(ops=[pb.Op(append=pb.KeyValue(key=key, value=bytes(size)))])
                for size in REQUEST_SIZES)
    replies = list(streams.Pipeline(requests, timeout=60))
    assert sum(len(batch.replies) for batch in replies) == 4
    assert replies[-1].replies[-1].status.count == 74922
    assert len(stub.Get(pb.Key(key=key)).value) == 74922


def test_server_streaming(streams, stub, key):
    call = streams.Subscribe(pb.SubscribeRequest(channels=[key]), timeout=60)
    call.initial_metadata()
    for size in REPLY_SIZES:
        stub.Publish(pb.Message(channel=key, payload=bytes(size)))
    assert [len(next(call).payload) for _ in REPLY_SIZES] == list(REPLY_SIZES)
    call.cancel()


def test_ping_pong(streams, stub, key):
    """One request after the other, each after the reply to the former."""
    requests = Requests()
    call = streams.Pipeline(requests, timeout=60)
    for number, (request_size, reply_size) in enumerate(zip(REQUEST_SIZES, REPLY_SIZES)):
        name = key + b"%d" % number
        stub.Set(pb.KeyValue(key=name, value=bytes(reply_size)))
        requests.send(pb.OpBatch(ops=[pb.Op(id=number, set=exchange(name, request_size))]))
        [reply] = next(call).replies
        assert (reply.id, len(reply.status.previous.value)) == (number, reply_size)
    requests.close()
    assert not list(call)
    assert call.code() == grpc.StatusCode.OK


def test_empty_stream(streams):
    call = streams.Pipeline(iter([]), timeout=60)
    assert not list(call)
    assert call.code() == grpc.StatusCode.OK


# ---- metadata and statuses ----

def test_custom_metadata(streams, stub, key):
    """Metadata of any kind are accepted, on calls of both kinds, and nothing comes back: gRPC's test
    service echoes, ours must not."""
    stub.Set(pb.KeyValue(key=key, value=b"v"))
    reply, unary = stub.Get.with_call(pb.Key(key=key), metadata=METADATA)
    assert reply.value == b"v"
    call = streams.Pipeline(iter([pb.OpBatch(ops=[pb.Op(get=pb.Key(key=key))])]), timeout=60,
                            metadata=METADATA)
    assert [batch.replies[0].value.value for batch in call] == [b"v"]
    for each in (unary, call):
        sent_back = {name for name, _ in [*each.initial_metadata(), *each.trailing_metadata()]}
        assert not sent_back & {name for name, _ in METADATA}


def test_status_code_and_message(stub, streams, key):
    """The same error of a unary call and of a stream has the same code and message."""
    stub.Set(pb.KeyValue(key=key, value=b"v"))
    with pytest.raises(grpc.RpcError) as unary:
        stub.LRange(pb.ListRange(key=key, stop=-1))
    with pytest.raises(grpc.RpcError) as stream:
        list(streams.StreamList(pb.ListRange(key=key, stop=-1), timeout=60))
    assert unary.value.code() == stream.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert unary.value.details() == stream.value.details() == (
        "the key holds a string; this operation needs a list (or no such key)")
    for error in (unary.value, stream.value):
        details = check_rpc_error(error, grpc.StatusCode.FAILED_PRECONDITION,
                                  "ERROR_REASON_WRONG_TYPE")
        assert details.resource == ("string", key.decode())


@pytest.mark.parametrize("text", [SPECIAL, "100%", "%41", '"', "\x01\x7f", "\u00e9" * 50, "😈" * 25])
def test_special_status_message(admin, text):
    """Control characters, percent signs and all of Unicode arrive as they were sent."""
    check_fails(BAD_ARGUMENT, admin.Info, pb.InfoRequest(sections=["server", text]),
                f'sections[1]: there is no "{text}"; there are: server')


@pytest.mark.parametrize("text, shown", [
    ("x" * 99 + "\u00e9", "x" * 99), ("😈" * 26, "😈" * 25), ("x" * 100000, "x" * 100)])
def test_special_status_message_that_is_long(admin, text, shown):
    """It is cut between characters."""
    check_fails(BAD_ARGUMENT, admin.Info, pb.InfoRequest(sections=[text]),
                f'there is no "{shown}"; there are: server')


def unimplemented(channel, path):
    """As a unary call and as a stream of each kind."""
    check_fails(NOT_SERVED, raw_method(channel, path), b"", "no such method")
    check_fails(NOT_SERVED, channel.stream_unary(path), iter([b""]), "no such method")
    for kind, request in (("unary_stream", b""), ("stream_stream", iter([b""]))):
        method = getattr(channel, kind)(path, request_serializer=None, response_deserializer=None)
        check_ends(method(request, timeout=60), NOT_SERVED, "no such method")


def test_unimplemented_method(channel):
    unimplemented(channel, "/keystore.v1.KeyStore/UnimplementedCall")


def test_unimplemented_service(channel):
    unimplemented(channel, "/keystore.v1.UnimplementedService/UnimplementedCall")


# ---- cancellation and deadlines ----

def check_cancelled(call):
    call.cancel()
    with pytest.raises((grpc.RpcError, grpc.FutureCancelledError)):
        list(call)
    assert call.code() == grpc.StatusCode.CANCELLED


def test_cancel_after_begin(streams):
    """Before any message."""
    requests = Requests()
    check_cancelled(streams.Pipeline(requests, timeout=60))
    requests.close()


def test_cancel_after_first_response(streams, stub, key):
    stub.Set(pb.KeyValue(key=key, value=bytes(REPLY_SIZES[0])))
    requests = Requests()
    call = streams.Pipeline(requests, timeout=60)
    requests.send(pb.OpBatch(ops=[pb.Op(set=exchange(key, REQUEST_SIZES[0]))]))
    assert len(next(call).replies[0].status.previous.value) == REPLY_SIZES[0]
    check_cancelled(call)
    requests.close()
    assert len(stub.Get(pb.Key(key=key)).value) == REQUEST_SIZES[0]


def test_timeout_on_sleeping_server(channel, streams, stub, key):
    """A stream without an end, and a call that waits for a list; nothing of them is left."""
    requests = Requests()
    with pytest.raises(grpc.RpcError) as caught:
        list(streams.Pipeline(requests, timeout=0.001))
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    requests.close()
    with pytest.raises(grpc.RpcError) as caught:
        stub.ListPop(pb.PopRequest(keys=[key], wait_ms=-1), timeout=0.001)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    wait_for_numbers(admin_stub(channel), {"blocked_clients": 0})
    stub.LPush(pb.ListInsert(key=key, values=[b"v"]))
    assert stub.LRange(pb.ListRange(key=key, stop=-1)).length == 1


def test_timeout_on_sleeping_server_by_the_server(server, key):
    """A client that leaves it to the server: after one message there is none for the deadline."""
    batch = pb.OpBatch(ops=[pb.Op(set=pb.KeyValue(key=key, value=bytes(REQUEST_SIZES[0])))])
    with H2Conn(server.address) as connection:
        stream_id = connection.open(PACKAGE_PATH + "Pipeline", headers=[("grpc-timeout", "300m")])
        connection.send(stream_id, prefixed(batch.SerializeToString()))
        answer = connection.wait(stream_id)
        assert answer.grpc_status == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
        assert len(answer.body) > 5, "no reply to the message before"
        assert answer.plain_trailers["keystore-reason"] == "ERROR_REASON_DEADLINE"


def test_the_table_of_cases_names_tests_that_exist():
    """And all of this file."""
    table = (ROOT / "docs" / "interop.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", table))
    for file, test in named:
        source = (ROOT / "tests" / "e2e" / file).read_text(encoding="utf-8")
        assert f"def {test}(" in source, f"{file} has no {test}"
    here = {name for name in globals() if name.startswith("test_")} - {
        "test_the_table_of_cases_names_tests_that_exist"}
    assert here <= {test for file, test in named if file == "test_grpc_cases.py"}
