"""The examples of docs/streams.md for Scan and StreamList do what they say."""

import io
import re

import pytest

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from keystore_env import ROOT

SECTIONS = ("Reading all keys: Scan", "Reading a long list: StreamList")


@pytest.fixture(scope="module", name="example")
def example_fixture():
    """What the examples define."""
    text, names = (ROOT / "docs" / "streams.md").read_text(), {}
    for section in SECTIONS:
        body = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)[1]
        [code] = re.findall(r"^```python\n(.*?)^```", body, re.M | re.S)
        exec(compile(code, "docs/streams.md", "exec"), names)
    return names


@pytest.fixture(name="own")
def own_fixture(fresh_server):
    with open_channel(fresh_server().address) as channel:
        yield Stub(channel)


def test_delete_matching(own, example):
    own.MSet(pb.KeyValues(entries=[pb.KeyValue(key=b"%s:%d" % (kind, i), value=b"v")
                                   for kind in (b"old", b"new") for i in range(7000)]))
    assert example["delete_matching"](own, b"old:*") == 7000
    assert example["delete_matching"](own, b"old:*") == 0
    assert example["delete_matching"](own, b"new:1*") == 1111
    assert own.Get(pb.Key(key=b"new:2")).found


def test_scan_from(own, example):
    names = [b"%d" % i for i in range(35000)]
    own.MSet(pb.KeyValues(entries=[pb.KeyValue(key=name, value=b"v") for name in names]))
    found, cursor, calls = [], b"", 0
    while cursor or calls == 0:
        cursor = example["scan_from"](own, cursor, found.append)
        calls += 1
    assert sorted(found) == sorted(names) and calls == 4


def test_save_list(own, example):
    values = [b"%d" % i for i in range(50000)]
    version = own.RPush(pb.ListInsert(key=b"list", values=values)).version
    file = io.BytesIO()
    assert example["save_list"](own, b"list", file) == version
    assert file.getvalue().split() == values
