"""keystore-bench against real servers, ours and grpcio's: what it says that it did was done."""

import csv
import io
import re
import signal
import socket
import subprocess
import time
from concurrent import futures

import grpc
import pytest

import mini_redis_pb2 as pb
import mini_redis_pb2_grpc as rpc
from clients import Stub, open_channel
from keystore_env import BIN

BENCH = BIN / "keystore-bench"
TIMEOUT_S = 120


def bench(*arguments, code=0):
    """Runs it to its end."""
    ran = subprocess.run([str(BENCH), *map(str, arguments)], capture_output=True, text=True,
                         timeout=TIMEOUT_S, check=False)
    assert ran.returncode == code, f"exit code {ran.returncode}: {ran.stdout}{ran.stderr}"
    return ran


def measure(port, *arguments, code=0):
    """The row of --csv as a dictionary of texts."""
    ran = bench("-p", port, "--csv", *arguments, code=code)
    rows = list(csv.DictReader(io.StringIO(ran.stdout)))
    assert len(rows) == 1 and None not in rows[0] and None not in rows[0].values(), ran.stdout
    rows[0]["stderr"] = ran.stderr
    return rows[0]


@pytest.fixture
def own(fresh_server):
    """A server of the test's own and a stub for it: the keys of keystore-bench are always the same."""
    server = fresh_server()
    with open_channel(server.address) as channel:
        yield server, Stub(channel)


def assert_all_ok(row, calls):
    assert int(row["calls"]) == calls
    assert int(row["errors"]) == int(row["misses"]) == int(row["unsent"]) == 0
    assert float(row["seconds"]) > 0
    # It has one decimal.
    assert float(row["calls_per_s"]) == pytest.approx(calls / float(row["seconds"]), rel=0.01, abs=0.05)
    latencies = [float(row[name]) for name in ("p50_us", "p95_us", "p99_us", "p999_us", "max_us")]
    assert latencies == sorted(latencies) and latencies[0] > 0


def test_fill_stores_each_key_once(own):
    server, stub = own
    said = bench("-p", server.port, "--fill", "-n", 0, "-r", 300, "-d", 50, "-m", 7).stdout
    assert re.fullmatch(r"fill: 300 keys in [\d.]+ s, [\d,]+ calls/s\n", said)
    values = [stub.Get(pb.Key(key=b"key:%012d" % number)) for number in range(301)]
    for number, value in enumerate(values[:300]):
        assert value.found and len(value.value) == 50 and value.value[:3] == b"%03d" % number
        assert value.value[3:] == values[0].value[3:]
    assert not values[300].found


@pytest.mark.parametrize("shape", [
    ("-c", 1, "-m", 1), ("-c", 50, "-m", 1), ("-c", 3, "-m", 100), ("-c", 4, "-m", 5, "--threads", 2),
])
def test_gets_find_what_fill_stored(own, shape):
    server, _ = own
    row = measure(server.port, "--fill", "--verify", "-r", 1000, "-n", 5000, *shape)
    assert_all_ok(row, 5000)


def test_a_get_of_another_value_is_an_error(own):
    server, stub = own
    bench("-p", server.port, "--fill", "-n", 0, "-r", 1)
    stub.Set(pb.KeyValue(key=b"key:000000000000", value=b"0" * 32))
    ran = bench("-p", server.port, "--verify", "-r", 1, "-n", 10, code=1)
    assert "errors       10 wrong value\n" in ran.stdout
    assert_all_ok(measure(server.port, "-r", 1, "-n", 10), 10)


def test_gets_of_absent_keys_are_misses(own):
    server, _ = own
    row = measure(server.port, "--verify", "-n", 500)
    assert int(row["misses"]) == int(row["calls"]) == 500 and int(row["errors"]) == 0
    assert "were misses" in row["stderr"]


def test_sets_store_their_values(own):
    server, stub = own
    assert_all_ok(measure(server.port, "--op", "set", "-r", 20, "-n", 2000, "-d", 5), 2000)
    for number in range(20):
        value = stub.Get(pb.Key(key=b"key:%012d" % number)).value
        assert len(value) == 5 and value[:2] == b"%02d" % number


def list_length(stub, number):
    return stub.LRange(pb.ListRange(key=b"lst:%012d" % number, start=0, stop=-1)).length


