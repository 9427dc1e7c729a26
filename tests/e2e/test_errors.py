"""Every error: its status, its reason, its sentence; and that it disturbs no other call."""

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import ADMIN_PATH, PACKAGE_PATH, SHORT_PATH, Stub, open_channel, raw_method
from errors import BAD_ARGUMENT, BAD_MESSAGE, NOT_SERVED, TOO_LARGE, WRONG_TYPE
from h2conn import H2Conn, prefixed
from rpc_status import check_error, check_rpc_error, resolve
from server_process import Server

STRING, LIST = b"errors: a string", b"errors: a list"
LONG = b"k" * 65537
VERSION, MATCH = pb.Condition(version=1), pb.Condition(match_value=True, value=b"v")
PRESENT = pb.Condition(existence=pb.EXISTENCE_PRESENT)
ABSENT = pb.EXISTENCE_ABSENT
SET = pb.Op(set=pb.KeyValue(key=b"errors: k", value=b"v"))
# A request of each method that would be served, and would do something if it needs no key.
GOOD = {
    "Set": pb.KeyValue(key=b"errors: k", value=b"v"),
    "Get": pb.Key(key=b"errors: k"),
    "Delete": pb.Key(key=b"errors: k"),
    "LPush": pb.ListInsert(key=b"errors: l", values=[b"v"]),
    "LRange": pb.ListRange(key=b"errors: l", stop=-1),
    "LPop": pb.Key(key=b"errors: l"),
    "MGet": pb.Keys(keys=[b"errors: k"]),
    "MSet": pb.KeyValues(entries=[pb.KeyValue(key=b"errors: k", value=b"v")]),
    "Incr": pb.Increment(key=b"errors: k"),
    "Append": pb.KeyValue(key=b"errors: k", value=b"v"),
    "GetRange": pb.ByteRange(key=b"errors: k", stop=-1),
    "SetRange": pb.ByteRange(key=b"errors: k", value=b"v"),
    "SetBit": pb.BitRequest(key=b"errors: k", bit=True),
    "GetBit": pb.BitRequest(key=b"errors: k"),
    "BitCount": pb.BitRange(key=b"errors: k"),
    "BitPos": pb.BitRange(key=b"errors: k"),
    "BitOp": pb.BitOpRequest(operation=pb.BitOpRequest.OPERATION_OR, key=b"errors: k",
                             keys=[b"errors: k"]),
    "BitField": pb.BitFieldRequest(key=b"errors: k", parts=[pb.BitFieldRequest.Part(bits=3)]),
    "Lcs": pb.LcsRequest(key=b"errors: k", other_key=b"errors: k"),
    "GetDel": pb.Key(key=b"errors: k"),
    "GetEx": pb.ExpireRequest(key=b"errors: k", ttl_ms=100000),
    "Exists": pb.Keys(keys=[b"errors: k"]),
    "DeleteMany": pb.Keys(keys=[b"errors: k"]),
    "Touch": pb.Keys(keys=[b"errors: k"]),
    "Describe": pb.Key(key=b"errors: k"),
    "Expire": pb.ExpireRequest(key=b"errors: k", ttl_ms=100000),
    "Rename": pb.CopyRequest(source=b"errors: k", target=b"errors: l"),
    "Copy": pb.CopyRequest(source=b"errors: k", target=b"errors: l"),
    "RandomKey": pb.DbRequest(),
    "RPush": pb.ListInsert(key=b"errors: l", values=[b"v"]),
    "RPop": pb.Key(key=b"errors: l"),
    "ListPop": pb.PopRequest(keys=[b"errors: l"]),
    "LMove": pb.MoveRequest(source=b"errors: l", target=b"errors: k"),
    "LIndex": pb.ListItem(key=b"errors: l"),
    "LSet": pb.ListItem(key=b"errors: l", value=b"v"),
    "LInsert": pb.ListItem(key=b"errors: l", value=b"v"),
    "LRem": pb.ListFind(key=b"errors: l"),
    "LPos": pb.ListFind(key=b"errors: l"),
    "LTrim": pb.ListRange(key=b"errors: l", stop=-1),
    "Txn": pb.TxnRequest(success=[SET]),
    ADMIN_PATH + "FlushDb": pb.DbRequest(),
    ADMIN_PATH + "SwapDb": pb.SwapRequest(other_db=1),
    ADMIN_PATH + "Info": pb.InfoRequest(),
    ADMIN_PATH + "Latency": pb.LatencyRequest(),
    ADMIN_PATH + "SlowLog": pb.SlowLogRequest(),
}
STRINGS = ["Get", "Incr", "Append", "GetRange", "SetRange", "GetDel", "GetEx", "SetBit", "GetBit",
           "BitCount", "BitPos", "BitField", "Lcs"]
