"""StreamList: pages of one version whatever is written meanwhile, ranges, memory, endings."""

import time

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from errors import (BAD_ARGUMENT, NOT_SERVED, OUT_OF_MEMORY, STOPPING,
                    TOO_LARGE, WRONG_TYPE, check_ends)
from h2conn import H2Conn
from keystore_env import SANITIZE
from slow_disk import SYNC_US, WAITING, start_on_slow_disk
from times import wait_until

LENGTH = 100_000


def numbers(count, size=0):
    return [b"%0*d" % (size, i) for i in range(count)]


def push(stub, key, values):
    """The key's version."""
    version = 0
    for i in range(0, len(values), 20_000):
        version = stub.RPush(pb.ListInsert(key=key, values=values[i:i + 20_000])).version
    return version


def whole(key, **fields):
    return pb.ListRange(key=key, stop=-1, **fields)


def values_of(pages):
    return [value for page in pages for value in page.values]


def test_all_pages_are_of_one_version(stub, key):
    version = push(stub, key, numbers(LENGTH))
    pages = list(stub.StreamList(whole(key)))
    assert len(pages) > 5
    assert values_of(pages) == numbers(LENGTH)
    offset = 0
    for page in pages:
        assert page.found and page.length == LENGTH and page.version == version
        assert page.offset == offset
        assert page.ByteSize() < 66_000
        offset += len(page.values)


