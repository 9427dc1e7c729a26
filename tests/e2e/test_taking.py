"""Answers that carry what the call took away: none is larger than the client takes, and none is lost
because the client has said all that it has to say."""

import socket

import pytest

import mini_redis_pb2 as pb
from errors import BAD_ARGUMENT, TOO_LARGE, check_fails
from h2conn import H2Conn

MIB = 1024 * 1024
DEFAULT = 4 * MIB
LIST, STRING = "list", "string"


def limit(size):
    return (("keystore-max-reply-bytes", str(size)),)


def fill(stub, key, kind, size):
    if kind == STRING:
        stub.Set(pb.KeyValue(key=key, value=b"v" * size))
    else:
        stub.RPush(pb.ListInsert(key=key, values=[b"v" * size]))


def in_txn(**op):
    return lambda stub, **options: stub.Txn(pb.TxnRequest(success=[pb.Op(**op)]), **options)


TAKING = {
    "GetDel": (STRING, lambda key: lambda stub, **o: stub.GetDel(pb.Key(key=key), **o)),
    "GetEx": (STRING, lambda key: lambda stub, **o: stub.GetEx(
        pb.ExpireRequest(key=key, expire_at_ms=1), **o)),
    "Set": (STRING, lambda key: lambda stub, **o: stub.Set(
        pb.KeyValue(key=key, value=b"new", return_previous=True), **o)),
    "LPop": (LIST, lambda key: lambda stub, **o: stub.LPop(pb.Key(key=key), **o)),
    "RPop": (LIST, lambda key: lambda stub, **o: stub.RPop(pb.Key(key=key), **o)),
    "ListPop": (LIST, lambda key: lambda stub, **o: stub.ListPop(
        pb.PopRequest(keys=[key], count=3), **o)),
    "LMove": (LIST, lambda key: lambda stub, **o: stub.LMove(
        pb.MoveRequest(source=key, target=key + b" target"), **o)),
    "GetDel in a Txn": (STRING, lambda key: in_txn(get_del=pb.Key(key=key))),
    "LPop in a Txn": (LIST, lambda key: in_txn(l_pop=pb.Key(key=key))),
    "ListPop in a Txn": (LIST, lambda key: in_txn(list_pop=pb.PopRequest(keys=[key]))),
    "read and removed in a Txn": (STRING, lambda key: lambda stub, **o: stub.Txn(pb.TxnRequest(
        success=[pb.Op(get=pb.Key(key=key)), pb.Op(delete=pb.Key(key=key))]), **o)),
    "removed elsewhere and read in a Txn": (STRING, lambda key: lambda stub, **o: stub.Txn(
        pb.TxnRequest(success=[pb.Op(set=pb.KeyValue(key=key + b" other", value=b"v")),
                               pb.Op(get=pb.Key(key=key))]), **o)),
}


@pytest.mark.parametrize("kind, make", TAKING.values(), ids=TAKING)
def test_nothing_is_taken_that_the_client_does_not_take(stub, key, kind, make):
    take = make(key)
    fill(stub, key, kind, 5 * MIB)
    before = stub.Describe(pb.Key(key=key))
    check_fails(TOO_LARGE, take, stub, "keystore-max-reply-bytes")
    check_fails(TOO_LARGE, lambda _: take(stub, metadata=limit(5 * MIB)), None)
    assert stub.Describe(pb.Key(key=key)) == before
    assert take(stub, metadata=limit(5 * MIB + 400)).ByteSize() > 5 * MIB


@pytest.mark.parametrize("kind, make", TAKING.values(), ids=TAKING)
def test_a_client_that_says_nothing_gets_nearly_all_it_takes(stub, key, kind, make):
    fill(stub, key, kind, DEFAULT - 400)
    assert make(key)(stub).ByteSize() <= DEFAULT


def test_many_small_elements_are_counted_to_the_byte(stub, key):
    """No answer is beyond the limit, and few are refused that would not be."""
    stub.RPush(pb.ListInsert(key=key, values=[b"%07d" % i for i in range(1000)]))
    assert stub.ListPop(pb.PopRequest(keys=[key], count=100),
                        metadata=limit(100 * 9 + 200)).ByteSize() <= 100 * 9 + 200
    check_fails(TOO_LARGE, lambda request: stub.ListPop(request, metadata=limit(100 * 9)),
                pb.PopRequest(keys=[key], count=100))
    assert stub.Describe(pb.Key(key=key)).length == 900


def test_plain_reads_are_left_to_the_client(stub, key):
    fill(stub, key, STRING, 5 * MIB)
    assert len(stub.Get(pb.Key(key=key)).value) == 5 * MIB
    answer = stub.Txn(pb.TxnRequest(success=[pb.Op(get=pb.Key(key=key))]))
    assert len(answer.replies[0].value.value) == 5 * MIB


@pytest.mark.parametrize("text", ["", "0", "-1", "4MiB", "1e6", "1 000"])
def test_a_limit_that_is_none_is_refused(stub, key, text):
    check_fails(BAD_ARGUMENT, lambda request: stub.GetDel(request, metadata=limit(text)),
                pb.Key(key=key))


def test_any_larger_limit_is_taken(stub, key):
    stub.Set(pb.KeyValue(key=key, value=b"v"))
    assert stub.GetDel(pb.Key(key=key), metadata=limit("9" * 60)).value == b"v"


# A client that ends its side at once.

@pytest.mark.parametrize("method, request_of", [
    ("Set", lambda key: pb.KeyValue(key=key, value=b"v")),
    ("Get", lambda key: pb.Key(key=key)),
    ("RPush", lambda key: pb.ListInsert(key=key, values=[b"v"])),
])
def test_a_client_that_ends_its_side_gets_its_answer(server, key, method, request_of):
    with H2Conn(server.address) as connection:
        stream = connection.start("/keystore.v1.KeyStore/" + method,
                                  request_of(key).SerializeToString())
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.wait(stream).grpc_status == 0


def test_all_answers_of_a_half_closed_connection_come(server, key):
    with H2Conn(server.address) as connection:
        streams = [connection.start("/keystore.v1.KeyStore/RPush", pb.ListInsert(
            key=key, values=[b"v"]).SerializeToString()) for _ in range(100)]
        connection.socket.shutdown(socket.SHUT_WR)
        assert {connection.wait(stream).grpc_status for stream in streams} == {0}
        assert connection.socket.recv(1) == b""
