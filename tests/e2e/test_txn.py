"""Transactions: what is compared, what is done, and that nothing is done by halves."""

import threading

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, open_channel, open_ready_channel
from errors import (BAD_ARGUMENT, NOT_A_NUMBER, OUT_OF_RANGE, TOO_LARGE, WRONG_TYPE,
                    check_fails)

ABSENT, PRESENT = pb.EXISTENCE_ABSENT, pb.EXISTENCE_PRESENT


def put(key, value=b"v", **fields):
    return pb.Op(set=pb.KeyValue(key=key, value=value, **fields))


def read(key, **fields):
    return pb.Op(get=pb.Key(key=key, **fields))


def push(key, *values):
    return pb.Op(r_push=pb.ListInsert(key=key, values=values))


def compare(key, db=0, **condition):
    return pb.TxnRequest.Compare(key=key, db=db, condition=pb.Condition(**condition))


def txn(stub, *success, compares=(), failure=()):
    return stub.Txn(pb.TxnRequest(compares=compares, success=success, failure=failure))


def value_of(stub, key):
    answer = stub.Get(pb.Key(key=key))
    return answer.value if answer.found else None


@pytest.fixture
def pair(keys):
    return next(keys), next(keys)


# What is done.

def test_an_empty_transaction(stub):
    assert stub.Txn(pb.TxnRequest()) == pb.TxnReply(succeeded=True)


def test_each_operation_sees_the_ones_before(stub, key):
    answer = txn(stub, put(key, b"1"), read(key), pb.Op(incr=pb.Increment(key=key, by=9)),
                 pb.Op(delete=pb.Key(key=key)), read(key))
    assert answer.succeeded and len(answer.replies) == 5
    stored, first, number, deleted, last = answer.replies
    assert stored.status.ok and first.value.value == b"1" and number.number.integer == 10
    assert deleted.status.count == 1
    assert last.WhichOneof("result") == "value" and not last.value.found
    assert value_of(stub, key) is None


def test_all_writes_have_one_version(stub, pair):
    one, two = pair
    answer = txn(stub, put(one), put(two), put(one, b"again"))
    versions = {reply.status.version for reply in answer.replies}
    versions |= {stub.Get(pb.Key(key=key)).version for key in pair}
    assert versions == {answer.version} and answer.version
    assert txn(stub, read(one)).version == 0


def test_ids_come_back(stub, key):
    ids = [7, 0, 2**64 - 1, 7]
    answer = txn(stub, *(pb.Op(id=each, get=pb.Key(key=key)) for each in ids))
    assert [reply.id for reply in answer.replies] == ids


# Every operation that Op has, in an order in which each does something, and the reply of each.
ALL = [
    ("set", pb.KeyValue(key=b"1", value=b"12"), "status"), ("get", pb.Key(key=b"1"), "value"),
    ("append", pb.KeyValue(key=b"1", value=b"3"), "status"),
    ("incr", pb.Increment(key=b"1", by=1), "number"),
    ("get_range", pb.ByteRange(key=b"1", start=1, stop=1), "value"),
    ("set_range", pb.ByteRange(key=b"1", start=1, value=b"0"), "status"),
    ("set_bit", pb.BitRequest(key=b"1", offset=7, bit=True), "status"),
    ("get_bit", pb.BitRequest(key=b"1", offset=7), "status"),
    ("bit_count", pb.BitRange(key=b"1"), "status"),
    ("bit_pos", pb.BitRange(key=b"1", bit=True), "status"),
    ("bit_field", pb.BitFieldRequest(key=b"1", parts=[pb.BitFieldRequest.Part(bits=8)]),
     "bit_fields"),
    ("bit_op", pb.BitOpRequest(key=b"5", keys=[b"1"], operation=pb.BitOpRequest.OPERATION_NOT),
     "status"),
    ("lcs", pb.LcsRequest(key=b"1", other_key=b"5"), "lcs"),
    ("get_ex", pb.ExpireRequest(key=b"1", ttl_ms=100000), "value"),
    ("expire", pb.ExpireRequest(key=b"1", persist=True), "status"),
    ("m_set", pb.KeyValues(entries=[pb.KeyValue(key=b"2", value=b"x")]), "status"),
    ("m_get", pb.Keys(keys=[b"1", b"2"]), "values"),
    ("exists", pb.Keys(keys=[b"1", b"2"]), "status"),
    ("touch", pb.Keys(keys=[b"1", b"2"]), "status"), ("describe", pb.Key(key=b"1"), "info"),
    ("copy", pb.CopyRequest(source=b"1", target=b"3"), "status"),
    ("rename", pb.CopyRequest(source=b"3", target=b"4"), "status"),
    ("get_del", pb.Key(key=b"4"), "value"), ("delete", pb.Key(key=b"2"), "status"),
    ("delete_many", pb.Keys(keys=[b"1", b"5"]), "status"),
    ("l_push", pb.ListInsert(key=b"l", values=[b"2", b"1"]), "status"),
    ("r_push", pb.ListInsert(key=b"l", values=[b"3", b"4", b"5"]), "status"),
    ("l_range", pb.ListRange(key=b"l", stop=-1), "list"),
    ("l_index", pb.ListItem(key=b"l", index=-1), "value"),
    ("l_set", pb.ListItem(key=b"l", index=0, value=b"0"), "status"),
    ("l_insert", pb.ListItem(key=b"l", pivot=b"0", value=b"0", after=True), "status"),
    ("l_pos", pb.ListFind(key=b"l", value=b"0"), "positions"),
    ("l_rem", pb.ListFind(key=b"l", value=b"0", count=1), "status"),
    ("l_move", pb.MoveRequest(source=b"l", target=b"m"), "value"),
    ("l_trim", pb.ListRange(key=b"l", start=0, stop=2), "status"),
    ("l_pop", pb.Key(key=b"l"), "value"), ("r_pop", pb.Key(key=b"l"), "value"),
    ("list_pop", pb.PopRequest(keys=[b"l"], count=9), "popped"),
]


