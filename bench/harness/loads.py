"""The servers that are compared, and their loads.

A load is a command line plus the reading of what it printed. Every load is checked: an answer that
is an error or a miss ends the suite, for a server that fails is fast.
"""
import csv
import os
import socket
import subprocess
import tempfile

from harness import process
from harness.process import Failure, Server

BIN = os.environ.get("KEYSTORE_BIN", "build/bin")
PEERS = os.environ.get("KEYSTORE_PEERS", "build/peers/bin")
MICRO = os.environ.get("KEYSTORE_MICRO", "build/release/micro")
KEYSTORE, REDIS = "KeyStore", "redis"
KEY_BYTES = 16
VALUE_BYTES = 32
VERIFIED_CALLS = 20000

KEYSTORE_BENCH = f"{BIN}/keystore-bench"
KEYSTORE_READY = r"Server started on port (\d+)\n"


# For the servers' data directories; removed at exit.
DATA = tempfile.TemporaryDirectory(prefix="keystore-bench-")


def start_keystore(name=KEYSTORE, program="keystore-server", more=(),
                   core=process.SERVER_CORE):
    """Without persistence, like the others. `more` are further options."""
    return Server(name, [f"{BIN}/{program}", "--listen", "127.0.0.1:0", "--threads", 1,
                         "--log-level", "error", "--durability", "none", "--save", "",
                         "--dir", tempfile.mkdtemp(dir=DATA.name), *more], KEYSTORE_READY,
                  core=core)


def start_grpc_cpp():
    return Server("gRPC C++", [f"{PEERS}/grpc-cpp-server", "127.0.0.1:0"], KEYSTORE_READY)


def start_redis(name=REDIS, more=(), core=process.SERVER_CORE):
    port = process.free_port()
    return Server(name, ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
                         "--appendonly", "no", "--daemonize", "no", "--dir", "/tmp", *more],
                  r"Ready to accept connections", port, core=core)


def only_row(text, program):
    rows = list(csv.DictReader(text.splitlines()))
    if len(rows) != 1:
        raise Failure(f"{program} should print a header and one line of CSV, not: {text[:300]}")
    return rows[0]


# The three gRPC servers.

def keystore_bench(server, keys, connections, streams, *more):
    """An option that is also in `more` is overridden by it."""
    return [KEYSTORE_BENCH, "-h", "127.0.0.1", "-p", server.port, "-c", connections, "-m", streams,
            "-k", KEY_BYTES, "-d", VALUE_BYTES, "-r", keys, "--threads", 1, "--csv", "-q", *more]


def fill_grpc(server, keys, *more):
    """Stores the keys, and verifies some of their values."""
    output, _ = process.run_load(server, keystore_bench(server, keys, 10, 100, "--fill", "--verify",
                                                        "--op", "get", "-n", VERIFIED_CALLS, *more))
    check_grpc(server, only_row(output, "keystore-bench"), VERIFIED_CALLS)


def fill_grpc_lists(server, lists, elements, *more):
    """Stores lists of that many equal elements, given by `more`. Reads some of them."""
    values = next(count for count in (1000, 500, 100, 50, 10, 5, 1) if elements % count == 0)
    # Few calls in flight: buffers for many such messages would count as memory of the lists.
    fill_grpc(server, lists, "--op", "lrange", "--elements", elements, "--values", values, "-c", 1,
              "-m", 10, *more)


def check_grpc(server, row, calls=None):
    for column in ("errors", "misses", "unsent"):
        if int(row[column]) != 0:
            raise Failure(f"keystore-bench against {server.name}: {row[column]} {column}, where "
                          f"{row['calls']} calls ended")
    if calls is not None and int(row["calls"]) != calls:
        raise Failure(f"{server.name} answered {row['calls']} of {calls} calls")


def call_grpc(server, keys, connections, streams, calls, *more):
    """Closed-loop calls; returns the row of keystore-bench and Usage."""
    output, usage = process.run_load(server, keystore_bench(server, keys, connections, streams,
                                                            "-n", calls, *more))
    row = only_row(output, "keystore-bench")
    check_grpc(server, row, calls)
    return row, usage


def get_grpc(server, keys, connections, streams, calls):
    """Closed-loop Gets; returns their throughput and Usage."""
    row, usage = call_grpc(server, keys, connections, streams, calls, "--op", "get")
    return float(row["calls_per_s"]), usage


def rate_grpc(server, keys, connections, rate, seconds):
    """Open-loop Gets; returns latencies by name, and Usage."""
    output, usage = process.run_load(server, keystore_bench(server, keys, connections, 100, "--op",
                                                            "get", "--rate", rate, "-t", seconds,
                                                            "--warmup", seconds / 10))
    row = only_row(output, "keystore-bench")
    check_grpc(server, row)
    return latencies(row), usage


