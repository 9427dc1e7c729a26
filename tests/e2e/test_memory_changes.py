"""max-memory and its policy while the server runs: under load, up and down."""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from errors import reason_of
from exposition import Monitor
from times import wait_until
from waiting import wait_for_numbers

MIB = 1 << 20
LISTEN = ("--metrics-listen", "127.0.0.1:0")


def change(admin, name, value):
    return admin.SetConfig(pb.SetConfigRequest(name=name, value=str(value))).ok


def numbers(admin, *names):
    fields = admin.Info(pb.InfoRequest()).fields
    return [int(fields[name]) for name in names]


def fill(stub, keys, size=1000):
    for start in range(0, keys, 1000):
        stub.MSet(pb.KeyValues(entries=[pb.KeyValue(key=b"key%d" % i, value=bytes(size))
                                        for i in range(start, min(keys, start + 1000))]))


def test_raising_ends_refusals(fresh_server):
    server = fresh_server("--max-memory", "4MiB")
    with open_channel(server.address) as channel:
        stub, admin = Stub(channel), admin_stub(channel)
        with pytest.raises(grpc.RpcError) as raised:
            fill(stub, 10_000)
        assert reason_of(raised.value) == "ERROR_REASON_OUT_OF_MEMORY"
        assert change(admin, "max-memory", "64MiB")
        fill(stub, 10_000)
        info = admin.Info(pb.InfoRequest()).fields
        assert int(info["maxmemory"]) == 64 * MIB and info["evicted_keys"] == "0"
        assert int(info["used_memory"]) > 9 * MIB


def test_lowering_without_eviction_refuses_until_it_fits(fresh_server):
    server = fresh_server()
    with open_channel(server.address) as channel:
        stub, admin = Stub(channel), admin_stub(channel)
        fill(stub, 10_000)
        assert change(admin, "max-memory", "5mb")
        with pytest.raises(grpc.RpcError) as raised:
            stub.Set(pb.KeyValue(key=b"new", value=bytes(1000)))
        assert reason_of(raised.value) == "ERROR_REASON_OUT_OF_MEMORY"
        assert len(stub.Get(pb.Key(key=b"key1")).value) == 1000
        assert stub.Set(pb.KeyValue(key=b"key1", value=b"x" * 1000)).ok
        for i in range(7000):
            stub.Delete(pb.Key(key=b"key%d" % i))
        assert stub.Set(pb.KeyValue(key=b"new", value=bytes(1000))).ok
        assert numbers(admin, "evicted_keys") == [0]


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random"])
def test_lowering_under_load(fresh_server, policy):
    """Memory comes down, does not grow meanwhile, and no call fails."""
    server = fresh_server("--durability", "none", *LISTEN)
    monitor = Monitor(server)
    stop = threading.Event()

    def call(number):
        calls = 0
        with open_channel(server.address) as channel:
            stub = Stub(channel)
            while not stop.is_set():
                stub.Get(pb.Key(key=b"key%d" % (calls % 60_000)))
                assert stub.Set(pb.KeyValue(key=b"new%d-%d" % (number, calls), value=bytes(1000))).ok
                calls += 1
        return calls

    with open_channel(server.address) as channel, ThreadPoolExecutor(2) as pool:
        admin = admin_stub(channel)
        fill(Stub(channel), 60_000)
        assert change(admin, "max-memory-policy", policy)
        running = [pool.submit(call, i) for i in range(2)]
        try:
            [before] = numbers(admin, "used_memory")
            assert before > 50 * MIB
            assert change(admin, "max-memory", 10 * MIB)
            seen = [numbers(admin, "used_memory", "evicted_keys")]
            while seen[-1][0] > 10.2 * MIB:
                seen.append(numbers(admin, "used_memory", "evicted_keys"))
                assert seen[-1][0] <= seen[-2][0] + MIB // 2
        finally:
            stop.set()
        assert all(each.result() > 0 for each in running)
        assert sorted(seen, key=lambda each: each[1]) == seen
        evicted = seen[-1][1]
        now = monitor.values()
        assert now[f'keystore_evicted_keys_total{{policy="{policy}"}}'] >= evicted > 30_000
        assert now["keystore_memory_limit_bytes"] == 10 * MIB


def test_lowering_an_idle_server(fresh_server):
    server = fresh_server("--max-memory", "256MiB", "--max-memory-policy", "allkeys-lru")
    with open_channel(server.address) as channel:
        admin = admin_stub(channel)
        fill(Stub(channel), 30_000)
        assert change(admin, "max-memory", "8MiB")
        wait_until(lambda: numbers(admin, "used_memory")[0] <= 8.2 * MIB)
        assert change(admin, "max-memory", "0")
        evicted = numbers(admin, "evicted_keys")
        fill(Stub(channel), 30_000)
        assert numbers(admin, "evicted_keys") == evicted


def test_a_policy_that_changes(fresh_server):
    """What may be evicted from one write to the next."""
    server = fresh_server("--max-memory", "4MiB")
    with open_channel(server.address) as channel:
        stub, admin = Stub(channel), admin_stub(channel)
        with pytest.raises(grpc.RpcError):
            fill(stub, 10_000)
        assert change(admin, "max-memory-policy", "volatile-ttl")
        with pytest.raises(grpc.RpcError):  # no key has a deadline
            fill(stub, 10_000)
        assert change(admin, "max-memory-policy", "allkeys-lru")
        fill(stub, 10_000)
        [evicted] = numbers(admin, "evicted_keys")
        assert evicted > 5000
        assert change(admin, "max-memory-policy", "noeviction")
        with pytest.raises(grpc.RpcError):
            for i in range(1000):
                stub.Set(pb.KeyValue(key=b"more%d" % i, value=bytes(1000)))
        wait_for_numbers(admin, {"evicted_keys": evicted})
        assert admin.Info(pb.InfoRequest()).fields["maxmemory_policy"] == "noeviction"


def test_a_restart_with_less_memory(fresh_server, tmp_path):
    """Everything is loaded; then it comes down as if the limit had been lowered."""
    server = fresh_server(directory=tmp_path)
    with open_channel(server.address) as channel:
        fill(Stub(channel), 20_000)
    server.stop()
    server = fresh_server("--max-memory", "8MiB", "--max-memory-policy", "allkeys-random",
                          directory=tmp_path)
    with open_channel(server.address) as channel:
        admin = admin_stub(channel)
        assert Stub(channel).Set(pb.KeyValue(key=b"new", value=bytes(1000))).ok
        wait_until(lambda: numbers(admin, "used_memory")[0] <= 8.2 * MIB)
