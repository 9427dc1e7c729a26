"""KeyStoreAdmin: what the server says of itself, and emptying a database."""

import time

import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel, raw_method
from errors import BAD_ARGUMENT, NOT_SERVED, check_fails
from server_process import Server
from times import wait_until

SECTIONS = ["server", "clients", "memory", "persistence", "stats", "cpu", "errorstats", "keyspace"]


@pytest.fixture(scope="module")
def own_server():
    """One that nobody else talks to."""
    server = Server("--max-connections", 500, threads=3)
    yield server
    server.stop()


@pytest.fixture
def own(own_server):
    """The stubs of data and administration, and an empty server."""
    with open_channel(own_server.address) as channel:
        stub, admin = Stub(channel), admin_stub(channel)
        for db in range(16):
            admin.FlushDb(pb.DbRequest(db=db))
        yield stub, admin


def info(admin, *sections):
    return dict(admin.Info(pb.InfoRequest(sections=sections)).fields)


# Info.

def test_all_sections(own):
    _, admin = own
    everything = info(admin)
    parts = [info(admin, section) for section in SECTIONS]
    assert set(everything) == {name for part in parts for name in part}
    assert sum(len(part) for part in parts) == len(everything)
    assert set(info(admin, "clients", "cpu")) == set(parts[1]) | set(parts[5])
    assert set(info(admin, "clients", "clients")) == set(parts[1])


def test_server_section(own, own_server):
    _, admin = own
    fields = info(admin, "server")
    assert fields["process_id"] == str(own_server.pid)
    assert fields["worker_threads"] == "3"
    assert fields["keystore_version"].count(".") == 2
    assert abs(int(fields["server_time_usec"]) / 1e6 - time.time()) < 60
    assert 0 <= int(fields["uptime_in_seconds"]) < 600 and fields["uptime_in_days"] == "0"


def test_connections_are_counted(own, own_server):
    _, admin = own
    before = info(admin)
    assert before["maxclients"] == "500"
    channels = [open_channel(own_server.address) for _ in range(3)]
    for channel in channels:
        Stub(channel).Get(pb.Key(key=b"k"))
    now = info(admin)
    assert int(now["connected_clients"]) == int(before["connected_clients"]) + 3
    assert (int(now["total_connections_received"])
            == int(before["total_connections_received"]) + 3)
    for channel in channels:
        channel.close()
    wait_until(lambda: info(admin)["connected_clients"] == before["connected_clients"])
    assert info(admin)["total_connections_received"] == now["total_connections_received"]


def test_commands_of_all_threads_are_counted(own, own_server):
    """Whichever of the threads has the connection."""
    _, admin = own
    before = int(info(admin)["total_commands_processed"])
    for _ in range(10):
        with open_channel(own_server.address) as channel:
            for _ in range(5):
                Stub(channel).Get(pb.Key(key=b"k"))
    # The 50 calls, and the Info that asked after the first one had counted itself.
    assert int(info(admin)["total_commands_processed"]) == before + 51


def test_memory_section(own):
    stub, admin = own
    before = info(admin, "memory")
    for number in range(50):
        stub.Set(pb.KeyValue(key=b"%d" % number, value=b"v" * 1000000))
    after = info(admin, "memory")
    assert int(after["used_memory"]) - int(before["used_memory"]) > 40000000
    assert int(after["used_memory_rss"]) > 40000000
    assert after["maxmemory"] == "0" and after["maxmemory_policy"] == "noeviction"


def test_limits_are_told(fresh_server):
    server = fresh_server("--max-memory", "100MiB", "--max-memory-policy", "allkeys-lru")
    with open_channel(server.address) as channel:
        fields = info(admin_stub(channel), "memory")
    assert fields["maxmemory"] == str(100 << 20) and fields["maxmemory_policy"] == "allkeys-lru"


