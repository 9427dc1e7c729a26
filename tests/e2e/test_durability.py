"""What survives: a stop, a kill, a change of the program that reads the data directory."""

import contextlib
import os
import signal
import subprocess

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from datadir import DataDir, command
from errors import LOADING, check_fails
from loading import loading_directory, starting
from redis_process import Redis
from server_process import Server, run_server
from times import HOUR_MS, wait_until


@contextlib.contextmanager
def serving(directory, *arguments):
    """A server on that directory, which ends with the block if it still runs: its stub."""
    server = Server(*arguments, directory=directory)
    try:
        with open_channel(server.address) as channel:
            stub = Stub(channel)
            stub.server = server
            stub.admin = admin_stub(channel)
            yield stub
    finally:
        if server.running:
            server.stop()


def kill(server):
    """As a crash of the process: what it has not written is lost."""
    server.send_signal(signal.SIGKILL)
    server.process.wait()


def log_of(directory):
    """The newest log file."""
    folder = directory / "appendonlydir"
    logs = [path for path in folder.iterdir() if path.name.endswith(".incr.aof")]
    return max(logs, key=lambda path: int(path.name.split(".")[2]))


def info(stub):
    return dict(stub.admin.Info(pb.InfoRequest(sections=["persistence"])).fields)


DATABASES = 3
NUMBERS = 60
KEYS = [b"%c:%d" % (kind, number) for kind in b"sln" for number in range(NUMBERS)]


def write_something(stub, random):
    """A write of a random kind to a random key."""
    number, db = random.randrange(NUMBERS), random.randrange(DATABASES)
    value = random.randbytes(random.choice((0, 3, 30, 300, 20000)))
    string, a_list, count = b"s:%d" % number, b"l:%d" % number, b"n:%d" % number
    other = b"s:%d" % random.randrange(NUMBERS)
    random.choice((
        lambda: stub.Set(pb.KeyValue(key=string, db=db, value=value)),
        lambda: stub.Set(pb.KeyValue(key=string, db=db, value=value, ttl_ms=HOUR_MS)),
        lambda: stub.Append(pb.KeyValue(key=string, db=db, value=b"more")),
        lambda: stub.Delete(pb.Key(key=string, db=db)),
        lambda: stub.Copy(pb.CopyRequest(source=string, db=db, target=other, replace=True,
                                         target_db=(db + 1) % DATABASES)),
        lambda: stub.Incr(pb.Increment(key=count, db=db, by=number - 20)),
        lambda: stub.RPush(pb.ListInsert(key=a_list, db=db, values=[value, b"12", b""])),
        lambda: stub.LPop(pb.Key(key=a_list, db=db)),
        lambda: stub.LTrim(pb.ListRange(key=a_list, db=db, start=-20, stop=-1)),
        lambda: stub.Txn(pb.TxnRequest(success=[
            pb.Op(set=pb.KeyValue(key=string, db=db, value=value)),
            pb.Op(l_push=pb.ListInsert(key=a_list, db=db, values=[value, b"x"]))])),
    ))()


def contents(stub, with_versions=True):
    """{(db, key): (value, deadline, version)} of all keys that there may be."""
    found = {}
    for db in range(DATABASES):
        for key in KEYS:
            told = stub.Describe(pb.Key(key=key, db=db))
            if not told.found:
                continue
            if told.type == pb.VALUE_TYPE_LIST:
                value = list(stub.LRange(pb.ListRange(key=key, db=db, start=0, stop=-1)).values)
            else:
                value = stub.Get(pb.Key(key=key, db=db)).value
            found[db, key] = (value, told.expire_at_ms) + (told.version,) * with_versions
    return found


def test_everything_survives_a_stop(tmp_path, random_of_test):
    expected = {}
    for _ in range(3):
        with serving(tmp_path) as stub:
            assert contents(stub) == expected
            for _ in range(300):
                write_something(stub, random_of_test)
            expected = contents(stub)
            assert len(expected) > 50
    with serving(tmp_path) as stub:
        assert contents(stub) == expected
        version = stub.Set(pb.KeyValue(key=b"after", value=b"v")).version
        assert version > max(version for _, _, version in expected.values())


