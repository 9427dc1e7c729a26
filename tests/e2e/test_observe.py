"""What an operator sees of calls: slow ones with what made them slow, failed ones, counts and durations by
method, and log lines that programs can read."""

import json
import re
import shlex
import threading

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel, open_ready_channel, raw_method
from server_process import run_server
from slow_disk import start_on_slow_disk
from times import wait_until

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
TRACEPARENT = (("traceparent", f"00-{TRACE}-{SPAN}-01"),)
TRACE_BIN = (("grpc-trace-bin", bytes.fromhex(f"0000{TRACE}01{SPAN}0201")),)


@pytest.fixture
def logs_all(fresh_server):
    """For which every call is slow; its log is JSON."""
    return fresh_server("--slow-log-us", 0, "--log-format", "json", "--max-value", "100KiB", threads=2)


def json_lines(server):
    return [json.loads(line) for line in server.stderr.splitlines()]


def events(server, message):
    return [line for line in json_lines(server) if line["msg"] == message]


def slow_calls(channel, **request):
    return admin_stub(channel).SlowLog(pb.SlowLogRequest(**request))


def slow_calls_of(channel, name):
    """Those of the method: on a busy machine others may be slow, too."""
    return [each for each in slow_calls(channel).entries if each.method.endswith("/" + name)]


def latency(channel, *methods):
    reply = admin_stub(channel).Latency(pb.LatencyRequest(methods=methods))
    return {each.method: each for each in reply.methods}


# Slow calls.

def test_a_slow_call_is_described(logs_all):
    with open_channel(logs_all.address) as channel:
        stub = Stub(channel)
        stub.MSet(pb.KeyValues(entries=[pb.KeyValue(key=b"k1", value=b"v"), pb.KeyValue(key=b"k2")]))
        stub.RPush(pb.ListInsert(key=b"list", values=[b"a"] * 7, db=3))
        stub.Get(pb.Key(key=b"k" * 300), metadata=TRACEPARENT)
        entries = {each.method.rpartition("/")[2]: each for each in slow_calls(channel).entries}
    assert list(entries) == ["Get", "RPush", "MSet"]
    get, push, mset = entries.values()
    assert get.method == "keystore.v1.KeyStore/Get"
    assert get.key == b"k" * 64 and get.key_size == 300 and get.keys == 1
    assert get.trace_id == TRACE and get.status == 0
    assert get.request_bytes == pb.Key(key=b"k" * 300).ByteSize()
    assert get.reply_bytes == 0 and not get.waited_for_disk  # nothing was found
    assert re.fullmatch(r"127\.0\.0\.1:\d+", get.peer)
    assert push.key == b"list" and push.elements == 7 and push.db == 3 and push.reply_bytes > 0
    assert push.waited_for_disk and push.trace_id == ""
    assert mset.key == b"k1" and mset.keys == 2
    assert get.id == push.id + 1 == mset.id + 2
    assert get.duration_us >= 0 and get.unix_ms >= push.unix_ms >= mset.unix_ms > 0


def test_reading_and_forgetting_the_slow_log(fresh_server):
    server = fresh_server("--slow-log-us", 0, "--slow-log-max-len", 5, threads=1)
    with open_channel(server.address) as channel:
        for i in range(8):
            Stub(channel).Get(pb.Key(key=b"%d" % i))
        reply = slow_calls(channel, limit=2)
        assert [each.key for each in reply.entries] == [b"7", b"6"]
        assert reply.total == 8 and reply.kept == 5
        reply = slow_calls(channel, reset=True)  # the one before is in it now
        assert [each.method.rpartition("/")[2] for each in reply.entries] == ["SlowLog"] + ["Get"] * 4
        reply = slow_calls(channel)
        assert [each.method.rpartition("/")[2] for each in reply.entries] == ["SlowLog"]
        assert reply.total == 10
        fields = admin_stub(channel).Info(pb.InfoRequest(sections=["stats"])).fields
        assert fields["slow_calls"] == "11"


