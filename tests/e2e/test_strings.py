"""The operations on strings: MGet, MSet, Incr, Append, ranges, and every way to live for a time."""

import time

import pytest

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from errors import BAD_ARGUMENT, NOT_A_NUMBER, OUT_OF_RANGE, TOO_LARGE, WRONG_TYPE, check_fails
from server_process import Server
from times import HOUR_MS, TTL, in_the_past, wait_until

ABSENT, PRESENT = pb.EXISTENCE_ABSENT, pb.EXISTENCE_PRESENT


def put(stub, key, value=b"v", **fields):
    return stub.Set(pb.KeyValue(key=key, value=value, **fields))


def get(stub, key, **fields):
    return stub.Get(pb.Key(key=key, **fields))


def make_list(stub, key):
    stub.LPush(pb.ListInsert(key=key, values=[b"1"]))


# Time to live.

def test_a_value_lives_for_its_time(stub, key):
    with TTL(HOUR_MS) as ttl:
        stored = put(stub, key, ttl_ms=HOUR_MS)
    answer = get(stub, key)
    assert answer.value == b"v" and answer.version == stored.version
    ttl.check(answer.expire_at_ms)


def test_a_deadline_is_kept_to_the_millisecond(stub, key):
    assert put(stub, key, expire_at_ms=4102444800123).ok
    assert get(stub, key).expire_at_ms == 4102444800123


@pytest.mark.parametrize("ttl_ms", [1, 20, 100])
def test_a_value_is_gone_when_its_time_is_over(stub, key, ttl_ms):
    began = time.monotonic()
    assert put(stub, key, ttl_ms=ttl_ms).ok
    wait_until(lambda: not get(stub, key).found)
    assert (time.monotonic() - began) * 1000 >= ttl_ms - 1
    assert get(stub, key) == pb.Value()
    assert put(stub, key, condition=pb.Condition(existence=ABSENT)).ok


def test_a_deadline_that_has_passed_removes(stub, key):
    put(stub, key)
    assert put(stub, key, expire_at_ms=in_the_past()) == pb.Status(ok=True, count=1)
    assert get(stub, key) == pb.Value()


def test_set_ends_the_time_to_live_unless_it_is_kept(stub, key):
    put(stub, key, expire_at_ms=4102444800000)
    assert put(stub, key, b"w", keep_ttl=True).ok
    assert get(stub, key).expire_at_ms == 4102444800000 and get(stub, key).value == b"w"
    put(stub, key, b"x")
    assert get(stub, key).expire_at_ms == 0
    put(stub, key, keep_ttl=True)
    assert get(stub, key).expire_at_ms == 0


def test_previous_comes_with_its_deadline(stub, key):
    version = put(stub, key, b"1", expire_at_ms=4102444800000).version
    previous = put(stub, key, b"2", return_previous=True).previous
    assert previous == pb.Value(value=b"1", found=True, version=version,
                                expire_at_ms=4102444800000)


# Several keys.

def test_m_get_answers_in_order(stub, keys):
    one, two, none, some_list = (next(keys) for _ in range(4))
    versions = [put(stub, one, b"1").version, put(stub, two, b"", ttl_ms=HOUR_MS).version]
    make_list(stub, some_list)
    answer = stub.MGet(pb.Keys(keys=[two, none, one, some_list, one]))
    assert [value.value for value in answer.values] == [b"", b"", b"1", b"", b"1"]
    assert [value.found for value in answer.values] == [True, False, True, False, True]
    assert [value.version for value in answer.values] == [versions[1], 0, versions[0], 0,
                                                          versions[0]]
    assert answer.values[0].expire_at_ms and not answer.values[2].expire_at_ms


