"""Watch: what is reported, in which order, to whom; how a watch ends, and goes on."""

import asyncio

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from errors import reason_of
from times import unix_ms, wait_until
from watching import TIMEOUT_S, Watcher, key_of, name_of, pattern_of, prefix_of


def test_selected_keys_are_reported_in_order(stub, keys):
    one, two, other = next(keys), next(keys), next(keys)
    with Watcher(stub, key_of(one), key_of(two)) as watcher:
        for _ in range(3):
            stub.Set(pb.KeyValue(key=one, value=b"1"))
            stub.Set(pb.KeyValue(key=other, value=b"1"))
            stub.Set(pb.KeyValue(key=two, value=b"1"))
        stub.Delete(pb.Key(key=two))
        version = stub.Set(pb.KeyValue(key=one, value=b"2")).version
        events = watcher.events(8)
        assert [event.key for event in events] == [one, two] * 3 + [two, one]
        assert [name_of(event) for event in events] == ["WRITE"] * 6 + ["DELETE", "WRITE"]
        assert [event.version for event in events] == sorted(event.version for event in events)
        assert events[-1].version == version and not events[-1].HasField("change")
        assert watcher.version >= version


@pytest.mark.parametrize("selector", [key_of, prefix_of, pattern_of])
def test_each_kind_of_selector(stub, keys, selector):
    name = next(keys)
    text = {key_of: name, prefix_of: name[:-1], pattern_of: name[:-1] + b"?"}[selector]
    with Watcher(stub, selector(text), selector(text, db=3)) as watcher:
        stub.Set(pb.KeyValue(key=b"x" + name, value=b"1"))
        stub.Set(pb.KeyValue(key=name, value=b"1", db=2))
        stub.Set(pb.KeyValue(key=name, value=b"1", db=3))
        stub.Set(pb.KeyValue(key=name, value=b"1"))
        assert [(event.key, event.db) for event in watcher.events(2)] == [(name, 3), (name, 0)]


def test_a_key_that_several_selectors_select_is_reported_once(stub, key):
    with Watcher(stub, key_of(key), prefix_of(key), prefix_of(key[:3]), pattern_of(key[:-1] + b"*")) as watcher:
        for i in range(3):
            stub.Set(pb.KeyValue(key=key, value=b"%d" % i))
        assert len({event.version for event in watcher.events(3)}) == 3


def test_causes(stub, keys):
    gone, expired, swept, past = next(keys), next(keys), next(keys), next(keys)
    with Watcher(stub, *[key_of(each) for each in (gone, expired, swept, past)]) as watcher:
        stub.RPush(pb.ListInsert(key=gone, values=[b"1"]))
        stub.LPop(pb.Key(key=gone))
        assert watcher.seen(2) == [("WRITE", gone), ("DELETE", gone)]
        stub.Set(pb.KeyValue(key=expired, value=b"1", ttl_ms=30))
        assert watcher.seen(2) == [("WRITE", expired), ("EXPIRE", expired)]
        stub.Set(pb.KeyValue(key=past, value=b"1"))
        stub.Expire(pb.ExpireRequest(key=past, expire_at_ms=1))
        assert watcher.seen(2) == [("WRITE", past), ("DELETE", past)]


def test_evictions_are_reported(fresh_server):
    server = fresh_server("--max-memory", "16mb", "--max-memory-policy", "allkeys-random",
                          "--durability", "none")
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        with Watcher(stub, prefix_of(b""), types=[pb.EVENT_TYPE_EVICT]) as watcher:
            for i in range(30):
                stub.Set(pb.KeyValue(key=b"%d" % i, value=bytes(1_000_000)))
            assert name_of(watcher.events(1)[0]) == "EVICT"


def test_the_types_wanted_are_reported(stub, key):
    with Watcher(stub, key_of(key), types=[pb.EVENT_TYPE_DELETE]) as watcher:
        stub.Set(pb.KeyValue(key=key, value=b"1"))
        stub.Delete(pb.Key(key=key))
        assert watcher.seen(1) == [("DELETE", key)]


