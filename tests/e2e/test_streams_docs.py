"""The examples of docs/streams.md do what the text says."""

import io
import re
import subprocess
import sys

import pytest

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from keystore_env import ROOT, STUBS
from server_process import Server, own_loopback
from times import wait_until

TEXT = (ROOT / "docs" / "streams.md").read_text()


def code_of(section):
    body = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)[1]
    return "\n".join(re.findall(r"^```python\n(.*?)^```", body, re.M | re.S))


def example(section):
    """What the examples of the section define."""
    names = {}
    exec(compile(code_of(section), "docs/streams.md", "exec"), names)
    return names


@pytest.fixture(name="own")
def own_fixture(fresh_server):
    with open_channel(fresh_server().address) as channel:
        yield Stub(channel)


def test_load(own):
    load = example("Many operations at once: Pipeline")["load"]
    pairs = [(b"user:%d" % i, b"name %d" % i) for i in range(5500)]
    assert load(own, pairs) == []
    assert own.Get(pb.Key(key=b"user:5499")).value == b"name 5499"
    [error] = load(own, [(b"a", b"1"), (b"", b"2"), (b"c", b"3")])
    assert error.reason == pb.ERROR_REASON_BAD_ARGUMENT
    assert own.Exists(pb.Keys(keys=[b"a", b"c"])).count == 2


def reads_of(cache):
    """Counts the calls of Get."""
    count, inner = [], cache.stub.Get

    def get(*arguments, **options):
        count.append(arguments)
        return inner(*arguments, **options)
    cache.stub.Get = get
    return count


def test_the_cache(tmp_path):
    server = Server(directory=tmp_path, listen=[f"{own_loopback()}:0"])
    address = server.address
    cache = example("Watch")["Cache"](address, b"user:")
    reads = reads_of(cache)
    try:
        cache.connected.wait(60)
        with open_channel(address) as channel:
            stub = Stub(channel)
            stub.Set(pb.KeyValue(key=b"user:1", value=b"a"))
            wait_until(lambda: cache.get(b"user:1") == b"a" and b"user:1" in cache.values)
            before = len(reads)
            assert [cache.get(b"user:1") for _ in range(100)] == [b"a"] * 100
            assert len(reads) == before
            stub.Set(pb.KeyValue(key=b"user:1", value=b"b"))
            wait_until(lambda: cache.get(b"user:1") == b"b")
            stub.Delete(pb.Key(key=b"user:1"))
            wait_until(lambda: cache.get(b"user:1") is None)
            stub.Set(pb.KeyValue(key=b"user:2", value=b"a"))
            wait_until(lambda: cache.get(b"user:2") == b"a")
        server.stop()  # it learns after the restart what has changed meanwhile
        server = Server(directory=tmp_path, listen=[address])
        with open_channel(address) as channel:
            Stub(channel).Set(pb.KeyValue(key=b"user:2", value=b"b"))
            wait_until(lambda: cache.connected.is_set() and cache.get(b"user:2") == b"b")
    finally:
        cache.close()
        server.stop()


def values_of(stub, key):
    return list(stub.LRange(pb.ListRange(key=key, stop=-1)).values)


def test_the_job_queue(fresh_server):
    server = fresh_server()
    queue = example("A queue that loses nothing: Consume")
    handled, refused = [], []

    def handle(job):
        if job == b"7" and not refused:
            refused.append(job)
            raise ValueError
        handled.append(job)
        if len(handled) == 50:
            raise StopIteration

    queue["produce"](server.address, [b"%d" % i for i in range(100)])
    queue["work"](server.address, handle)
    assert refused == [b"7"] and len(set(handled)) == 50 and b"7" in handled
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        left = values_of(stub, b"jobs")
        assert values_of(stub, b"jobs:pending") == []
        # The last job was not acknowledged.
        assert sorted(left + handled[:49]) == sorted(b"%d" % i for i in range(100))
        assert left == sorted(left, key=int)


def test_delete_matching(own):
    delete_matching = example("Reading all keys: Scan")["delete_matching"]
    own.MSet(pb.KeyValues(entries=[pb.KeyValue(key=b"%s:%d" % (kind, i), value=b"v")
                                   for kind in (b"old", b"new") for i in range(7000)]))
    assert delete_matching(own, b"old:*") == 7000
    assert delete_matching(own, b"old:*") == 0
    assert delete_matching(own, b"new:1*") == 1111
    assert own.Get(pb.Key(key=b"new:2")).found


def test_scan_from(own):
    scan_from = example("Reading all keys: Scan")["scan_from"]
    names = [b"%d" % i for i in range(35000)]
    own.MSet(pb.KeyValues(entries=[pb.KeyValue(key=name, value=b"v") for name in names]))
    found, cursor, calls = [], b"", 0
    while cursor or calls == 0:
        cursor = scan_from(own, cursor, found.append)
        calls += 1
    assert sorted(found) == sorted(names) and calls == 4


def test_save_list(own):
    save_list = example("Reading a long list: StreamList")["save_list"]
    values = [b"%d" % i for i in range(50000)]
    version = own.RPush(pb.ListInsert(key=b"list", values=values)).version
    file = io.BytesIO()
    assert save_list(own, b"list", file) == version
    assert file.getvalue().split() == values


def test_publish_and_subscribe(server):
    code = f"address = {server.address!r}\n" + code_of("Publish and Subscribe")
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(STUBS)},
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"news \d+ It works\.\nweather\.north \d+ Rain\.\n", done.stdout), done.stdout
