"""The operations on lists beside LPush, LRange and LPop, which test_six.py has."""

import pytest

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from errors import BAD_ARGUMENT, OUT_OF_RANGE, TOO_LARGE, WRONG_TYPE, check_fails
from times import HOUR_MS, TTL

HEAD, TAIL = pb.LIST_END_HEAD, pb.LIST_END_TAIL
ABCDE = [b"a", b"b", b"c", b"d", b"e"]


def fill(stub, key, values, **fields):
    """Whose elements are then in that order."""
    return stub.RPush(pb.ListInsert(key=key, values=values, **fields))


def elements(stub, key, **fields):
    return list(stub.LRange(pb.ListRange(key=key, stop=-1, **fields)).values)


def version_of(stub, key):
    return stub.Describe(pb.Key(key=key)).version


@pytest.fixture
def pair(keys):
    return next(keys), next(keys)


# Both ends.

def test_r_push_puts_the_last_value_last(stub, key):
    pushed = stub.RPush(pb.ListInsert(key=key, values=[b"1", b"2"]))
    assert pushed.ok and pushed.count == 2 and pushed.version == version_of(stub, key)
    assert stub.RPush(pb.ListInsert(key=key, values=[b"3"])).count == 3
    assert stub.LPush(pb.ListInsert(key=key, values=[b"0", b"-1"])).count == 5
    assert elements(stub, key) == [b"-1", b"0", b"1", b"2", b"3"]


def test_pops_at_both_ends(stub, key):
    fill(stub, key, ABCDE)
    popped = [stub.RPop(pb.Key(key=key)), stub.LPop(pb.Key(key=key)), stub.RPop(pb.Key(key=key))]
    assert [each.value for each in popped] == [b"e", b"a", b"d"]
    assert popped[-1].version == version_of(stub, key)
    assert elements(stub, key) == [b"b", b"c"]
    assert [stub.RPop(pb.Key(key=key)).value for _ in range(2)] == [b"c", b"b"]
    assert stub.RPop(pb.Key(key=key)) == pb.Value()
    assert not stub.Describe(pb.Key(key=key)).found


def test_push_if_there_is_a_list(stub, key):
    present = pb.Condition(existence=pb.EXISTENCE_PRESENT)
    assert fill(stub, key, [b"1"], condition=present) == pb.Status()
    fill(stub, key, [b"1"])
    assert fill(stub, key, [b"2"], condition=present).count == 2


def test_a_list_with_a_cap(stub, key):
    for number in range(20):
        pushed = stub.LPush(pb.ListInsert(key=key, values=[b"%d" % number], max_length=5))
    assert pushed.count == 5
    assert elements(stub, key) == [b"19", b"18", b"17", b"16", b"15"]
    assert fill(stub, key, [b"x", b"y"], max_length=3).count == 3
    assert elements(stub, key) == [b"15", b"x", b"y"]


def test_a_push_with_a_time_to_live(stub, key):
    with TTL(HOUR_MS) as ttl:
        fill(stub, key, [b"1"], ttl_ms=HOUR_MS)
    ttl.check(stub.Describe(pb.Key(key=key)).expire_at_ms)
    fill(stub, key, [b"2"])
    ttl.check(stub.Describe(pb.Key(key=key)).expire_at_ms)
    with TTL(2 * HOUR_MS) as ttl:
        fill(stub, key, [b"3"], ttl_ms=2 * HOUR_MS)
    ttl.check(stub.Describe(pb.Key(key=key)).expire_at_ms)


# ListPop.

@pytest.mark.parametrize("end,count,popped,left", [
    (0, 0, [b"a"], [b"b", b"c", b"d", b"e"]), (HEAD, 2, [b"a", b"b"], [b"c", b"d", b"e"]),
    (TAIL, 2, [b"e", b"d"], [b"a", b"b", b"c"]), (HEAD, 5, ABCDE, []),
    (TAIL, 2**32 - 1, ABCDE[::-1], [])])
def test_list_pop(stub, pair, end, count, popped, left):
    none, key = pair
    fill(stub, key, ABCDE)
    answer = stub.ListPop(pb.PopRequest(keys=[none, key], end=end, count=count))
    assert answer == pb.Popped(key=key, values=popped, found=True)
    assert elements(stub, key) == left


