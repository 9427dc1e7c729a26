"""What the six calls mean: Set, Get, Delete, LPush, LRange, LPop."""

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import PACKAGE_PATH, SHORT_PATH, raw_method

BINARY = [b"\x00", b"a\x00b", bytes(range(256)), b"\xff\xfe\xfd", "ключ 鍵".encode(), b"\r\n"]
ABSENT, PRESENT = pb.EXISTENCE_ABSENT, pb.EXISTENCE_PRESENT


def push(stub, key, *values, **fields):
    return stub.LPush(pb.ListInsert(key=key, values=values, **fields))


def elements(stub, key, start=0, stop=-1, **fields):
    return list(stub.LRange(pb.ListRange(key=key, start=start, stop=stop, **fields)).values)


# Strings.

def test_set_then_get(stub, key):
    stored = stub.Set(pb.KeyValue(key=key, value=b"123"))
    assert stored.ok and stored.count == 1 and stored.version
    assert not stored.HasField("previous")
    assert stub.Get(pb.Key(key=key)) == pb.Value(value=b"123", found=True, version=stored.version)


def test_get_of_no_key(stub, key):
    assert stub.Get(pb.Key(key=key)) == pb.Value()


def test_empty_value_is_a_value(stub, key):
    version = stub.Set(pb.KeyValue(key=key)).version
    assert stub.Get(pb.Key(key=key)) == pb.Value(found=True, version=version)
    assert push(stub, key + b":list", b"", b"").count == 2
    assert elements(stub, key + b":list") == [b"", b""]
    popped = stub.LPop(pb.Key(key=key + b":list"))
    assert popped.found and popped.value == b""


@pytest.mark.parametrize("data", BINARY, ids=range(len(BINARY)))
def test_binary_keys_and_values(stub, key, data):
    assert stub.Set(pb.KeyValue(key=key + data, value=data)).ok
    assert stub.Get(pb.Key(key=key + data)).value == data
    assert not stub.Get(pb.Key(key=key + data + b"\x00")).found
    assert push(stub, key + b"list" + data, data, data[::-1]).count == 2
    assert elements(stub, key + b"list" + data) == [data[::-1], data]
    assert stub.Delete(pb.Key(key=key + data)).ok


def test_every_byte_is_a_key(stub):
    """Keys of one byte in a database that no other test uses."""
    for byte in range(256):
        stub.Set(pb.KeyValue(key=bytes([byte]), value=b"%d" % byte, db=14))
    for byte in range(256):
        assert stub.Get(pb.Key(key=bytes([byte]), db=14)).value == b"%d" % byte


def test_longest_key(stub, key):
    longest = key.ljust(65536, b"k")
    assert stub.Set(pb.KeyValue(key=longest, value=b"v")).ok
    assert stub.Get(pb.Key(key=longest)).value == b"v"
    assert not stub.Get(pb.Key(key=longest[:-1])).found
    assert stub.Delete(pb.Key(key=longest)).count == 1


def test_set_over_a_string_and_over_a_list(stub, key):
    stub.Set(pb.KeyValue(key=key, value=b"a longer value than the next"))
    assert stub.Set(pb.KeyValue(key=key, value=b"short")).ok
    assert stub.Get(pb.Key(key=key)).value == b"short"
    push(stub, key + b":list", b"1", b"2")
    assert stub.Set(pb.KeyValue(key=key + b":list", value=b"now a string")).ok
    assert stub.Get(pb.Key(key=key + b":list")).value == b"now a string"


def test_return_previous(stub, key):
    first = stub.Set(pb.KeyValue(key=key, value=b"1", return_previous=True))
    assert first.ok and not first.previous.found
    second = stub.Set(pb.KeyValue(key=key, value=b"2", return_previous=True))
    assert second.ok and second.version != first.version
    assert second.previous == pb.Value(value=b"1", found=True, version=first.version)


# Delete.

def test_delete(stub, key):
    stub.Set(pb.KeyValue(key=key, value=b"v"))
    deleted = stub.Delete(pb.Key(key=key))
    assert deleted.ok and deleted.count == 1
    assert not stub.Get(pb.Key(key=key)).found
    assert stub.Delete(pb.Key(key=key)) == pb.Status()
    push(stub, key, b"1", b"2")
    assert stub.Delete(pb.Key(key=key)).count == 1
    assert stub.LRange(pb.ListRange(key=key, stop=-1)) == pb.ListValues()


