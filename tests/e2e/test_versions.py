"""Versions: they never come again, also after a kill, and a transaction can tell by them whether a
key has changed since."""

import contextlib
import signal

import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from errors import NOT_A_NUMBER, check_fails
from server_process import Server
from times import wait_until


@contextlib.contextmanager
def serving(directory, *arguments):
    """A server on that directory, killed at the end: what it has not written is lost."""
    server = Server(*arguments, directory=directory)
    try:
        with open_channel(server.address) as channel:
            stub = Stub(channel)
            stub.admin = admin_stub(channel)
            yield stub
    finally:
        server.send_signal(signal.SIGKILL)
        server.process.wait()


# Never again.

@pytest.mark.parametrize("durability", ["none", "everysec", "always"])
def test_a_kill_brings_no_version_back(tmp_path, durability):
    """Each life begins behind all versions that the ones before gave, whether they lasted or not."""
    newest = 0
    for life in range(4):
        with serving(tmp_path, "--durability", durability) as stub:
            first = stub.Set(pb.KeyValue(key=b"k", value=b"%d" % life)).version
            assert first > newest
            stub.admin.Save(pb.SaveRequest(wait=True))
            for i in range(200):
                newest = stub.Set(pb.KeyValue(key=b"k", value=b"%d" % i)).version
            assert newest > first


def test_a_remembered_version_does_not_match_another_write(tmp_path):
    with serving(tmp_path, "--durability", "none") as stub:
        stub.Set(pb.KeyValue(key=b"k", value=b"kept"))
        stub.admin.Save(pb.SaveRequest(wait=True))
        remembered = stub.Set(pb.KeyValue(key=b"k", value=b"lost")).version
    with serving(tmp_path, "--durability", "none") as stub:
        stub.Set(pb.KeyValue(key=b"k", value=b"of another"))
        answer = stub.Set(pb.KeyValue(key=b"k", value=b"mine",
                                      condition=pb.Condition(version=remembered)))
        assert not answer.ok


def test_other_durability_goes_on_behind_as_well(tmp_path):
    newest = 0
    for durability in ("none", "always", "everysec", "always", "none", "none"):
        with serving(tmp_path, "--durability", durability) as stub:
            for _ in range(3):
                version = stub.Set(pb.KeyValue(key=b"k", value=b"v")).version
                assert version > newest
                newest = version


def test_an_end_in_order_passes_over_none(tmp_path):
    server = Server("--durability", "none", directory=tmp_path)
    with open_channel(server.address) as channel:
        before = Stub(channel).Set(pb.KeyValue(key=b"k", value=b"v")).version
    server.stop()
    with serving(tmp_path, "--durability", "none") as stub:
        assert stub.Set(pb.KeyValue(key=b"k", value=b"v")).version == before + 1


def test_a_damaged_file_of_versions_is_refused(tmp_path):
    with serving(tmp_path, "--durability", "none") as stub:
        stub.Set(pb.KeyValue(key=b"k", value=b"v"))
    path = tmp_path / "keystore.versions"
    text = path.read_bytes()
    path.write_bytes(text.replace(b"versions 1", b"versions 2"))
    assert path.read_bytes() != text
    with pytest.raises(Exception, match="keystore.versions"):
        Server(directory=tmp_path)
    path.write_bytes(text)
    with serving(tmp_path):
        pass


# Unchanged since.

def as_of(stub, key, db=0):
    return stub.Describe(pb.Key(key=key, db=db, want_as_of=True)).as_of


def is_unchanged(stub, key, since, db=0):
    compare = pb.TxnRequest.Compare(key=key, db=db, unchanged_since=since)
    return stub.Txn(pb.TxnRequest(compares=[compare])).succeeded


CHANGES = {
    "set and deleted": lambda stub, key: (stub.Set(pb.KeyValue(key=key, value=b"v")),
                                          stub.Delete(pb.Key(key=key))),
    "pushed and popped": lambda stub, key: (stub.LPush(pb.ListInsert(key=key, values=[b"v"])),
                                            stub.LPop(pb.Key(key=key))),
    "set within a transaction, deleted in another": lambda stub, key: (
        stub.Txn(pb.TxnRequest(success=[pb.Op(set=pb.KeyValue(key=key, value=b"v"))])),
        stub.Txn(pb.TxnRequest(success=[pb.Op(delete=pb.Key(key=key))]))),
    "both in one": lambda stub, key: stub.Txn(pb.TxnRequest(success=[
        pb.Op(set=pb.KeyValue(key=key, value=b"v")), pb.Op(delete=pb.Key(key=key))])),
    "set": lambda stub, key: stub.Set(pb.KeyValue(key=key, value=b"v")),
    "expired at once": lambda stub, key: (stub.Set(pb.KeyValue(key=key, value=b"v")),
                                          stub.Expire(pb.ExpireRequest(key=key, expire_at_ms=1))),
    "renamed away": lambda stub, key: (stub.Set(pb.KeyValue(key=key, value=b"v")),
                                       stub.Rename(pb.CopyRequest(source=key, target=key + b"2"))),
    "popped by GetDel": lambda stub, key: (stub.Set(pb.KeyValue(key=key, value=b"v")),
                                           stub.GetDel(pb.Key(key=key))),
}


@pytest.mark.parametrize("present", [False, True])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_happens_meanwhile_is_noticed(stub, key, present, change):
    if present:
        stub.Set(pb.KeyValue(key=key, value=b"before"))
        if "pushed" in {name for name, value in CHANGES.items() if value is change}.pop():
            stub.Delete(pb.Key(key=key))
    since = as_of(stub, key)
    assert is_unchanged(stub, key, since)
    change(stub, key)
    assert not is_unchanged(stub, key, since)
    assert is_unchanged(stub, key, as_of(stub, key))


