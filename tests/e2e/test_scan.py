"""Scan: exactly once whatever happens meanwhile, globs as in redis, cursors, limits, endings."""

import threading
import time

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from errors import BAD_ARGUMENT, BAD_MESSAGE, NOT_SERVED, STOPPING, TOO_LARGE, check_ends
from keystore_env import SANITIZE
from redis_process import Redis
from slow_disk import SYNC_US, WAITING, start_on_slow_disk
from times import wait_until

STAYING = 2000
COMING = 50_000 if SANITIZE else 1_000_000
HORDE = 10_000


@pytest.fixture
def own(fresh_server):
    """A stub of a server with nothing else in it."""
    server = fresh_server()
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        stub.server = server
        yield stub


def set_all(stub, names, value=b"v", **options):
    for i in range(0, len(names), 5000):
        stub.MSet(pb.KeyValues(entries=[pb.KeyValue(key=name, value=value, **options)
                                        for name in names[i:i + 5000]], **options))


def scan(stub, **fields):
    """The keys of all pages."""
    return [entry.key for page in stub.Scan(pb.ScanRequest(**fields)) for entry in page.entries]


def scan_by_cursors(stub, **fields):
    """The keys of a stream after the other, and how many there were."""
    keys, cursor, streams = [], b"", 0
    while True:
        pages = list(stub.Scan(pb.ScanRequest(cursor=cursor, **fields)))
        keys += [entry.key for page in pages for entry in page.entries]
        cursor = pages[-1].cursor
        streams += 1
        if not cursor:
            return keys, streams


def test_every_key_once(own):
    names = [b"key:%d" % i for i in range(20000)]
    set_all(own, names)
    assert sorted(scan(own)) == sorted(names)
    assert sorted(scan(own, page_bytes=1)) == sorted(names)
    keys, streams = scan_by_cursors(own, max_visited=1000)
    assert sorted(keys) == sorted(names) and 15 <= streams <= 21
    pages = list(own.Scan(pb.ScanRequest(page_bytes=1 << 20)))
    assert len(pages) == 1 and not pages[0].cursor
    assert scan(own, db=1) == []


def test_a_cursor_continues_on_another_connection(own):
    names = [b"key:%d" % i for i in range(20000)]
    set_all(own, names)
    stream = own.Scan(pb.ScanRequest())
    first = next(stream)
    stream.cancel()
    with open_channel(own.server.address) as channel:
        rest = scan(Stub(channel), cursor=first.cursor)
    assert sorted([entry.key for entry in first.entries] + rest) == sorted(names)