@pytest.mark.parametrize("durability", ["always", "everysec"])
def test_what_was_acknowledged_survives_a_kill(tmp_path, random_of_test, durability):
    with serving(tmp_path, "--durability", durability) as stub:
        for _ in range(300):
            write_something(stub, random_of_test)
        expected = contents(stub)
        if durability == "everysec":
            stub.Set(pb.KeyValue(key=b"marker", value=b"the last one"))
            wait_until(lambda: b"the last one" in log_of(tmp_path).read_bytes())
        kill(stub.server)
    with serving(tmp_path) as stub:
        assert contents(stub) == expected


def test_a_torn_tail_is_cut_and_reported(tmp_path):
    with serving(tmp_path) as stub:
        stub.Set(pb.KeyValue(key=b"a", value=b"1"))
        first = log_of(tmp_path).stat().st_size
        stub.Set(pb.KeyValue(key=b"b", value=b"2"))
        size = log_of(tmp_path).stat().st_size
        kill(stub.server)
    log = log_of(tmp_path)
    os.truncate(log, size - 3)
    with serving(tmp_path) as stub:
        assert stub.Get(pb.Key(key=b"a")).value == b"1"
        assert not stub.Get(pb.Key(key=b"b")).found
        assert f"{size - 3 - first} bytes from offset {first} on" in stub.server.stderr
        assert log.stat().st_size == first


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def check_refused(directory, *words, arguments=()):
    before = {path: path.read_bytes() for path in directory.rglob("*")
              if path.is_file() and path.name != "keystore.lock"}
    result = run_server("--listen", "127.0.0.1:0", "--dir", directory, *arguments)
    assert result.returncode == 1 and not result.stdout
    lines = [line for line in result.stderr.splitlines() if line.startswith("keystore-server: ")]
    assert len(lines) == 1, result.stderr
    for word in words:
        assert str(word) in lines[0]
    after = {path: path.read_bytes() for path in before}
    assert after == before


def test_damage_is_refused_with_its_offset(tmp_path):
    with serving(tmp_path) as stub:
        stub.Set(pb.KeyValue(key=b"a", value=b"1"))
        first = log_of(tmp_path).stat().st_size
        stub.Set(pb.KeyValue(key=b"b", value=b"2"))
        stub.Set(pb.KeyValue(key=b"c", value=b"3"))
        kill(stub.server)
    flip(log_of(tmp_path), first + 80)
    check_refused(tmp_path, "DATA_LOSS", log_of(tmp_path).name, f"offset {first}")


def test_a_second_server_is_refused(tmp_path):
    with serving(tmp_path) as stub:
        check_refused(tmp_path, stub.server.pid, "--dir")
        stub.Set(pb.KeyValue(key=b"a", value=b"1"))


def test_logs_without_a_manifest_are_refused(tmp_path):
    with serving(tmp_path) as stub:
        stub.Set(pb.KeyValue(key=b"a", value=b"1"))
    (tmp_path / "appendonlydir" / "appendonly.aof.manifest").unlink()
    check_refused(tmp_path, log_of(tmp_path).name, "manifest")


def test_leftovers_are_removed(tmp_path):
    with serving(tmp_path) as stub:
        stub.Set(pb.KeyValue(key=b"a", value=b"1"))
    folder = tmp_path / "appendonlydir"
    for name in ("temp-appendonly.aof.7.base.rdb", "appendonly.aof.7.base.rdb", "mine.txt"):
        (folder / name).write_text("x")
    (folder / "appendonly.aof.9.incr.aof").touch()
    with serving(tmp_path) as stub:
        assert stub.Get(pb.Key(key=b"a")).value == b"1"
        left = {path.name for path in folder.iterdir()}
    assert "mine.txt" in left
    assert not any("7" in name or "9" in name for name in left)


