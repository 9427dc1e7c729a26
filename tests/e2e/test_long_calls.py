"""Calls that take long, beside others that do not: those go on, both are right, and whatever ends a
long call (a cancel, a deadline, the connection, the server) leaves nothing by halves."""

import queue
import signal
import threading

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import CALL_TIMEOUT_S, Stub, admin_stub, open_channel, open_ready_channel
from keystore_env import SANITIZE
from waiting import wait_for_numbers

# Of a list: to go through it takes long.
LENGTH = 300_000 if SANITIZE else 2_000_000
MANY = 100_000 if SANITIZE else 1_000_000
# Calls that another client has in flight, and how many are answered while a long call is carried out.
# A server that lets them wait answers at most two rounds of them meanwhile.
IN_FLIGHT = 8
ENOUGH = 5 * IN_FLIGHT


def push(stub, key, count):
    """How many calls it took."""
    firsts = range(0, count, 500_000)
    for first in firsts:
        stub.RPush(pb.ListInsert(key=key, values=[b""] * min(500_000, count - first)))
    return len(firsts)


@pytest.fixture
def one_worker(fresh_server):
    """A server with one event loop, so that a call which holds it up holds up all others."""
    return fresh_server(threads=1)


@pytest.fixture
def stub(one_worker):
    with open_channel(one_worker.address) as channel:
        yield Stub(channel)


@pytest.fixture
def other(one_worker):
    """On a connection of its own."""
    with open_channel(one_worker.address) as channel:
        yield Stub(channel)