def test_get_tells_it_too(stub, key):
    missed = stub.Get(pb.Key(key=key, want_as_of=True))
    assert not missed.found and missed.version == 0
    assert is_unchanged(stub, key, missed.as_of)
    version = stub.Set(pb.KeyValue(key=key, value=b"v")).version
    assert not is_unchanged(stub, key, missed.as_of)
    assert is_unchanged(stub, key, version)


def test_an_expiry_is_noticed(stub, key):
    stub.Set(pb.KeyValue(key=key, value=b"v", ttl_ms=30))
    since = as_of(stub, key)
    wait_until(lambda: not stub.Get(pb.Key(key=key)).found)
    assert not is_unchanged(stub, key, since)
    assert is_unchanged(stub, key, as_of(stub, key))


def test_flushdb_is_noticed(fresh_server):
    with open_channel(fresh_server().address) as channel:
        stub, admin = Stub(channel), admin_stub(channel)
        since = as_of(stub, b"absent"), as_of(stub, b"present")
        stub.Set(pb.KeyValue(key=b"present", value=b"v"))
        version = as_of(stub, b"present")
        admin.FlushDb(pb.DbRequest())
        assert not is_unchanged(stub, b"present", version)
        assert not is_unchanged(stub, b"present", since[1])


def test_a_swap_is_noticed(fresh_server):
    with open_channel(fresh_server().address) as channel:
        stub, admin = Stub(channel), admin_stub(channel)
        since = as_of(stub, b"elsewhere")
        ops = [pb.Op(set=pb.KeyValue(key=b"k", value=b"%d" % db, db=db)) for db in (0, 1)]
        ops.append(pb.Op(set=pb.KeyValue(key=b"elsewhere", db=1)))
        version = stub.Txn(pb.TxnRequest(success=ops)).version
        admin.SwapDb(pb.SwapRequest(other_db=1))
        swapped = stub.Get(pb.Key(key=b"k"))
        assert swapped.value == b"1" and swapped.version > version
        assert not is_unchanged(stub, b"k", version)
        assert not is_unchanged(stub, b"elsewhere", since)
        assert is_unchanged(stub, b"k", swapped.version)
        assert not stub.Delete(pb.Key(key=b"k", condition=pb.Condition(version=version))).ok


@pytest.mark.parametrize("saved", [False, True], ids=["from the log", "from a snapshot"])
def test_a_restart_keeps_the_versions_of_a_swap(tmp_path, saved):
    server = Server(directory=tmp_path)
    with open_channel(server.address) as channel:
        stub, admin = Stub(channel), admin_stub(channel)
        stub.Set(pb.KeyValue(key=b"k", value=b"one", db=1))
        version = stub.Set(pb.KeyValue(key=b"k", value=b"zero")).version
        admin.SwapDb(pb.SwapRequest(db=1))
        swapped = [stub.Get(pb.Key(key=b"k", db=db)) for db in (0, 1)]
        if saved:
            admin.Save(pb.SaveRequest(wait=True))
    server.kill()
    assert [value.value for value in swapped] == [b"one", b"zero"]
    assert all(value.version > version for value in swapped)
    with serving(tmp_path) as stub:
        assert [stub.Get(pb.Key(key=b"k", db=db)) for db in (0, 1)] == swapped
        assert is_unchanged(stub, b"k", swapped[0].version)
        assert not is_unchanged(stub, b"k", version)


def test_a_restart_hides_no_removal(tmp_path):
    with serving(tmp_path) as stub:
        since = as_of(stub, b"k")
        stub.Set(pb.KeyValue(key=b"k", value=b"v"))
        stub.Delete(pb.Key(key=b"k"))
    with serving(tmp_path) as stub:
        assert not is_unchanged(stub, b"k", since)
        assert is_unchanged(stub, b"k", as_of(stub, b"k"))


def test_removals_of_other_keys_do_not_count(stub, key, keys):
    """Thousands of them, in the same and in another database."""
    absent = [next(keys) for _ in range(50)]
    since = [as_of(stub, name) for name in absent]
    others = [b"%s other %d" % (key, i) for i in range(4000)]
    for db in (0, 1):
        stub.MSet(pb.KeyValues(db=db, entries=[pb.KeyValue(key=other) for other in others]))
        stub.DeleteMany(pb.Keys(keys=others, db=db))
    assert all(is_unchanged(stub, name, as_of_it) for name, as_of_it in zip(absent, since))


def test_what_was_taken_back_leaves_no_trace(stub, keys):
    key, text = next(keys), next(keys)
    stub.Set(pb.KeyValue(key=text, value=b"no number"))
    since = as_of(stub, key)
    check_fails(NOT_A_NUMBER, stub.Txn, pb.TxnRequest(success=[
        pb.Op(set=pb.KeyValue(key=key, value=b"v")), pb.Op(delete=pb.Key(key=key)),
        pb.Op(incr=pb.Increment(key=text))]))
    assert is_unchanged(stub, key, since)


# The version of a transaction.

def test_removing_what_had_expired_is_no_write(stub, keys):
    """The sweep may come first, so that is tried often."""
    for _ in range(20):
        gone, other = next(keys), next(keys)
        stub.Set(pb.KeyValue(key=gone, value=b"v", ttl_ms=1))
        wait_until(lambda: not stub.Exists(pb.Keys(keys=[gone])).ok)
        answer = stub.Txn(pb.TxnRequest(success=[
            pb.Op(l_move=pb.MoveRequest(source=gone, target=other)),
            pb.Op(delete=pb.Key(key=gone))]))
        assert answer.version == 0
        assert not answer.replies[0].value.found and not answer.replies[1].status.ok