# Lists.

def test_push_puts_the_last_value_first(stub, key):
    assert push(stub, key, b"1", b"2", b"3").count == 3
    pushed = push(stub, key, b"4")
    assert pushed.ok and pushed.count == 4
    answer = stub.LRange(pb.ListRange(key=key, start=0, stop=-1))
    assert answer == pb.ListValues(values=[b"4", b"3", b"2", b"1"], found=True, length=4,
                                   version=pushed.version)


def test_pop_takes_the_head_until_the_list_vanishes(stub, key):
    push(stub, key, b"1", b"2", b"3")
    for expected in (b"3", b"2", b"1"):
        popped = stub.LPop(pb.Key(key=key))
        assert popped.found and popped.value == expected
    assert stub.LPop(pb.Key(key=key)) == pb.Value()
    assert stub.LRange(pb.ListRange(key=key, stop=-1)) == pb.ListValues()
    assert not stub.Delete(pb.Key(key=key)).ok
    # No list is left, so the key is free for a string.
    stub.Set(pb.KeyValue(key=key, value=b"v"))
    assert stub.Get(pb.Key(key=key)).value == b"v"


RANGES = [(0, -1), (0, 0), (0, 2), (1, 3), (-3, -1), (-2, -3), (3, 1), (5, 9), (4, 100), (10, 20),
          (-100, 1), (-100, -100), (-100, 100), (0, -5), (0, -6), (-1, -1), (-5, 0), (-1, 0),
          (2**63 - 1, -2**63), (-2**63, 2**63 - 1), (-2**63, -2**63), (2**63 - 1, 2**63 - 1)]


@pytest.mark.parametrize("start,stop", RANGES)
def test_ranges_are_clipped_as_in_redis(stub, key, start, stop):
    values = [b"a", b"b", b"c", b"d", b"e"]
    push(stub, key, *reversed(values))
    first = max(start + 5 if start < 0 else start, 0)
    last = stop + 5 if stop < 0 else stop
    answer = stub.LRange(pb.ListRange(key=key, start=start, stop=stop))
    expected = values[first:max(last + 1, 0)]
    assert list(answer.values) == expected
    assert answer.found and answer.length == 5
    if expected:
        assert answer.offset == first


def test_random_list_work_against_a_model(stub, key, random_of_test):
    model = []
    for step in range(600):
        if random_of_test.random() < 0.6:
            values = [random_of_test.randbytes(random_of_test.choice([0, 1, 5, 40, 300]))
                      for _ in range(random_of_test.randint(1, 5))]
            model = values[::-1] + model
            assert push(stub, key, *values).count == len(model)
        else:
            popped = stub.LPop(pb.Key(key=key))
            assert (popped.found, popped.value) == ((True, model.pop(0)) if model else (False, b""))
        if step % 20 == 0:
            assert elements(stub, key) == model
    assert elements(stub, key) == model


def test_long_list(stub, key):
    for start in range(0, 20000, 1000):
        push(stub, key, *[b"%d" % number for number in range(start, start + 1000)])
    expected = [b"%d" % number for number in reversed(range(20000))]
    assert elements(stub, key) == expected
    assert elements(stub, key, 9990, 10010) == expected[9990:10011]
    assert elements(stub, key, -5, -1) == expected[-5:]


@pytest.mark.parametrize("cap,given,kept", [
    (3, [b"1", b"2", b"3", b"4", b"5"], [b"5", b"4", b"3"]),
    (1, [b"1", b"2"], [b"2"]),
    (5, [b"1", b"2"], [b"2", b"1"]),
    (2**64 - 1, [b"1", b"2"], [b"2", b"1"]),
])
def test_max_length_trims_the_far_end(stub, key, cap, given, kept):
    pushed = push(stub, key, *given, max_length=cap)
    assert pushed.ok and pushed.count == len(kept)
    assert elements(stub, key) == kept
    again = push(stub, key, b"new", max_length=cap)
    assert elements(stub, key) == ([b"new"] + kept)[:cap]
    assert again.count == min(len(kept) + 1, cap)


