"""What the system does not give: descriptors, threads, memory. The server goes on with what it has,
says so where an operator looks, and recovers when there is more again."""

import os
import re
import resource
import select
import socket
import tempfile
import time
from contextlib import ExitStack

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from h2conn import PREFACE, frames
from keystore_env import SANITIZE
from server_process import Server, run_server

WITHIN_S = 30
CLIENTS = 300
GREETING = PREFACE + frames.SettingsFrame(0).serialize()


def wait_until(condition):
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def info(channel):
    return dict(admin_stub(channel).Info(pb.InfoRequest()).fields)


def greeted(server, path):
    """A client that has sent its preface and SETTINGS, as far as the server lets it."""
    if path:
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(path))
    else:
        client = socket.create_connection(("127.0.0.1", server.port))
    try:
        client.sendall(GREETING)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return client


def serves(client):
    """The server's SETTINGS have come."""
    client.settimeout(WITHIN_S)
    try:
        return client.recv(9)[3:4] == b"\x04"
    except ConnectionResetError:
        return False


def check_works(channel, admin):
    assert Stub(channel).Set(pb.KeyValue(key=b"k", value=b"v")).ok
    assert admin.Save(pb.SaveRequest(wait=True)).ok
    assert Stub(channel).Get(pb.Key(key=b"k")).value == b"v"


# Descriptors.

@pytest.mark.parametrize("is_unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_more_clients_than_descriptors(fresh_server, tmp_path, threads, is_unix):
    """Those beyond are turned away; a snapshot still finds its files."""
    path = tmp_path / "socket" if is_unix else None
    listen = ["127.0.0.1:0"] + ([f"unix:{path}"] if path else [])
    server = fresh_server(threads=threads, listen=listen,
                          limits=[f"--nofile={130 if threads == 8 else 60}"])
    with open_channel(server.address) as channel:
        admin = admin_stub(channel)
        check_works(channel, admin)
        for _ in range(3):
            with ExitStack() as stack:
                clients = [stack.enter_context(greeted(server, path)) for _ in range(CLIENTS)]
                served = [each for each in clients if serves(each)]
                assert 0 < len(served) < 130
                check_works(channel, admin)
                assert int(info(channel)["connected_clients"]) == len(served) + 1
            wait_until(lambda: int(info(channel)["connected_clients"]) == 1)
        assert int(info(channel)["rejected_connections"]) > CLIENTS
        with greeted(server, path) as late:
            assert serves(late)
    lines = [line for line in server.stderr.splitlines() if " warning " in line]
    assert 1 <= len(lines) < 10, server.stderr
    assert "limit of open files" in lines[0]


@pytest.mark.parametrize("is_unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_accepting_pauses_without_descriptors(fresh_server, tmp_path, threads, is_unix):
    """Whoever waits is served when others have left."""
    path = tmp_path / "socket" if is_unix else None
    listen = ["127.0.0.1:0"] + ([f"unix:{path}"] if path else [])
    server = fresh_server(threads=threads, listen=listen)
    with open_channel(server.address) as channel, ExitStack() as stack:
        assert Stub(channel).Set(pb.KeyValue(key=b"k", value=b"v")).ok
        limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        few = len(os.listdir(f"/proc/{server.pid}/fd")) + 2
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (few, limits[1]))
        clients = [stack.enter_context(greeted(server, path)) for _ in range(60)]
        wait_until(lambda: int(info(channel)["accepting_pauses"]) > 0)
        assert Stub(channel).Get(pb.Key(key=b"k")).value == b"v"
        # Each that leaves lets another one in.
        while clients:
            ready, _, _ = select.select(clients, [], [], WITHIN_S)
            assert ready, f"{len(clients)} are never accepted"
            for each in ready:
                assert serves(each)
                each.close()
                clients.remove(each)
        assert int(info(channel)["rejected_connections"]) == 0
    lines = [line for line in server.stderr.splitlines() if "no connection can be accepted" in line]
    assert 1 <= len(lines) < 5, server.stderr


def test_a_stop_without_descriptors(fresh_server):
    """SIGTERM is heard while clients wait to be accepted."""
    server = fresh_server()
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE,
                     (len(os.listdir(f"/proc/{server.pid}/fd")), 1024))
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(greeted(server, None))
        wait_until(lambda: "no connection can be accepted" in server.stderr)
        server.stop()


# Starts that must fail.

@pytest.mark.skipif(SANITIZE != "", reason="a sanitizer has needs of its own")
@pytest.mark.parametrize("threads,files", [
    (1, 4), (1, 8), (1, 12), (1, 30), (2, 12), (2, 20), (2, 30), (8, 30), (8, 40), (8, 64)])
@pytest.mark.parametrize("is_unix", [False, True], ids=["tcp", "unix"])
def test_too_few_descriptors_at_the_start(tmp_path, threads, files, is_unix):
    listen = f"unix:{tmp_path}/socket" if is_unix else "127.0.0.1:0"
    ran = run_server("--dir", tmp_path / "data", "--listen", listen, "--threads", threads,
                     wrapper=["prlimit", f"--nofile={files}", "--"])
    assert ran.returncode == 1, ran
    assert "ulimit -n" in ran.stderr


# Memory.

EXACT = pytest.mark.skipif(SANITIZE != "", reason="a sanitizer takes addresses without end")
AS_LIMIT = 800 << 20


