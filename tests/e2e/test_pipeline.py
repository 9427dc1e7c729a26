"""Pipeline: batches in order, errors in their place, flow control, cancelled and long streams."""

import queue
import threading

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, open_channel, open_ready_channel
from errors import BAD_MESSAGE, STOPPING, reason_of


def put(key, value, number=0):
    return pb.Op(id=number, set=pb.KeyValue(key=key, value=value))


def read(key, number=0):
    return pb.Op(id=number, get=pb.Key(key=key))


def batch(*ops):
    return pb.OpBatch(ops=ops)


def test_replies_come_in_order_with_their_ids(stub, keys):
    names = [next(keys) for _ in range(100)]
    batches = [batch(*[put(name, b"v%d" % i, number=7 + i) for i, name in enumerate(names)]),
               batch(),
               batch(*[read(name, number=i) for i, name in enumerate(names)])]
    sets, nothing, gets = stub.Pipeline(iter(batches))
    assert [reply.id for reply in sets.replies] == list(range(7, 107))
    assert all(reply.status.ok for reply in sets.replies)
    assert len(nothing.replies) == 0
    assert [reply.value.value for reply in gets.replies] == [b"v%d" % i for i in range(100)]


def test_every_operation_has_its_reply(stub, keys):
    text, items, number = next(keys), next(keys), next(keys)
    [answer] = stub.Pipeline(iter([batch(
        put(text, b"a"), pb.Op(append=pb.KeyValue(key=text, value=b"b")), read(text),
        pb.Op(r_push=pb.ListInsert(key=items, values=[b"1", b"2"])),
        pb.Op(l_range=pb.ListRange(key=items, stop=-1)),
        pb.Op(incr=pb.Increment(key=number, by=5)),
        pb.Op(exists=pb.Keys(keys=[text, items, b"none"])),
        pb.Op(id=8, lcs=pb.LcsRequest(key=text, other_key=text, want_string=True)))]))
    stored, appended, value, pushed, elements, total, count, common = answer.replies
    assert stored.status.ok and appended.status.count == 2 and value.value.value == b"ab"
    assert pushed.status.count == 2 and list(elements.list.values) == [b"1", b"2"]
    assert total.number.integer == 5 and count.status.count == 2
    assert common.id == 8 and common.lcs.length == 2 and common.lcs.value == b"ab"


def test_an_error_stays_with_its_operation(stub, keys):
    text, items = next(keys), next(keys)
    [answer] = stub.Pipeline(iter([batch(
        put(text, b"no number"), pb.Op(r_push=pb.ListInsert(key=items, values=[b"1"])),
        pb.Op(id=3, incr=pb.Increment(key=text)), pb.Op(id=4, get=pb.Key(key=items)),
        pb.Op(id=5, get=pb.Key(key=b"")), pb.Op(id=6), read(text, number=7))]))
    errors = {reply.id: reply.error for reply in answer.replies if reply.WhichOneof("result") == "error"}
    assert {key: pb.ErrorReason.Name(error.reason) for key, error in errors.items()} == {
        3: "ERROR_REASON_NOT_A_NUMBER", 4: "ERROR_REASON_WRONG_TYPE",
        5: "ERROR_REASON_BAD_ARGUMENT", 6: "ERROR_REASON_BAD_ARGUMENT"}
    assert errors[3].code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
    assert all(error.message for error in errors.values())
    assert answer.replies[6].value.value == b"no number"


def test_replies_do_not_wait_for_the_end(stub, key):
    requests = queue.Queue()
    replies = stub.Pipeline(iter(requests.get, None))
    for i in range(50):
        requests.put(batch(put(key, b"%d" % i), read(key)))
        assert next(replies).replies[1].value.value == b"%d" % i
    requests.put(None)
    with pytest.raises(StopIteration):
        next(replies)


def test_a_pipeline_is_durable_like_other_calls(fresh_server, tmp_path):
    server = fresh_server("--durability", "always", directory=tmp_path)
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        answers = list(stub.Pipeline(iter([batch(*[put(b"k%d" % (100 * j + i), b"v")
                                                   for i in range(100)]) for j in range(20)])))
        assert sum(reply.status.ok for answer in answers for reply in answer.replies) == 2000
    server.kill()
    server = fresh_server("--durability", "always", directory=tmp_path)
    with open_channel(server.address) as channel:
        assert Stub(channel).Exists(pb.Keys(keys=[b"k%d" % i for i in range(2000)])).count == 2000


def test_a_shutdown_ends_the_stream(fresh_server):
    """Soon, with the replies to all that was taken, and an error that says why."""
    server = fresh_server()
    with open_channel(server.address) as channel:
        requests = queue.Queue()
        replies = Stub(channel).Pipeline(iter(requests.get, None))
        for _ in range(20):
            requests.put(batch(put(b"key", b"v")))
        for _ in range(20):
            assert next(replies).replies[0].status.ok
        server.send_signal()
        with pytest.raises(grpc.RpcError) as caught:
            next(replies)
        requests.put(None)
        assert (caught.value.code(), reason_of(caught.value)) == STOPPING
        server.wait()