@pytest.mark.parametrize("value", ["off", "-1", "3600000000"])
def test_fast_calls_are_not_slow(fresh_server, value):
    server = fresh_server("--slow-log-us", value)
    with open_channel(server.address) as channel:
        for _ in range(20):
            Stub(channel).Set(pb.KeyValue(key=b"k"))
        assert slow_calls(channel).total == 0


def test_a_call_that_waits_for_the_disk(tmp_path, monkeypatch):
    """With the default threshold."""
    server = start_on_slow_disk(tmp_path, monkeypatch, 50_000, directory=tmp_path / "data")
    with open_channel(server.address) as channel:
        Stub(channel).Set(pb.KeyValue(key=b"disk \xff\n", value=b"v" * 10), metadata=TRACEPARENT)
        Stub(channel).Get(pb.Key(key=b"k"))
        entry, = slow_calls_of(channel, "Set")
    assert entry.method == "keystore.v1.KeyStore/Set" and entry.key == b"disk \xff\n"
    assert entry.waited_for_disk and entry.duration_us >= 10_000 and entry.trace_id == TRACE
    server.stop()
    line, = [line for line in server.stderr.splitlines()
             if "slow call method=keystore.v1.KeyStore/Set" in line]
    assert f"slow call method=keystore.v1.KeyStore/Set us={entry.duration_us} status=OK" in line
    assert r'key="disk \xff\n"' in line
    assert f"waited_for=disk peer={entry.peer} trace_id={TRACE} span_id={SPAN}" in line


def test_a_call_on_another_thread(logs_all):
    with open_channel(logs_all.address) as channel:
        Stub(channel).MGet(pb.Keys(keys=[b"many %d" % i for i in range(10_000)]))
        entry = slow_calls(channel).entries[0]
    assert entry.offloaded and entry.keys == 10_000 and entry.key == b"many 0"
    assert entry.request_bytes > 100_000 and entry.reply_bytes > 0


def test_waiting_for_a_list_is_not_slow(fresh_server):
    server = fresh_server("--slow-log-us", 200_000)
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        reply = stub.ListPop(pb.PopRequest(keys=[b"none"], wait_ms=300))
        assert not reply.values
        assert slow_calls_of(channel, "ListPop") == []
        assert latency(channel, "ListPop")["ListPop"].max_us >= 300_000


def test_a_caller_who_leaves_a_slow_call(tmp_path, monkeypatch):
    server = start_on_slow_disk(tmp_path, monkeypatch, 300_000, directory=tmp_path / "data")
    with open_channel(server.address) as channel:
        call = Stub(channel).Set.future(pb.KeyValue(key=b"left"), timeout=0.05)
        assert call.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        wait_until(lambda: slow_calls_of(channel, "Set"))
        entry, = slow_calls_of(channel, "Set")
    assert entry.key == b"left" and entry.status in (1, 4) and entry.reply_bytes == 0
    server.stop()


def test_what_another_thread_compresses_has_its_key(fresh_server):
    """Also if others have taken the memory of its message meanwhile."""
    server = fresh_server("--slow-log-us", "0")
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        for number in range(4):
            stub.Set(pb.KeyValue(key=b"large %d" % number, value=b"%d" % number * 200_000))
        calls = [stub.Get.future(pb.Key(key=b"large %d" % number),
                                 metadata=(("keystore-compress", "gzip"),)) for number in range(4)]
        assert [len(call.result().value) for call in calls] == [200_000] * 4
        entries = admin_stub(channel).SlowLog(pb.SlowLogRequest()).entries
    gets = [entry for entry in entries if entry.method.endswith("/Get")]
    assert sorted(entry.key for entry in gets) == [b"large %d" % number for number in range(4)]
    assert all(entry.offloaded and 0 < entry.reply_bytes < 200_000 for entry in gets)


# Failed calls.