def test_flushes_concern_those_who_select_in_the_database(fresh_server):
    server = fresh_server("--durability", "none")
    with open_channel(server.address) as channel:
        stub, admin = Stub(channel), admin_stub(channel)
        with Watcher(stub, key_of(b"a", db=1), key_of(b"a", db=2)) as watcher:
            for db in range(4):
                stub.Set(pb.KeyValue(key=b"b", value=b"1", db=db))
            admin.FlushDb(pb.DbRequest(db=0))
            admin.FlushDb(pb.DbRequest(db=1))
            admin.SwapDb(pb.SwapRequest(db=2, other_db=3))
            admin.SwapDb(pb.SwapRequest(db=2, other_db=1))
            found = [(name_of(event), event.db, event.key) for event in watcher.events(4)]
            assert found == [("FLUSH", 1, b""), ("FLUSH", 2, b""), ("FLUSH", 2, b""), ("FLUSH", 1, b"")]


def test_a_transaction_arrives_together(stub, keys):
    names = [next(keys) for _ in range(50)]
    with Watcher(stub, *[key_of(name) for name in names]) as watcher:
        stub.Txn(pb.TxnRequest(success=[pb.Op(set=pb.KeyValue(key=name, value=b"1")) for name in names]))
        batch = watcher.next_batch()
        assert [event.key for event in batch.events] == names and not batch.partial
        assert {event.version for event in batch.events} == {batch.events[0].version}
        with pytest.raises(grpc.RpcError):  # it is rolled back
            stub.Txn(pb.TxnRequest(success=[pb.Op(set=pb.KeyValue(key=names[0], value=b"x")),
                                            pb.Op(incr=pb.Increment(key=names[1] , by=2**63 - 1)),
                                            pb.Op(l_pop=pb.Key(key=names[0]))]))
        stub.Set(pb.KeyValue(key=names[3], value=b"2"))
        assert watcher.seen(1) == [("WRITE", names[3])]


def changes_of(stub):
    """Operations, and the fields of Op that report them: pairs of (request, change)."""
    a, b = b"{changes}a", b"{changes}b"
    return [
        (pb.Op(set=pb.KeyValue(key=a, value=b"1")), "set"),
        (pb.Op(incr=pb.Increment(key=a, by=41)), "incr"),
        (pb.Op(append=pb.KeyValue(key=a, value=b"tail")), "append"),
        (pb.Op(set_range=pb.ByteRange(key=a, start=1, value=b"--")), "set_range"),
        (pb.Op(expire=pb.ExpireRequest(key=a, expire_at_ms=unix_ms() + 10**7)), "expire"),
        (pb.Op(set=pb.KeyValue(key=a, value=b"kept", keep_ttl=True)), "set"),
        (pb.Op(expire=pb.ExpireRequest(key=a, persist=True)), "expire"),
        (pb.Op(set_bit=pb.BitRequest(key=a, offset=3, bit=True)), "set_range"),
        (pb.Op(copy=pb.CopyRequest(source=a, target=b)), None),
        (pb.Op(delete=pb.Key(key=b)), None),
        (pb.Op(r_push=pb.ListInsert(key=b, values=[b"1", b"2", b"3", b"2"])), "r_push"),
        (pb.Op(l_push=pb.ListInsert(key=b, values=[b"x", b"y"])), "l_push"),
        (pb.Op(l_pop=pb.Key(key=b)), "list_pop"),
        (pb.Op(r_pop=pb.Key(key=b)), "list_pop"),
        (pb.Op(l_set=pb.ListItem(key=b, index=-1, value=b"z")), "l_set"),
        (pb.Op(l_insert=pb.ListItem(key=b, pivot=b"z", value=b"before")), "l_insert"),
        (pb.Op(l_move=pb.MoveRequest(source=b, target=b, source_end=pb.LIST_END_HEAD,
                                     target_end=pb.LIST_END_TAIL)), "l_move"),
        (pb.Op(l_rem=pb.ListFind(key=b, value=b"1")), "l_rem"),
        (pb.Op(l_trim=pb.ListRange(key=b, start=0, stop=1)), "l_trim"),
    ]