def test_every_operation_and_its_reply(fresh_server):
    """What is answered is what the methods answer, one after the other, in another database."""
    assert {name for name, _, _ in ALL} == {
        field.name for field in pb.Op.DESCRIPTOR.fields if field.name != "id"}
    with open_channel(fresh_server().address) as channel:
        stub = Stub(channel)
        answer = txn(stub, *(pb.Op(**{name: in_db(request, 12)}) for name, request, _ in ALL))
        assert answer.succeeded
        assert [reply.WhichOneof("result") for reply in answer.replies] == [
            each[2] for each in ALL]
        for (name, request, result), reply in zip(ALL, answer.replies):
            method = getattr(stub, name.title().replace("_", ""))
            assert without_versions(method(in_db(request, 11))) == without_versions(
                getattr(reply, result)), name
        assert stub.RandomKey(pb.DbRequest(db=12)).key == b"m"


def in_db(request, db):
    copy = type(request)()
    copy.CopyFrom(request)
    copy.db = db
    return copy


def without_versions(message):
    """A copy without what differs from time to time."""
    copy = type(message)()
    copy.CopyFrom(message)
    parts = [copy] + [value for _, value in copy.ListFields() if hasattr(value, "ListFields")]
    parts += list(copy.values) if isinstance(copy, pb.Values) else []
    for part in parts:
        for name in ("version", "expire_at_ms", "memory_bytes"):
            if name in part.DESCRIPTOR.fields_by_name:
                part.ClearField(name)
    return copy


def test_misses_and_unmet_conditions_are_answers(stub, key):
    answer = txn(stub, read(key), put(key, condition=pb.Condition(existence=PRESENT)),
                 pb.Op(l_pop=pb.Key(key=key)))
    assert answer.succeeded and answer.version == 0
    assert [reply.WhichOneof("result") for reply in answer.replies] == ["value", "status", "value"]
    assert not answer.replies[0].value.found and not answer.replies[1].status.ok


# What is compared.

def test_compares(stub, pair):
    one, none = pair
    version = stub.Set(pb.KeyValue(key=one, value=b"1")).version
    cases = [
        ([], True), ([compare(one, existence=PRESENT)], True),
        ([compare(one, existence=ABSENT)], False), ([compare(none, existence=ABSENT)], True),
        ([compare(none, existence=PRESENT)], False), ([compare(one, version=version)], True),
        ([compare(one, version=version + 1)], False), ([compare(none, version=version)], False),
        ([compare(one, match_value=True, value=b"1")], True),
        ([compare(one, match_value=True, value=b"2")], False),
        ([compare(none, match_value=True)], False),
        ([compare(one, existence=PRESENT, version=version, match_value=True, value=b"1")], True),
        ([compare(one, version=version), compare(none, existence=ABSENT)], True),
        ([compare(one, version=version), compare(none, existence=PRESENT)], False),
        ([compare(none, existence=PRESENT), compare(one, version=version)], False),
        ([compare(one, db=4, existence=ABSENT)], True),
    ]
    for compares, holds in cases:
        answer = txn(stub, read(one), compares=compares, failure=[read(none), read(none)])
        assert answer.succeeded == holds, compares
        assert len(answer.replies) == (1 if holds else 2)