def test_failed_calls_are_logged_with_their_traces(logs_all):
    with open_channel(logs_all.address) as channel:
        garbage = raw_method(channel, "/keystore.v1.KeyStore/Get", pb.Value)
        for metadata in (TRACEPARENT, TRACE_BIN):
            with pytest.raises(grpc.RpcError):
                garbage(b"\x80", metadata=metadata)
        with pytest.raises(grpc.RpcError):  # the client's mistake
            Stub(channel).Get(pb.Key(), metadata=TRACEPARENT)
    wait_until(lambda: len(events(logs_all, "failed call")) == 2)
    for event in events(logs_all, "failed call"):
        assert event["method"] == "keystore.v1.KeyStore/Get" and event["status"] == "INTERNAL"
        assert event["reason"] == "ERROR_REASON_BAD_MESSAGE" and event["level"] == "info"
        assert event["trace_id"] == TRACE and event["span_id"] == SPAN
        assert isinstance(event["us"], int) and event["peer"].startswith("127.0.0.1:")
        assert event["error"]


def test_every_failed_call_is_logged_for_debugging(fresh_server):
    server = fresh_server("--log-level", "debug", "--log-format", "logfmt")
    with open_channel(server.address) as channel:
        for i in range(30):
            with pytest.raises(grpc.RpcError):
                Stub(channel).Get(pb.Key(db=1000 + i), metadata=TRACEPARENT)
        with pytest.raises(grpc.RpcError):
            raw_method(channel, "/keystore.v1.KeyStore/Nothing", pb.Value)(b"")
    server.stop()
    found = [dict(word.partition("=")[::2] for word in shlex.split(line))
             for line in server.stderr.splitlines() if 'msg="failed call"' in line]
    assert [each["status"] for each in found] == ["INVALID_ARGUMENT"] * 30 + ["UNIMPLEMENTED"]
    assert found[-1]["method"] == "/unknown"
    assert all(each["trace_id"] == TRACE for each in found[:30])