def test_fewer_databases_are_refused(tmp_path):
    with serving(tmp_path) as stub:
        stub.Set(pb.KeyValue(key=b"a", db=9, value=b"1"))
    check_refused(tmp_path, "--databases 10", arguments=["--databases", 9])


def test_while_it_loads_calls_are_refused(tmp_path):
    loading_directory(tmp_path / "data")
    address = f"unix:{tmp_path}/socket"
    with starting(tmp_path / "data", "--listen", address, stdout=subprocess.PIPE) as process:
        with open_channel(address) as channel:
            stub, admin = Stub(channel), admin_stub(channel)
            grpc.channel_ready_future(channel).result(timeout=60)
            check_fails(LOADING, stub.Get, pb.Key(key=b"k"))
            check_fails(LOADING, stub.Set, pb.KeyValue(key=b"k", value=b"v"))
            check_fails(LOADING, admin.Save, pb.SaveRequest(wait=True))
            fields = admin.Info(pb.InfoRequest(sections=["persistence"])).fields
            assert fields["loading"] == "1"
        process.kill()
        assert process.communicate(timeout=60)[0] == ""


# Redis reads what we write.

def test_redis_loads_it(tmp_path, random_of_test):
    with serving(tmp_path) as stub:
        for _ in range(500):
            write_something(stub, random_of_test)
        expected = contents(stub, with_versions=False)
    redis = Redis(tmp_path, "--appendonly", "yes")
    assert redis.contents() == expected
    redis.call("SET", "more", "by redis")
    redis.stop()
    with serving(tmp_path) as stub:
        assert contents(stub, with_versions=False) == expected
        assert stub.Get(pb.Key(key=b"more")).value == b"by redis"


@pytest.mark.parametrize("saved", [False, True], ids=["log", "base"])
def test_the_latest_deadlines_come_back_to_redis(tmp_path, saved):
    """Those beyond the year 10889 too, which take more than six bytes."""
    latest = [2**48 - 1, 2**48, 2**48 + 1, 2**53 + 1, 2**63 - 1]
    with serving(tmp_path) as stub:
        for at_ms in latest:
            stub.Set(pb.KeyValue(key=b"s%d" % at_ms, value=b"v", expire_at_ms=at_ms))
            stub.RPush(pb.ListInsert(key=b"l%d" % at_ms, values=[b"v"]))
            stub.Expire(pb.ExpireRequest(key=b"l%d" % at_ms, expire_at_ms=at_ms))
        if saved:
            stub.admin.Save(pb.SaveRequest(wait=True))
    redis = Redis(tmp_path, "--appendonly", "yes")
    for kind in (b"s", b"l"):
        assert [redis.call("PEXPIRETIME", b"%s%d" % (kind, at)) for at in latest] == latest
    redis.stop()
    with serving(tmp_path) as stub:
        for at_ms in latest:
            for key in (b"s%d" % at_ms, b"l%d" % at_ms):
                assert stub.Describe(pb.Key(key=key)).expire_at_ms == at_ms


# We read what Redis writes.

def fill_redis(redis, random):
    """Strings and lists in all encodings, also after changes."""
    for db in range(3):
        redis.call("SELECT", db)
        for number in range(200):
            key = b"k%d" % number
            value = random.randbytes(random.choice((0, 5, 100, 70000)))
            random.choice((
                lambda: redis.call("SET", key, value),
                lambda: redis.call("SET", key, random.randrange(-2**40, 2**40)),
                lambda: redis.call("SET", key, b"x" * random.randrange(5000)),
                lambda: redis.call("SETEX", key, 5000, value),
                lambda: (redis.call("DEL", key), redis.call("RPUSH", key, 1, value, b"", -5)),
                lambda: (redis.call("DEL", key), redis.call("LPUSH", key, *range(3000))),
                lambda: (redis.call("SET", key, 10), redis.call("INCRBYFLOAT", key, "1.5")),
                lambda: (redis.call("SET", key, value), redis.call("RENAME", key, b"renamed")),
                lambda: (redis.call("SET", b"copied", number),
                         redis.call("COPY", b"copied", key, "REPLACE")),
            ))()