def test_m_set_then_m_get_of_many(stub, key, random_of_test):
    entries = {key + b"%d" % number: random_of_test.randbytes(random_of_test.randrange(50000))
               for number in range(300)}
    stored = stub.MSet(pb.KeyValues(db=7, entries=[
        pb.KeyValue(key=name, value=value) for name, value in entries.items()]))
    assert stored.ok and stored.count == 300
    answer = stub.MGet(pb.Keys(keys=list(entries), db=7))
    assert [value.value for value in answer.values] == list(entries.values())
    assert {value.version for value in answer.values} == {stored.version}
    assert not any(value.found for value in stub.MGet(pb.Keys(keys=list(entries), db=6)).values)


def test_m_set_of_one_key_twice(stub, key):
    assert stub.MSet(pb.KeyValues(entries=[pb.KeyValue(key=key, value=b"1"),
                                           pb.KeyValue(key=key, value=b"2")])).ok
    assert get(stub, key).value == b"2"


def test_m_set_has_the_fields_of_set(stub, keys):
    one, two, three = (next(keys) for _ in range(3))
    put(stub, two, b"old", expire_at_ms=4102444800000)
    put(stub, three, b"old", expire_at_ms=4102444800000)
    assert stub.MSet(pb.KeyValues(entries=[
        pb.KeyValue(key=one, value=b"1", expire_at_ms=4102444800001),
        pb.KeyValue(key=two, value=b"2", keep_ttl=True),
        pb.KeyValue(key=three, value=b"3")])).ok
    assert [value.expire_at_ms for value in stub.MGet(pb.Keys(keys=[one, two, three])).values] == [
        4102444800001, 4102444800000, 0]


def test_m_set_if_all_are_absent(stub, keys):
    one, two = next(keys), next(keys)
    absent = pb.Condition(existence=ABSENT)
    request = pb.KeyValues(entries=[pb.KeyValue(key=one, value=b"new", condition=absent),
                                    pb.KeyValue(key=two, value=b"new", condition=absent)])
    version = put(stub, two, b"old").version
    unmet = stub.MSet(request)
    assert (unmet.ok, unmet.count, unmet.version) == (False, 0, version)
    assert not get(stub, one).found and get(stub, two).value == b"old"
    stub.Delete(pb.Key(key=two))
    assert stub.MSet(request).count == 2
    assert get(stub, one).value == get(stub, two).value == b"new"


def test_m_get_over_the_limit(small, key):
    """Ten thousand times a value of 1,000 bytes is far more than a message of that server."""
    put(small, key, b"v" * 1000)
    check_fails(TOO_LARGE, small.MGet, pb.Keys(keys=[key] * 10000), "fewer keys")
    assert len(small.MGet(pb.Keys(keys=[key] * 100)).values) == 100


@pytest.fixture(scope="module")
def small_server():
    server = Server("--max-value", 1000)
    yield server
    server.stop()


@pytest.fixture
def small(small_server):
    with open_channel(small_server.address) as channel:
        yield Stub(channel)


# Numbers.

def test_incr(stub, key):
    first = stub.Incr(pb.Increment(key=key))
    assert (first.integer, first.real) == (1, 1.0) and first.version
    second = stub.Incr(pb.Increment(key=key, by=41))
    assert second.integer == 42 and second.version != first.version
    assert stub.Incr(pb.Increment(key=key, by=-43)).integer == -1
    unchanged = stub.Incr(pb.Increment(key=key, by=0))
    assert unchanged.integer == -1
    assert get(stub, key).value == b"-1" and get(stub, key).version == unchanged.version


@pytest.mark.parametrize("start,by,end", [
    (b"9223372036854775806", 1, 2**63 - 1), (b"-9223372036854775807", -1, -2**63),
    (b"0", 2**63 - 1, 2**63 - 1), (b"0", -2**63, -2**63), (b"-9223372036854775808", 2**63 - 1, -1),
    (b"9223372036854775807", 1, None), (b"-9223372036854775808", -1, None),
    (b"1", 2**63 - 1, None), (b"-1", -2**63, None)])
