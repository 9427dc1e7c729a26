"""The operations on keys of any type: finding, describing, expiring, renaming, copying."""

import pytest

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from errors import BAD_ARGUMENT, check_fails
from times import HOUR_MS, TTL, in_the_past, wait_until

YEAR_2100_MS = 4102444800000
STRING, LIST = pb.VALUE_TYPE_STRING, pb.VALUE_TYPE_LIST


def put(stub, key, value=b"v", **fields):
    return stub.Set(pb.KeyValue(key=key, value=value, **fields))


def get(stub, key, **fields):
    return stub.Get(pb.Key(key=key, **fields))


def push(stub, key, *values, **fields):
    """Whose elements are then in that order."""
    return stub.LPush(pb.ListInsert(key=key, values=reversed(values), **fields))


def elements(stub, key, **fields):
    return list(stub.LRange(pb.ListRange(key=key, stop=-1, **fields)).values)


def describe(stub, key, **fields):
    return stub.Describe(pb.Key(key=key, **fields))


def expire(stub, key, **fields):
    return stub.Expire(pb.ExpireRequest(key=key, **fields))


def rename(stub, source, target, **fields):
    return stub.Rename(pb.CopyRequest(source=source, target=target, **fields))


def copy(stub, source, target, **fields):
    return stub.Copy(pb.CopyRequest(source=source, target=target, **fields))


@pytest.fixture
def pair(keys):
    return next(keys), next(keys)


# Finding and removing.

@pytest.mark.parametrize("method", ["Exists", "Touch"])
def test_keys_that_exist_are_counted(stub, keys, method):
    string, some_list, none = (next(keys) for _ in range(3))
    put(stub, string)
    push(stub, some_list, b"1")
    ask = getattr(stub, method)
    assert ask(pb.Keys(keys=[string, none, some_list, string])) == pb.Status(ok=True, count=3)
    assert ask(pb.Keys(keys=[none])) == pb.Status()
    assert ask(pb.Keys(keys=[string], db=5)) == pb.Status()


def test_delete_many(stub, keys):
    names = [next(keys) for _ in range(100)]
    for name in names[::2]:
        put(stub, name)
    push(stub, names[1], b"1")
    deleted = stub.DeleteMany(pb.Keys(keys=names + names))
    assert deleted.ok and deleted.count == 51
    assert stub.Exists(pb.Keys(keys=names)).count == 0
    assert stub.DeleteMany(pb.Keys(keys=names)) == pb.Status()


def test_random_key(fresh_server):
    with open_channel(fresh_server().address) as channel:
        stub = Stub(channel)
        assert stub.RandomKey(pb.DbRequest(db=13)) == pb.Key()
        names = {b"%d" % number for number in range(5)}
        for name in names:
            put(stub, name, db=13)
        put(stub, b"of another database")
        seen = set()
        wait_until(lambda: seen.add(stub.RandomKey(pb.DbRequest(db=13)).key) or seen >= names)
        assert seen == names
        stub.DeleteMany(pb.Keys(keys=list(names), db=13))
        assert stub.RandomKey(pb.DbRequest(db=13)) == pb.Key()


# Describing.

def test_describe(stub, keys):
    string, some_list, none = (next(keys) for _ in range(3))
    stored = put(stub, string, b"v" * 1000, expire_at_ms=YEAR_2100_MS)
    info = describe(stub, string)
    assert info.memory_bytes > 1000
    assert info == pb.KeyInfo(found=True, type=STRING, length=1000, expire_at_ms=YEAR_2100_MS,
                              version=stored.version, memory_bytes=info.memory_bytes)
    pushed = push(stub, some_list, b"1", b"", b"3")
    info = describe(stub, some_list)
    assert info == pb.KeyInfo(found=True, type=LIST, length=3, version=pushed.version,
                              memory_bytes=info.memory_bytes)
    assert describe(stub, none) == pb.KeyInfo()
    assert describe(stub, string, db=1) == pb.KeyInfo()


# Expiring.

@pytest.mark.parametrize("kind", ["string", "list"])
def test_expire_and_persist(stub, key, kind):
    version = (put(stub, key) if kind == "string" else push(stub, key, b"1")).version
    with TTL(HOUR_MS) as ttl:
        changed = expire(stub, key, ttl_ms=HOUR_MS)
    assert changed.ok and changed.count == 1 and changed.version not in (0, version)
    ttl.check(describe(stub, key).expire_at_ms)
    assert describe(stub, key).version == changed.version
    assert expire(stub, key, expire_at_ms=YEAR_2100_MS).ok
    assert describe(stub, key).expire_at_ms == YEAR_2100_MS
    assert expire(stub, key, persist=True).ok
    assert describe(stub, key).expire_at_ms == 0
    again = expire(stub, key, persist=True)
    assert (again.ok, again.count) == (False, 0) and again.version == describe(stub, key).version


