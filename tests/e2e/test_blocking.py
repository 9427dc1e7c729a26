"""Blocking ListPop and LMove: order, what wakes them, how they end, and that nothing is lost."""

import contextlib
import socket

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from errors import BAD_ARGUMENT, DEADLINE, STOPPING, WRONG_TYPE, check_fails, reason_of
from h2conn import H2Conn
from redis_process import Redis
from slow_disk import start_on_slow_disk
from times import wait_until
from waiting import blocked_clients, wait_until_blocked


@pytest.fixture(name="own")
def own_fixture(fresh_server):
    """A server with nobody else, so that its waiters are ours."""
    server = fresh_server("--durability", "none", threads=3)
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        stub.admin = admin_stub(channel)
        yield server, channel, stub


def pop(*keys, wait_ms=-1, count=0, end=pb.LIST_END_HEAD):
    return pb.PopRequest(keys=keys, wait_ms=wait_ms, count=count, end=end)


def push(stub, key, *values):
    return stub.RPush(pb.ListInsert(key=key, values=values))


def values_of(stub, key):
    return list(stub.LRange(pb.ListRange(key=key, stop=-1)).values)


def test_a_list_that_is_there_is_popped_at_once(own):
    _, _, stub = own
    push(stub, b"k", b"a", b"b")
    popped = stub.ListPop(pop(b"none", b"k"))
    assert popped.found and popped.key == b"k" and list(popped.values) == [b"a"]
    assert stub.LMove(pb.MoveRequest(source=b"k", target=b"t", wait_ms=-1)).value == b"b"


def test_a_pop_waits_for_a_push(own):
    _, channel, stub = own
    popped = stub.ListPop.future(pop(b"a", b"k", end=pb.LIST_END_TAIL, count=2))
    wait_until_blocked(channel, 1)
    push(stub, b"k", b"1", b"2", b"3")
    assert list(popped.result().values) == [b"3", b"2"] and popped.result().key == b"k"
    wait_until_blocked(channel, 0)
    assert values_of(stub, b"k") == [b"1"]


def test_a_move_waits_for_a_push(own):
    _, channel, stub = own
    moved = stub.LMove.future(pb.MoveRequest(source=b"k", target=b"t", wait_ms=60000))
    wait_until_blocked(channel, 1)
    push(stub, b"k", b"1", b"2")
    assert moved.result().found and moved.result().value == b"1"
    assert values_of(stub, b"t") == [b"1"] and values_of(stub, b"k") == [b"2"]


def test_a_move_feeds_those_who_wait_for_its_target(own):
    _, channel, stub = own
    popped = stub.ListPop.future(pop(b"t"))
    moved = stub.LMove.future(pb.MoveRequest(source=b"k", target=b"t", wait_ms=-1))
    wait_until_blocked(channel, 2)
    push(stub, b"k", b"1")
    assert moved.result().value == b"1" and list(popped.result().values) == [b"1"]


def test_the_wait_ends_without_a_list(own):
    _, channel, stub = own
    assert not stub.ListPop(pop(b"k", wait_ms=20)).found
    assert not stub.LMove(pb.MoveRequest(source=b"k", target=b"t", wait_ms=20)).found
    push(stub, b"k", b"1")
    assert values_of(stub, b"k") == [b"1"] and blocked_clients(channel) == 0


def test_the_deadline_ends_the_wait(own):
    _, channel, stub = own
    for wait_ms in -1, 60000:
        with pytest.raises(grpc.RpcError) as caught:
            stub.ListPop(pop(b"k", wait_ms=wait_ms), timeout=0.05)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    wait_until_blocked(channel, 0)
    push(stub, b"k", b"1")
    assert values_of(stub, b"k") == [b"1"]


def test_the_server_enforces_the_deadline(own):
    """Of a client that does not."""
    server, _, _ = own
    with H2Conn(server.address) as connection:
        answer = connection.call("/keystore.v1.KeyStore/ListPop", pop(b"k").SerializeToString(),
                                 headers=[("grpc-timeout", "50m")])
        assert answer.grpc_status == DEADLINE[0].value[0]
        assert answer.headers["keystore-reason"] == DEADLINE[1]


@contextlib.contextmanager
def waiters(server, channel, count, request):
    """Pops on connections of their own, known to have come one after the other."""
    with contextlib.ExitStack() as stack:
        calls = []
        for _ in range(count):
            other = stack.enter_context(open_channel(server.address))
            calls.append(Stub(other).ListPop.future(request))
            wait_until_blocked(channel, len(calls))
        yield calls