LISTS = ["LPush", "LRange", "LPop", "RPush", "RPop", "LIndex", "LSet", "LInsert", "LRem", "LPos",
         "LTrim"]
GARBAGE = {
    "cut-tag": b"\x80", "cut-length": b"\x0a\x80", "cut-field": b"\x0a\x05ab",
    "endless-varint": b"\x78" + b"\xff" * 11, "field-zero": b"\x02\x01a", "wire-type-7": b"\x0f",
    "text": b"GET / HTTP/1.1\r\n\r\n", "negative-length": b"\x0a" + b"\xff" * 9 + b"\x01",
}


def changed(method, **fields):
    request = type(GOOD[method])()
    request.CopyFrom(GOOD[method])
    for name in fields:
        request.ClearField(name)
    request.MergeFrom(type(request)(**fields))
    return request


def case(name, method, request, expected, field=None):
    """`field` is the path in BadRequest, if it is known here."""
    data = request if isinstance(request, bytes) else request.SerializeToString()
    path = method if method.startswith("/") else PACKAGE_PATH + method
    return pytest.param(path, data, expected, field, id=name)


def wrong_type_cases():
    for method in LISTS:
        yield case(f"{method}-of-a-string", method, changed(method, key=STRING), WRONG_TYPE)
    for method in STRINGS:
        yield case(f"{method}-of-a-list", method, changed(method, key=LIST), WRONG_TYPE)
    yield case("ListPop-of-a-string", "ListPop", changed("ListPop", keys=[STRING]), WRONG_TYPE)
    yield case("LMove-of-a-string", "LMove", changed("LMove", source=STRING), WRONG_TYPE)
    yield case("LMove-to-a-string", "LMove", changed("LMove", source=LIST, target=STRING),
               WRONG_TYPE)
    needs_string = {"previous": {"return_previous": True}, "match": {"condition": MATCH}}
    for name, fields in needs_string.items():
        yield case(f"Set-{name}-of-a-list", "Set", changed("Set", key=LIST, **fields), WRONG_TYPE)
    yield case("LPushX-of-a-string", "LPush",
               changed("LPush", key=STRING, condition=PRESENT), WRONG_TYPE)


def key_cases(method, field):
    """An empty and a too long key; behind a good one where there may be several."""
    good = [b"errors: k"] if field == "keys" else []
    for name, key, expected in (("empty", b"", BAD_ARGUMENT), ("long", LONG, TOO_LARGE)):
        yield case(f"{method}-{name}-{field}", method,
                   changed(method, **{field: good + [key] if good else key}), expected,
                   field="keys[1]" if good else field)


def argument_cases():
    for method, request in GOOD.items():
        fields = request.DESCRIPTOR.fields_by_name
        for field in ("key", "keys", "source", "target", "other_key"):
            if field in fields:
                yield from key_cases(method, field)
        for db in (16, 17, 2**31, 2**32 - 1):
            for field in ("db", "target_db", "other_db"):
                if field in fields:
                    yield case(f"{method}-{field}-{db}", method, changed(method, **{field: db}),
                               BAD_ARGUMENT, field=field)
    yield case("LPush-no-values", "LPush", changed("LPush", values=[]), BAD_ARGUMENT)
    yield case("LPush-match-value", "LPush", changed("LPush", condition=MATCH), BAD_ARGUMENT)
    yield case("LRange-page-bytes", "LRange", changed("LRange", page_bytes=1), BAD_ARGUMENT)
    for method in ("Get", "LPop", "RPop", "Describe", "Append"):
        yield case(f"{method}-condition", method, changed(method, condition=PRESENT), BAD_ARGUMENT)
    contradictions = {
        "absent-version": pb.Condition(existence=ABSENT, version=1),
        "absent-match": pb.Condition(existence=ABSENT, match_value=True, value=b"v"),
        "value-without-match": pb.Condition(value=b"v"),
        "unknown-existence": pb.Condition(existence=99),
    }
    for name, condition in contradictions.items():
        for method in ("Set", "Delete", "LPush"):
            yield case(f"{method}-{name}", method, changed(method, condition=condition),
                       BAD_ARGUMENT)