# Databases and paths.

def test_databases_are_apart(stub, key):
    for db in range(16):
        assert not stub.Get(pb.Key(key=key, db=db)).found
        stub.Set(pb.KeyValue(key=key, value=b"%d" % db, db=db))
        push(stub, key + b":list", b"%d" % db, db=db)
    assert stub.Delete(pb.Key(key=key, db=7)).ok
    assert stub.LPop(pb.Key(key=key + b":list", db=8)).value == b"8"
    for db in range(16):
        assert stub.Get(pb.Key(key=key, db=db)).value == (b"" if db == 7 else b"%d" % db)
        assert elements(stub, key + b":list", db=db) == ([] if db == 8 else [b"%d" % db])


@pytest.mark.parametrize("path", [PACKAGE_PATH, SHORT_PATH])
def test_both_paths_reach_the_same_data(stub, channel, key, path):
    def call(method, request, reply):
        return raw_method(channel, path + method, reply)(request.SerializeToString())

    stored = call("Set", pb.KeyValue(key=key, value=b"v"), pb.Status)
    assert stored.ok and stub.Get(pb.Key(key=key)).version == stored.version
    assert call("Get", pb.Key(key=key), pb.Value).value == b"v"
    assert call("Delete", pb.Key(key=key), pb.Status).count == 1
    assert call("LPush", pb.ListInsert(key=key, values=[b"1", b"2"]), pb.Status).count == 2
    ranged = call("LRange", pb.ListRange(key=key, stop=-1), pb.ListValues)
    assert list(ranged.values) == [b"2", b"1"]
    assert call("LPop", pb.Key(key=key), pb.Value).value == b"2"
    assert elements(stub, key) == [b"1"]


# Versions.

def test_the_version_changes_with_every_write(stub, key):
    versions = [stub.Set(pb.KeyValue(key=key, value=b"same")).version for _ in range(3)]
    stub.Delete(pb.Key(key=key))
    versions.append(push(stub, key, b"1", b"2").version)
    versions.append(push(stub, key, b"3").version)
    popped = stub.LPop(pb.Key(key=key))
    versions.append(popped.version)
    assert stub.LRange(pb.ListRange(key=key)).version == popped.version
    versions.append(stub.Set(pb.KeyValue(key=key, value=b"same")).version)
    assert 0 not in versions and len(set(versions)) == len(versions)


def test_reads_leave_the_version(stub, key):
    version = stub.Set(pb.KeyValue(key=key, value=b"v")).version
    assert [stub.Get(pb.Key(key=key)).version for _ in range(3)] == [version] * 3
    unmet = stub.Set(pb.KeyValue(key=key, condition=pb.Condition(existence=ABSENT)))
    assert unmet.version == version == stub.Get(pb.Key(key=key)).version


# Conditions. `v` stands for the current version, which a test fills in.

MET = [{"existence": PRESENT}, {"version": "v"}, {"match_value": True, "value": b"old"},
       {"existence": PRESENT, "version": "v", "match_value": True, "value": b"old"}, {}]
UNMET = [{"existence": ABSENT}, {"version": "other"}, {"match_value": True, "value": b"new"},
         {"match_value": True}, {"version": "v", "match_value": True, "value": b"ol"},
         {"version": "other", "match_value": True, "value": b"old"}]
UNMET_WITHOUT_KEY = [{"existence": PRESENT}, {"version": "other"}, {"match_value": True}]


def condition(parts, version=1):
    numbers = {"v": version, "other": version + 1000000}
    return pb.Condition(**{name: numbers[value] if name == "version" else value
                           for name, value in parts.items()})


@pytest.mark.parametrize("parts", MET, ids=str)
def test_condition_met(stub, key, parts):
    version = stub.Set(pb.KeyValue(key=key, value=b"old")).version
    stored = stub.Set(pb.KeyValue(key=key, value=b"new", condition=condition(parts, version)))
    assert stored.ok and stored.count == 1 and stored.version not in (0, version)
    assert stub.Get(pb.Key(key=key)).value == b"new"
    version = stub.Set(pb.KeyValue(key=key, value=b"old")).version
    deleted = stub.Delete(pb.Key(key=key, condition=condition(parts, version)))
    assert deleted.ok and deleted.count == 1
    assert not stub.Get(pb.Key(key=key)).found