def test_pushes_pops_and_ranges(own):
    server, stub = own
    assert_all_ok(measure(server.port, "--op", "lpush", "-r", 10, "-n", 1000, "-m", 5), 1000)
    assert sum(list_length(stub, number) for number in range(10)) == 1000
    assert_all_ok(measure(server.port, "--op", "lrange", "-r", 10, "-n", 1000, "--verify"), 1000)
    row = measure(server.port, "--op", "lpop", "-r", 10, "-n", 600, "--verify")
    assert int(row["errors"]) == 0
    popped = int(row["calls"]) - int(row["misses"])
    assert sum(list_length(stub, number) for number in range(10)) == 1000 - popped


def test_fill_of_lists_makes_their_elements(own):
    server, stub = own
    row = measure(server.port, "--fill", "--op", "lrange", "--range", "-3:-1", "--verify", "-r", 40,
                  "--elements", 6, "-n", 500, "--threads", 2)
    assert_all_ok(row, 500)
    assert [list_length(stub, number) for number in range(41)] == [6] * 40 + [0]


def test_pushes_of_several_values_and_numbers(own):
    server, stub = own
    row = measure(server.port, "--fill", "--op", "lrange", "--verify", "-r", 40, "--elements", 60,
                  "--values", 20, "--numbers", "-d", 7, "-n", 500)
    assert_all_ok(row, 500)
    values = stub.LRange(pb.ListRange(key=b"lst:%012d" % 39, stop=-1)).values
    assert list(values) == [b"1390000"] * 60


@pytest.mark.parametrize("ops", ["rpush,lpop", "lpush,rpop"])
def test_operations_by_turns(own, ops):
    """On one connection a push comes before each pop, so none finds nothing."""
    server, stub = own
    row = measure(server.port, "--op", ops, "-r", 1, "-k", 16, "-c", 1, "-m", 50, "-n", 2000,
                  "--verify")
    assert_all_ok(row, 2000)
    assert list_length(stub, 0) == 0


def test_what_is_set_expires_at_one_moment(own):
    server, stub = own
    bench("-p", server.port, "--fill", "-n", 0, "-r", 50, "--ttl", 100)
    ends = {stub.Get(pb.Key(key=b"key:%012d" % number)).expire_at_ms for number in range(50)}
    assert len(ends) == 1 and ends.pop() == pytest.approx((time.time() + 100) * 1000, abs=30000)


def test_a_mix_calls_both(own):
    server, stub = own
    row = measure(server.port, "--mix", "1:1", "-r", 100, "-n", 4000, "-m", 10)
    assert row["op"] == "get:set 1:1"
    assert int(row["calls"]) == 4000 and int(row["errors"]) == 0
    # Of 2,000 Sets at random none of 100 keys is left out, and only the first Gets missed.
    assert all(stub.Get(pb.Key(key=b"key:%012d" % number)).found for number in range(100))
    assert 0 < int(row["misses"]) < 2000


@pytest.mark.parametrize("size", [8, 700])
def test_batches_through_pipeline(own, size):
    """Also batches that frames and windows split."""
    server, _ = own
    row = measure(server.port, "--op", "set", "-r", 50, "-d", size, "-c", 4, "-m", 2, "--batch", 100,
                  "-n", 200)
    assert_all_ok(row, 200)
    assert row["ops_per_call"] == "100"
    row = measure(server.port, "--op", "get", "-r", 50, "-d", size, "--batch", 100, "-n", 200)
    assert_all_ok(row, 200)
    assert int(row["misses"]) == 0


def test_failed_and_missed_operations_of_batches(own):
    server, stub = own
    said = bench("-p", server.port, "-r", 1, "-k", 1, "-c", 1, "--batch", 10, "-n", 5)
    assert "misses       50" in said.stdout and "operations   50 in batches of 10" in said.stdout
    stub.RPush(pb.ListInsert(key=b"0", values=[b"v"]))
    said = bench("-p", server.port, "-r", 1, "-k", 1, "-c", 1, "--batch", 10, "-n", 5, code=1)
    assert "errors       5 batch with failed operations" in said.stdout


def assert_all_received(row, count):
    """Of streams: as many events or elements, none missing."""
    assert int(row["received"]) == count and int(row["errors"]) == 0
    assert float(row["received_per_s"]) > 0
    names = ("receipt_p50_us", "receipt_p95_us", "receipt_p99_us", "receipt_p999_us", "receipt_max_us")
    latencies = [float(row[name]) for name in names]
    assert latencies == sorted(latencies) and latencies[0] > 0