def test_waiters_are_served_in_the_order_of_their_coming(own):
    server, channel, stub = own
    with waiters(server, channel, 12, pop(b"k")) as calls:
        push(stub, b"k", *[b"%d" % i for i in range(5)])
        for i in range(5, 12):
            push(stub, b"k", b"%d" % i)
        assert [list(call.result().values) for call in calls] == [[b"%d" % i] for i in range(12)]
    assert values_of(stub, b"k") == []


def test_who_has_left_has_consumed_nothing(own):
    server, channel, stub = own
    with waiters(server, channel, 6, pop(b"k")) as calls:
        for i in 0, 2, 3:
            calls[i].cancel()
        wait_until_blocked(channel, 3)
        push(stub, b"k", b"a", b"b", b"c", b"d")
        assert [list(calls[i].result().values) for i in (1, 4, 5)] == [[b"a"], [b"b"], [b"c"]]
    assert values_of(stub, b"k") == [b"d"]


def test_a_connection_that_ends_consumes_nothing(own):
    server, channel, stub = own
    other = open_channel(server.address)
    call = Stub(other).ListPop.future(pop(b"k"))
    wait_until_blocked(channel, 1)
    other.close()
    wait_until(call.done)
    wait_until_blocked(channel, 0)
    push(stub, b"k", b"1")
    assert values_of(stub, b"k") == [b"1"]


def test_a_client_that_has_shut_down_its_side_consumes_nothing(own):
    """It may be gone. What was answered before still arrives."""
    server, channel, stub = own
    with H2Conn(server.address) as connection:
        stream = connection.start("/keystore.v1.KeyStore/ListPop", pop(b"k").SerializeToString())
        wait_until_blocked(channel, 1)
        connection.socket.shutdown(socket.SHUT_WR)
        wait_until_blocked(channel, 0)
        push(stub, b"k", b"1")
        assert connection.wait(stream).grpc_status == grpc.StatusCode.UNAVAILABLE.value[0]
    assert values_of(stub, b"k") == [b"1"]


def test_a_shutdown_ends_the_wait(fresh_server):
    server = fresh_server()
    with open_channel(server.address) as channel:
        call = Stub(channel).ListPop.future(pop(b"k"))
        wait_until_blocked(channel, 1)
        server.send_signal()
        with pytest.raises(grpc.RpcError) as caught:
            call.result()
        assert (caught.value.code(), reason_of(caught.value)) == STOPPING
    server.wait()


def test_arguments(own):
    _, channel, stub = own
    stub.Set(pb.KeyValue(key=b"text", value=b"v"))
    check_fails(WRONG_TYPE, stub.ListPop, pop(b"none", b"text"))
    check_fails(WRONG_TYPE, stub.LMove, pb.MoveRequest(source=b"text", target=b"t", wait_ms=-1))
    check_fails(BAD_ARGUMENT, stub.ListPop, pop(b"k", wait_ms=-2), "wait_ms: it is negative")
    check_fails(BAD_ARGUMENT, stub.ListPop, pop(*[b"%d" % i for i in range(1001)]), "keys: there are too many")
    check_fails(BAD_ARGUMENT, stub.ListPop, pop(b"a" * 40000, b"b" * 40000), "keys: there are too many")
    call = stub.ListPop.future(pop(b"a" * 65536))
    wait_until_blocked(channel, 1)
    push(stub, b"a" * 65536, b"1")
    assert list(call.result().values) == [b"1"]


def test_a_target_that_is_no_list(own):
    """The call fails, as in Redis, and the next one has its turn."""
    _, channel, stub = own
    stub.Set(pb.KeyValue(key=b"text", value=b"v"))
    moved = stub.LMove.future(pb.MoveRequest(source=b"k", target=b"text", wait_ms=-1))
    wait_until_blocked(channel, 1)
    popped = stub.ListPop.future(pop(b"k"))
    wait_until_blocked(channel, 2)
    push(stub, b"k", b"1")
    with pytest.raises(grpc.RpcError) as caught:
        moved.result()
    assert caught.value.code() == WRONG_TYPE[0]
    assert list(popped.result().values) == [b"1"]


def test_neither_a_transaction_nor_a_pipeline_waits(own):
    _, _, stub = own
    wait = pb.Op(list_pop=pop(b"k"))
    assert not stub.Txn(pb.TxnRequest(success=[wait])).replies[0].popped.found
    [answer] = stub.Pipeline(iter([pb.OpBatch(ops=[wait])]))
    assert answer.replies[0].error.reason == pb.ERROR_REASON_BAD_ARGUMENT
    assert "in a Pipeline" in answer.replies[0].error.message