def test_expire_of_no_key(stub, key):
    for fields in ({"ttl_ms": 1000}, {"expire_at_ms": 1}, {"persist": True}):
        assert expire(stub, key, **fields) == pb.Status()


def test_a_deadline_that_has_passed_removes(stub, key):
    push(stub, key, b"1")
    assert expire(stub, key, expire_at_ms=in_the_past()) == pb.Status(ok=True, count=1)
    assert describe(stub, key) == pb.KeyInfo()


def test_a_list_is_gone_when_its_time_is_over(stub, key):
    push(stub, key, b"1", b"2")
    expire(stub, key, ttl_ms=20)
    wait_until(lambda: not describe(stub, key).found)
    assert elements(stub, key) == []
    assert stub.Exists(pb.Keys(keys=[key])).count == 0
    assert push(stub, key, b"3").count == 1
    assert describe(stub, key).expire_at_ms == 0


NO, HAS = pb.ExpireRequest.WHEN_NO_EXPIRY, pb.ExpireRequest.WHEN_HAS_EXPIRY
LATER, SOONER = pb.ExpireRequest.WHEN_LATER, pb.ExpireRequest.WHEN_SOONER
EARLIER_MS, LATER_MS = YEAR_2100_MS - 1, YEAR_2100_MS + 1


@pytest.mark.parametrize("when,present,wanted,changes", [
    (NO, 0, YEAR_2100_MS, True), (NO, YEAR_2100_MS, LATER_MS, False),
    (HAS, 0, YEAR_2100_MS, False), (HAS, YEAR_2100_MS, LATER_MS, True),
    (LATER, 0, YEAR_2100_MS, False), (LATER, YEAR_2100_MS, LATER_MS, True),
    (LATER, YEAR_2100_MS, EARLIER_MS, False), (LATER, YEAR_2100_MS, YEAR_2100_MS, False),
    (SOONER, 0, YEAR_2100_MS, True), (SOONER, YEAR_2100_MS, EARLIER_MS, True),
    (SOONER, YEAR_2100_MS, LATER_MS, False), (SOONER, YEAR_2100_MS, YEAR_2100_MS, False)])
def test_expire_when(stub, key, when, present, wanted, changes):
    version = put(stub, key, expire_at_ms=present).version
    answer = expire(stub, key, expire_at_ms=wanted, when=when)
    assert answer.ok == changes and answer.count == changes
    assert (answer.version != version) == changes
    assert describe(stub, key).expire_at_ms == (wanted if changes else present)


# Renaming.

@pytest.mark.parametrize("large", [False, True])
def test_rename_a_string(stub, pair, large):
    source, target = pair
    value = b"v" * (100000 if large else 10)
    put(stub, source, value, expire_at_ms=YEAR_2100_MS)
    put(stub, target, b"what was there")
    renamed = rename(stub, source, target)
    assert renamed.ok and renamed.count == 1
    assert get(stub, target) == pb.Value(value=value, found=True, version=renamed.version,
                                         expire_at_ms=YEAR_2100_MS)
    assert not get(stub, source).found


def test_rename_a_list_over_a_string(stub, pair):
    source, target = pair
    push(stub, source, b"1", b"2", b"3")
    put(stub, target, ttl_ms=HOUR_MS)
    assert rename(stub, source, target).ok
    assert elements(stub, target) == [b"1", b"2", b"3"] and elements(stub, source) == []
    assert describe(stub, target).expire_at_ms == 0
    assert push(stub, target, b"0").count == 4


def test_rename_if_absent(stub, pair):
    source, target = pair
    put(stub, source, b"source")
    version = put(stub, target, b"target").version
    unmet = rename(stub, source, target, absent_only=True)
    assert (unmet.ok, unmet.count, unmet.version) == (False, 0, version)
    assert get(stub, source).value == b"source" and get(stub, target).value == b"target"
    stub.Delete(pb.Key(key=target))
    assert rename(stub, source, target, absent_only=True).ok
    assert get(stub, target).value == b"source"


def test_rename_of_no_key(stub, pair):
    source, target = pair
    put(stub, target)
    assert not rename(stub, source, target).ok
    assert get(stub, target).found


def test_rename_to_itself(stub, key):
    version = put(stub, key).version
    assert rename(stub, key, key).ok
    assert not rename(stub, key, key, absent_only=True).ok
    assert get(stub, key).version == version


def test_move_to_another_database(stub, key):
    put(stub, key, b"moved", expire_at_ms=YEAR_2100_MS)
    moved = rename(stub, key, key, target_db=9, absent_only=True)
    assert moved.ok
    assert not get(stub, key).found
    answer = get(stub, key, db=9)
    assert answer.value == b"moved" and answer.expire_at_ms == YEAR_2100_MS
    put(stub, key, b"another")
    assert not rename(stub, key, key, target_db=9, absent_only=True).ok
    assert rename(stub, key, key, db=9, target_db=0).ok  # 0 is a database like others
    assert get(stub, key).value == b"moved" and not get(stub, key, db=9).found


# Copying.

