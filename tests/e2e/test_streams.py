"""What holds for streams that last until the client ends them: the cases of gRPC's interoperability
tests for streams, with grpcio's synchronous and asyncio APIs, and ends of every kind, after which
nothing is left.

A method is a row of METHODS, which says how to have the server send replies.
"""

import threading
from dataclasses import dataclass, field
from typing import Any, Callable

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from h2conn import H2Conn, prefixed
from stream_clients import AioClient, Ended, SyncClient
from waiting import wait_for_numbers


@dataclass
class Method:
    name: str
    request: Any
    reply: Any
    first: Any  # the request that opens the stream; None: it needs none
    wrong: Any  # one that ends the stream, with
    wrong_code: grpc.StatusCode
    wrong_reason: str
    more: Callable  # (call, stub, count): has the server send that many replies
    bidi: bool = False
    has_headers: bool = True  # before the first reply
    items: Callable = lambda reply: 1  # how many of those a message holds
    path: str = field(init=False)

    def __post_init__(self):
        self.path = f"/keystore.v1.KeyStore/{self.name}"


def pipeline_more(call, _stub, count):
    for _ in range(count):
        call.send(pb.OpBatch(ops=[pb.Op(id=7, get=pb.Key(key=b"k"))]))


def subscribe_more(_call, stub, count):
    for _ in range(count):
        stub.Publish(pb.Message(channel=b"streams", payload=b"p" * 100))


def watch_more(_call, stub, count):
    for number in range(count):
        stub.Set(pb.KeyValue(key=b"streams:%d" % number, value=b"v"))


WATCHED = pb.WatchRequest.Selector(prefix=b"streams:")
METHODS = [
    Method("Pipeline", pb.OpBatch, pb.ReplyBatch, None, None, None, None, pipeline_more,
           bidi=True, has_headers=False),
    Method("Subscribe", pb.SubscribeRequest, pb.Message, pb.SubscribeRequest(channels=[b"streams"]),
           pb.SubscribeRequest(), grpc.StatusCode.INVALID_ARGUMENT, "BAD_ARGUMENT", subscribe_more),
    # The first batch has no events, and the others may have several.
    Method("Watch", pb.WatchRequest, pb.WatchBatch, pb.WatchRequest(selectors=[WATCHED]),
           pb.WatchRequest(), grpc.StatusCode.INVALID_ARGUMENT, "BAD_ARGUMENT", watch_more,
           items=lambda batch: len(batch.events)),
]
NOTHING = {"streams_open": 0, "pubsub_clients": 0, "pubsub_channels": 0, "pubsub_patterns": 0}

each_method = pytest.mark.parametrize("method", METHODS, ids=[method.name for method in METHODS])
each_bidi = pytest.mark.parametrize("method", [method for method in METHODS if method.bidi],
                                    ids=[method.name for method in METHODS if method.bidi])


@pytest.fixture(name="client", params=[SyncClient, AioClient], ids=["sync", "asyncio"])
def client_fixture(request, server, admin):
    """When a test is over, the server holds no stream any more."""
    client = request.param(server.address)
    yield client
    client.close()
    wait_for_numbers(admin, NOTHING)


def start(client, method, **options):
    call = client.open(method, bidi=method.bidi, request=method.first, **options)
    if method.has_headers:
        call.wait_for_headers()
    return call


def receive(call, method, count=1):
    """Exactly that many replies."""
    while count > 0:
        count -= method.items(call.receive())
    assert count == 0


def receive_some(call, method, count):
    """At least that many replies: a message may hold more."""
    while count > 0:
        count -= method.items(call.receive())


def end_of(call):
    with pytest.raises(Ended) as caught:
        while True:
            call.receive()
    return caught.value


# ---- gRPC's cases ----

@each_method
def test_ping_pong(client, stub, method):
    call = start(client, method)
    for _ in range(30):
        method.more(call, stub, 1)
        receive(call, method)
    call.cancel()
    assert end_of(call).code == grpc.StatusCode.CANCELLED


@each_method
def test_server_streaming(client, stub, method):
    call = start(client, method)
    method.more(call, stub, 200)
    receive(call, method, 200)
    call.cancel()
    assert end_of(call).code == grpc.StatusCode.CANCELLED


@each_bidi
def test_empty_stream(client, method):
    call = client.open(method, bidi=True)
    call.half_close()
    assert end_of(call).code == grpc.StatusCode.OK


@each_bidi
@pytest.mark.parametrize("count", [1, 4, 100])
def test_half_duplex(client, stub, method, count):
    """All requests first (client streaming), then all replies."""
    call = start(client, method)
    method.more(call, stub, count)
    call.half_close()
    receive(call, method, count)
    assert end_of(call).code == grpc.StatusCode.OK


@each_bidi
def test_full_duplex(client, stub, method):
    """Requests and replies at the same time."""
    call = start(client, method)
    sender = threading.Thread(target=lambda: (method.more(call, stub, 300), call.half_close()))
    sender.start()
    receive(call, method, 300)
    sender.join()
    assert end_of(call).code == grpc.StatusCode.OK


@each_method
def test_cancel_after_begin(client, method):
    call = client.open(method, bidi=method.bidi, request=method.first)
    call.cancel()
    assert end_of(call).code == grpc.StatusCode.CANCELLED