def test_list_pop_takes_from_the_first_list(stub, keys):
    one, two, string = (next(keys) for _ in range(3))
    fill(stub, two, [b"2"])
    fill(stub, one, [b"1"])
    stub.Set(pb.KeyValue(key=string))
    request = pb.PopRequest(keys=[one, two, string], count=10)
    assert stub.ListPop(request).key == one
    assert stub.ListPop(request).key == two
    check_fails(WRONG_TYPE, stub.ListPop, request)
    assert stub.ListPop(pb.PopRequest(keys=[one, two])) == pb.Popped()


def test_list_pop_over_the_limit(fresh_server, key):
    with open_channel(fresh_server("--max-value", 1000).address) as channel:
        small = Stub(channel)
        for _ in range(30):
            fill(small, key, [b"v" * 1000] * 100)
        check_fails(TOO_LARGE, small.ListPop, pb.PopRequest(keys=[key], count=3000))
        assert small.Describe(pb.Key(key=key)).length == 3000
        assert len(small.ListPop(pb.PopRequest(keys=[key], count=500)).values) == 500


# LMove.

@pytest.mark.parametrize("source_end,target_end,value,source,target", [
    (HEAD, HEAD, b"a", [b"b", b"c"], [b"a", b"x", b"y"]),
    (HEAD, TAIL, b"a", [b"b", b"c"], [b"x", b"y", b"a"]),
    (TAIL, HEAD, b"c", [b"a", b"b"], [b"c", b"x", b"y"]),
    (TAIL, TAIL, b"c", [b"a", b"b"], [b"x", b"y", b"c"]),
    (0, 0, b"a", [b"b", b"c"], [b"a", b"x", b"y"])])
def test_l_move(stub, pair, source_end, target_end, value, source, target):
    fill(stub, pair[0], ABCDE[:3])
    fill(stub, pair[1], [b"x", b"y"])
    moved = stub.LMove(pb.MoveRequest(source=pair[0], target=pair[1], source_end=source_end,
                                      target_end=target_end))
    assert moved == pb.Value(value=value, found=True, version=version_of(stub, pair[1]))
    assert (elements(stub, pair[0]), elements(stub, pair[1])) == (source, target)


def test_l_move_within_a_list(stub, key):
    fill(stub, key, ABCDE[:3])
    rotate = pb.MoveRequest(source=key, target=key, source_end=TAIL, target_end=HEAD)
    assert [stub.LMove(rotate).value for _ in range(4)] == [b"c", b"b", b"a", b"c"]
    assert elements(stub, key) == [b"c", b"a", b"b"]


def test_l_move_to_and_from_nothing(stub, keys):
    source, target, string = (next(keys) for _ in range(3))
    request = pb.MoveRequest(source=source, target=target)
    assert stub.LMove(request) == pb.Value()
    fill(stub, source, [b"1"])
    assert stub.LMove(request).value == b"1"
    assert not stub.Describe(pb.Key(key=source)).found and elements(stub, target) == [b"1"]
    stub.Set(pb.KeyValue(key=string))
    check_fails(WRONG_TYPE, stub.LMove, pb.MoveRequest(source=target, target=string))
    check_fails(WRONG_TYPE, stub.LMove, pb.MoveRequest(source=string, target=target))
    assert elements(stub, target) == [b"1"]


# Elements.

@pytest.mark.parametrize("index", [0, 2, 4, -1, -5, 5, -6, 2**63 - 1, -2**63])
def test_l_index(stub, key, index):
    version = fill(stub, key, ABCDE).version
    answer = stub.LIndex(pb.ListItem(key=key, index=index))
    if -5 <= index < 5:
        assert answer == pb.Value(value=ABCDE[index], found=True, version=version)
    else:
        assert not answer.found and not answer.value


def test_l_index_of_no_list(stub, key):
    assert stub.LIndex(pb.ListItem(key=key)) == pb.Value()


def test_l_set(stub, key):
    fill(stub, key, ABCDE)
    changed = stub.LSet(pb.ListItem(key=key, index=1, value=b"a much longer element" * 1000))
    assert changed.ok and changed.count == 1 and changed.version == version_of(stub, key)
    stub.LSet(pb.ListItem(key=key, index=-1, value=b""))
    assert elements(stub, key) == [b"a", b"a much longer element" * 1000, b"c", b"d", b""]
    for index in (5, -6, 2**63 - 1, -2**63):
        check_fails(OUT_OF_RANGE, stub.LSet, pb.ListItem(key=key, index=index, value=b"v"))
    assert len(elements(stub, key)) == 5