def test_incr_at_the_limits(stub, key, start, by, end):
    put(stub, key, start)
    if end is None:
        check_fails(OUT_OF_RANGE, stub.Incr, pb.Increment(key=key, by=by), "overflow")
        assert get(stub, key).value == start
    else:
        assert stub.Incr(pb.Increment(key=key, by=by)).integer == end
        assert get(stub, key).value == b"%d" % end


@pytest.mark.parametrize("text", [b"", b" 1", b"1 ", b"+1", b"01", b"-0", b"1.0", b"1e3", b"0x1",
                                  b"one", b"9223372036854775808", b"1\x00"], ids=repr)
def test_incr_of_what_is_no_integer(stub, key, text):
    version = put(stub, key, text).version
    check_fails(NOT_A_NUMBER, stub.Incr, pb.Increment(key=key))
    answer = get(stub, key)
    assert (answer.value, answer.version) == (text, version)


@pytest.mark.parametrize("start,by,text", [
    (None, 0.1, b"0.1"), (b"10.50", 0.1, b"10.6"), (b"5.0e3", 200.0, b"5200"), (b"3.0", 0.0, b"3"),
    (b"10.6", -5.0, b"5.6"), (b"1", 1e17, b"100000000000000001"), (b"-1", 1.0, b"0"),
    (b"1e3", 0.5, b"1000.5")])
def test_incr_by_real_numbers(stub, key, start, by, text):
    if start is not None:
        put(stub, key, start)
    answer = stub.Incr(pb.Increment(key=key, by_float=by))
    assert get(stub, key).value == text
    assert answer.real == float(text) and answer.integer == int(float(text) if b"." in text
                                                                else int(text))


@pytest.mark.parametrize("start,by,text", [
    (b"9223372036854775808", {"by_float": -2.0**63}, "0"),
    (None, {"by_float": 2.0**56}, "72057594037927936"),
    (b"9223372036854775808", {"by_decimal": "-9223372036854775808"}, "0"),
    (None, {"by_decimal": "9007199254740993"}, "9007199254740993"),
    (b"12345678901234567.5", {"by_decimal": "1"}, "12345678901234568.5"),
    (b"0.1", {"by_decimal": "0x1p3"}, "8.1"), (b"1", {"by_decimal": "+.5"}, "1.5"),
    (b"41", {"by": 1}, "42")])
def test_sums_as_text_are_exact(stub, key, start, by, text):
    if start is not None:
        put(stub, key, start)
    answer = stub.Incr(pb.Increment(key=key, **by))
    assert answer.decimal == text and answer.real == float(text)
    assert get(stub, key).value == text.encode()


def test_a_sum_beyond_every_double(stub, key):
    put(stub, key, b"1e4932")
    answer = stub.Incr(pb.Increment(key=key, by_decimal="1"))
    assert answer.real == float("inf") and answer.integer == 0
    assert len(answer.decimal) == 4933 and get(stub, key).value == answer.decimal.encode()
    check_fails(OUT_OF_RANGE, stub.Incr, pb.Increment(key=key, by_decimal="1.1e4932"), "finite")


@pytest.mark.parametrize("text", ["", " 1", "1 ", "1,5", "inf", "-Infinity", "nan", "1e5000",
                                  "1e-5000", "x", "1" * 5120])
def test_incr_by_what_is_no_decimal(stub, key, text):
    check_fails(BAD_ARGUMENT, stub.Incr, pb.Increment(key=key, by_decimal=text), "by_decimal")
    assert not get(stub, key).found


def test_incr_of_what_is_no_real_number(stub, key):
    put(stub, key, b"1,5")
    check_fails(NOT_A_NUMBER, stub.Incr, pb.Increment(key=key, by_float=1.0))
    put(stub, key, b"1.5")
    check_fails(NOT_A_NUMBER, stub.Incr, pb.Increment(key=key))