# Of the cases below, where it is not the field that was changed.
PATHS = {
    (ADMIN_PATH + "Latency", 0): "methods[1]", (ADMIN_PATH + "Latency", 1): "methods[0]",
    ("Set", 0): "keep_ttl", ("Set", 1): "keep_ttl", ("MSet", 1): "entries[0].db",
    ("MSet", 2): "entries[1].key", ("MSet", 3): "entries[0].return_previous",
    ("MSet", 4): "entries[0].ttl_ms", ("Expire", 1): "persist", ("Expire", 5): "when",
    ("Expire", 2): "when", ("Expire", 3): "when", ("GetEx", 0): "persist",
    ("Txn", 0): "success[0]", ("Txn", 1): "success[1].get.key",
    ("Txn", 2): "failure[0].expire.ttl_ms", ("Txn", 3): "compares[0].condition",
    ("Txn", 4): "compares[0].key", (ADMIN_PATH + "Info", 0): "sections[1]",
    (ADMIN_PATH + "Info", 1): "sections[0]",
}


def meaningless_cases():
    """Fields that contradict each other, or mean nothing for the method."""
    times = {"negative-ttl": {"ttl_ms": -1}, "negative-expire": {"expire_at_ms": -1},
             "both": {"ttl_ms": 1, "expire_at_ms": 1}, "endless": {"ttl_ms": 2**63 - 1}}
    for name, fields in times.items():
        for method in ("Set", "Expire", "GetEx"):
            yield case(f"{method}-{name}", method, changed(method, **fields), BAD_ARGUMENT)
    cases = {
        "Set": [{"keep_ttl": True, "ttl_ms": 1}, {"keep_ttl": True, "expire_at_ms": 2**41}],
        "LPush": [{"ttl_ms": -1}, {"ttl_ms": 2**63 - 1}],
        "Append": [{"ttl_ms": 1}, {"expire_at_ms": 1}, {"keep_ttl": True},
                   {"return_previous": True}],
        "MGet": [{"keys": []}],
        "MSet": [{"entries": []}, {"db": 3, "entries": [pb.KeyValue(key=b"errors: k", db=4)]},
                 {"entries": [pb.KeyValue(key=b"errors: k"), pb.KeyValue()]},
                 {"entries": [pb.KeyValue(key=b"errors: k", return_previous=True)]},
                 {"entries": [pb.KeyValue(key=b"errors: k", ttl_ms=-1)]}],
        "Incr": [{"by_float": float("inf")}, {"by_float": float("nan")}, {"ttl_ms": -1}],
        "GetRange": [{"value": b"v"}],
        "SetRange": [{"stop": 1}],
        "Expire": [{"ttl_ms": 0}, {"persist": True}, {"when": 5}, {"when": -1},
                   {"ttl_ms": 0, "persist": True, "when": 1}],
        "GetEx": [{"persist": True}, {"when": 1}, {"when": 5}],
        "Rename": [{"replace": True}],
        "Copy": [{"absent_only": True}, {"target": b"errors: k"}],
        "LTrim": [{"page_bytes": 1}],
        "LIndex": [{"value": b"v"}, {"pivot": b"p"}, {"after": True}],
        "LSet": [{"pivot": b"p"}, {"after": True}],
        "LInsert": [{"index": 1}],
        "LRem": [{"rank": 1}, {"max_scan": 1}, {"count": -2**63}],
        "LPos": [{"count": -1}, {"rank": -2**63}],
        "ListPop": [{"keys": []}, {"end": 3}, {"end": -1}],
        "LMove": [{"source_end": 3}, {"target_end": 3}],
        "Txn": [{"success": [pb.Op()]}, {"success": [SET, pb.Op(get=pb.Key())]},
                {"failure": [pb.Op(expire=pb.ExpireRequest(key=b"errors: k"))]},
                {"compares": [pb.TxnRequest.Compare(key=b"errors: k")]},
                {"compares": [pb.TxnRequest.Compare(condition=PRESENT)]}],
        ADMIN_PATH + "Info": [{"sections": ["server", "nothing"]}, {"sections": [""]}],
        ADMIN_PATH + "Latency": [{"methods": ["Get", "Got"]}, {"methods": [""]}],
    }
    for method, changes in cases.items():
        for number, fields in enumerate(changes):
            [field] = fields if len(fields) == 1 else [None]
            yield case(f"{method}-meaningless-{number}", method, changed(method, **fields),
                       BAD_ARGUMENT, field=PATHS.get((method, number), field))