def test_an_answer_waits_for_the_disk(tmp_path, monkeypatch):
    """And is delivered then, though the push that it needs is answered no sooner."""
    server = start_on_slow_disk(tmp_path, monkeypatch, 300_000, directory=tmp_path / "data")
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        popped = stub.ListPop.future(pop(b"k"))
        wait_until_blocked(channel, 1)
        pushed = stub.RPush.future(pb.ListInsert(key=b"k", values=[b"1", b"2"]))
        assert list(popped.result().values) == [b"1"] and pushed.result().count == 2
        server.kill()
    server = start_on_slow_disk(tmp_path, monkeypatch, 0, directory=tmp_path / "data")
    with open_channel(server.address) as channel:
        assert values_of(Stub(channel), b"k") == [b"2"]
    server.stop()


# What can make a list appear: our operations, and the same in Redis.
APPEARANCES = {
    "push": (lambda stub: push(stub, b"k", b"1"), [("RPUSH", "k", "1")]),
    "two": (lambda stub: push(stub, b"k", b"1", b"2"), [("RPUSH", "k", "1", "2")]),
    "rename": (lambda stub: stub.Rename(pb.CopyRequest(source=b"src", target=b"k")),
               [("RENAME", "src", "k")]),
    "copy": (lambda stub: stub.Copy(pb.CopyRequest(source=b"src", target=b"k")),
             [("COPY", "src", "k")]),
    "move": (lambda stub: stub.LMove(pb.MoveRequest(source=b"src", target=b"k")),
             [("LMOVE", "src", "k", "LEFT", "LEFT")]),
    "swap": (lambda stub: stub.admin.SwapDb(pb.SwapRequest(db=0, other_db=1)), [("SWAPDB", 0, 1)]),
    "transaction": (lambda stub: stub.Txn(pb.TxnRequest(success=[
        pb.Op(r_push=pb.ListInsert(key=b"k", values=[b"1"])),
        pb.Op(l_push=pb.ListInsert(key=b"k", values=[b"0"]))])),
        [("MULTI",), ("RPUSH", "k", "1"), ("LPUSH", "k", "0"), ("EXEC",)]),
    "transaction that takes it back": (lambda stub: stub.Txn(pb.TxnRequest(success=[
        pb.Op(r_push=pb.ListInsert(key=b"k", values=[b"1"])),
        pb.Op(delete=pb.Key(key=b"k"))])),
        [("MULTI",), ("RPUSH", "k", "1"), ("DEL", "k"), ("EXEC",)]),
    "a string": (lambda stub: stub.Set(pb.KeyValue(key=b"k", value=b"text")), [("SET", "k", "text")]),
}


def redis_after(directory, commands):
    """How many of two BLPOPs are served, and what is left in the list that they wait for."""
    with Redis(directory) as redis, contextlib.ExitStack() as stack:
        redis.call("RPUSH", "src", "s1", "s2", "s3")
        redis.call("SELECT", 1)
        redis.call("RPUSH", "k", "d1")
        redis.call("SELECT", 0)
        connections = []
        for _ in range(2):
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.settimeout(60)
            connection.connect(redis.path)
            connection.sendall(b"*3\r\n$5\r\nBLPOP\r\n$1\r\nk\r\n$1\r\n0\r\n")
            connections.append(connection)
            wait_until(lambda: b"blocked_clients:%d" % len(connections) in redis.call("INFO", "clients"))
        for command in commands:
            redis.call(*command)
        blocked = int(redis.call("INFO", "clients").split(b"blocked_clients:")[1].split()[0])
        is_text = redis.call("TYPE", "k") in ("string", b"string")
        return 2 - blocked, None if is_text else redis.call("LRANGE", "k", 0, -1)


@pytest.mark.parametrize("name", APPEARANCES)
def test_whatever_makes_a_list_appear_as_in_redis(own, name, tmp_path):
    server, channel, stub = own
    ours, commands = APPEARANCES[name]
    push(stub, b"src", b"s1", b"s2", b"s3")
    stub.RPush(pb.ListInsert(key=b"k", values=[b"d1"], db=1))
    with waiters(server, channel, 2, pop(b"k")) as calls:
        ours(stub)
        served, left = redis_after(tmp_path, commands)
        for call in calls[:served]:
            assert call.result().found
        wait_until_blocked(channel, 2 - served)
        kind = stub.Describe(pb.Key(key=b"k")).type
        assert (values_of(stub, b"k") if kind != pb.VALUE_TYPE_STRING else None) == left
