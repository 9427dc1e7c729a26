"""The worked examples of docs/streams.md do what they say."""

import re

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from keystore_env import ROOT


def examples():
    """The names that the Python examples define."""
    text = (ROOT / "docs" / "streams.md").read_text()
    names = {}
    for code in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S):
        exec(compile(code, "docs/streams.md", "exec"), names)
    return names


def values_of(stub, key):
    return list(stub.LRange(pb.ListRange(key=key, stop=-1)).values)


def test_the_job_queue(fresh_server):
    server = fresh_server()
    example = examples()
    handled, refused = [], []

    def handle(job):
        if job == b"7" and not refused:
            refused.append(job)
            raise ValueError
        handled.append(job)
        if len(handled) == 50:
            raise StopIteration

    example["produce"](server.address, [b"%d" % i for i in range(100)])
    example["work"](server.address, handle)
    assert refused == [b"7"] and len(set(handled)) == 50 and b"7" in handled
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        left = values_of(stub, b"jobs")
        assert values_of(stub, b"jobs:pending") == []
        # The last job was not acknowledged.
        assert sorted(left + handled[:49]) == sorted(b"%d" % i for i in range(100))
        assert left == sorted(left, key=int)