def not_served_cases():
    good = GOOD["Get"]
    paths = ["/keystore.v1.KeyStore/Nothing", "/keystore.v1.KeyStoreAdmin/SlowLogs",
             "/KeyStoreAdmin/SlowLo", "/KeyStore/Info", "/keystore.v1.KeyStore/FlushDb",
             "/keystore.v1.KeyStoreAdmin/Get", "/keystore.v1.Other/Get", "/Get", "/",
             "/keystore.v1.KeyStore/", "/keystore.v1.KeyStore/get", "/keystore.v1.KeyStore/Get/",
             "//keystore.v1.KeyStore/Get", "/KeyStore/Get?", "/KeyStore/GetX", "/KeyStore/Ge",
             "/keystore.v1.keystore/Get", "/KeyStore/%47et", "/" + "x" * 3000]
    for path in paths:
        yield case(f"path-{path[:40]}", path, good, NOT_SERVED)


def garbage_cases():
    for method in GOOD:
        for name, data in GARBAGE.items():
            yield case(f"{method}-{name}", method, data, BAD_MESSAGE)
    good = GOOD["Set"].SerializeToString()
    yield case("Set-cut-short", "Set", good[:-1], BAD_MESSAGE)
    yield case("Set-garbage-after", "Set", good + b"\xff", BAD_MESSAGE)
    yield case("Set-garbage-in-condition", "Set", good + b"\x3a\x02\x10\x80", BAD_MESSAGE)


CASES = [*wrong_type_cases(), *argument_cases(), *meaningless_cases(), *not_served_cases(),
         *garbage_cases()]


@pytest.fixture(scope="module", autouse=True)
def data_of_both_types(stub):
    stub.Set(pb.KeyValue(key=STRING, value=b"v"))
    stub.LPush(pb.ListInsert(key=LIST, values=[b"1", b"2"]))
    yield
    # None of the errors has changed anything.
    assert stub.Get(pb.Key(key=STRING)).value == b"v"
    assert list(stub.LRange(pb.ListRange(key=LIST, stop=-1)).values) == [b"2", b"1"]
    assert not stub.Get(GOOD["Get"]).found
    assert not stub.LRange(GOOD["LRange"]).found


def grpc_error(call, *arguments, **options):
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **options)
    return caught.value


METHODS = {f"/{service.full_name}/{method.name}": method
           for service in pb.DESCRIPTOR.services_by_name.values() for method in service.methods}


@pytest.mark.parametrize("path,data,expected,field", CASES)
def test_error(stub, channel, path, data, expected, field):
    around = [stub.Get.future(pb.Key(key=STRING)) for _ in range(2)]
    details = check_rpc_error(grpc_error(raw_method(channel, path), data), *expected)
    if details.field is not None:
        resolve(METHODS[path].input_type, details.field)
    if field is not None:
        assert details.field == field
    if details.resource is not None:
        assert details.resource in {("string", STRING.decode()), ("list", LIST.decode())}
    assert [call.result().value for call in around] == [b"v"] * 2
    assert stub.Get(pb.Key(key=STRING)).value == b"v"


def test_errors_leave_the_connection_and_its_calls(server, counts):
    """All of the above on one connection, between the two halves of a call that then succeeds."""
    request = prefixed(pb.Key(key=STRING).SerializeToString())
    with H2Conn(server.address) as connection:
        half = connection.open(PACKAGE_PATH + "Get")
        connection.send(half, request[:7])
        streams = [(connection.start(each.values[0], each.values[1]), each) for each in CASES]
        for stream_id, each in streams:
            answer = connection.wait(stream_id)
            code, reason = each.values[2]
            check_error(code.value[0], reason, got_code=answer.grpc_status,
                        sentence=answer.sentence, trailers=answer.plain_trailers)
            assert answer.http_status == 200 and not answer.body
            assert answer.headers["content-type"].startswith("application/grpc")
        assert not connection.answers[half].blocks
        connection.send(half, request[7:], end=True)
        assert pb.Value.FromString(connection.wait(half).message()).value == b"v"
        assert not connection.goaways
    counts(f"{len(CASES)} errors on one connection")


@pytest.mark.parametrize("path", [PACKAGE_PATH, SHORT_PATH])
def test_errors_are_the_same_on_both_paths(channel, path):
    error = grpc_error(raw_method(channel, path + "Get"), b"")
    check_rpc_error(error, *BAD_ARGUMENT)
    assert "key" in error.details()