def test_l_set_of_no_list(stub, key):
    assert stub.LSet(pb.ListItem(key=key, value=b"v")) == pb.Status()
    assert not stub.Describe(pb.Key(key=key)).found


def test_l_insert(stub, key):
    fill(stub, key, [b"a", b"b", b"b", b""])
    before = stub.LInsert(pb.ListItem(key=key, pivot=b"b", value=b"1"))
    assert before.ok and before.count == 5 and before.version == version_of(stub, key)
    assert stub.LInsert(pb.ListItem(key=key, pivot=b"b", value=b"2", after=True)).count == 6
    assert stub.LInsert(pb.ListItem(key=key, pivot=b"", value=b"3", after=True)).count == 7
    assert elements(stub, key) == [b"a", b"1", b"b", b"2", b"b", b"", b"3"]
    version = version_of(stub, key)
    assert stub.LInsert(pb.ListItem(key=key, pivot=b"x", value=b"4")) == pb.Status(
        count=-1, version=version)
    assert len(elements(stub, key)) == 7


def test_l_insert_into_no_list(stub, key):
    assert stub.LInsert(pb.ListItem(key=key, pivot=b"a", value=b"b")) == pb.Status()


@pytest.mark.parametrize("count,removed,left", [
    (0, 4, b"bcb"), (2, 2, b"bcaba"), (-2, 2, b"aabcb"), (1, 1, b"abcaba"), (-1, 1, b"aabcab"),
    (100, 4, b"bcb"), (-(2**63 - 1), 4, b"bcb"), (2**63 - 1, 4, b"bcb")])
def test_l_rem(stub, key, count, removed, left):
    fill(stub, key, [bytes([byte]) for byte in b"aabcaba"])
    answer = stub.LRem(pb.ListFind(key=key, value=b"a", count=count))
    assert answer.ok and answer.count == removed and answer.version == version_of(stub, key)
    assert b"".join(elements(stub, key)) == left


def test_l_rem_of_nothing_and_of_all(stub, key):
    assert stub.LRem(pb.ListFind(key=key, value=b"a")) == pb.Status()
    version = fill(stub, key, [b"a", b"a"]).version
    assert stub.LRem(pb.ListFind(key=key, value=b"b")) == pb.Status(version=version)
    assert stub.LRem(pb.ListFind(key=key, value=b"a")) == pb.Status(ok=True, count=2)
    assert not stub.Describe(pb.Key(key=key)).found


# The list of Redis' own documentation of LPOS.
@pytest.mark.parametrize("fields,indexes", [
    ({}, [2, 6, 7]), ({"count": 1}, [2]), ({"count": 2}, [2, 6]), ({"rank": 2, "count": 1}, [6]),
    ({"rank": -1, "count": 1}, [7]), ({"rank": -1, "count": 2}, [7, 6]), ({"rank": 2}, [6, 7]),
    ({"rank": -2}, [6, 2]), ({"rank": 4}, []), ({"rank": 1}, [2, 6, 7]), ({"max_scan": 3}, [2]),
    ({"max_scan": 2}, []), ({"rank": -1, "max_scan": 2}, [7, 6]), ({"max_scan": 2**64 - 1}, [2, 6, 7]),
    ({"rank": -(2**63 - 1)}, []), ({"rank": 2**63 - 1}, []), ({"value": b"x"}, [])])
def test_l_pos(stub, key, fields, indexes):
    fill(stub, key, [b"a", b"b", b"c", b"1", b"2", b"3", b"c", b"c"])
    answer = stub.LPos(pb.ListFind(key=key, **{"value": b"c", **fields}))
    assert list(answer.indexes) == indexes


def test_l_pos_in_no_list(stub, key):
    assert stub.LPos(pb.ListFind(key=key, value=b"a")) == pb.Positions()


# LTrim.