def test_incr_gives_a_time_to_live_to_a_new_key_only(stub, keys):
    new, old = next(keys), next(keys)
    with TTL(HOUR_MS) as ttl:
        stub.Incr(pb.Increment(key=new, ttl_ms=HOUR_MS))
    ttl.check(get(stub, new).expire_at_ms)
    stub.Incr(pb.Increment(key=new, ttl_ms=10 * HOUR_MS))
    ttl.check(get(stub, new).expire_at_ms)
    put(stub, old, b"1")
    stub.Incr(pb.Increment(key=old, ttl_ms=HOUR_MS))
    assert get(stub, old).expire_at_ms == 0


def test_many_increments_at_once(stub, key):
    calls = [stub.Incr.future(pb.Increment(key=key)) for _ in range(500)]
    assert sorted(call.result().integer for call in calls) == list(range(1, 501))


# Parts.

def test_append(stub, key):
    first = stub.Append(pb.KeyValue(key=key, value=b"Hello"))
    assert first.ok and first.count == 5
    stub.Expire(pb.ExpireRequest(key=key, expire_at_ms=4102444800000))
    second = stub.Append(pb.KeyValue(key=key, value=b" World\x00"))
    assert second.count == 12 and second.version != first.version
    answer = get(stub, key)
    assert (answer.value, answer.version) == (b"Hello World\x00", second.version)
    assert answer.expire_at_ms == 4102444800000


def test_append_piece_by_piece(stub, key, random_of_test):
    whole = b""
    for _ in range(50):
        piece = random_of_test.randbytes(random_of_test.randrange(5000))
        whole += piece
        assert stub.Append(pb.KeyValue(key=key, value=piece)).count == len(whole)
    assert get(stub, key).value == whole


def test_append_of_nothing(stub, key):
    assert stub.Append(pb.KeyValue(key=key)).count == 0
    assert get(stub, key).found


def test_strings_do_not_outgrow_the_limit(small, key):
    put(small, key, b"v" * 600)
    check_fails(TOO_LARGE, small.Append, pb.KeyValue(key=key, value=b"v" * 401))
    check_fails(TOO_LARGE, small.SetRange, pb.ByteRange(key=key, start=600, value=b"v" * 401))
    check_fails(TOO_LARGE, small.SetRange, pb.ByteRange(key=key, start=2**63 - 1, value=b"v"))
    assert get(small, key).value == b"v" * 600
    assert small.Append(pb.KeyValue(key=key, value=b"v" * 400)).count == 1000


@pytest.mark.parametrize("start,stop,part", [
    (0, 3, b"This"), (-3, -1, b"ing"), (0, -1, b"This is a string"), (10, 100, b"string"),
    (0, 0, b"T"), (5, 2, b""), (-1, -3, b""), (16, 20, b""), (-100, 1, b"Th"),
    (-100, -100, b"T"), (2**63 - 1, -2**63, b""), (-2**63, 2**63 - 1, b"This is a string")])
def test_get_range(stub, key, start, stop, part):
    version = put(stub, key, b"This is a string").version
    answer = stub.GetRange(pb.ByteRange(key=key, start=start, stop=stop))
    assert answer == pb.Value(value=part, found=True, version=version)


def test_get_range_of_a_long_string(stub, key, random_of_test):
    value = random_of_test.randbytes(1000000)
    put(stub, key, value)
    for _ in range(20):
        start, stop = sorted(random_of_test.randrange(1000000) for _ in range(2))
        answer = stub.GetRange(pb.ByteRange(key=key, start=start, stop=stop))
        assert answer.value == value[start:stop + 1]


def test_get_range_of_no_key(stub, key):
    assert stub.GetRange(pb.ByteRange(key=key, stop=-1)) == pb.Value()


def test_set_range(stub, key):
    put(stub, key, b"Hello World", expire_at_ms=4102444800000)
    changed = stub.SetRange(pb.ByteRange(key=key, start=6, value=b"Redis"))
    assert changed.ok and changed.count == 11
    answer = get(stub, key)
    assert (answer.value, answer.version) == (b"Hello Redis", changed.version)
    assert answer.expire_at_ms == 4102444800000
    assert stub.SetRange(pb.ByteRange(key=key, start=14, value=b"!")).count == 15
    assert get(stub, key).value == b"Hello Redis\x00\x00\x00!"