def test_copy_a_string(stub, pair):
    source, target = pair
    version = put(stub, source, b"v" * 50000, expire_at_ms=YEAR_2100_MS).version
    copied = copy(stub, source, target)
    assert copied.ok and copied.count == 1 and copied.version != version
    assert get(stub, target) == pb.Value(value=b"v" * 50000, found=True, version=copied.version,
                                         expire_at_ms=YEAR_2100_MS)
    stub.Append(pb.KeyValue(key=target, value=b"w"))
    assert get(stub, source).value == b"v" * 50000 and get(stub, source).version == version


def test_copies_of_a_list_are_apart(stub, pair):
    source, target = pair
    push(stub, source, b"1", b"2" * 20000, b"3")
    assert copy(stub, source, target).ok
    stub.LPop(pb.Key(key=source))
    push(stub, target, b"0")
    assert elements(stub, source) == [b"2" * 20000, b"3"]
    assert elements(stub, target) == [b"0", b"1", b"2" * 20000, b"3"]


def test_copy_onto_a_key(stub, pair):
    source, target = pair
    push(stub, source, b"1")
    version = put(stub, target, b"target").version
    unmet = copy(stub, source, target)
    assert (unmet.ok, unmet.count, unmet.version) == (False, 0, version)
    assert get(stub, target).value == b"target"
    assert copy(stub, source, target, replace=True).ok
    assert elements(stub, target) == [b"1"]


def test_copy_of_no_key(stub, pair):
    source, target = pair
    put(stub, target)
    assert not copy(stub, source, target, replace=True).ok
    assert get(stub, target).found


def test_copy_to_another_database(stub, key):
    put(stub, key, b"v", db=2)
    assert copy(stub, key, key, db=2, target_db=3).ok
    assert get(stub, key, db=2).value == get(stub, key, db=3).value == b"v"
    check_fails(BAD_ARGUMENT, stub.Copy, pb.CopyRequest(source=key, target=key, db=2),
                "same key")
    check_fails(BAD_ARGUMENT, stub.Copy, pb.CopyRequest(source=key, target=key, db=2, target_db=2),
                "same key")


def test_bad_requests_change_nothing(stub, pair):
    source, target = pair
    version = put(stub, source, expire_at_ms=YEAR_2100_MS).version
    for fields, words in (({}, "neither it nor expire_at_ms"), ({"ttl_ms": -1}, "negative"),
                          ({"ttl_ms": 1, "expire_at_ms": 1}, "expire_at_ms: "),
                          ({"ttl_ms": 1, "persist": True}, "persist"),
                          ({"ttl_ms": 2**63 - 1}, "too large"), ({"ttl_ms": 1, "when": 9}, "when"),
                          ({"persist": True, "when": NO}, "when")):
        check_fails(BAD_ARGUMENT, stub.Expire, pb.ExpireRequest(key=source, **fields), words)
    check_fails(BAD_ARGUMENT, stub.Rename, pb.CopyRequest(source=source), "the key is empty")
    check_fails(BAD_ARGUMENT, stub.Rename,
                pb.CopyRequest(source=source, target=target, target_db=16), "no database 16")
    check_fails(BAD_ARGUMENT, stub.DeleteMany, pb.Keys(keys=[source, b""]), "keys[1]")
    check_fails(BAD_ARGUMENT, stub.DeleteMany, pb.Keys(), "keys: it is empty")
    info = describe(stub, source)
    assert (info.version, info.expire_at_ms) == (version, YEAR_2100_MS)
    assert not describe(stub, target).found


@pytest.mark.parametrize("deadline", [2**48 - 1, 2**48, 2**62 + 12345, 2**63 - 1])
def test_far_deadlines_are_kept_exactly(stub, keys, deadline):
    string, other, items = next(keys), next(keys), next(keys)
    put(stub, string, b"v", expire_at_ms=deadline)
    put(stub, other, b"v")
    stub.RPush(pb.ListInsert(key=items, values=[b"1"]))
    for key in (other, items):
        assert expire(stub, key, expire_at_ms=deadline).ok
    for key in (string, other, items):
        assert describe(stub, key).expire_at_ms == deadline
    assert get(stub, string).expire_at_ms == deadline


def test_a_time_to_live_beyond_the_end_of_time(stub, key):
    put(stub, key)
    for call, request in ((stub.Set, pb.KeyValue(key=key, ttl_ms=2**63 - 1)),
                          (stub.Expire, pb.ExpireRequest(key=key, ttl_ms=2**63 - 1)),
                          (stub.GetEx, pb.ExpireRequest(key=key, ttl_ms=2**63 - 1)),
                          (stub.RPush, pb.ListInsert(key=key, values=[b"1"], ttl_ms=2**63 - 1)),
                          (stub.MSet, pb.KeyValues(entries=[pb.KeyValue(key=key, ttl_ms=2**63 - 1)]))):
        check_fails(BAD_ARGUMENT, call, request, "too large")
    assert describe(stub, key).expire_at_ms == 0