def test_a_long_operation_keeps_its_place(stub, keys):
    """It is carried out by another thread; what follows waits for it, other calls do not."""
    items, after = next(keys), next(keys)
    stub.RPush(pb.ListInsert(key=items, values=[b"%d" % i for i in range(300000)]))
    [answer] = stub.Pipeline(iter([batch(
        put(after, b"before"), pb.Op(l_rem=pb.ListFind(key=items, value=b"299999")),
        pb.Op(r_push=pb.ListInsert(key=items, values=[b"end"])), read(after))]))
    assert answer.replies[1].status.count == 1
    assert answer.replies[2].status.count == 300000
    assert answer.replies[3].value.value == b"before"


def test_bulk_operations(stub, keys):
    names = [next(keys) for _ in range(6000)]
    [answer] = stub.Pipeline(iter([batch(
        pb.Op(m_set=pb.KeyValues(entries=[pb.KeyValue(key=name, value=b"v") for name in names])),
        pb.Op(m_get=pb.Keys(keys=names)))]))
    assert answer.replies[0].status.count == 6000
    assert [value.value for value in answer.replies[1].values.values] == [b"v"] * 6000


def test_bulky_batches_keep_their_order(stub, keys):
    """They are decoded by other threads, small ones immediately; replies that are not read wait."""
    key = next(keys)
    sizes = [20000, 1, 0, 5000, 30000, 2, 1]
    batches = [batch(*[pb.Op(id=i, incr=pb.Increment(key=key, by=1)) for i in range(size)])
               for size in sizes]
    expected = 0
    for size, answer in zip(sizes, stub.Pipeline(iter(batches)), strict=True):
        assert [reply.id for reply in answer.replies] == list(range(size))
        assert [reply.number.integer for reply in answer.replies] == list(
            range(expected + 1, expected + size + 1))
        expected += size


def test_what_is_no_batch_ends_the_stream(channel):
    call = channel.stream_stream("/keystore.v1.KeyStore/Pipeline")(iter([b"\x0a\xff\xff"]))
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    assert (caught.value.code(), reason_of(caught.value)) == BAD_MESSAGE


def test_a_cancelled_stream_leaves_the_connection(stub, key):
    requests = queue.Queue()
    replies = stub.Pipeline(iter(requests.get, None))
    requests.put(batch(put(key, b"v")))
    next(replies)
    replies.cancel()
    with pytest.raises(grpc.RpcError):
        next(replies)
    requests.put(None)
    assert stub.Get(pb.Key(key=key)).value == b"v"


def test_who_does_not_read_is_held_back(server, keys):
    """Replies that nobody takes stop the requests, and cost the server a bounded memory."""
    key = next(keys)
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        stub.Set(pb.KeyValue(key=key, value=b"x" * 10000))
        sent = 0

        def requests():
            nonlocal sent
            for _ in range(5000):
                sent += 1
                yield batch(*[read(key)] * 10)

        replies = stub.Pipeline(requests())
        next(replies)
        reached, still = -1, 0
        while still < 20:  # until it has not moved for a while
            still = still + 1 if sent == reached else 0
            reached = sent
            threading.Event().wait(0.05)
        assert reached < 5000
        assert sum(1 for _ in replies) == 4999
        assert sent == 5000


def test_many_streams_at_once(server):
    """Each counter is the sum of what all streams have added."""
    def run(number, failures):
        with open_ready_channel(server.address) as channel:
            stub = Stub(channel)
            sent = [batch(*[pb.Op(incr=pb.Increment(key=b"sum%d" % (i % 3), by=1))
                            for i in range(99)]) for _ in range(30)]
            replies = [reply for answer in stub.Pipeline(iter(sent)) for reply in answer.replies]
            if len(replies) != 30 * 99 or any(reply.HasField("error") for reply in replies):
                failures.append(number)

    failures = []
    threads = [threading.Thread(target=run, args=(i, failures)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with open_channel(server.address) as channel:
        values = Stub(channel).MGet(pb.Keys(keys=[b"sum0", b"sum1", b"sum2"])).values
    assert [int(value.value) for value in values] == [6 * 30 * 33] * 3


def test_large_replies_come_in_several_batches(stub, keys):
    """Each fits what a client accepts by default, 4 MiB, whatever was asked for together."""
    large, queue = next(keys), next(keys)
    stub.Set(pb.KeyValue(key=large, value=bytes(700_000)))
    answers = list(stub.Pipeline(iter([batch(*[read(large, number=i) for i in range(20)]),
                                       batch(read(large, number=20))])))
    assert [reply.id for answer in answers for reply in answer.replies] == list(range(21))
    assert len(answers) == 21
    # What would be lost with its answer stays.
    stub.RPush(pb.ListInsert(key=queue, values=[bytes(5_000_000)]))
    [answer] = stub.Pipeline(iter([batch(pb.Op(l_pop=pb.Key(key=queue)))]))
    assert answer.replies[0].error.reason == pb.ERROR_REASON_TOO_LARGE
    assert stub.Describe(pb.Key(key=queue)).length == 1