def check_same(stub, theirs):
    """Asserts that the stub's server has what Redis had."""
    for (db, key), (value, deadline) in theirs.items():
        told = stub.Describe(pb.Key(key=key, db=db))
        assert told.found and told.expire_at_ms == deadline and told.version > 0
        if isinstance(value, list):
            ours = list(stub.LRange(pb.ListRange(key=key, db=db, start=0, stop=-1)).values)
        else:
            ours = stub.Get(pb.Key(key=key, db=db)).value
        assert ours == value
    fields = dict(stub.admin.Info(pb.InfoRequest(sections=["keyspace"])).fields)
    counts = [int(text.split(",")[0].removeprefix("keys=")) for text in fields.values()]
    assert sum(counts) == len(theirs)


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_a_log_of_redis_is_loaded(tmp_path, random_of_test, preamble):
    redis = Redis(tmp_path, "--appendonly", "yes", "--aof-use-rdb-preamble", preamble)
    fill_redis(redis, random_of_test)
    redis.call("BGREWRITEAOF")
    wait_until(lambda: b"aof_rewrite_in_progress:0" in redis.call("INFO", "persistence")
               and b"aof_rewrite_scheduled:0" in redis.call("INFO", "persistence"))
    fill_redis(redis, random_of_test)
    theirs = redis.contents()
    redis.stop()
    with serving(tmp_path) as stub:
        check_same(stub, theirs)


def test_a_dump_of_redis_is_loaded(tmp_path, random_of_test):
    redis = Redis(tmp_path)
    fill_redis(redis, random_of_test)
    redis.call("SAVE")
    theirs = redis.contents()
    redis.stop()
    with serving(tmp_path) as stub:
        check_same(stub, theirs)
        stub.Set(pb.KeyValue(key=b"k0", value=b"new"))
        kill(stub.server)
    # The dump is not looked at any more.
    with serving(tmp_path) as stub:
        assert stub.Get(pb.Key(key=b"k0")).value == b"new"


@pytest.mark.parametrize("kind", ["dump", "base", "log"])
def test_other_types_are_refused_or_left_out(tmp_path, kind):
    redis = Redis(tmp_path, *([] if kind == "dump" else ["--appendonly", "yes"]))
    redis.call("SET", "string", "kept")
    redis.call("SADD", "a set", 1, 2)
    redis.call("HSET", "a hash", "field", 1)
    redis.call("ZADD", "a zset", 1, "member")
    if kind == "dump":
        redis.call("SAVE")
    if kind == "base":
        redis.call("BGREWRITEAOF")
        wait_until(lambda: b"aof_rewrite_in_progress:0" in redis.call("INFO", "persistence")
                   and b"aof_rewrite_scheduled:0" in redis.call("INFO", "persistence"))
    redis.stop()
    words = ["SADD", "HSET", "ZADD"] if kind == "log" else ["set (1", "hash (1", "zset (1"]
    check_refused(tmp_path, '"a set"', '"a hash"', *words, "--import-skip-unsupported")
    with serving(tmp_path, "--import-skip-unsupported") as stub:
        assert stub.Get(pb.Key(key=b"string")).value == b"kept"
        assert not stub.Describe(pb.Key(key=b"a set")).found


# A type that we do not have is left out with the keys that name it; a command that nobody knows may have
# written any key.
UNKNOWN = {
    "alone": (b"", command("NOSUCH", "a", 1)),
    "without a key": (b"", command("NOSUCH")),
    "in a transaction": (b"", command("MULTI") + command("SET", "b", 2) + command("NOSUCH", "a")
                         + command("EXEC")),
    "after one that can be left out": (command("SADD", "set", 1), command("NOSUCH", "a")),
}


@pytest.mark.parametrize("arguments", [(), ("--import-skip-unsupported",)],
                         ids=["without", "with --import-skip-unsupported"])