@pytest.mark.parametrize("shape", [
    ("-c", 1, "-m", 1, "--watchers", 1), ("-c", 3, "-m", 20, "--watchers", 10, "-r", 7),
    ("-c", 4, "-m", 5, "--watchers", 30, "--threads", 2), ("--watchers", 3, "--rate", 4000),
    ("-k", 6, "--watchers", 2, "-d", 0),
])
def test_watchers_receive_every_write(own, shape):
    server, _ = own
    row = measure(server.port, "--op", "watch", "-n", 2000, *shape)
    assert_all_ok(row, 2000)
    watchers = int(row["receivers"])
    assert row["op"] == "watch" and watchers == shape[shape.index("--watchers") + 1]
    assert_all_received(row, 2000 * watchers)


def test_watchers_of_keys_that_exist_for_some_time(own):
    server, stub = own
    row = measure(server.port, "--op", "watch", "--fill", "-r", 100, "-t", 0.5, "--warmup", 0.1,
                  "--watchers", 5, "-c", 2)
    assert_all_ok(row, int(row["calls"]))
    assert_all_received(row, 5 * int(row["calls"]))
    assert stub.Get(pb.Key(key=b"key:%012d" % 99)).found


@pytest.mark.parametrize("shape", [
    ("-c", 1, "-m", 1), ("-c", 3, "-m", 50, "--consumers", 5, "--in-flight", 1000),
    ("-c", 4, "-m", 5, "--consumers", 9, "--in-flight", 1, "--threads", 2),
    ("-c", 2, "-m", 10, "--values", 7, "-r", 20), ("--rate", 4000, "-d", 3000),
])
def test_consumers_acknowledge_every_element(own, shape):
    server, stub = own
    row = measure(server.port, "--op", "consume", "-n", 2000, *shape)
    assert_all_ok(row, 2000)
    assert_all_received(row, 2000 * (7 if "--values" in shape else 1))
    # Twice, since nothing is left.
    assert int(measure(server.port, "--op", "consume", "-n", 10)["received"]) == 10
    for key in (b"lst:%012d" % 0, b"lst:%012d:pending" % 0):
        assert stub.LRange(pb.ListRange(key=key, start=0, stop=-1)).length == 0


def test_elements_of_others_are_errors(own):
    server, stub = own
    stub.RPush(pb.ListInsert(key=b"lst:%012d" % 0, values=[b"a", b"b"]))
    ran = bench("-p", server.port, "--op", "consume", "-n", 10, "--consumers", 2, code=1)
    assert re.search(r"^acknowledged 10 in [\d.]+ s, [\d,]+/s$", ran.stdout, re.M)
    assert re.search(r"^receipt ms   p50 [\d.]+ .*max [\d.]+$", ran.stdout, re.M)
    assert "errors       2 unexpected on streams\n" in ran.stdout


def test_streams_that_the_server_refuses_end_the_run(own):
    server, stub = own
    stub.Set(pb.KeyValue(key=b"lst:%012d:pending" % 0, value=b"not a list"))
    ran = bench("-p", server.port, "--op", "consume", "-n", 10, code=1)
    assert "the server ended a stream of Consume: FAILED_PRECONDITION" in ran.stderr


