"""A disk that takes seconds for a sync: who waits for it is told by the log and by Info, and nobody
else waits."""

import re
import time

import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from server_process import Server
from slow_disk import SYNC_US, WAITING, start_on_slow_disk
from times import wait_until



@pytest.fixture(name="slow")
def slow_fixture(tmp_path, monkeypatch):
    return start_on_slow_disk(tmp_path, monkeypatch, SYNC_US, directory=tmp_path / "data")


def slow_waits(channel):
    fields = admin_stub(channel).Info(pb.InfoRequest(sections=["persistence"])).fields
    return int(fields["log_slow_waits"])


def test_a_wait_is_told_and_counted(slow, tmp_path):
    with open_channel(slow.address) as channel:
        stub = Stub(channel)
        before = slow_waits(channel)
        told_before = slow.stderr.count(WAITING)
        write = stub.Set.future(pb.KeyValue(key=b"k", value=b"v"))
        wait_until(lambda: slow.stderr.count(WAITING) > told_before)
        assert not write.done()
        begun = time.monotonic()
        for i in range(100):  # nobody else waits
            assert not stub.Get(pb.Key(key=b"other")).found
        assert time.monotonic() - begun < 10 * SYNC_US / 1e6
        assert slow.stderr.count(WAITING) == told_before + 1
        assert write.result().ok
        wait_until(lambda: slow_waits(channel) > before)
    slow.stop()
    told = re.findall(r"(\d+) writes or syncs of the log took longer than a second", slow.stderr)
    assert sum(map(int, told)) > before
    again = Server(directory=tmp_path / "data")
    with open_channel(again.address) as channel:
        assert Stub(channel).Get(pb.Key(key=b"k")).value == b"v"
    again.stop()


def test_a_stop_waits_for_the_disk(slow, tmp_path):
    """What was asked for before is answered, and is there."""
    with open_channel(slow.address) as channel:
        stub = Stub(channel)
        writes = [stub.Set.future(pb.KeyValue(key=b"k%d" % i, value=b"v")) for i in range(10)]
        told = slow.stderr.count(WAITING)
        wait_until(lambda: slow.stderr.count(WAITING) > told)
        slow.send_signal()
        assert all(write.result().ok for write in writes)
    slow.wait()
    again = Server(directory=tmp_path / "data")
    with open_channel(again.address) as channel:
        stub = Stub(channel)
        assert all(stub.Get(pb.Key(key=b"k%d" % i)).found for i in range(10))
    again.stop()
