"""The details of errors, and that a client with retries does what they say."""

import json
import subprocess
import time
from urllib.parse import unquote_to_bytes

import grpc
import pytest

import mini_redis_pb2 as pb
import mini_redis_pb2_grpc as rpc
from clients import Stub, admin_stub, open_channel
from errors import BAD_ARGUMENT, LOADING, OUT_OF_MEMORY, TOO_LARGE, WRONG_TYPE
from keystore_env import SANITIZE
from loading import loading_directory, starting
from rpc_status import DETAILS, check_rpc_error, resolve
from server_process import Server

NOT_DURABLE = (grpc.StatusCode.UNAVAILABLE, "ERROR_REASON_NOT_DURABLE")
HISTORY_LOST = (grpc.StatusCode.OUT_OF_RANGE, "ERROR_REASON_HISTORY_LOST")
SERVICE = pb.DESCRIPTOR.services_by_name["KeyStore"]
ATTEMPTS = 3
# Its own waits are far shorter than what the server asks for.
RETRY = {"methodConfig": [{"name": [{}], "retryPolicy": {
    "maxAttempts": ATTEMPTS, "initialBackoff": "0.001s", "maxBackoff": "0.001s",
    "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]}
# With LD_PRELOAD: no sync succeeds while there is the file that FAIL_SYNC names.
FAILING_SYNC = r"""
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
static int attempt(const char *name, int file)
{
    if (access(getenv("FAIL_SYNC"), F_OK) == 0)
        return errno = EIO, -1;
    return ((int (*)(int))(intptr_t)dlsym(RTLD_NEXT, name))(file);
}
int fdatasync(int file) { return attempt("fdatasync", file); }
int fsync(int file) { return attempt("fsync", file); }
"""


def retrying_channel(address):
    return grpc.insecure_channel(address, options=[
        ("grpc.enable_retries", 1), ("grpc.service_config", json.dumps(RETRY)),
        ("grpc.use_local_subchannel_pool", 1)])


def details_of(expected, call, request, **options):
    with pytest.raises(grpc.RpcError) as caught:
        call(request, **options)
    return check_rpc_error(caught.value, *expected)


def errors_counted(channel, reason):
    fields = admin_stub(channel).Info(pb.InfoRequest(sections=["errorstats"])).fields
    return int(fields.get(f"errorstat_{reason}", 0))


def test_the_details_of_every_reason_are_decided():
    """A new reason needs a row in rpc_status.DETAILS, with which every error of the tests is
    compared, one in tests/unit/service/test_status.c and one in the README."""
    reasons = {name.removeprefix("ERROR_REASON_") for name in pb.ErrorReason.keys()}
    assert set(DETAILS) == reasons - {"UNSPECIFIED"}


# ---- what they say ----

@pytest.mark.parametrize("key_bytes, name", [
    (b"user:1", "user:1"), ("schl\u00fcssel \U0001f600".encode(), "schl\u00fcssel \U0001f600"),
    (b"100%\n\x00", "100%25%0A%00"), (b"\xff\xfe", "%FF%FE"), (bytes(range(256)), None),
    (b"k" * 256, "k" * 256), (b"k" * 257, ""), (b"\x80" * 256, "%80" * 256)])
def test_the_key_of_a_wrong_type(stub, key_bytes, name):
    stub.Set(pb.KeyValue(key=key_bytes, value=b"v", db=7))
    details = details_of(WRONG_TYPE, stub.LPop, pb.Key(key=key_bytes, db=7))
    kind, shown = details.resource
    assert kind == "string"
    if shown or name is None:
        assert unquote_to_bytes(shown) == key_bytes
    assert name is None or shown == name


def test_the_key_of_several(stub, key):
    """The one that holds the wrong type, not the first."""
    string, items = key + b":string", key + b":list"
    stub.Set(pb.KeyValue(key=string, value=b"v"))
    stub.LPush(pb.ListInsert(key=items, values=[b"v"]))
    for call, request, resource in [
            (stub.LMove, pb.MoveRequest(source=items, target=string), ("string", string)),
            (stub.Lcs, pb.LcsRequest(key=string, other_key=items), ("list", items)),
            (stub.ListPop, pb.PopRequest(keys=[key, string, items]), ("string", string)),
            (stub.BitOp, pb.BitOpRequest(operation=pb.BitOpRequest.OPERATION_AND, key=key,
                                         keys=[string, items]), ("list", items))]:
        kind, name = details_of(WRONG_TYPE, call, request).resource
        assert (kind, name.encode()) == resource


def test_the_key_of_a_long_request(stub, key):
    """It is carried out, and fails, on another thread."""
    stub.Set(pb.KeyValue(key=key, value=b"v"))
    details = details_of(WRONG_TYPE, stub.LPush, pb.ListInsert(key=key, values=[b"v"] * 50000))
    assert details.resource == ("string", key.decode())


def test_what_failed_in_a_transaction(stub, key):
    stub.Set(pb.KeyValue(key=key, value=b"v"))
    get = pb.Op(get=pb.Key(key=key))
    push = pb.Op(l_push=pb.ListInsert(key=key, values=[b"v"]))
    copy = pb.Op(copy=pb.CopyRequest(source=key, target=key))
    unmet = pb.TxnRequest.Compare(key=key, condition=pb.Condition(existence=pb.EXISTENCE_ABSENT))
    for branch, compares in (("success", []), ("failure", [unmet])):
        def txn(*ops):
            return pb.TxnRequest(compares=compares, **{branch: ops})
        details = details_of(WRONG_TYPE, stub.Txn, txn(get, push))
        assert details.field == f"{branch}[1].l_push"
        assert details.resource == ("string", key.decode())
        details = details_of(BAD_ARGUMENT, stub.Txn, txn(get, get, copy))
        assert details.field == f"{branch}[2].copy.target"


def test_errors_of_a_pipeline_begin_with_the_path(channel, key):
    """An OpError has no details; its message is that of the call, within the operation."""
    ops = [pb.Op(id=1, get=pb.Key()), pb.Op(id=2, set=pb.KeyValue(key=key, ttl_ms=-1)),
           pb.Op(id=3, m_get=pb.Keys(keys=[key, b""])),
           pb.Op(id=4, copy=pb.CopyRequest(source=key, target=key))]
    replies = [reply for batch in rpc.KeyStoreStub(channel).Pipeline(
        iter([pb.OpBatch(ops=ops)]), timeout=60) for reply in batch.replies]
    assert [reply.error.reason for reply in replies] == [pb.ERROR_REASON_BAD_ARGUMENT] * 4
    paths = [reply.error.message.partition(": ")[0] for reply in replies]
    assert paths == ["key", "ttl_ms", "keys[1]", "target"]


def test_which_limit_was_hit(fresh_server, key):
    server = fresh_server("--max-value", 1000, "--max-memory", "8MiB")
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        details = details_of(TOO_LARGE, stub.Set, pb.KeyValue(key=key, value=bytes(1001)))
        assert (details.subject, details.field) == ("max-value", "value")
        details = details_of(TOO_LARGE, stub.Get, pb.Key(key=bytes(65537)))
        assert (details.subject, details.field) == ("key", "key")
        stub.Set(pb.KeyValue(key=key, value=bytes(1000)))
        details = details_of(TOO_LARGE, stub.GetDel, pb.Key(key=key),
                             metadata=[("keystore-max-reply-bytes", "100")])
        assert details.subject == "keystore-max-reply-bytes"
        with pytest.raises(grpc.RpcError) as caught:
            for number in range(10_000):
                stub.Set(pb.KeyValue(key=b"%d" % number, value=bytes(1000)))
        details = check_rpc_error(caught.value, *OUT_OF_MEMORY)
        assert (details.subject, details.retry_ms) == ("max-memory", None)


SELECTOR, START = pb.WatchRequest.Selector, pb.ConsumeRequest.Start
JOBS = START(keys=[b"jobs"])
STREAM_REQUESTS = [
    ("Watch", pb.WatchRequest(), "selectors"),
    ("Watch", pb.WatchRequest(selectors=[SELECTOR(prefix=b""), SELECTOR()]), "selectors[1]"),
    ("Watch", pb.WatchRequest(selectors=[SELECTOR(key=b"")]), "selectors[0].key"),
    ("Watch", pb.WatchRequest(selectors=[SELECTOR(prefix=b"", db=99)]), "selectors[0].db"),
    ("Watch", pb.WatchRequest(selectors=[SELECTOR(prefix=b"")], types=[9]), "types"),
    ("Watch", pb.WatchRequest(selectors=[SELECTOR(prefix=b"")], initial=True, start_version=1),
     "start_version"),
    ("Watch", pb.WatchRequest(selectors=[SELECTOR(prefix=b"")], initial=True, types=[2]), "types"),
    ("Subscribe", pb.SubscribeRequest(), "channels"),
    ("Subscribe", pb.SubscribeRequest(channels=[b"a", b""]), "channels[1]"),
    ("Subscribe", pb.SubscribeRequest(patterns=[b""]), "patterns[0]"),
    ("Scan", pb.ScanRequest(type=9), "type"),
    ("Scan", pb.ScanRequest(cursor=b"x"), "cursor"),
    ("Scan", pb.ScanRequest(cursor=b"x" * 1000), "cursor"),
    ("Scan", pb.ScanRequest(db=99), "db"),
    ("Scan", pb.ScanRequest(page_bytes=2**31), "page_bytes"),
    ("StreamList", pb.ListRange(), "key"),
    ("StreamList", pb.ListRange(key=b"l", page_bytes=2**31), "page_bytes"),
    ("Consume", [], "start"),
    ("Consume", [pb.ConsumeRequest()], "start"),
    ("Consume", [pb.ConsumeRequest(start=START())], "start.keys"),
    ("Consume", [pb.ConsumeRequest(start=START(keys=[b"a", b""]))], "start.keys[1]"),
    ("Consume", [pb.ConsumeRequest(start=START(keys=[b"a"], db=99))], "start.db"),
    ("Consume", [pb.ConsumeRequest(start=START(keys=[b"a"], pending=b"a"))], "start.pending"),
    ("Consume", [pb.ConsumeRequest(start=START(keys=[b"a"], lease_ms=-1))], "start.lease_ms"),
    ("Consume", [pb.ConsumeRequest(start=START(keys=[b"a"], end=3))], "start.end"),
    ("Consume", [pb.ConsumeRequest(start=START(keys=[b"a"], max_in_flight=10001))],
     "start.max_in_flight"),
    ("Consume", [pb.ConsumeRequest(start=START(keys=[b"a"], auto_ack=True, lease_ms=1))],
     "start.auto_ack"),
    ("Consume", [pb.ConsumeRequest(start=JOBS), pb.ConsumeRequest(start=JOBS)], "start"),
    ("Consume", [pb.ConsumeRequest(start=JOBS), pb.ConsumeRequest(done=[1])], "done"),
    ("Consume", [pb.ConsumeRequest(start=JOBS), pb.ConsumeRequest(give_back=[0])], "give_back"),
]


@pytest.mark.parametrize("method, request_, field", STREAM_REQUESTS)
def test_the_field_of_a_stream(channel, method, request_, field):
    sent = iter(request_) if isinstance(request_, list) else request_
    call = getattr(rpc.KeyStoreStub(channel), method)(sent, timeout=60)
    details = details_of(BAD_ARGUMENT, list, call)
    resolve(SERVICE.methods_by_name[method].input_type, details.field)
    assert details.field == field


def test_the_key_of_a_stream(channel, stub, key):
    """Also of an operation that the stream carries out by itself, whose path is not told."""
    string = key + b":string"
    stub.Set(pb.KeyValue(key=string, value=b"v"))
    stub.LPush(pb.ListInsert(key=key, values=[b"v"]))
    streams = rpc.KeyStoreStub(channel)
    for call in (streams.StreamList(pb.ListRange(key=string, stop=-1), timeout=60),
                 streams.Consume(iter([pb.ConsumeRequest(start=START(keys=[string]))]), timeout=60),
                 streams.Consume(iter([pb.ConsumeRequest(start=START(keys=[key], pending=string))]),
                                 timeout=60)):
        details = details_of(WRONG_TYPE, list, call)
        assert details.resource == ("string", string.decode())
        assert details.field is None
    assert stub.LRange(pb.ListRange(key=key, stop=-1)).length == 1


def test_the_oldest_version_of_a_lost_history(channel):
    call = rpc.KeyStoreStub(channel).Watch(pb.WatchRequest(
        selectors=[pb.WatchRequest.Selector(prefix=b"")], start_version=2**62), timeout=60)
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    details = check_rpc_error(caught.value, *HISTORY_LOST)
    trailers = dict(caught.value.trailing_metadata())
    assert details.metadata == {
        "keystore-oldest-version": trailers["keystore-oldest-version"]}
    assert int(trailers["keystore-oldest-version"]) > 0


# ---- what a client with retries does ----

def test_a_client_waits_while_the_server_loads(tmp_path):
    """Each time as long as the server says, not as its own policy does."""
    loading_directory(tmp_path / "data")
    address = f"unix:{tmp_path}/socket"
    with starting(tmp_path / "data", "--listen", address), retrying_channel(address) as channel:
        grpc.channel_ready_future(channel).result(timeout=60)
        begin = time.monotonic()
        details = details_of(LOADING, Stub(channel).Set, pb.KeyValue(key=b"k", value=b"v"))
        waited_s = time.monotonic() - begin
        assert 1000 <= details.retry_ms < 1500
        assert waited_s >= (ATTEMPTS - 1) * 1.0
        assert errors_counted(channel, "LOADING") == ATTEMPTS


@pytest.mark.skipif(bool(SANITIZE), reason="a sanitizer has to be the first library")
def test_a_client_does_not_repeat_a_write_that_may_have_taken_effect(tmp_path, monkeypatch):
    """But it does repeat a read."""
    source, library, trigger = (tmp_path / name for name in ("fail.c", "fail.so", "fail"))
    source.write_text(FAILING_SYNC)
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, source], check=True)
    with monkeypatch.context() as environment:
        environment.setenv("LD_PRELOAD", str(library))
        environment.setenv("FAIL_SYNC", str(trigger))
        server = Server(directory=tmp_path / "data")
    try:
        with retrying_channel(server.address) as channel:
            stub = Stub(channel)
            assert stub.Incr(pb.Increment(key=b"n")).integer == 1
            trigger.touch()
            with pytest.raises(grpc.RpcError) as caught:
                stub.Incr(pb.Increment(key=b"n"))
            check_rpc_error(caught.value, *NOT_DURABLE)
            assert dict(caught.value.trailing_metadata())["grpc-retry-pushback-ms"] == "-1"
            assert errors_counted(channel, "NOT_DURABLE") == 1
            with pytest.raises(grpc.RpcError) as caught:
                stub.Get(pb.Key(key=b"n"))
            check_rpc_error(caught.value, *NOT_DURABLE)
            assert "grpc-retry-pushback-ms" not in dict(caught.value.trailing_metadata())
            assert errors_counted(channel, "NOT_DURABLE") == 1 + ATTEMPTS
    finally:
        server.kill()