@pytest.mark.parametrize("op", ["watch", "consume"])
def test_a_server_that_stops_ends_the_streams_and_the_run(own, op):
    server, _ = own
    with subprocess.Popen([str(BENCH), "-p", str(server.port), "-t", "60", "--op", op, "-c", "1",
                           "--progress"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        running.stderr.readline()
        server.stop()
        stdout, stderr = running.communicate(timeout=TIMEOUT_S)
    assert running.returncode == 1
    # The end of the connection may overtake that of the stream.
    assert re.search(rf"ended a stream of {op.title()}: UNAVAILABLE|closed a connection with streams "
                     rf"of {op.title()}$", stderr, re.M), stderr
    assert re.search(r"^errors +\d+ stream ended$", stdout, re.M), stdout


def test_large_values_go_both_ways(own):
    server, _ = own
    row = measure(server.port, "--fill", "--verify", "-d", 3_000_000, "-r", 5, "-n", 60, "-c", 2,
                  "-m", 3)
    assert_all_ok(row, 60)


@pytest.mark.parametrize("sizes", [("-k", 1, "-r", 10, "-d", 0), ("-k", 65536, "-r", 3, "-d", 1),
                                   ("-k", 20000, "-r", 3, "-d", 20000)])
def test_odd_sizes(own, sizes):
    server, _ = own
    assert_all_ok(measure(server.port, "--fill", "--verify", "-n", 200, "-m", 3, *sizes), 200)


def test_a_rate_is_kept_and_its_latency_counts(own):
    server, _ = own
    row = measure(server.port, "--fill", "-r", 100, "--rate", 500, "-t", 1, "--warmup", 0.2, "-c", 4)
    assert_all_ok(row, 500)
    assert row["rate"] == "500"
    assert 0.9 < float(row["seconds"]) < 5


def test_a_time_limit(own):
    server, _ = own
    row = measure(server.port, "-t", 0.5, "-r", 10, "--op", "set", "--warmup", 0.1)
    assert 0.4 < float(row["seconds"]) < 5
    assert int(row["calls"]) > 50


def test_the_servers_cpu_time_is_reported(own):
    server, _ = own
    row = measure(server.port, "--server-pid", server.pid, "-t", 1, "-m", 10, "--op", "set")
    calls, per_call = int(row["calls"]), float(row["server_us_per_call"])
    assert 0 < per_call * calls / 1e6 < 30
    assert float(row["server_calls_per_cpu_s"]) == pytest.approx(1e6 / per_call, rel=0.01)
    table = bench("-p", server.port, "--server-pid", server.pid, "-n", 1000).stdout
    assert re.search(r"^server +CPU per call [\d.]+ us", table, re.M)
    assert measure(server.port, "-n", 10)["server_us_per_call"] == ""


def test_the_table_the_line_and_progress(own):
    server, _ = own
    ran = bench("-p", server.port, "--fill", "-r", 1000, "-n", 1000, "-c", 2, "-m", 5)
    for line in (r"get: 2 connections x 5 calls in flight, 1 thread, 32 B values, 1,000 keys of 16 B",
                 r"calls +1,000 in [\d.]+ s", r"throughput +[\d,]+ calls/s",
                 r"latency ms +p50 [\d.]+ +p95 [\d.]+ +p99 [\d.]+ +p99\.9 [\d.]+ +max [\d.]+",
                 r"errors +none", r"generator +\d+ % busy, CPU per call [\d.]+ us user .*"):
        assert re.search(f"^{line}$", ran.stdout, re.M), line
    ran = bench("-p", server.port, "-q", "-t", 1.3, "-r", 1000, "--progress")
    assert re.fullmatch(r"get: [\d.]+ calls/s, p50=[\d.]+ ms, p99=[\d.]+ ms\n", ran.stdout)
    assert re.search(r"^bench: 1\.\d s, \d+ calls, \d+/s, 0 errors$", ran.stderr, re.M)


def test_a_unix_socket(fresh_server, tmp_path):
    path = tmp_path / "socket"
    fresh_server(listen=("127.0.0.1:0", f"unix:{path}"))
    ran = bench("-s", path, "--fill", "--verify", "-r", 100, "-n", 1000, "-q")
    assert "errors" not in ran.stdout


def test_many_connections(own):
    server, _ = own
    assert_all_ok(measure(server.port, "--fill", "-r", 100, "-c", 400, "-n", 4000), 4000)


# What goes wrong.

# The listening socket of a server that ends may take a connection once more, and drop it.
GONE = re.compile(r"^keystore-bench: (cannot connect to .*: Connection re(fused|set by peer)"
                  r"|cannot use the connection to .*|.* closed a connection before it answered a call"
                  r" on it.*)$", re.M)

def test_bad_options_are_sentences_and_code_2():
    for arguments, sentence in ((("-c", "0"), "-c takes a number of connections"),
                                (("--op", "incr"), "--op takes one of get, set"),
                                (("--nothing",), "there is no option --nothing"),
                                (("-n", "1", "-t", "1"), "give one of them"),
                                (("--server-pid", "2147483647"), "takes a running process")):
        ran = bench(*arguments, code=2)
        assert sentence in ran.stderr and ran.stderr.startswith("keystore-bench: ")
        assert ran.stdout == ""


def test_help_and_version():
    assert "--server-pid PID" in bench("--help").stdout
    assert re.fullmatch(r"keystore-bench \d+\.\d+\.\d+\n", bench("--version").stdout)


def test_a_refused_connection_is_a_sentence_and_code_1():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        ran = bench("-p", bound.getsockname()[1], code=1)
    assert re.fullmatch(r"keystore-bench: cannot connect to 127\.0\.0\.1:\d+: Connection refused\n",
                        ran.stderr)


def test_failed_calls_have_their_status_and_code_1(own):
    server, _ = own
    # Keys that have no room for a prefix are the same for strings and lists.
    bench("-p", server.port, "--fill", "-n", 0, "-r", 10, "-k", 1)
    ran = bench("-p", server.port, "--op", "lpush", "-r", 10, "-k", 1, "-n", 300, "-m", 5, code=1)
    assert "errors       300 FAILED_PRECONDITION\n" in ran.stdout
    assert "throughput   0 calls/s\n" in ran.stdout
    row = measure(server.port, "--op", "lpush", "-r", 10, "-k", 1, "-n", 300, code=1)
    assert row["calls"] == row["errors"] == "300"
    assert "300 FAILED_PRECONDITION" in row["stderr"]


def test_a_server_that_dies_ends_the_run_with_code_1(own):
    server, _ = own
    with subprocess.Popen([str(BENCH), "-p", str(server.port), "-t", "60", "-m", "10", "--progress"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        first = running.stderr.readline()
        assert first.startswith("bench: ")
        server.kill()
        stdout, stderr = running.communicate(timeout=TIMEOUT_S)
    assert running.returncode == 1
    assert GONE.search(stderr), stderr
    assert re.search(r"^errors +\d+ connection lost$", stdout, re.M)


@pytest.mark.parametrize("end", ["killed", "stopped"])
def test_a_fill_that_is_cut_off_says_what_was_answered(own, end):
    server, _ = own
    keys = 50_000_000
    with subprocess.Popen([str(BENCH), "-p", str(server.port), "--fill", "-r", str(keys), "-n", "10",
                           "-m", "10", "--progress"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as running:
        running.stderr.readline()
        server.kill() if end == "killed" else server.stop()
        stdout, stderr = running.communicate(timeout=TIMEOUT_S)
    assert running.returncode == 1 and GONE.search(stderr), stderr
    found = re.match(r"fill: only ([\d,]+) of 50,000,000 calls succeeded, in [\d.]+ s, [\d,]+ "
                     r"calls/s", stdout)
    assert found and 0 < int(found[1].replace(",", "")) < keys, stdout
    assert "bench" not in stdout


def test_a_server_that_stops_in_order_loses_no_call(own):
    server, _ = own
    with subprocess.Popen([str(BENCH), "-p", str(server.port), "-t", "60", "-m", "10", "--progress"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        running.stderr.readline()
        server.stop()
        stdout, stderr = running.communicate(timeout=TIMEOUT_S)
    assert running.returncode == 1 and GONE.search(stderr), stderr
    assert re.search(r"^errors +none$", stdout, re.M), stdout


def test_an_interrupt_ends_it(own):
    server, _ = own
    with subprocess.Popen([str(BENCH), "-p", str(server.port), "-t", "60", "--progress"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        running.stderr.readline()
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=TIMEOUT_S)
    assert running.returncode == -signal.SIGINT


# Another server: grpcio, whose HTTP/2 and HPACK are not ours.

class Store(rpc.KeyStoreServicer):
    def __init__(self):
        self.values = {}
        self.gets = 0

    def Set(self, request, context):
        self.values[request.key] = request.value
        return pb.Status(ok=True, count=1)

    def Get(self, request, context):
        self.gets += 1
        if request.key not in self.values:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not here, and a message of some length")
        return pb.Value(found=True, value=self.values[request.key])


@pytest.fixture
def foreign():
    server = grpc.server(futures.ThreadPoolExecutor(1),
                         options=[("grpc.max_receive_message_length", -1)])
    store = Store()
    rpc.add_KeyStoreServicer_to_server(store, server)
    store.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield store
    server.stop(None).wait()


@pytest.mark.parametrize("size", [0, 32, 100_000])
def test_a_server_of_grpcio_answers_too(foreign, size):
    row = measure(foreign.port, "--fill", "--verify", "-r", 100, "-n", 500, "-c", 3, "-m", 4, "-d",
                  size)
    assert_all_ok(row, 500)
    assert foreign.gets == 500 and len(foreign.values) == 100


def test_errors_of_grpcio_are_counted_between_good_answers(foreign):
    bench("-p", foreign.port, "--fill", "-n", 0, "-r", 50)
    row = measure(foreign.port, "--verify", "-r", 100, "-n", 600, "-m", 3, "-c", 2, code=1)
    assert 200 < int(row["errors"]) < 400
    assert int(row["calls"]) == 600 == foreign.gets
    assert f"{row['errors']} UNAVAILABLE" in row["stderr"]