def test_a_sentence_says_what_would_be_right(stub):
    error = grpc_error(stub.Get, pb.Key(key=b"k", db=16))
    assert "15" in error.details()
    error = grpc_error(stub.Get, pb.Key(key=LONG))
    assert "65536" in error.details() or "64 KiB" in error.details()
    assert "list" in grpc_error(stub.Get, pb.Key(key=LIST)).details()
    assert "string" in grpc_error(stub.LPop, pb.Key(key=STRING)).details()


@pytest.mark.parametrize("messages", [0, 2, 3])
def test_not_exactly_one_message(stub, channel, messages):
    """Through a client that takes the method for a stream of requests."""
    method = channel.stream_unary(PACKAGE_PATH + "Set", request_serializer=None,
                                  response_deserializer=None)
    request = GOOD["Set"].SerializeToString()
    check_rpc_error(grpc_error(method, iter([request] * messages), timeout=60), *NOT_SERVED)
    assert stub.Get(pb.Key(key=STRING)).value == b"v"


def test_one_message_from_a_stream_is_served(channel, stub, key):
    """On the wire it is the same call, so a generic proxy may send it so."""
    method = channel.stream_stream(PACKAGE_PATH + "Set", request_serializer=None,
                                   response_deserializer=pb.Status.FromString)
    request = pb.KeyValue(key=key, value=b"v").SerializeToString()
    assert [answer.ok for answer in method(iter([request]), timeout=60)] == [True]
    assert stub.Get(pb.Key(key=key)).value == b"v"


def test_deflate_from_grpcio(stub, key):
    large = pb.KeyValue(key=key, value=b"v" * 100000)
    error = grpc_error(stub.Set, large, compression=grpc.Compression.Deflate)
    check_rpc_error(error, *NOT_SERVED)
    assert not stub.Get(pb.Key(key=key)).found


@pytest.fixture(scope="module")
def small_server():
    server = Server("--max-value", 1000)
    yield server
    server.stop()


@pytest.fixture
def small(small_server):
    with open_channel(small_server.address) as channel:
        yield Stub(channel)


def test_value_over_its_limit(small, key):
    assert small.Set(pb.KeyValue(key=key, value=b"v" * 1000)).ok
    error = grpc_error(small.Set, pb.KeyValue(key=key, value=b"v" * 1001))
    check_rpc_error(error, *TOO_LARGE)
    assert "1000" in error.details()
    check_rpc_error(grpc_error(small.LPush, pb.ListInsert(
        key=key + b":list", values=[b"1", b"v" * 1001])), *TOO_LARGE)
    assert not small.LRange(pb.ListRange(key=key + b":list")).found
    assert len(small.Get(pb.Key(key=key)).value) == 1000


def test_message_over_the_limit(small, small_server, key):
    large = pb.KeyValue(key=key, value=b"v" * 4000000)
    around = small.Get.future(pb.Key(key=key))
    check_rpc_error(grpc_error(small.Set, large), *TOO_LARGE)
    assert not around.result().found
    assert not small.Get(pb.Key(key=key)).found
    # The prefix is enough to refuse it: not one byte of the message is sent.
    with H2Conn(small_server.address) as connection:
        stream_id = connection.open(PACKAGE_PATH + "Set")
        connection.send(stream_id, prefixed(b"", length=2**32 - 1))
        answer = connection.wait(stream_id)
        check_error(TOO_LARGE[0].value[0], TOO_LARGE[1], got_code=answer.grpc_status,
                    sentence=answer.sentence, trailers=answer.plain_trailers)
        assert pb.Status.FromString(connection.call(
            PACKAGE_PATH + "Set", pb.KeyValue(key=key).SerializeToString()).message()).ok


@pytest.mark.parametrize("size,count", [(1000, 2000), (1, 1000000), (0, 1000000)])
def test_answer_over_the_limit(small, key, size, count):
    """Small elements count with what they cost on the wire: an answer, too, keeps to the limit
    of messages, which is far below what these lists need."""
    step = 20000 if size <= 1 else 50
    for _ in range(count // step):
        small.LPush(pb.ListInsert(key=key, values=[b"v" * size] * step))
    error = grpc_error(small.LRange, pb.ListRange(key=key, stop=-1))
    check_rpc_error(error, *TOO_LARGE)
    assert "StreamList" in error.details()
    assert list(small.LRange(pb.ListRange(key=key, stop=9)).values) == [b"v" * size] * 10
    assert small.LRange(pb.ListRange(key=key, start=-10, stop=-1)).length == count
    assert small.Delete(pb.Key(key=key)).ok