def test_exactly_once_while_keys_come_and_go(own, counts):
    """Writers add and remove hordes, flush another database and swap two more, so that dictionaries
    grow and shrink; the keys that stay are found once, and no key twice."""
    staying = {b"stays:%d" % i for i in range(STAYING)}
    set_all(own, list(staying))
    failures = []

    def write(number):
        with open_channel(own.server.address) as channel:
            stub, admin = Stub(channel), admin_stub(channel)
            for i in range(number, COMING // HORDE, 2):
                horde = [b"%d:%d" % (i, j) for j in range(HORDE)]
                set_all(stub, horde)
                stub.DeleteMany(pb.Keys(keys=horde[i % 3 * 1000:]))
                stub.DeleteMany(pb.Keys(keys=horde[:i % 3 * 1000] or [b"none"]))
                stub.Set(pb.KeyValue(key=b"other", value=b"v", db=1))
                admin.FlushDb(pb.DbRequest(db=1))
                admin.SwapDb(pb.SwapRequest(db=2, other_db=3))

    def writer(number):
        try:
            write(number)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=writer, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    scans = 0
    while any(thread.is_alive() for thread in threads) or scans == 0:
        keys = scan(own) if scans % 2 == 0 else scan_by_cursors(own, max_visited=500)[0]
        found = set(keys)
        assert len(found) == len(keys)
        assert staying <= found
        scans += 1
    for thread in threads:
        thread.join()
    assert not failures
    counts(f"{scans} scans")


def test_filters_and_values(own):
    own.Set(pb.KeyValue(key=b"user:1", value=b"one"))
    own.Set(pb.KeyValue(key=b"user:2", value=b"x" * 100_000, ttl_ms=1_000_000))
    own.RPush(pb.ListInsert(key=b"user:list", values=[b"element"]))
    own.Set(pb.KeyValue(key=b"other", value=b""))
    assert sorted(scan(own, pattern=b"user:*")) == [b"user:1", b"user:2", b"user:list"]
    assert scan(own, type=pb.VALUE_TYPE_LIST) == [b"user:list"]
    entries = {entry.key: entry for page in own.Scan(pb.ScanRequest(with_values=True))
               for entry in page.entries}
    assert entries[b"user:list"].type == pb.VALUE_TYPE_LIST
    assert not entries[b"user:list"].HasField("value")
    for name in (b"user:1", b"user:2", b"other"):
        assert entries[name].type == pb.VALUE_TYPE_STRING
        value = own.Get(pb.Key(key=name))
        assert entries[name].value == value and value.found


def test_expired_keys_are_left_out(own):
    own.Set(pb.KeyValue(key=b"gone", value=b"v", expire_at_ms=1))
    own.Set(pb.KeyValue(key=b"here", value=b"v"))
    assert scan(own) == [b"here"]


def test_pages_of_large_values(own):
    names = [b"%d" % i for i in range(40)]
    for i, name in enumerate(names):
        own.Set(pb.KeyValue(key=name, value=bytes([i]) * (100_000 + 100_000 * (i % 20))))
    pages = list(own.Scan(pb.ScanRequest(with_values=True, page_bytes=1 << 20)))
    found = {entry.key: entry.value.value for page in pages for entry in page.entries}
    assert {name: found[name] == bytes([i]) * (100_000 + 100_000 * (i % 20))
            for i, name in enumerate(names)} == dict.fromkeys(names, True)
    assert sum(len(page.entries) for page in pages) == len(names)
    for page in pages:
        assert page.ByteSize() <= 1 << 20 or len(page.entries) == 1


def random_text(random, letters, most):
    return "".join(random.choice(letters) for _ in range(random.randint(1, most)))


def test_patterns_match_as_in_redis(own, random_of_test, tmp_path):
    random = random_of_test
    names = sorted({random_text(random, "ab-]^\\[*?é", 6).encode() for _ in range(1500)})
    set_all(own, names)
    with Redis(tmp_path) as redis:
        redis.call("MSET", *[part for name in names for part in (name, b"v")])
        for _ in range(400):
            pattern = random_text(random, "ab[]]^-\\**?", 9).encode()
            expected = sorted(redis.call("KEYS", pattern))
            assert sorted(scan(own, pattern=pattern)) == expected, pattern


@pytest.mark.parametrize("cursor", [b"0", b"17", b"x" * 42, b"0" * 42, b"0" * 43, b"\x00\xff"])
def test_invalid_cursors(own, cursor):
    check_ends(own.Scan(pb.ScanRequest(cursor=cursor)), BAD_ARGUMENT, "cursor")


def test_cursors_of_other_servers_and_databases(own, server):
    set_all(own, [b"%d" % i for i in range(1000)])
    cursor = next(own.Scan(pb.ScanRequest(max_visited=10))).cursor
    check_ends(own.Scan(pb.ScanRequest(cursor=cursor, db=3)), BAD_ARGUMENT, "database 0 and db is 3")
    with open_channel(server.address) as channel:
        check_ends(Stub(channel).Scan(pb.ScanRequest(cursor=cursor)), BAD_ARGUMENT,
                   "not one that this server has returned since it started")


@pytest.mark.parametrize("request_of, error, words", [
    (pb.ScanRequest(db=16), BAD_ARGUMENT, "no database 16"),
    (pb.ScanRequest(type=7), BAD_ARGUMENT, "type"),
    (pb.ScanRequest(page_bytes=(1 << 20) + 1), BAD_ARGUMENT,
     "page_bytes"),
    (pb.ScanRequest(pattern=b"x" * 1025), TOO_LARGE,
     "1025 bytes; it may have 1024"),
])
def test_what_is_refused(stub, request_of, error, words):
    check_ends(stub.Scan(request_of), error, words)


def test_not_exactly_one_message(channel):
    method = channel.stream_stream("/keystore.v1.KeyStore/Scan")
    check_ends(method(iter([]), timeout=60), NOT_SERVED, "no message")
    check_ends(method(iter([b"\xff"]), timeout=60), BAD_MESSAGE, "")


def test_a_filter_that_matches_nothing_lets_others_go_on(own):
    set_all(own, [b"key:%d" % i for i in range(200_000)])
    streams = [own.Scan(pb.ScanRequest(pattern=b"a*a*b")) for _ in range(4)]
    for _ in range(100):
        assert own.Get(pb.Key(key=b"key:1")).found
    for stream in streams:
        [page] = stream
        assert len(page.entries) == 0 and not page.cursor


def test_who_does_not_read_costs_little(own):
    """The pages that a client takes decide how far the scan gets."""
    set_all(own, [b"key:%d" % i for i in range(100_000)])
    set_all(own, [b"key:%d" % i for i in range(100)], value=b"x" * 200_000)
    before = own.server.resident_bytes()
    streams = [own.Scan(pb.ScanRequest(with_values=True)) for _ in range(20)]
    for stream in streams:
        next(stream)
    assert own.server.resident_bytes() - before < 20 * 1_000_000
    for stream in streams[::2]:
        stream.cancel()
    for stream in streams[1::2]:
        assert sum(len(page.entries) for page in stream) > 90_000


def test_a_deadline_ends_the_stream(own):
    set_all(own, [b"key:%d" % i for i in range(100_000)])
    with pytest.raises(grpc.RpcError) as caught:
        for _ in own.Scan(pb.ScanRequest(page_bytes=1), timeout=0.05):
            pass
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert len(scan(own)) == 100_000


def test_a_shutdown_ends_the_stream(fresh_server):
    server = fresh_server()
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        set_all(stub, [b"key:%d" % i for i in range(100_000)], value=b"x" * 100)
        stream = stub.Scan(pb.ScanRequest(with_values=True))
        next(stream)
        server.send_signal()
        check_ends(stream, STOPPING, "shutting down")
        server.wait()


def test_a_page_waits_for_the_disk(tmp_path, monkeypatch):
    """What a write that is not durable yet has made, or removed, is not shown."""
    server = start_on_slow_disk(tmp_path, monkeypatch, SYNC_US, directory=tmp_path / "data")
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        for method, request, shown in (
                (stub.Set, pb.KeyValue(key=b"key", value=b"v"), [b"key"]),
                (stub.Delete, pb.Key(key=b"key"), [])):
            logged, begun = server.stderr.count(WAITING), time.monotonic()
            written = method.future(request)
            wait_until(lambda logged=logged: server.stderr.count(WAITING) > logged)
            assert scan(stub) == shown
            assert time.monotonic() - begun >= SYNC_US / 1e6
            written.result()
    server.stop()