@pytest.mark.parametrize("header", [
    f"00-{TRACE}-{SPAN}", f"00-{TRACE}-{SPAN}-0", f"00-{TRACE.upper()}-{SPAN}-01", f"ff-{TRACE}-{SPAN}-01",
    f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE}-{SPAN}-01-more", "x" * 200])
def test_a_malformed_trace_is_ignored(logs_all, header):
    with open_channel(logs_all.address) as channel:
        Stub(channel).Get(pb.Key(key=b"k"), metadata=(("traceparent", header),))
        assert slow_calls(channel).entries[0].trace_id == ""


# Lines.

def test_every_line_is_json(logs_all):
    """Whatever keys contain, and however many calls are slow at once."""
    keys = [bytes(range(i, i + 40)) for i in range(0, 216, 8)] + ["schlüssel €".encode(), b'"\\', b"x" * 70]

    def call(some):
        with open_ready_channel(logs_all.address) as channel:
            for key in some:
                Stub(channel).Set(pb.KeyValue(key=key, value=b"v"), metadata=TRACEPARENT)

    threads = [threading.Thread(target=call, args=(keys[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logs_all.stop()
    lines = json_lines(logs_all)
    assert lines[-1]["msg"] == "stopped"
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert line["level"] in ("error", "warning", "info", "debug")
    slow = [line for line in lines if line["msg"] == "slow call"]
    assert slow and all(line["trace_id"] == TRACE for line in slow)
    assert 1 + sum(line.get("not_logged", 0) for line in slow) <= len(keys)


def test_errors_at_startup_have_the_format(tmp_path):
    address = f"unix:{tmp_path}/none/socket"
    for log_format in ("json", "logfmt", "text"):
        ran = run_server("--dir", tmp_path / "data", "--listen", address, "--log-format", log_format)
        assert ran.returncode == 1
        line = ran.stderr.splitlines()[-1]
        if log_format == "json":
            assert json.loads(line)["level"] == "error"
        assert ("level=error" in line) == (log_format == "logfmt")
        assert line.startswith("keystore-server: cannot listen") == (log_format == "text")
    assert run_server("--log-format", "xml").returncode == 2


# Counts and durations.

def test_latency_counts_the_calls(fresh_server):
    server = fresh_server(threads=2)
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        for i in range(40):
            stub.Set(pb.KeyValue(key=b"%d" % i))
        for call in [stub.Get.future(pb.Key(key=b"%d" % i)) for i in range(100)]:
            call.result()
        for _ in range(3):
            with pytest.raises(grpc.RpcError):
                stub.Get(pb.Key())
        with pytest.raises(grpc.RpcError):
            raw_method(channel, "/nothing.Here/AtAll", pb.Value)(b"")
        replies = list(stub.Pipeline(iter([pb.OpBatch(), pb.OpBatch()])))
        assert len(replies) == 2
        wait_until(lambda: latency(channel, "Pipeline")["Pipeline"].count == 1)
        seen = latency(channel)
        bounds = admin_stub(channel).Latency(pb.LatencyRequest()).bounds_us
    assert seen["Set"].started == seen["Set"].count == 40 and seen["Set"].failed == 0
    get = seen["Get"]
    assert get.started == get.count == 103 and get.failed == 3
    assert get.codes[0] == 100 and get.codes[3] == 3
    assert get.messages_received == 103 and get.messages_sent == 100
    assert seen["Pipeline"].messages_received == seen["Pipeline"].messages_sent == 2
    assert seen["unknown"].count == 1 and seen["unknown"].codes[12] == 1
    assert "Append" not in seen and seen["Latency"].started > seen["Latency"].count
    assert list(bounds) == sorted(bounds) and bounds[0] == 10 and bounds[-1] == 5_000_000
    for each in seen.values():
        assert sum(each.buckets) == each.count == sum(each.codes)
        assert len(each.buckets) == len(bounds) + 1
        assert each.p50_us <= each.p90_us <= each.p99_us <= each.p999_us <= each.max_us + 1
        assert each.sum_us <= each.max_us * each.count + each.count


def test_latency_of_some_methods(fresh_server):
    with open_channel(fresh_server().address) as channel:
        seen = latency(channel, "Append", "keystore.v1.KeyStoreAdmin/Info")
        assert set(seen) == {"Append", "Info"} and seen["Append"].started == 0
        assert seen["Info"].service == "keystore.v1.KeyStoreAdmin"


def test_calls_add_up_whatever_ends_them(fresh_server, random_of_test):
    """Those in flight are none when all have ended: by answers, cancels, deadlines and lost connections."""
    server = fresh_server(threads=2)

    def call_some(seed):
        choose = type(random_of_test)(seed)
        with open_ready_channel(server.address) as channel:
            stub = Stub(channel)
            calls = []
            for _ in range(60):
                timeout = choose.choice([None, 0.001, 0.02])
                what = choose.randrange(4)
                if what == 0:
                    calls.append(stub.Set.future(pb.KeyValue(key=b"k"), timeout=timeout))
                elif what == 1:
                    calls.append(stub.ListPop.future(pb.PopRequest(keys=[b"none"], wait_ms=10_000),
                                                     timeout=timeout or 0.05))
                elif what == 2:
                    calls.append(stub.Subscribe(pb.SubscribeRequest(channels=[b"c"]), timeout=timeout or 0.05))
                else:
                    calls.append(stub.Scan(pb.ScanRequest(), timeout=timeout))
                if choose.randrange(3) == 0:
                    choose.choice(calls).cancel()
        # Closing the channel ends the rest.

    threads = [threading.Thread(target=call_some, args=(random_of_test.random(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open_channel(server.address) as channel:
        wait_until(lambda: all(each.started == each.count for name, each in latency(channel).items()
                               if name != "Latency"))
        assert set(latency(channel)) >= {"Set", "ListPop", "Subscribe", "Scan"}
