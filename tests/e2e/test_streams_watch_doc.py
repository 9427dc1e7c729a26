"""The example of docs/streams.md for Watch does what the text says."""

import re

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from keystore_env import ROOT
from server_process import Server, own_loopback
from times import wait_until


def cache_class():
    text = (ROOT / "docs" / "streams.md").read_text()
    section = re.search(r"^## Watch\n(.*?)(?=^## |\Z)", text, re.M | re.S)[1]
    names = {}
    exec("\n".join(re.findall(r"^```python\n(.*?)^```", section, re.M | re.S)), names)
    return names["Cache"]


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
    cache = cache_class()(address, b"user:")
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