def test_changes_say_what_was_done(fresh_server):
    """Carried out on another database, they give the same data."""
    server = fresh_server("--durability", "none")
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        with Watcher(stub, prefix_of(b""), with_changes=True) as watcher:
            for op, field in changes_of(stub):
                stub.Txn(pb.TxnRequest(success=[op]))
                [event] = watcher.events(1)
                assert event.change.WhichOneof("op") == field, op
                if field is None:
                    continue
                change = event.change
                getattr(change, field).db = 7
                stub.Txn(pb.TxnRequest(success=[change]))
        assert stub.Get(pb.Key(key=b"{changes}a")).value == stub.Get(pb.Key(key=b"{changes}a", db=7)).value
        lists = [list(stub.LRange(pb.ListRange(key=b"{changes}b", stop=-1, db=db)).values) for db in (0, 7)]
        assert lists[0] == lists[1] and len(lists[0]) == 2


def test_what_depends_on_another_key_has_no_change(stub, keys):
    source, target = next(keys), next(keys)
    with Watcher(stub, key_of(source), key_of(target), with_changes=True) as watcher:
        stub.RPush(pb.ListInsert(key=source, values=[b"1", b"2"]))
        stub.LMove(pb.MoveRequest(source=source, target=target))
        stub.LMove(pb.MoveRequest(source=source, target=target))
        stub.Rename(pb.CopyRequest(source=target, target=source))
        events = watcher.events(7)
        assert [(name_of(event), event.key, event.change.WhichOneof("op")) for event in events] == [
            ("WRITE", source, "r_push"),
            ("WRITE", source, "list_pop"), ("WRITE", target, None),
            ("DELETE", source, None), ("WRITE", target, None),
            ("DELETE", target, None), ("WRITE", source, None)]


def test_large_values_are_reported_whole(stub, key):
    value = bytes(range(256)) * 8000
    with Watcher(stub, key_of(key), with_changes=True) as watcher, \
            Watcher(stub, key_of(key), with_changes=True) as second:
        stub.Set(pb.KeyValue(key=key, value=value))
        assert watcher.events(1)[0].change.set.value == value
        assert second.events(1)[0].change.set.value == value


def test_a_watch_that_is_cancelled_is_gone(stub, key):
    for _ in range(20):
        with Watcher(stub, key_of(key)):
            stub.Set(pb.KeyValue(key=key, value=b"1"))


def test_a_deadline_ends_it(stub, key):
    call = stub.Watch(pb.WatchRequest(selectors=[key_of(key)]), timeout=1)
    with pytest.raises(grpc.RpcError) as raised:
        list(call)
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


BAD_REQUESTS = [
    (pb.WatchRequest(), "INVALID_ARGUMENT"),
    (pb.WatchRequest(selectors=[pb.WatchRequest.Selector()]), "INVALID_ARGUMENT"),
    (pb.WatchRequest(selectors=[key_of(b"")]), "INVALID_ARGUMENT"),
    (pb.WatchRequest(selectors=[key_of(b"a", db=16)]), "INVALID_ARGUMENT"),
    (pb.WatchRequest(selectors=[prefix_of(b"")], types=[9]), "INVALID_ARGUMENT"),
    (pb.WatchRequest(selectors=[prefix_of(b"")], initial=True, start_version=1), "INVALID_ARGUMENT"),
    (pb.WatchRequest(selectors=[prefix_of(b"")], initial=True, types=[pb.EVENT_TYPE_DELETE]),
     "INVALID_ARGUMENT"),
    (pb.WatchRequest(selectors=[pattern_of(bytes(1025))]), "RESOURCE_EXHAUSTED"),
    (pb.WatchRequest(selectors=[key_of(b"a")] * 10001), "RESOURCE_EXHAUSTED"),
    (pb.WatchRequest(selectors=[key_of(b"a")], start_version=1 << 60), "OUT_OF_RANGE"),
]


@pytest.mark.parametrize("request_, code", BAD_REQUESTS, ids=range(len(BAD_REQUESTS)))
def test_bad_requests(stub, request_, code):
    with pytest.raises(grpc.RpcError) as raised:
        next(stub.Watch(request_))
    assert raised.value.code().name == code and raised.value.details()


def test_a_shutdown_ends_it(fresh_server, tmp_path):
    server = fresh_server(directory=tmp_path)
    with open_channel(server.address) as channel:
        watcher = Watcher(Stub(channel), prefix_of(b""))
        server.send_signal()
        error = watcher.error()
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        assert reason_of(error) == "ERROR_REASON_STOPPING"
        server.wait()


