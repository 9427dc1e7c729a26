"""SLOWLOG and LATENCY of keystore-cli: what a server remembers of its calls, for people and for programs."""

import shlex
import subprocess

import pytest

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from errors import BAD_ARGUMENT, check_fails
from keystore_env import BIN

CLI = str(BIN / "keystore-cli")
TIMEOUT_S = 60


def run(server, *words, options=()):
    return subprocess.run([CLI, "-p", str(server.port), *options, *words], capture_output=True,
                          text=True, timeout=TIMEOUT_S, check=False)


def cli(server, *words, options=()):
    done = run(server, *words, options=options)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def lines_of(server, *words):
    """Each line as a dictionary."""
    return [dict(field.split("=", 1) for field in shlex.split(line))
            for line in cli(server, *words).splitlines()]


@pytest.fixture
def observed(fresh_server):
    """A server to which every call is slow, and that has had four."""
    server = fresh_server("--slow-log-us", "0")
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        stub.Set(pb.KeyValue(key=b"a key \xff", value=b"v" * 100),
                 metadata=(("keystore-request-id", "an id"), ("grpc-previous-rpc-attempts", "2")))
        stub.Get(pb.Key(key=b"k", db=3))
        stub.Get(pb.Key(key=b"k"))
        check_fails(BAD_ARGUMENT, stub.Get, pb.Key(key=b""))
    return server


def test_slow_calls(observed):
    lines = lines_of(observed, "SLOWLOG", "GET", "-1")
    assert [line["id"] for line in lines] == ["4", "3", "2", "1"]
    assert [line["method"] for line in lines] == ["keystore.v1.KeyStore/Get"] * 3 + ["keystore.v1.KeyStore/Set"]
    assert [line["status"] for line in lines] == ["INVALID_ARGUMENT", "OK", "OK", "OK"]
    assert [line["db"] for line in lines] == ["0", "0", "3", "0"]
    first = lines[-1]
    assert first["key"] == r"a key \xff" and first["key-size"] == "7" and first["keys"] == "1"
    assert first["request-id"] == "an id" and first["previous-attempts"] == "2"
    assert first["waited-for"] == "disk" and int(first["us"]) > 0 and int(first["request-bytes"]) > 100
    assert [line["id"] for line in lines_of(observed, "slowlog", "get", "2")] == ["5", "4"]
    # Ten as in Redis, newest first, with the two calls of the command line.
    table = cli(observed, "SLOWLOG", "GET", options=["--no-raw"]).splitlines()
    assert table[0].split() == ["id", "ended", "us", "method", "status", "request", "reply", "waited", "for",
                                "client", "db", "key"]
    assert len(table) == 7 and table[-1].endswith(r'"a key \xff"') and table[-1].split()[0] == "1"
    assert table[1].split()[0] == "6" and table[1].split()[3] == "SlowLog"


def test_the_slow_log_is_counted_and_reset(observed):
    assert cli(observed, "SLOWLOG", "LEN") == "4\n"
    assert cli(observed, "SLOWLOG", "LEN", options=["--no-raw"]) == "(integer) 5\n"
    assert cli(observed, "SLOWLOG", "RESET") == "OK\n"
    assert [line["id"] for line in lines_of(observed, "SLOWLOG", "GET")] == ["7"]


def test_latency(observed):
    (line,) = lines_of(observed, "LATENCY", "get")
    assert line["method"] == "keystore.v1.KeyStore/Get"
    assert (line["started"], line["ended"], line["failed"], line["codes"]) == ("3", "3", "1", "0:2,3:1")
    assert {line["method"].rpartition("/")[2] for line in lines_of(observed, "LATENCY")} == \
        {"Get", "Set", "Latency"}
    assert [line["retried"] for line in lines_of(observed, "LATENCY", "*Store/S*")] == ["1"]
    assert cli(observed, "LATENCY", "nothing*") == "\n"
    table = cli(observed, "LATENCY", "Get", "LPush", options=["--no-raw"]).splitlines()
    assert [line.split()[:2] for line in table[1:]] == [["Get", "3"], ["LPush", "0"]]
    assert len({len(line) for line in table}) == 1


def test_histograms(observed):
    lines = lines_of(observed, "LATENCY", "HISTOGRAM", "Get", "set")
    for method, calls in (("Get", 3), ("Set", 1)):
        rows = [line for line in lines if line["method"] == f"keystore.v1.KeyStore/{method}"]
        assert sum(int(row["calls"]) for row in rows) == int(rows[-1]["so-far"]) == calls
    table = cli(observed, "LATENCY", "HISTOGRAM", "set", options=["--no-raw"]).splitlines()
    assert len(table) == 2 and table[1].split()[0] == "Set" and table[1].endswith("#" * 40)


@pytest.mark.parametrize("words, complaint", [
    (["SLOWLOG"], "SLOWLOG takes 1 to 2 arguments"),
    (["SLOWLOG", "GET", "0"], "1 or more, or -1 for all"),
    (["SLOWLOG", "LATEST"], "SLOWLOG has no 'LATEST'; usage: SLOWLOG GET|LEN|RESET [count]"),
    (["LATENCY", "RESET"], "subtract those at its start"),
    (["LATENCY", "Gte"], "it is not a method; that is a name such as Get"),
    (["LATENCY", "LATEST"], "LATENCY has no 'LATEST'"),
])
def test_wrong_commands(server, words, complaint):
    done = run(server, *words)
    assert done.returncode == 1 and complaint in done.stderr and done.stdout == ""