def test_a_value_is_not_that_of_a_list(stub, pair):
    some_list, other = pair
    stub.RPush(pb.ListInsert(key=some_list, values=[b"1"]))
    answer = txn(stub, put(other), compares=[compare(some_list, match_value=True, value=b"1")])
    assert not answer.succeeded and value_of(stub, other) is None


def test_only_one_branch_is_done(stub, pair):
    one, two = pair
    assert not txn(stub, put(one), compares=[compare(one, existence=PRESENT)],
                   failure=[put(two)]).succeeded
    assert (value_of(stub, one), value_of(stub, two)) == (None, b"v")


# All or nothing.

FAILING = [
    ({"incr": pb.Increment(key=b"text")}, NOT_A_NUMBER),
    ({"incr": pb.Increment(key=b"number", by=2**63 - 1)}, OUT_OF_RANGE),
    ({"get": pb.Key(key=b"list")}, WRONG_TYPE), ({"l_pop": pb.Key(key=b"text")}, WRONG_TYPE),
    ({"l_set": pb.ListItem(key=b"list", index=99)}, OUT_OF_RANGE),
]


@pytest.mark.parametrize("fields,expected", FAILING, ids=lambda value: str(value)[:20])
@pytest.mark.parametrize("branch", ["success", "failure"])
def test_an_error_takes_everything_back(stub, fields, expected, branch):
    """In a database of its own: everything that operations change, and then one that fails."""
    db, compares = 10, [compare(b"none", existence=PRESENT)] if branch == "failure" else []
    stub.MSet(pb.KeyValues(db=db, entries=[
        pb.KeyValue(key=b"text", value=b"text"), pb.KeyValue(key=b"number", value=b"5"),
        pb.KeyValue(key=b"gone", value=b"x" * 50000, expire_at_ms=4102444800000)]))
    stub.RPush(pb.ListInsert(key=b"list", values=[b"%d" % n for n in range(50)], db=db))
    before = snapshot(stub, db)
    ops = [
        pb.Op(set=pb.KeyValue(key=b"new", value=b"v", db=db)),
        pb.Op(append=pb.KeyValue(key=b"text", value=b"more", db=db)),
        pb.Op(set_range=pb.ByteRange(key=b"gone", start=7, value=b"y", db=db)),
        pb.Op(incr=pb.Increment(key=b"number", db=db)),
        pb.Op(delete=pb.Key(key=b"gone", db=db)),
        pb.Op(expire=pb.ExpireRequest(key=b"number", ttl_ms=100000, db=db)),
        pb.Op(l_trim=pb.ListRange(key=b"list", start=10, stop=20, db=db)),
        pb.Op(l_push=pb.ListInsert(key=b"list", values=[b"x"], db=db)),
        pb.Op(l_rem=pb.ListFind(key=b"list", value=b"12", db=db)),
        pb.Op(l_insert=pb.ListItem(key=b"list", pivot=b"13", value=b"y", db=db)),
        pb.Op(l_move=pb.MoveRequest(source=b"list", target=b"other", db=db)),
        pb.Op(rename=pb.CopyRequest(source=b"other", target=b"new", db=db)),
    ]
    failing = pb.Op(**fields)
    getattr(failing, failing.WhichOneof("op")).db = db
    request = pb.TxnRequest(compares=compares, **{branch: [*ops, failing, ops[0]]})
    check_fails(expected, stub.Txn, request)
    assert snapshot(stub, db) == before
    request = pb.TxnRequest(compares=compares, **{branch: ops})
    assert len(stub.Txn(request).replies) == len(ops)
    assert snapshot(stub, db) != before
    stub.DeleteMany(pb.Keys(keys=list(before), db=db))


def snapshot(stub, db):
    names = [b"text", b"number", b"gone", b"list", b"new", b"other"]
    seen = {}
    for name in names:
        info = stub.Describe(pb.Key(key=name, db=db))
        value = (list(stub.LRange(pb.ListRange(key=name, stop=-1, db=db)).values)
                 if info.type == pb.VALUE_TYPE_LIST else stub.Get(pb.Key(key=name, db=db)).value)
        seen[name] = (info.found, info.type, info.version, info.expire_at_ms, info.length, value)
    return seen