def test_changes_meanwhile_are_not_shown(stub, keys):
    key, other = next(keys), next(keys)
    push(stub, key, numbers(LENGTH))
    changes = [
        lambda: stub.LPush(pb.ListInsert(key=key, values=[b"new"])),
        lambda: stub.LSet(pb.ListItem(key=key, index=LENGTH // 2, value=b"other")),
        lambda: stub.LTrim(pb.ListRange(key=key, start=10, stop=LENGTH // 2)),
        lambda: stub.LRem(pb.ListFind(key=key, value=b"20000")),
        lambda: stub.Rename(pb.CopyRequest(source=key, target=other)),
        lambda: stub.Delete(pb.Key(key=other)),
        lambda: push(stub, key, numbers(10)),
    ]
    stream = stub.StreamList(whole(key, page_bytes=20_000))
    pages = []
    for page in stream:
        pages.append(page)
        if changes:
            changes.pop(0)()
    assert not changes
    assert values_of(pages) == numbers(LENGTH)
    assert {page.version for page in pages} == {pages[0].version}
    assert values_of(stub.StreamList(whole(key))) == numbers(10)


@pytest.mark.parametrize("start, stop", [
    (0, 0), (0, -1), (5, 4), (-1, -1), (-3, -2), (2000, 5000), (2999, 10**6), (3000, 4000),
    (-10**6, 10), (-1, 0), (1500, 1500), (-2**63, 2**63 - 1)])
def test_ranges_are_those_of_lrange(stub, keys, start, stop):
    for length in (3000, 5):
        key = next(keys)
        push(stub, key, numbers(length))
        request = pb.ListRange(key=key, start=start, stop=stop)
        expected = stub.LRange(request)
        request.page_bytes = 100
        pages = list(stub.StreamList(request))
        assert values_of(pages) == list(expected.values)
        for page in pages:
            assert (page.found, page.length, page.version) == (True, length, expected.version)
        assert len(expected.values) == 0 or pages[0].offset == expected.offset


def test_no_list(stub, keys):
    [page] = stub.StreamList(whole(next(keys)))
    assert page == pb.ListValues()


def test_what_is_refused(stub, key, channel):
    stub.Set(pb.KeyValue(key=key, value=b"v"))
    check_ends(stub.StreamList(whole(key)), WRONG_TYPE, "the key holds a string")
    check_ends(stub.StreamList(whole(b"")), BAD_ARGUMENT, "the key is empty")
    check_ends(stub.StreamList(whole(b"x" * 70_000)), TOO_LARGE, "64 KiB")
    check_ends(stub.StreamList(whole(key, db=16)), BAD_ARGUMENT, "no database 16")
    check_ends(stub.StreamList(whole(key, page_bytes=1 << 21)), BAD_ARGUMENT, "page_bytes")
    method = channel.stream_stream("/keystore.v1.KeyStore/StreamList")
    check_ends(method(iter([]), timeout=60), NOT_SERVED, "no message")


def test_elements_of_all_sizes(stub, key):
    values = [bytes([i % 256]) * size
              for i, size in enumerate([0, 1, 127, 128, 16_000, 20_000, 70_000, 0, 1_500_000] * 3)]
    for value in values:
        stub.RPush(pb.ListInsert(key=key, values=[value]))
    for page_bytes in (0, 1, 1000, 1 << 20):
        pages = list(stub.StreamList(whole(key, page_bytes=page_bytes)))
        assert values_of(pages) == values
        for page in pages:
            assert len(page.values) == 1 or page.ByteSize() < max(page_bytes, 64 * 1024) + 100


def test_a_long_list_takes_little_memory(fresh_server):
    """A reader that is slow, and one that never reads."""
    server = fresh_server()
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        length = 100_000 if SANITIZE else 1_000_000
        push(stub, b"list", numbers(length, size=20))
        before = server.resident_bytes()
        streams = [stub.StreamList(whole(b"list")) for _ in range(3)]
        for stream in streams:
            next(stream)
        if not SANITIZE:
            assert server.peak_resident_bytes() - before < 16 << 20
        assert sum(len(page.values) for page in streams[0]) < length
        for stream in streams[1:]:
            stream.cancel()



@pytest.mark.parametrize("ending", ["cancel", "disconnect", "end"])
def test_what_was_pinned_is_freed(fresh_server, ending):
    """The heap gets back what only the stream has kept."""
    server = fresh_server()
    with open_channel(server.address) as channel, open_channel(server.address) as other:
        stub = Stub(channel)
        push(stub, b"list", numbers(300_000, size=100))
        stream = Stub(other).StreamList(whole(b"list"))
        next(stream)
        full = server.resident_bytes()
        stub.Delete(pb.Key(key=b"list"))
        if ending == "cancel":
            stream.cancel()
        elif ending == "disconnect":
            other.close()
        else:
            assert sum(len(page.values) for page in stream) > 200_000
        if not SANITIZE:
            wait_until(lambda: server.resident_bytes() < full - (20 << 20))


def test_many_long_lists_at_once_are_refused(fresh_server):
    """Their memory has the limit of clients, but one list alone may take any amount."""
    server = fresh_server("--max-client-memory", "16mb")
    # A connection with a window of its own: grpcio may receive any amount that is not read.
    with open_channel(server.address) as channel, H2Conn(server.address, credit=False) as slow:
        stub = Stub(channel)
        push(stub, b"a", numbers(200_000, size=100))
        push(stub, b"b", numbers(100_000, size=100))
        first = slow.start("/keystore.v1.KeyStore/StreamList", whole(b"a").SerializeToString())
        slow.receive_until(lambda: slow.answers[first].body)
        check_ends(stub.StreamList(whole(b"b")), OUT_OF_MEMORY, "--max-client-memory")
        second = stub.StreamList(whole(b"a"))  # of the same version: it shares what is pinned
        assert len(values_of(second)) == 200_000
        stub.RPush(pb.ListInsert(key=b"short", values=[b"v"]))
        assert values_of(stub.StreamList(whole(b"short"))) == [b"v"]
        slow.reset(first)
        wait_until(lambda: is_served(stub))


def is_served(stub):
    try:
        return len(values_of(stub.StreamList(whole(b"b")))) == 100_000
    except grpc.RpcError:
        return False


def test_a_shutdown_ends_the_stream(fresh_server):
    server = fresh_server()
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        push(stub, b"list", numbers(300_000, size=100))
        stream = stub.StreamList(whole(b"list"))
        next(stream)
        server.send_signal()
        check_ends(stream, STOPPING, "shutting down")
        server.wait()


def test_a_deadline_ends_the_stream(stub, key):
    push(stub, key, numbers(LENGTH))
    with pytest.raises(grpc.RpcError) as caught:
        for _ in stub.StreamList(whole(key, page_bytes=1), timeout=0.05):
            pass
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert len(values_of(stub.StreamList(whole(key)))) == LENGTH


def test_the_list_waits_for_the_disk(tmp_path, monkeypatch):
    """A push that is not durable yet is not shown."""
    server = start_on_slow_disk(tmp_path, monkeypatch, SYNC_US, directory=tmp_path / "data")
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        logged, begun = server.stderr.count(WAITING), time.monotonic()
        written = stub.RPush.future(pb.ListInsert(key=b"list", values=[b"a", b"b"]))
        wait_until(lambda: server.stderr.count(WAITING) > logged)
        assert values_of(stub.StreamList(whole(b"list"))) == [b"a", b"b"]
        assert time.monotonic() - begun >= SYNC_US / 1e6
        written.result()
    server.stop()
