"""The servers that are compared, and the loads that are put on them.

A load is a command line plus the reading of what it printed. Every load is checked: an answer that
is an error or a miss ends the suite, for a server that fails is fast.
"""
import csv
import os
import socket
import subprocess

from harness import process
from harness.process import Failure, Server

BIN = os.environ.get("KEYSTORE_BIN", "build/bin")
PEERS = os.environ.get("KEYSTORE_PEERS", "build/peers/bin")
KEY_BYTES = 16
VALUE_BYTES = 32
VERIFIED_CALLS = 20000

KEYSTORE_BENCH = f"{BIN}/keystore-bench"
KEYSTORE_READY = r"Server started on port (\d+)\n"


def start_keystore(name="KeyStore", program="keystore-server"):
    return Server(name, [f"{BIN}/{program}", "--listen", "127.0.0.1:0", "--threads", 1,
                         "--log-level", "error"], KEYSTORE_READY)


def start_grpc_cpp():
    return Server("gRPC C++", [f"{PEERS}/grpc-cpp-server", "127.0.0.1:0"], KEYSTORE_READY)


def start_redis():
    port = process.free_port()
    return Server("redis", ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
                            "--appendonly", "no", "--daemonize", "no", "--dir", "/tmp"],
                  r"Ready to accept connections", port)


def only_row(text, program):
    rows = list(csv.DictReader(text.splitlines()))
    if len(rows) != 1:
        raise Failure(f"{program} should print a header and one line of CSV, not: {text[:300]}")
    return rows[0]


# The three that speak gRPC.

def keystore_bench(server, keys, connections, streams, *more):
    return [KEYSTORE_BENCH, "-h", "127.0.0.1", "-p", server.port, "-c", connections, "-m", streams,
            "-k", KEY_BYTES, "-d", VALUE_BYTES, "-r", keys, "--threads", 1, "--csv", "-q", *more]


def fill_grpc(server, keys):
    """Stores the keys, and checks some of the values that come back."""
    output, _ = process.run_load(server, keystore_bench(server, keys, 10, 100, "--fill", "--verify",
                                                        "--op", "get", "-n", VERIFIED_CALLS))
    check_grpc(server, only_row(output, "keystore-bench"), VERIFIED_CALLS)


def check_grpc(server, row, calls=None):
    for column in ("errors", "misses", "unsent"):
        if int(row[column]) != 0:
            raise Failure(f"keystore-bench against {server.name}: {row[column]} {column}, where "
                          f"{row['calls']} calls ended")
    if calls is not None and int(row["calls"]) != calls:
        raise Failure(f"{server.name} answered {row['calls']} of {calls} calls")


def get_grpc(server, keys, connections, streams, calls):
    """Closed-loop Gets; returns their throughput and Usage."""
    output, usage = process.run_load(server, keystore_bench(server, keys, connections, streams,
                                                            "--op", "get", "-n", calls))
    row = only_row(output, "keystore-bench")
    check_grpc(server, row, calls)
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
    """One command; returns the text of its answer."""
    result = subprocess.run(["redis-cli", "-p", str(server.port), *words], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode != 0:
        raise Failure(f"redis-cli {' '.join(words)}: {result.stdout.strip()}")
    return result.stdout.strip()


def fill_redis(server, keys):
    set_command = ("*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n" +
                   f"${VALUE_BYTES}\r\n{'x' * VALUE_BYTES}\r\n")
    with subprocess.Popen(process.on_core(process.LOAD_CORE, ["redis-cli", "-p", server.port,
                                                              "--pipe"]),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as pipe:
        for start in range(0, keys, 1000):
            pipe.stdin.write("".join(set_command % key
                                     for key in range(start, min(start + 1000, keys))))
        pipe.stdin.close()
        answer = pipe.stdout.read()
    if f"errors: 0, replies: {keys}" not in answer or redis_command(server, "DBSIZE") != str(keys):
        raise Failure(f"redis could not be filled with {keys} keys: {answer.strip()[-300:]}")


def redis_misses(server):
    stats = redis_command(server, "INFO", "stats")
    return int(stats.partition("keyspace_misses:")[2].split()[0])


def get_redis(server, keys, connections, pipeline, calls):
    """Closed-loop GETs by redis-benchmark; returns their throughput and Usage."""
    misses = redis_misses(server)
    output, usage = process.run_load(server, [
        "redis-benchmark", "-h", "127.0.0.1", "-p", server.port, "-t", "get", "-c", connections,
        "-P", pipeline, "-n", calls, "-r", keys, "-d", VALUE_BYTES, "--csv"])
    if redis_misses(server) != misses:
        raise Failure(f"redis missed {redis_misses(server) - misses} of {calls} keys")
    return float(only_row(output, "redis-benchmark")["rps"]), usage


def rate_redis(server, keys, connections, rate, seconds):
    """Open-loop GETs by redis-rate; returns latencies by name, and Usage."""
    output, usage = process.run_load(server, [
        f"{PEERS}/redis-rate", "-p", server.port, "-c", connections, "-r", keys, "-t", seconds,
        "--rate", rate])
    row = only_row(output, "redis-rate")
    if int(row["errors"]) + int(row["misses"]) != 0:
        raise Failure(f"redis answered {row['errors']} errors and {row['misses']} misses")
    return latencies(row), usage