@each_method
@pytest.mark.parametrize("replies", range(1, 6))
def test_cancel_after_some_replies(client, stub, method, replies):
    """The first of these is gRPC's cancel_after_first_response."""
    call = start(client, method)
    method.more(call, stub, replies + 3)
    receive_some(call, method, replies)
    call.cancel()
    assert end_of(call).code == grpc.StatusCode.CANCELLED


@each_method
def test_timeout_on_sleeping_server(client, stub, method):
    call = client.open(method, bidi=method.bidi, request=method.first, timeout=0.5)
    method.more(call, stub, 1)
    assert end_of(call).code == grpc.StatusCode.DEADLINE_EXCEEDED


@each_method
def test_status_code_and_message(client, method):
    if method.wrong is None:
        pytest.skip("no request of this method ends the stream")
    call = client.open(method, bidi=method.bidi, request=method.wrong)
    ended = end_of(call)
    assert (ended.code, ended.reason) == (method.wrong_code, "ERROR_REASON_" + method.wrong_reason)
    assert len(ended.details.split()) > 3


@pytest.mark.parametrize("bidi", [False, True])
@pytest.mark.parametrize("path", ["/keystore.v1.KeyStore/NoSuchStream", "/no.such.Service/Subscribe"])
def test_unimplemented(client, bidi, path):
    method = Method("Subscribe", pb.SubscribeRequest, pb.Message, pb.SubscribeRequest(channels=[b"c"]),
                    None, None, None, None, bidi=bidi)
    method.path = path
    call = client.open(method, bidi=bidi, request=method.first)
    ended = end_of(call)
    assert (ended.code, ended.reason) == (grpc.StatusCode.UNIMPLEMENTED, "ERROR_REASON_NOT_SERVED")
    call.cancel()


@each_method
def test_many_streams_on_a_connection(client, stub, admin, method):
    calls = [start(client, method) for _ in range(20)]
    for call in calls:
        if method.bidi:
            method.more(call, stub, 2)
    if not method.bidi:
        method.more(None, stub, 2)
    for call in calls:
        receive(call, method, 2)
    wait_for_numbers(admin, {"streams_open": 20})
    for call in calls[::2]:
        call.cancel()
    wait_for_numbers(admin, {"streams_open": 10})


# ---- ends of every kind, from raw HTTP/2 ----

def ends(connection, stream_id, how):
    if how == "reset":
        connection.reset(stream_id)
    else:
        connection.close()


@pytest.fixture(name="raw")
def raw_fixture(server, admin):
    connections = []

    def connect(**options):
        connections.append(H2Conn(server.address, **options))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.close()
    wait_for_numbers(admin, NOTHING)


def first_message(method):
    return prefixed((method.first or pb.OpBatch(ops=[pb.Op(get=pb.Key(key=b"k"))])).SerializeToString())


@each_method
@pytest.mark.parametrize("how", ["reset", "close"])
def test_an_end_amid_the_request(raw, method, how):
    """After each byte of it."""
    message = first_message(method)
    for sent in range(len(message) + 1):
        connection = raw()
        stream_id = connection.open(method.path)
        if sent > 0:
            connection.send(stream_id, message[:sent])
        ends(connection, stream_id, how)
        if how == "reset":
            connection.ping()
        connection.close()


@each_method
def test_a_half_close_amid_the_request(raw, method):
    message = first_message(method)
    connection = raw()
    for sent in range(1, len(message)):
        stream_id = connection.open(method.path)
        connection.send(stream_id, message[:sent], end=True)
        answer = connection.wait(stream_id)
        assert answer.grpc_status == grpc.StatusCode.INTERNAL.value[0], sent
        assert answer.trailers["keystore-reason"] == "ERROR_REASON_BAD_MESSAGE"


@each_method
@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("replies", [1, 2, 5])
def test_an_end_with_replies_unread(raw, stub, method, how, replies):
    """They have been sent, or wait for the stream's window, of which there is little."""
    for window in (0, 1, 50, 65535):
        connection = raw(credit=False, initial_window=window)
        stream_id = connection.open(method.path)
        connection.send(stream_id, first_message(method))
        if method.has_headers:
            connection.receive_until(lambda: connection.answers[stream_id].blocks)
        for _ in range(replies):
            if method.bidi:
                connection.send(stream_id, first_message(method))
            else:
                method.more(None, stub, 1)
        connection.ping()
        ends(connection, stream_id, how)
        if how == "reset":
            connection.ping()
        connection.close()


# ---- ends of the server ----

@each_method
@pytest.mark.parametrize("kind", [SyncClient, AioClient], ids=["sync", "asyncio"])
@pytest.mark.parametrize("kill", [False, True], ids=["stop", "kill"])
def test_a_restart_amid_a_stream(fresh_server, tmp_path, method, kind, kill):
    server = fresh_server(directory=tmp_path)
    client = kind(server.address)
    with open_channel(server.address) as channel:
        call = start(client, method)
        method.more(call, Stub(channel), 3)
        receive(call, method, 3)
        if kill:
            server.kill()
        else:
            server.send_signal()
        ended = end_of(call)
        assert ended.code == grpc.StatusCode.UNAVAILABLE
        if not kill:
            assert ended.reason == "ERROR_REASON_STOPPING"
            server.wait()
        call.cancel()
    client.close()
    server = fresh_server(directory=tmp_path)
    with open_channel(server.address) as channel:
        client = kind(server.address)
        call = start(client, method)
        method.more(call, Stub(channel), 1)
        receive(call, method)
        call.cancel()
        end_of(call)
        client.close()
        wait_for_numbers(admin_stub(channel), NOTHING)