LATENCIES = {"p50": "p50_us", "p95": "p95_us", "p99": "p99_us", "p99.9": "p999_us",
             "max": "max_us"}


def latencies(row):
    return {name: float(row[column]) for name, column in LATENCIES.items()}


# Redis. Its keys are those of redis-benchmark's GET: "key:" and twelve digits.

def redis_command(server, *words):
    """Sends a command; returns the text of its reply."""
    result = subprocess.run(["redis-cli", "-p", str(server.port), *words], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode != 0:
        raise Failure(f"redis-cli {' '.join(words)}: {result.stdout.strip()}")
    return result.stdout.strip()


KEY_NUMBER = "#" * 12  # stands for a key's number


def redis_template(*words):
    """The encoded command, with %012d for KEY_NUMBER."""
    text = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    return text.replace(KEY_NUMBER, "%012d")


def pipe_redis(server, blocks, commands):
    """Sends blocks of text with that many commands in total."""
    with subprocess.Popen(process.on_core(process.LOAD_CORE, ["redis-cli", "-p", server.port,
                                                              "--pipe"]),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as pipe:
        for block in blocks:
            pipe.stdin.write(block)
        pipe.stdin.close()
        answer = pipe.stdout.read()
    if f"errors: 0, replies: {commands}" not in answer:
        raise Failure(f"redis did not take {commands} commands: {answer.strip()[-300:]}")


def pipe_template(server, template, keys):
    """Sends the template's command for each key, which must be a new one."""
    before = int(redis_command(server, "DBSIZE"))
    pipe_redis(server, (template * len(numbers) % tuple(numbers)
                        for numbers in (range(start, min(start + 1000, keys))
                                        for start in range(0, keys, 1000))), keys)
    stored = int(redis_command(server, "DBSIZE")) - before
    if stored != keys:
        raise Failure(f"redis stored {stored} of {keys} new keys")


def fill_redis(server, keys, value_bytes=VALUE_BYTES, expire_at_ms=0, prefix="key:"):
    words = ["SET", prefix + KEY_NUMBER, "x" * value_bytes]
    if expire_at_ms:
        words += ["PXAT", str(expire_at_ms)]
    pipe_template(server, redis_template(*words), keys)


def fill_redis_lists(server, lists, elements, element):
    """Stores lists of that many equal elements, each by one RPUSH."""
    pipe_template(server, redis_template("RPUSH", "lst:" + KEY_NUMBER, *[element] * elements), lists)


REDIS_LIST = "list"


def redis_info(server, section):
    """Fields of INFO: texts by name."""
    lines = redis_command(server, "INFO", section).splitlines()
    return dict(line.strip().split(":", 1) for line in lines if ":" in line)


def fill_redis_list(server, length, element):
    """Stores the list REDIS_LIST, with that many equal elements."""
    values = 1000 if length % 1000 == 0 else 1
    push = redis_template("RPUSH", REDIS_LIST, *[element] * values)
    pipe_redis(server, (push for _ in range(length // values)), length // values)
    if redis_command(server, "LLEN", REDIS_LIST) != str(length):
        raise Failure(f"redis did not take a list of {length} elements")


def redis_misses(server):
    return int(redis_info(server, "stats")["keyspace_misses"])


def call_redis(server, connections, pipeline, calls, *more):
    """Closed-loop commands by redis-benchmark; returns its row and Usage."""
    output, usage = process.run_load(server, [
        "redis-benchmark", "-h", "127.0.0.1", "-p", server.port, "-c", connections, "-P", pipeline,
        "-n", calls, "--csv", *more])
    return only_row(output, "redis-benchmark"), usage


def get_redis(server, keys, connections, pipeline, calls):
    """Closed-loop GETs; returns their throughput and Usage."""
    misses = redis_misses(server)
    row, usage = call_redis(server, connections, pipeline, calls, "-t", "get", "-r", keys, "-d",
                            VALUE_BYTES)
    if redis_misses(server) != misses:
        raise Failure(f"redis missed {redis_misses(server) - misses} of {calls} keys")
    return float(row["rps"]), usage


def rate_redis(server, keys, connections, rate, seconds):
    """Open-loop GETs by redis-rate; returns latencies by name, and Usage."""
    output, usage = process.run_load(server, [
        f"{PEERS}/redis-rate", "-p", server.port, "-c", connections, "-r", keys, "-t", seconds,
        "--rate", rate])
    row = only_row(output, "redis-rate")
    if int(row["errors"]) + int(row["misses"]) != 0:
        raise Failure(f"redis answered {row['errors']} errors and {row['misses']} misses")
    return latencies(row), usage