@pytest.mark.parametrize("parts", UNMET, ids=str)
def test_condition_unmet(stub, key, parts):
    version = stub.Set(pb.KeyValue(key=key, value=b"old")).version
    old = pb.Value(value=b"old", found=True, version=version)
    expected = pb.Status(ok=False, count=0, version=version, previous=old)
    unmet = condition(parts, version)
    assert stub.Set(pb.KeyValue(key=key, value=b"new", condition=unmet)) == expected
    assert stub.Delete(pb.Key(key=key, condition=unmet)) == expected
    assert stub.Get(pb.Key(key=key)) == old


@pytest.mark.parametrize("parts", UNMET_WITHOUT_KEY, ids=str)
def test_condition_unmet_for_want_of_the_key(stub, key, parts):
    unmet = condition(parts)
    for answer in (stub.Set(pb.KeyValue(key=key, value=b"new", condition=unmet)),
                   stub.Delete(pb.Key(key=key, condition=unmet))):
        assert (answer.ok, answer.count, answer.version) == (False, 0, 0)
        assert not answer.previous.found
    assert not stub.Get(pb.Key(key=key)).found


def test_set_if_absent(stub, key):
    absent = condition({"existence": ABSENT})
    assert stub.Set(pb.KeyValue(key=key, value=b"1", condition=absent)).ok
    assert not stub.Set(pb.KeyValue(key=key, value=b"2", condition=absent)).ok
    assert stub.Get(pb.Key(key=key)).value == b"1"
    assert not stub.Delete(pb.Key(key=key, condition=absent)).ok


def test_an_old_version_does_not_come_back(stub, key):
    """Compare-and-set after the key was deleted and stored again with the same value."""
    version = stub.Set(pb.KeyValue(key=key, value=b"v")).version
    stub.Delete(pb.Key(key=key))
    stub.Set(pb.KeyValue(key=key, value=b"v"))
    assert not stub.Set(pb.KeyValue(key=key, condition=pb.Condition(version=version))).ok


def test_condition_on_a_list(stub, key):
    version = push(stub, key, b"1").version
    unmet = stub.Set(pb.KeyValue(key=key, condition=condition({"existence": ABSENT})))
    assert (unmet.ok, unmet.version, unmet.previous.found) == (False, version, False)
    assert not stub.Delete(pb.Key(key=key, condition=condition({"version": "other"}, version))).ok
    assert elements(stub, key) == [b"1"]
    assert stub.Delete(pb.Key(key=key, condition=condition({"version": "v"}, version))).ok
    assert elements(stub, key) == []


def test_push_on_condition(stub, key):
    present = condition({"existence": PRESENT})
    absent = condition({"existence": ABSENT})
    assert push(stub, key, b"1", condition=present) == pb.Status()
    assert not stub.LRange(pb.ListRange(key=key, stop=-1)).found
    assert push(stub, key, b"1", condition=absent).count == 1
    second = push(stub, key, b"2", condition=present)
    assert second.ok and second.count == 2
    unmet = push(stub, key, b"3", condition=absent)
    assert (unmet.ok, unmet.version) == (False, second.version)
    stale = push(stub, key, b"3", condition=condition({"version": "other"}, second.version))
    assert (stale.ok, stale.version) == (False, second.version)
    assert push(stub, key, b"3", condition=condition({"version": "v"}, second.version)).ok
    assert elements(stub, key) == [b"3", b"2", b"1"]


def test_unknown_fields_are_ignored(stub, channel, key):
    """A newer client's fields do not disturb: field 2000, a string, follows the known ones."""
    unknown = b"\x82\x7d\x03new"
    request = pb.KeyValue(key=key, value=b"v").SerializeToString() + unknown
    assert raw_method(channel, PACKAGE_PATH + "Set", pb.Status)(request).ok
    assert stub.Get(pb.Key(key=key)).value == b"v"


def test_metadata_of_an_answer(stub, key):
    _, call = stub.Get.with_call(pb.Key(key=key))
    assert call.code() == grpc.StatusCode.OK
    assert "keystore-reason" not in dict(call.trailing_metadata())