def test_with_asyncio(server, key):
    async def watch():
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub = Stub(channel)
            call = stub.Watch(pb.WatchRequest(selectors=[key_of(key)]))
            await call.read()
            await stub.Set(pb.KeyValue(key=key, value=b"1"))
            batch = await call.read()
            call.cancel()
            return batch.events[0].key
    assert asyncio.run(asyncio.wait_for(watch(), TIMEOUT_S)) == key


# Initial.

def test_initial_gives_the_present_keys_and_then_the_changes(stub, keys):
    names = [next(keys) for _ in range(3000)]
    prefix = names[0][:names[0].rindex(b":")]
    stub.MSet(pb.KeyValues(entries=[pb.KeyValue(key=name, value=name) for name in names]))
    with Watcher(stub, prefix_of(prefix), initial=True, with_changes=True) as watcher:
        found = {}
        while True:
            batch = watcher.next_batch()
            for event in batch.events:
                assert event.key not in found
                found[event.key] = event.change.set.value
            if batch.initial_done:
                break
            assert batch.version == 0
        assert found == {name: name for name in names} and batch.version > 0
        stub.Delete(pb.Key(key=names[7]))
        assert watcher.seen(1) == [("DELETE", names[7])]


def test_initial_of_nothing(stub, key):
    with Watcher(stub, key_of(key), initial=True) as watcher:
        batch = watcher.next_batch()
        assert batch.initial_done and not batch.events and batch.version > 0


def test_initial_of_single_keys(stub, keys):
    names = [next(keys) for _ in range(5)]
    for name in names[:3]:
        stub.Set(pb.KeyValue(key=name, value=name))
    with Watcher(stub, *[key_of(name) for name in names + names], initial=True) as watcher:
        assert watcher.seen(3) == [("WRITE", name) for name in names[:3]]
        stub.Set(pb.KeyValue(key=names[4], value=b"1"))
        assert watcher.seen(1) == [("WRITE", names[4])]


def test_initial_of_a_long_list_comes_in_pieces(stub, key):
    elements = [b"%d:" % i + b"x" * (i % 90) for i in range(100_000)]
    for i in range(0, len(elements), 10_000):
        stub.RPush(pb.ListInsert(key=key, values=elements[i:i + 10_000]))
    deadline = unix_ms() + 10**8
    stub.Expire(pb.ExpireRequest(key=key, expire_at_ms=deadline))
    with Watcher(stub, key_of(key), initial=True, with_changes=True) as watcher:
        found, batches = [], 0
        while True:
            batch = watcher.next_batch()
            batches += 1
            for event in batch.events:
                if event.change.WhichOneof("op") == "r_push":
                    found.extend(event.change.r_push.values)
                else:
                    assert event.change.expire.expire_at_ms == deadline
            if batch.initial_done:
                break
        assert found == elements and batches > 10


# Going on.

def test_a_watch_goes_on_where_it_was(stub, key):
    with Watcher(stub, key_of(key)) as watcher:
        stub.Set(pb.KeyValue(key=key, value=b"1"))
        first = watcher.events(1)[0].version
    with Watcher(stub, prefix_of(b"")):  # somebody keeps the history
        versions = [stub.Set(pb.KeyValue(key=key, value=b"%d" % i)).version for i in range(1000)]
        with Watcher(stub, key_of(key), start_version=first) as again:
            assert [event.version for event in again.events(1000)] == versions
            last = stub.Set(pb.KeyValue(key=key, value=b"last")).version
            assert again.events(1)[0].version == last


def test_what_has_left_the_history_is_lost(fresh_server):
    server = fresh_server("--durability", "none", "--watch-history", "1mb")
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        with Watcher(stub, key_of(b"a")) as watcher:
            start = stub.Set(pb.KeyValue(key=b"a", value=b"1")).version
            assert len(watcher.events(1)) == 1
            for _ in range(100):
                stub.Set(pb.KeyValue(key=b"b", value=bytes(100_000)))
            error = Watcher(stub, key_of(b"a"), start_version=start, wait=False).error()
            assert error.code() == grpc.StatusCode.OUT_OF_RANGE
            assert reason_of(error) == "ERROR_REASON_HISTORY_LOST"
            oldest = int(dict(error.trailing_metadata())["keystore-oldest-version"])
            assert start < oldest
            with Watcher(stub, key_of(b"b"), start_version=oldest) as again:
                assert again.events(1)[0].version == oldest + 1