def fill(stub, size):
    """Sets keys until some are refused; the number of those that were set."""
    batch = max(1, 1_000_000 // size)
    for i in range(0, 4 * AS_LIMIT // size, batch):
        entries = [pb.KeyValue(key=b"fill:%d" % k, value=b"v" * size) for k in range(i, i + batch)]
        try:
            stub.MSet(pb.KeyValues(entries=entries), timeout=WITHIN_S)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error
            assert "no more memory" in error.details()
            return i
    raise AssertionError("nothing is ever refused")


@EXACT
@pytest.mark.parametrize("size", [50_000, 3_000_000, 50_000_000])
def test_no_more_memory(fresh_server, size):
    """Writes are refused, in whatever sizes they come; the rest goes on, and there is room again
    when keys are deleted."""
    server = fresh_server("--durability", "none", "--save", "",
                          limits=[f"--as={AS_LIMIT}"])
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        count = fill(stub, size)
        assert count > 0
        for _ in range(3):
            with pytest.raises(grpc.RpcError) as caught:
                stub.Set(pb.KeyValue(key=b"more", value=b"v" * 50_000_000))
            assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert stub.Get(pb.Key(key=b"fill:0")).value == b"v" * size
        assert stub.Exists(pb.Keys(keys=[b"fill:%d" % (count - 1), b"more"])).count == 1
        for i in range(0, count, 1000):
            stub.DeleteMany(pb.Keys(keys=[b"fill:%d" % k for k in range(i, min(i + 1000, count))]))
        wait_until(lambda: stores(stub))
        assert int(info(channel)["errorstat_OUT_OF_MEMORY"]) > 3


def stores(stub):
    try:
        return stub.Set(pb.KeyValue(key=b"k", value=b"v")).ok
    except grpc.RpcError:
        return False


@EXACT
def test_too_little_memory_at_the_start(tmp_path):
    ran = run_server("--dir", tmp_path / "data", "--listen", "127.0.0.1:0",
                     wrapper=["prlimit", f"--as={200 << 20}", "--"])
    assert ran.returncode == 1, ran
    assert "ulimit -v" in ran.stderr


@EXACT
@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
@pytest.mark.parametrize("threads,most", [(1, 1), (1, 2), (1, 3), (2, 2), (2, 4), (8, 6), (8, 10)])
def test_no_thread_at_the_start(threads, most):
    """The limit does not hold for root, and counts for a user."""
    user = 61000 + 100 * threads + most
    with tempfile.TemporaryDirectory(prefix="keystore-e2e-") as folder:
        os.chown(folder, user, user)
        ran = run_server("--dir", f"{folder}/data", "--listen", "127.0.0.1:0", "--threads", threads,
                         wrapper=["prlimit", f"--nproc={most}", "setpriv", f"--reuid={user}",
                                  "--clear-groups", f"--regid={user}", "--"])
    assert ran.returncode == 1, ran
    assert "ulimit -u" in ran.stderr


# What an operator finds: a counter and a line for what clients are refused.

def refuse_many(stub, count):
    codes = set()
    for i in range(count):
        with pytest.raises(grpc.RpcError) as caught:
            stub.Set(pb.KeyValue(key=b"refused:%d" % i, value=b"v" * 1000))
        codes.add(caught.value.code())
    return codes


def test_refused_writes_of_the_disk(tmp_path):
    """A file at its limit: the log has failed, so that the server ends with 1."""
    server = Server(directory=tmp_path)
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (100_000, 100_000))
        wait_until(lambda: is_refused(stub))
        before = int(info(channel)["errorstat_READ_ONLY"])
        assert refuse_many(stub, 50) == {grpc.StatusCode.FAILED_PRECONDITION}
        assert int(info(channel)["errorstat_READ_ONLY"]) == before + 50
    server.send_signal()
    assert server.process.wait(60) == 1
    told = re.findall(r"(\d+) calls were refused: the disk takes no more", server.stderr)
    assert sum(map(int, told)) == before + 50


def is_refused(stub):
    try:
        return not stub.Set(pb.KeyValue(key=b"k", value=b"v" * 10000), timeout=WITHIN_S).ok
    except grpc.RpcError:
        return True


def test_refused_and_evicted_by_the_memory_limit(fresh_server):
    limit = ("--max-memory", "4MiB")
    server, evicting = (fresh_server(*limit),
                        fresh_server(*limit, "--max-memory-policy", "allkeys-lru"))
    for each in (server, evicting):
        with open_channel(each.address) as channel:
            stub = Stub(channel)
            for i in range(60):
                try:
                    stub.Set(pb.KeyValue(key=b"k%d" % i, value=b"v" * 100_000))
                except grpc.RpcError as error:
                    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            fields = info(channel)
            refused, evicted = (int(fields["errorstat_OUT_OF_MEMORY"]),
                                int(fields["evicted_keys"]))
        assert (refused > 0, evicted > 0) == (each is server, each is evicting)
        each.stop()
        told = re.findall(r"(\d+) calls were refused: there is no memory", each.stderr)
        assert sum(map(int, told)) == refused
        told = re.findall(r"(\d+) keys were evicted", each.stderr)
        assert sum(map(int, told)) == evicted


def test_clients_turned_away_are_told(fresh_server):
    server = fresh_server("--max-connections", 3, "--max-connections-per-address", 2)
    with open_channel(server.address) as channel, ExitStack() as stack:
        Stub(channel).Exists(pb.Keys(keys=[b"k"]))
        clients = [stack.enter_context(greeted(server, None)) for _ in range(10)]
        assert sum(serves(each) for each in clients) == 1
        fields = info(channel)
        assert fields["rejected_connections"] == fields["rejected_connections_of_address"] == "9"
        wait_until(lambda: "--max-connections-per-address" in server.stderr)