def test_the_answers_of_all_must_fit(fresh_server, key):
    with open_channel(fresh_server("--max-value", 1000).address) as channel:
        small = Stub(channel)
        small.Set(pb.KeyValue(key=key, value=b"v" * 1000))
        reads = [read(key)] * 5000
        check_fails(TOO_LARGE, small.Txn, pb.TxnRequest(
            success=[put(key + b"new"), *reads]))
        assert value_of(small, key + b"new") is None
        assert len(txn(small, *reads[:500]).replies) == 500


# Many at once.

def test_compare_and_set_loses_no_update(server, key):
    """Each adds to a number that it has read, if it is still the one that it has read."""
    def add():
        with open_channel(server.address) as channel:
            stub = Stub(channel)
            for _ in range(50):
                add_one(stub, key)

    with open_channel(server.address) as channel:
        Stub(channel).Set(pb.KeyValue(key=key, value=b"0"))
    run_threads([add] * 4)
    with open_channel(server.address) as channel:
        assert value_of(Stub(channel), key) == b"200"


def add_one(stub, key):
    while True:
        seen = stub.Get(pb.Key(key=key))
        answer = txn(stub, put(key, b"%d" % (int(seen.value) + 1)),
                     compares=[compare(key, version=seen.version)])
        if answer.succeeded:
            return


def test_transfers_keep_the_sum(server, keys):
    """What is in the accounts together is the same whenever somebody looks."""
    names = [next(keys) for _ in range(8)]
    done = threading.Event()

    def transfer(seed):
        with open_ready_channel(server.address) as channel:
            stub = Stub(channel)
            for number in range(100):
                source = names[(seed + number) % 8]
                target = names[(seed * 3 + number * 5 + 1) % 8]
                txn(stub, pb.Op(incr=pb.Increment(key=source, by=-number)),
                    pb.Op(incr=pb.Increment(key=target, by=number)))

    def look():
        with open_ready_channel(server.address) as channel:
            stub = Stub(channel)
            while not done.is_set():
                values = stub.MGet(pb.Keys(keys=names)).values
                assert sum(int(value.value or 0) for value in values) == 0

    def transfer_all():
        try:
            run_threads([lambda seed=seed: transfer(seed) for seed in range(3)])
        finally:
            done.set()

    run_threads([look, transfer_all])


def run_threads(functions):
    """Runs them side by side; an error of any of them is raised here."""
    errors = []

    def run(function):
        try:
            function()
        except BaseException as error:  # pylint: disable=broad-except
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


# Bad input.

def test_a_sentence_says_which_operation_is_wrong(stub, key):
    good = put(key)
    cases = [
        ({"success": [good, pb.Op()]}, "success[1]: it has no operation"),
        ({"success": [good, good, read(b"")]}, "success[2].get.key: the key is empty"),
        ({"failure": [pb.Op(get=pb.Key(key=key, db=16))]}, "failure[0].get.db: there is no database 16"),
        ({"success": [good], "failure": [pb.Op(m_get=pb.Keys())]}, "failure[0].m_get.keys: it is empty"),
        ({"success": [good, pb.Op(m_set=pb.KeyValues(entries=[pb.KeyValue()]))]},
         "success[1].m_set.entries[0].key: the key is empty"),
        ({"success": [good], "compares": [compare(key)]},
         "compares[0].condition: it compares nothing"),
        ({"success": [good], "compares": [compare(b"", existence=ABSENT)]},
         "compares[0].key: the key is empty"),
        ({"success": [good], "compares": [compare(key, existence=ABSENT, version=1)]},
         "compares[0].condition: it asks for an absent key"),
        ({"success": [good, put(key, ttl_ms=-1)]}, "success[1].set.ttl_ms"),
        ({"success": [good, pb.Op(copy=pb.CopyRequest(source=key, target=b"t", target_db=99))]},
         "success[1].copy.target_db: there is no database 99"),
    ]
    for fields, words in cases:
        check_fails(BAD_ARGUMENT, stub.Txn, pb.TxnRequest(**fields), words)
    assert value_of(stub, key) is None


def test_an_error_of_an_operation_says_which(stub, key):
    stub.Set(pb.KeyValue(key=key, value=b"text"))
    with pytest.raises(grpc.RpcError) as caught:
        txn(stub, read(key), pb.Op(incr=pb.Increment(key=key)))
    assert "].incr: " in caught.value.details() and "integer" in caught.value.details()


def test_too_many_operations(stub, key):
    """Far more than a request may hold, in few bytes."""
    check_fails(TOO_LARGE, stub.Txn, pb.TxnRequest(success=[read(key)] * 140000), "messages")
    assert len(txn(stub, *[read(key)] * 10000).replies) == 10000