@pytest.mark.parametrize("start,stop", [
    (0, -1), (1, 3), (1, -2), (-3, -1), (-100, 100), (0, 0), (4, 4), (5, 9), (3, 1), (-1, -3),
    (-100, -6), (-2**63, 2**63 - 1), (2**63 - 1, -2**63)])
def test_l_trim(stub, key, start, stop):
    version = fill(stub, key, ABCDE).version
    first = max(start + 5 if start < 0 else start, 0)
    last = stop + 5 if stop < 0 else stop
    left = ABCDE[first:max(last + 1, 0)]
    answer = stub.LTrim(pb.ListRange(key=key, start=start, stop=stop))
    assert answer.ok and answer.count == len(left)
    assert elements(stub, key) == left
    assert answer.version == version_of(stub, key)
    assert (answer.version == version) == (left == ABCDE)


def test_l_trim_of_no_list(stub, key):
    assert stub.LTrim(pb.ListRange(key=key)) == pb.Status()


# All together.

def test_a_list_against_an_array(stub, key, random_of_test, counts):
    """What each operation answers and leaves is what Python's list does."""
    model = []
    for _ in range(600):
        step_of(stub, key, model, random_of_test)
        if not model:
            assert not stub.Describe(pb.Key(key=key)).found
    assert elements(stub, key) == model
    counts(f"600 operations, {len(model)} elements left")


def step_of(stub, key, model, random):
    value = b"%d" % random.randrange(8) * random.choice((1, 1, 1, 500))
    index = random.randrange(-len(model), len(model)) if model else 0
    kind = random.randrange(9)
    if kind <= 2:
        values = [value, b"%d" % random.randrange(8)]
        fill(stub, key, values)
        model.extend(values)
    elif kind == 3:
        stub.LPush(pb.ListInsert(key=key, values=[value]))
        model.insert(0, value)
    elif kind == 4:
        popped = stub.RPop(pb.Key(key=key))
        assert popped.found == bool(model) and popped.value == (model.pop() if model else b"")
    elif kind == 5 and model:
        assert stub.LSet(pb.ListItem(key=key, index=index, value=value)).ok
        model[index] = value
    elif kind == 6:
        inserted = stub.LInsert(pb.ListItem(key=key, pivot=value, value=b"new"))
        assert inserted.ok == (value in model)
        if inserted.ok:
            model.insert(model.index(value), b"new")
    elif kind == 7:
        removed = stub.LRem(pb.ListFind(key=key, value=value, count=1))
        assert removed.count == (value in model)
        if removed.count:
            model.remove(value)
    elif model:
        answer = stub.LIndex(pb.ListItem(key=key, index=index))
        assert answer.found and answer.value == model[index]


def test_bad_requests_change_nothing(stub, pair):
    key, other = pair
    version = fill(stub, key, ABCDE).version
    check_fails(BAD_ARGUMENT, stub.ListPop, pb.PopRequest(), "keys: it is empty")
    check_fails(BAD_ARGUMENT, stub.ListPop, pb.PopRequest(keys=[key], end=3), "end")
    check_fails(BAD_ARGUMENT, stub.LMove, pb.MoveRequest(source=key, target=other, target_end=7),
                "target_end")
    check_fails(BAD_ARGUMENT, stub.LMove, pb.MoveRequest(source=key), "the key is empty")
    check_fails(BAD_ARGUMENT, stub.LPos, pb.ListFind(key=key, count=-1), "count: it is negative")
    check_fails(BAD_ARGUMENT, stub.LIndex, pb.ListItem(key=key, value=b"v"), "for LIndex")
    check_fails(BAD_ARGUMENT, stub.LSet, pb.ListItem(key=key, pivot=b"v"), "for LSet")
    check_fails(BAD_ARGUMENT, stub.LInsert, pb.ListItem(key=key, index=1), "for LInsert")
    check_fails(BAD_ARGUMENT, stub.LRem, pb.ListFind(key=key, rank=1), "for LRem")
    check_fails(BAD_ARGUMENT, stub.RPush, pb.ListInsert(key=key), "values: it is empty")
    check_fails(BAD_ARGUMENT, stub.RPush, pb.ListInsert(key=key, values=[b"v"], ttl_ms=-1),
                "negative")
    assert elements(stub, key) == ABCDE and version_of(stub, key) == version
    assert not stub.Describe(pb.Key(key=other)).found