def calls_that_take_long(stub):
    search = pb.Op(l_pos=pb.ListFind(key=b"list", value=b"none"))
    return {
        "exists": stub.Exists.future(pb.Keys(keys=[b"key"] * MANY)),
        "lpos": stub.Txn.future(pb.TxnRequest(success=[search] * 20)),
        "push": stub.RPush.future(pb.ListInsert(key=b"pushed", values=[b""] * MANY)),
        "rem": stub.LRem.future(pb.ListFind(key=b"list", value=b"none")),
        "mget": stub.MGet.future(pb.Keys(keys=[b"key:%d" % i for i in range(MANY // 5)])),
    }


def count_answered_during(stub, other, searches):
    """How many calls another client gets answered while a call of that many searches is carried out;
    at most ENOUGH. Several are in flight, for the keys of some may be in the list's shard, which is
    locked."""
    search = pb.Op(l_pos=pb.ListFind(key=b"list", value=b"none"))
    call = stub.Txn.future(pb.TxnRequest(success=[search] * searches))
    answers, sent, answered = queue.SimpleQueue(), 0, 0
    call.add_done_callback(answers.put)
    gets = []
    while answered < ENOUGH:
        while sent < answered + IN_FLIGHT:
            gets.append(other.Get.future(pb.Key(key=b"small %d" % sent)))
            gets[-1].add_done_callback(answers.put)
            sent += 1
        if answers.get(timeout=CALL_TIMEOUT_S) is call:
            break
        answered += 1
    for get in gets:
        get.result()
    assert [reply.positions.indexes for reply in call.result().replies] == [[]] * searches
    return answered


def test_others_are_answered_meanwhile(stub, other):
    """However long the call takes; so a longer one must do if the first was too short."""
    push(stub, b"list", LENGTH)
    other.Set(pb.KeyValue(key=b"small", value=b"1"))
    searches = 300
    while count_answered_during(stub, other, searches) < ENOUGH:
        searches *= 2
        assert searches < 10_000, "they were answered after the long call"


def test_many_long_calls_are_right(stub, other):
    push(stub, b"list", LENGTH)
    running = calls_that_take_long(stub)
    while not all(call.done() for call in running.values()):
        assert not other.Get(pb.Key(key=b"other")).found
    assert running["exists"].result().count == 0
    assert [reply.positions.indexes for reply in running["lpos"].result().replies] == [[]] * 20
    assert running["push"].result().count == MANY
    assert running["rem"].result().count == 0
    assert not any(value.found for value in running["mget"].result().values)


def test_keys_in_use_wait_and_are_right(stub, other):
    """Calls on the keys that a long call works on are carried out before it or after it."""
    push(stub, b"list", LENGTH)
    for _ in range(3):
        before = other.LPush(pb.ListInsert(key=b"list", values=[b"first"])).count
        removal = stub.LRem.future(pb.ListFind(key=b"list", value=b"first"))
        pushes = [other.RPush.future(pb.ListInsert(key=b"list", values=[b"last"]))
                  for _ in range(50)]
        assert removal.result().count == 1
        # In the order in which they were carried out, which calls in flight do not promise.
        counts = sorted(push.result().count for push in pushes)
        # Each adds one, and the removal takes one away before, between or after them.
        assert [count - before - 1 - i for i, count in enumerate(counts)] in \
            [[0] * n + [-1] * (50 - n) for n in range(51)]


def test_counters_are_exact(fresh_server):
    server = fresh_server("--durability", "always", threads=2)
    keys = [b"counter:%d" % i for i in range(7)]
    txn = pb.TxnRequest(success=[pb.Op(incr=pb.Increment(key=keys[i % 7], by=1))
                              for i in range(21_000)])

    def add_much():
        with open_ready_channel(server.address) as channel:
            for _ in range(5):
                Stub(channel).Txn(txn)

    def add_one(number):
        with open_ready_channel(server.address) as channel:
            for _ in range(300):
                Stub(channel).Incr(pb.Increment(key=keys[number], by=1))

    threads = [threading.Thread(target=add_much) for _ in range(2)]
    threads += [threading.Thread(target=add_one, args=(i,)) for i in range(7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open_channel(server.address) as channel:
        for key in keys:
            assert int(Stub(channel).Get(pb.Key(key=key)).value) == 2 * 5 * 3000 + 300


def give_up(stub, other, end, request):
    """False if the call was answered before it was given up."""
    call = stub.Txn.future(request, timeout=0.05 if end == "deadline" else None)
    other.Get(pb.Key(key=b"x"))
    if end == "cancel":
        call.cancel()
    try:
        call.result()
    except (grpc.RpcError, grpc.FutureCancelledError):
        return True
    return False


@pytest.mark.parametrize("end", ["cancel", "deadline", "connection"])
def test_a_long_call_may_be_given_up(one_worker, stub, other, end):
    push(stub, b"list", LENGTH)
    search = pb.Op(l_pos=pb.ListFind(key=b"list", value=b"none"))
    count_it = pb.Op(incr=pb.Increment(key=b"done", by=1))
    searches, answered = 40, 0
    request = pb.TxnRequest(success=[count_it] + [search] * searches)
    if end == "connection":
        with open_channel(one_worker.address) as channel:
            Stub(channel).Txn.future(request)
            other.Get(pb.Key(key=b"x"))
    else:
        while not give_up(stub, other, end, request):
            answered += 1
            searches *= 2
            assert searches < 10_000, "it was answered although it was given up"
            request = pb.TxnRequest(success=[count_it] + [search] * searches)
    # All of it was done, or nothing; and nothing is left of it.
    assert int(other.Get(pb.Key(key=b"done")).value or 0) in (answered, answered + 1)
    assert other.LRange(pb.ListRange(key=b"list", start=0, stop=1)).length == LENGTH


def test_the_server_ends_after_the_long_call(one_worker, stub):
    pushes = push(stub, b"list", LENGTH)
    search = pb.Op(l_pos=pb.ListFind(key=b"list", value=b"none"))
    call = stub.Txn.future(pb.TxnRequest(success=[search] * 20))
    with open_channel(one_worker.address) as channel:
        wait_for_numbers(admin_stub(channel), {"offloaded_calls": 1 + pushes})
    one_worker.send_signal()
    assert len(call.result().replies) == 20
    one_worker.wait()


def test_a_kill_leaves_nothing_by_halves(fresh_server, tmp_path):
    """A long transaction on the disk is there as a whole or not at all, and what others wrote while
    it ran, and was acknowledged, is there."""
    options = ("--durability", "always")
    for round_number in range(3 if SANITIZE else 8):
        server = fresh_server(*options, directory=tmp_path, threads=2)
        acknowledged = 0
        with open_channel(server.address) as channel:
            stub = Stub(channel)
            ops = [pb.Op(set=pb.KeyValue(key=b"long:%d" % i, value=b"%d" % round_number))
                   for i in range(30_000)]
            call = stub.Txn.future(pb.TxnRequest(success=ops))
            for number in range(1, 20 * round_number + 1):
                stub.Set(pb.KeyValue(key=b"short", value=b"%d:%d" % (round_number, number)))
                acknowledged = number
            finished = call.done()
            server.send_signal(signal.SIGKILL)
            server.process.wait()
        server = fresh_server(*options, directory=tmp_path, threads=2)
        with open_channel(server.address) as channel:
            stub = Stub(channel)
            values = stub.MGet(pb.Keys(keys=[b"long:%d" % i for i in range(30_000)])).values
            found = {value.value for value in values}
            assert len(found) == 1, "all keys are of the same transaction"
            if finished:
                assert found == {b"%d" % round_number}
            if acknowledged:
                assert stub.Get(pb.Key(key=b"short")).value == b"%d:%d" % (round_number,
                                                                           acknowledged)
        server.stop()


def test_info_answers_while_the_data_are_held(stub, other, one_worker):
    pushes = push(stub, b"list", LENGTH)
    search = pb.Op(l_pos=pb.ListFind(key=b"list", value=b"none"))
    call = stub.Txn.future(pb.TxnRequest(success=[search] * 20))
    with open_channel(one_worker.address) as channel:
        wait_for_numbers(admin_stub(channel), {"offloaded_calls": 1 + pushes})
    assert len(call.result().replies) == 20