@pytest.mark.parametrize("before,record", UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_command_is_refused(tmp_path, before, record, arguments):
    before = command("SELECT", 0) + command("SET", "a", 1) + before
    DataDir(tmp_path, None, [before + record + command("SET", "c", 3)])
    check_refused(tmp_path, "appendonly.aof.1.incr.aof cannot be loaded", f"offset {len(before)}",
                  "the command NOSUCH", "it may have changed any key", arguments=arguments)


# Snapshots.

def files_of(directory):
    return sorted(path.name for path in (directory / "appendonlydir").iterdir())


def test_the_log_is_rewritten_when_it_has_outgrown_the_base(tmp_path, random_of_test):
    with serving(tmp_path, "--log-rewrite-min-size", "200KiB") as stub:
        for _ in range(3):
            before = files_of(tmp_path)
            while files_of(tmp_path) == before:
                write_something(stub, random_of_test)
            wait_until(lambda: len(files_of(tmp_path)) == 3
                       and info(stub)["rdb_bgsave_in_progress"] == "0")
        expected = contents(stub)
        told = info(stub)
        assert told["rdb_last_bgsave_status"] == "ok"
        base = next(path for path in (tmp_path / "appendonlydir").iterdir()
                    if path.name.endswith(".base.rdb"))
        assert int(told["aof_base_size"]) == base.stat().st_size
        assert int(told["log_bytes"]) == log_of(tmp_path).stat().st_size
        kill(stub.server)
    with serving(tmp_path) as stub:
        assert contents(stub) == expected
    redis = Redis(tmp_path, "--appendonly", "yes")
    assert redis.contents() == {key: value[:2] for key, value in expected.items()}
    redis.stop()


def test_save(tmp_path, random_of_test):
    with serving(tmp_path, "--durability", "none", "--save", "") as stub:
        for _ in range(3):
            for _ in range(200):
                write_something(stub, random_of_test)
            assert stub.admin.Save(pb.SaveRequest(wait=True)).ok
            saved = contents(stub)
        assert info(stub)["rdb_last_bgsave_status"] == "ok"
        assert not any(name.endswith(".aof") for name in files_of(tmp_path))
        stub.Set(pb.KeyValue(key=b"s:1", value=b"lost"))
        kill(stub.server)
    with serving(tmp_path) as stub:
        assert contents(stub) == saved
        before = files_of(tmp_path)
        assert stub.admin.Save(pb.SaveRequest()).ok
        wait_until(lambda: info(stub)["rdb_last_bgsave_status"] == "ok")
        assert files_of(tmp_path) != before
    with serving(tmp_path) as stub:
        assert contents(stub) == saved


def test_saves_of_many_at_once(tmp_path):
    """Among writes, and some that nobody waits for in the end."""
    with serving(tmp_path) as stub:
        saves = []
        for number in range(50):
            saves.append(stub.admin.Save.future(pb.SaveRequest(wait=True)))
            # Its answer shows that the request before it was sent: grpcio resets streams that it
            # has not opened if a call is cancelled sooner.
            stub.Set(pb.KeyValue(key=b"s:%d" % number, value=b"v"))
            if number % 3 == 0:
                saves.pop().cancel()
        assert all(save.result().ok for save in saves)
        expected = contents(stub)
        kill(stub.server)
    with serving(tmp_path) as stub:
        assert contents(stub) == expected


def test_rules_of_save_without_a_log(tmp_path, random_of_test):
    arguments = ["--durability", "none", "--save", "3600 1 1 100"]
    with serving(tmp_path, *arguments) as stub:
        for _ in range(200):
            write_something(stub, random_of_test)
        wait_until(lambda: info(stub)["rdb_last_bgsave_status"] == "ok")
        kill(stub.server)
    with serving(tmp_path, *arguments) as stub:
        assert contents(stub)
        for _ in range(20):
            write_something(stub, random_of_test)
        expected = contents(stub)
    # An orderly end saves what there is, if there are rules.
    with serving(tmp_path, "--durability", "none", "--save", "") as stub:
        assert contents(stub) == expected
        stub.Set(pb.KeyValue(key=b"s:1", value=b"lost"))
    with serving(tmp_path) as stub:
        assert contents(stub) == expected