def test_a_watcher_that_does_not_read_costs_only_itself(fresh_server):
    """It gets an error, and no event is left out before that; memory stays bounded."""
    server = fresh_server("--durability", "none", "--watch-history", "4mb")
    with open_channel(server.address) as channel, open_channel(server.address) as other:
        stub = Stub(channel)
        idle = Stub(other).Watch(pb.WatchRequest(selectors=[prefix_of(b"")], with_changes=True))
        next(idle)
        before = server.resident_bytes()
        with Watcher(stub, prefix_of(b"")) as reader:
            for i in range(600):
                stub.Set(pb.KeyValue(key=b"%d" % (i % 2), value=bytes(100_000)))
            assert len(reader.events(600)) == 600
        assert server.resident_bytes() - before < 40_000_000
        seen = []
        with pytest.raises(grpc.RpcError) as raised:
            for batch in idle:
                seen.extend(event.version for event in batch.events)
        assert reason_of(raised.value) == "ERROR_REASON_HISTORY_LOST"
        assert seen == list(range(seen[0], seen[0] + len(seen)))


# Beyond memory.

def set_many(stub, key, count):
    return [stub.Set(pb.KeyValue(key=key, value=b"%d" % i)).version for i in range(count)]


def syncs_of(channel):
    return int(admin_stub(channel).Info(pb.InfoRequest()).fields["log_syncs"])


@pytest.mark.parametrize("durability", ["always", "everysec"])
@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_a_watch_survives_a_restart(fresh_server, tmp_path, durability, kill):
    server = fresh_server("--durability", durability, directory=tmp_path)
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        with Watcher(stub, key_of(b"a")) as watcher:
            set_many(stub, b"a", 10)
            start = watcher.events(10)[-1].version
        versions = set_many(stub, b"a", 20)
        if durability == "everysec":  # what is known to the client must be on disk
            syncs = syncs_of(channel)
            wait_until(lambda: set_many(stub, b"b", 1) and syncs_of(channel) >= syncs + 2)
    server.kill() if kill else server.stop()
    server = fresh_server("--durability", durability, directory=tmp_path)
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        versions += set_many(stub, b"a", 5)
        with Watcher(stub, key_of(b"a"), start_version=start, wait=False) as watcher:
            versions += set_many(stub, b"a", 5)
            assert [event.version for event in watcher.events(30)] == versions
            stub.Delete(pb.Key(key=b"a"))
            assert watcher.seen(1) == [("DELETE", b"a")]


def test_the_log_reaches_back_to_the_snapshot(fresh_server, tmp_path):
    server = fresh_server(directory=tmp_path)
    with open_channel(server.address) as channel:
        stub, admin = Stub(channel), admin_stub(channel)
        old = set_many(stub, b"a", 3)[0]
        admin.Save(pb.SaveRequest(wait=True))
        [new, *versions] = set_many(stub, b"a", 3)
        error = Watcher(stub, key_of(b"a"), start_version=old, wait=False).error()
        assert reason_of(error) == "ERROR_REASON_HISTORY_LOST"
        with Watcher(stub, key_of(b"a"), start_version=new, wait=False) as watcher:
            assert [event.version for event in watcher.events(2)] == versions


def test_a_slow_watcher_reads_the_log(fresh_server, tmp_path):
    server = fresh_server("--watch-history", "1mb", "--durability", "everysec", directory=tmp_path)
    with open_channel(server.address) as channel, open_channel(server.address) as other:
        stub = Stub(channel)
        slow = Stub(other).Watch(pb.WatchRequest(selectors=[key_of(b"a")], with_changes=True))
        next(slow)
        versions = []
        for i in range(300):
            versions.append(stub.Set(pb.KeyValue(key=b"a", value=b"%d" % i + bytes(50_000))).version)
        seen = []
        while len(seen) < 300:
            for event in next(slow).events:
                assert event.change.set.value == b"%d" % len(seen) + bytes(50_000)
                seen.append(event.version)
        assert seen == versions
        slow.cancel()