def test_keyspace_section(own):
    stub, admin = own
    assert info(admin, "keyspace") == {}
    for number in range(20):
        stub.Set(pb.KeyValue(key=b"%d" % number, ttl_ms=3600000 if number < 7 else 0))
    stub.LPush(pb.ListInsert(key=b"list", values=[b"1"], db=15))
    assert info(admin, "keyspace") == {"db0": "keys=20,expires=7", "db15": "keys=1,expires=0"}
    stub.Expire(pb.ExpireRequest(key=b"0", persist=True))
    stub.Delete(pb.Key(key=b"1"))
    stub.Delete(pb.Key(key=b"list", db=15))
    assert info(admin, "keyspace") == {"db0": "keys=19,expires=5"}


def test_expired_keys_are_counted(own):
    stub, admin = own
    before = int(info(admin, "stats")["expired_keys"])
    for number in range(10):
        stub.Set(pb.KeyValue(key=b"%d" % number, ttl_ms=1))
    wait_until(lambda: int(info(admin, "stats")["expired_keys"]) == before + 10)
    assert info(admin, "keyspace") == {}


def test_sections_that_there_are_not(admin):
    for sections in (["nothing"], ["server", ""], ["SERVER"], ["server "]):
        check_fails(BAD_ARGUMENT, admin.Info, pb.InfoRequest(sections=sections),
                    "server, clients, memory, persistence, stats, cpu, errorstats, keyspace")


# FlushDb.

def test_flush_db(own):
    stub, admin = own
    for db in (0, 3):
        for number in range(1000):
            stub.Set(pb.KeyValue(key=b"%d" % number, value=b"v", db=db))
        stub.LPush(pb.ListInsert(key=b"list", values=[b"1"] * 100, db=db))
    flushed = admin.FlushDb(pb.DbRequest(db=3))
    assert flushed.ok and flushed.count == 1001
    assert not stub.Get(pb.Key(key=b"7", db=3)).found
    assert not stub.Describe(pb.Key(key=b"list", db=3)).found
    assert stub.RandomKey(pb.DbRequest(db=3)) == pb.Key()
    assert stub.Get(pb.Key(key=b"7")).found
    assert info(admin, "keyspace") == {"db0": "keys=1001,expires=0"}
    assert admin.FlushDb(pb.DbRequest(db=3)) == pb.Status()
    assert stub.LPush(pb.ListInsert(key=b"list", values=[b"1"], db=3)).count == 1
    check_fails(BAD_ARGUMENT, admin.FlushDb, pb.DbRequest(db=16), "no database 16")


# SwapDb.

def test_swap_db(own):
    stub, admin = own
    for number in range(1000):
        stub.Set(pb.KeyValue(key=b"%d" % number, value=b"v", db=3))
    stub.Set(pb.KeyValue(key=b"7", value=b"w", ttl_ms=100000))
    swapped = admin.SwapDb(pb.SwapRequest(other_db=3))
    assert swapped.ok and swapped.count == 1001
    assert info(admin, "keyspace") == {"db0": "keys=1000,expires=0", "db3": "keys=1,expires=1"}
    assert stub.Get(pb.Key(key=b"7")).value == b"v"
    assert stub.Get(pb.Key(key=b"7", db=3)).value == b"w"
    assert admin.SwapDb(pb.SwapRequest(db=4, other_db=5)) == pb.Status()
    assert admin.SwapDb(pb.SwapRequest(db=3, other_db=3)) == pb.Status()
    check_fails(BAD_ARGUMENT, admin.SwapDb, pb.SwapRequest(db=16), "no database 16")
    check_fails(BAD_ARGUMENT, admin.SwapDb, pb.SwapRequest(other_db=16), "no database 16")


# Paths.

@pytest.mark.parametrize("prefix", ["/keystore.v1.KeyStoreAdmin/", "/KeyStoreAdmin/"])
def test_both_paths(channel, prefix):
    request = pb.InfoRequest(sections=["server"]).SerializeToString()
    assert raw_method(channel, prefix + "Info", pb.InfoReply)(request).fields["process_id"]
    request = pb.DbRequest(db=8).SerializeToString()
    raw_method(channel, prefix + "FlushDb", pb.Status)(request)


def test_methods_are_not_mixed_up(channel):
    for path in ("/keystore.v1.KeyStore/Info", "/KeyStore/FlushDb", "/KeyStoreAdmin/Get"):
        check_fails(NOT_SERVED, raw_method(channel, path), b"", "no such method")