def test_set_range_of_no_key(stub, keys):
    key, other = next(keys), next(keys)
    assert stub.SetRange(pb.ByteRange(key=key, start=3, value=b"v")).count == 4
    assert get(stub, key).value == b"\x00\x00\x00v"
    assert stub.SetRange(pb.ByteRange(key=other, start=3)) == pb.Status()
    assert not get(stub, other).found
    check_fails(OUT_OF_RANGE, stub.SetRange, pb.ByteRange(key=other, start=-1, value=b"v"))


# GetDel and GetEx.

def test_get_del(stub, key):
    put(stub, key, b"value", ttl_ms=HOUR_MS)
    assert stub.GetDel(pb.Key(key=key)) == pb.Value(value=b"value", found=True)
    assert stub.GetDel(pb.Key(key=key)) == pb.Value()
    make_list(stub, key)
    check_fails(WRONG_TYPE, stub.GetDel, pb.Key(key=key))


def test_get_del_on_condition(stub, key):
    version = put(stub, key, b"value").version
    unmet = stub.GetDel(pb.Key(key=key, condition=pb.Condition(version=version + 1)))
    assert unmet == pb.Value(version=version)
    met = stub.GetDel(pb.Key(key=key, condition=pb.Condition(version=version)))
    assert met.value == b"value" and not get(stub, key).found


def test_get_ex(stub, key):
    version = put(stub, key, b"value").version
    unchanged = stub.GetEx(pb.ExpireRequest(key=key))
    assert unchanged == pb.Value(value=b"value", found=True, version=version)
    with TTL(HOUR_MS) as ttl:
        answer = stub.GetEx(pb.ExpireRequest(key=key, ttl_ms=HOUR_MS))
    ttl.check(answer.expire_at_ms)
    assert answer.value == b"value" and get(stub, key) == answer
    assert stub.GetEx(pb.ExpireRequest(key=key)) == answer
    persisted = stub.GetEx(pb.ExpireRequest(key=key, persist=True))
    assert persisted.expire_at_ms == 0 and get(stub, key) == persisted
    last = stub.GetEx(pb.ExpireRequest(key=key, expire_at_ms=in_the_past()))
    assert last == pb.Value(value=b"value", found=True) and not get(stub, key).found
    assert stub.GetEx(pb.ExpireRequest(key=key, ttl_ms=1)) == pb.Value()


def test_bad_requests_change_nothing(stub, keys):
    key, other = next(keys), next(keys)
    version = put(stub, key, b"1").version
    check_fails(BAD_ARGUMENT, stub.Set, pb.KeyValue(key=key, ttl_ms=-1), "negative")
    check_fails(BAD_ARGUMENT, stub.Set, pb.KeyValue(key=key, ttl_ms=1, keep_ttl=True), "keep_ttl")
    check_fails(BAD_ARGUMENT, stub.Append, pb.KeyValue(key=key, value=b"v", ttl_ms=1),
                "ttl_ms: it means nothing for Append")
    check_fails(BAD_ARGUMENT, stub.MSet, pb.KeyValues(entries=[
        pb.KeyValue(key=key, value=b"2"), pb.KeyValue(key=other, db=3)]), "entries[1]")
    check_fails(BAD_ARGUMENT, stub.MSet, pb.KeyValues(entries=[
        pb.KeyValue(key=key, value=b"2"), pb.KeyValue(value=b"v")]), "entries[1].key: the key is empty")
    check_fails(BAD_ARGUMENT, stub.Incr, pb.Increment(key=key, by_float=float("nan")), "finite")
    assert get(stub, key) == pb.Value(value=b"1", found=True, version=version)
    assert not get(stub, other).found
