"""keystore-check on directories made by hand and by redis-server: what it finds, its exit codes,
its repairs, and that the data it prints are those that Redis loads."""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time

import pytest

from datadir import (FOLDER, LOCK, MANIFEST, VERSIONS, DataDir, Log, base_name, command, log_name,
                     rdb, versions)
from keystore_env import BIN
from redis_process import Redis

CHECK = BIN / "keystore-check"
TIMEOUT_S = 60
GOOD, TORN, DAMAGED, UNREADABLE, REFUSED = range(5)
LATER_MS = 4102444800000  # 2100

BASE = rdb([(b"a", b"0", None), (b"t", b"x", LATER_MS)], [(b"l", [b"1", b"2"])], revision=100)


def check(*arguments, code=None):
    ran = subprocess.run([str(CHECK), *map(str, arguments)], capture_output=True, timeout=TIMEOUT_S,
                         check=False)
    ran.stdout, ran.stderr = ran.stdout.decode(), ran.stderr.decode()
    ran.last = ran.stdout.splitlines()[-1] if ran.stdout else ""
    assert code is None or ran.returncode == code, \
        f"exit code {ran.returncode}: {ran.stdout}{ran.stderr}"
    return ran


def load(directory):
    """What redis-server makes of a data directory, which it may change; a copy is loaded."""
    with tempfile.TemporaryDirectory(prefix="keystore-load-") as copy:
        shutil.copytree(directory, copy, dirs_exist_ok=True)
        with Redis(copy, "--appendonly", "yes") as redis:
            return redis.contents()


def dump(path, code=GOOD):
    """The commands that --dump prints, as a list of lines."""
    return check("--dump", path, code=code).stdout.splitlines()


def three_batches(first=101):
    """The first two are durable, says the last."""
    log = Log(first)
    log.add(command("SET", "a", 1))
    log.add(command("RPUSH", "l", "x", "y"), command("DEL", "q"))
    log.add(command("MULTI") + command("SELECT", 3) + command("SET", "z", 1)
            + command("APPEND", "z", 2) + command("EXEC"))
    return log


@pytest.fixture
def directory(tmp_path):
    """A good one."""
    return DataDir(tmp_path / "data", BASE, [three_batches().bytes])


# ---- good ones ----

def test_a_good_directory(directory):
    before = directory.files()
    ran = check(directory.path, code=GOOD)
    for line in (
            rf"manifest +{FOLDER}/{MANIFEST}: \d+ bytes",
            rf"base +{FOLDER}/{base_name(1)}: {len(BASE)} bytes",
            r" +snapshot: RDB version 10, checksum right, revision 100",
            r" +2 strings, 1 list with 2 elements; 1 with a deadline",
            rf"log +{FOLDER}/{log_name(1)}: {directory.log().stat().st_size} bytes",
            r" +4 records with 5 commands in 3 batches, checksums right",
            r" +revisions 101 to 104, durable up to 103 at least",
            r"good: 3 keys in the snapshot, 4 records in the log, up to revision 104"):
        assert re.search(f"^{line}$", ran.stdout, re.M), f"{line}\n{ran.stdout}"
    assert ran.stderr == "" and ran.last.startswith("good: ")
    assert directory.files() == before


def test_several_logs_count_on(tmp_path):
    first, second = three_batches(1), three_batches(5)
    both = DataDir(tmp_path / "both", None, [first.bytes, second.bytes])
    assert "8 records in the log, up to revision 8" in check(both.path, code=GOOD).last
    empty = DataDir(tmp_path / "empty", None, [first.bytes, b"", second.bytes, b""])
    check(empty.path, code=GOOD)


def test_no_data(tmp_path):
    assert check(tmp_path, code=GOOD).stdout.startswith("good: there are no data here")
    DataDir(tmp_path / "new", None, [b""])
    assert check(tmp_path / "new", code=GOOD).last.startswith("good: 0 keys")


def test_what_else_lies_there(directory):
    (directory.folder / "temp-appendonly.aof.2.base.rdb").write_bytes(b"abc")
    (directory.folder / base_name(7)).write_bytes(b"")
    (directory.folder / (log_name(1) + ".before-repair-1")).write_bytes(b"")
    (directory.folder / base_name(9)).write_bytes(b"old")
    (directory.path / "dump.rdb").write_bytes(b"not read")
    (directory.path / "notes \x01").write_bytes(b"")
    (directory.path / LOCK).write_bytes(b"123\n")
    os.mkfifo(directory.path / "fifo")
    with directory.manifest.open("a") as manifest:
        manifest.write(f"file {base_name(9)} seq 9 type h\n")
    said = check(directory.path, code=GOOD).stdout
    for line in (rf"leftover  {FOLDER}/temp-appendonly.aof.2.base.rdb: 3 bytes; .*start removes it",
                 rf"leftover  {FOLDER}/{base_name(7)}: 0 bytes; .*",
                 rf"copy      {FOLDER}/{log_name(1)}.before-repair-1: 0 bytes; .*",
                 rf"history   {FOLDER}/{base_name(9)}: 3 bytes; .*start removes it",
                 r"ignored   dump.rdb: 8 bytes; .*", r"lock      keystore.lock: 4 bytes",
                 r'unknown   "notes \\x01"', r"unknown   fifo"):
        assert re.search(f"^{line}$", said, re.M), f"{line}\n{said}"


def test_the_versions_that_may_have_been_given(directory):
    file = directory.path / VERSIONS
    assert VERSIONS not in check(directory.path, code=GOOD).stdout
    file.write_bytes(versions(1 << 20))
    good = check(directory.path, code=GOOD)
    assert f"versions  {VERSIONS}: 39 bytes\n" \
           "          revisions up to 1048576 may have been given\n" in good.stdout
    data = dump(directory.path)
    file.write_bytes(versions(1 << 20).replace(b"1048576", b"1048577"))
    bad = check(directory.path, code=DAMAGED)
    assert f"versions  {VERSIONS}: 39 bytes\n" \
           "          damaged: it is not one line `versions N xxh3 DIGITS`" in bad.stdout
    assert "4 records with 5 commands in 3 batches" in bad.stdout and bad.last.startswith("damaged: ")
    assert dump(directory.path, code=DAMAGED) == data, "the data are whole"
    assert check("--repair", directory.path, code=DAMAGED).stdout.count(VERSIONS) >= 1
    assert file.exists()


# ---- torn ones ----

def test_a_tail_cut_anywhere_is_torn(directory, counts):
    log = three_batches()
    start = log.starts[-1]
    for size in range(len(log.bytes) + 1):
        directory.log().write_bytes(log.bytes[:size])
        whole = size in log.starts or size == len(log.bytes)
        ran = check(directory.path, code=GOOD if whole else TORN)
        good = max(offset for offset in log.starts if offset <= size)
        if not whole:
            assert f"torn at byte {good}: " in ran.stdout
            assert f"from there on: {size - good} byte" in ran.stdout
            assert ran.last.endswith("the next start cuts the torn end")
    counts(f"{len(log.bytes) + 1} cuts, the last batch from {start}")


@pytest.mark.parametrize("tail", [b"\0", b"\0" * 5000, b"#", b"#KS1 ", b"#KS1 seq=105 ops=1 len",
                                  b"\xff garbage"])
def test_a_tail_that_never_was_a_batch(directory, tail):
    size = directory.log().stat().st_size
    with directory.log().open("ab") as file:
        file.write(tail)
    ran = check(directory.path, code=TORN)
    assert f"torn at byte {size}: " in ran.stdout


@pytest.mark.parametrize("missing", [1, 40, 100, 180])
def test_repair_of_a_torn_tail(directory, missing):
    log = three_batches()
    torn = log.bytes[:-missing]
    start = max(offset for offset in log.starts if offset <= len(torn))
    directory.log().write_bytes(torn)
    ran = check("--repair", directory.path, code=GOOD)
    copy = directory.folder / (log_name(1) + ".before-repair-1")
    assert f"cut       {FOLDER}/{log_name(1)} at byte {start}; lost: {len(torn) - start} bytes" \
        in ran.stdout
    assert f"kept      {FOLDER}/{copy.name}: " in ran.stdout and ran.last.startswith("good: ")
    assert copy.read_bytes() == torn
    assert directory.log().read_bytes() == log.bytes[:start]
    check(directory.path, code=GOOD)
    assert load(directory.path) == {(0, b"a"): (b"1", 0), (0, b"t"): (b"x", LATER_MS),
                                    (0, b"l"): ([b"1", b"2", b"x", b"y"], 0)}


def test_each_repair_keeps_a_copy_of_its_own(directory):
    log = three_batches()
    for number in range(1, 4):
        directory.log().write_bytes(log.bytes[:-number])
        check("--repair", directory.path, code=GOOD)
        copy = directory.folder / f"{log_name(1)}.before-repair-{number}"
        assert copy.read_bytes() == log.bytes[:-number]


def test_repair_of_a_good_directory_does_nothing(directory):
    before = directory.files()
    check("--repair", directory.path, code=GOOD)
    after = directory.files()
    after.pop(LOCK)
    assert after == before


# ---- damaged ones ----

def flips(data, positions):
    for position in positions:
        for bit in range(8):
            yield (position, bit,
                   data[:position] + bytes([data[position] ^ 1 << bit]) + data[position + 1:])


def test_each_bit_of_what_is_durable(directory, random_of_test, counts):
    log = three_batches()
    positions = random_of_test.sample(range(log.starts[-1]), 60)
    for position, bit, bad in flips(log.bytes, positions):
        directory.log().write_bytes(bad)
        ran = check(directory.path)
        assert ran.returncode == DAMAGED, f"byte {position} bit {bit}: {ran.stdout}"
        good = max(offset for offset in log.starts if offset <= position)
        assert f"damaged at byte {good}: " in ran.stdout, f"byte {position} bit {bit}: {ran.stdout}"
        assert re.search(r"the batch at offset \d+ shows that this had been written durably",
                         ran.stdout)
    counts(f"{60 * 8} flipped bits")


def test_each_bit_of_the_last_batch(directory, random_of_test):
    log = three_batches()
    positions = random_of_test.sample(range(log.starts[-1], len(log.bytes)), 20)
    for position, bit, bad in flips(log.bytes, positions):
        directory.log().write_bytes(bad)
        ran = check(directory.path)
        assert ran.returncode == TORN, f"byte {position} bit {bit}: {ran.stdout}"


def test_each_bit_of_a_snapshot(directory, counts):
    for position, bit, bad in flips(BASE, range(len(BASE))):
        directory.base().write_bytes(bad)
        ran = check(directory.path)
        # Another digit of the version makes it a file of another version.
        expected = (DAMAGED, REFUSED) if position < len("REDIS0010") else (DAMAGED,)
        assert ran.returncode in expected, f"byte {position} bit {bit}: {ran.stdout}"
    counts(f"{8 * len(BASE)} flipped bits")


def test_a_snapshot_that_is_cut(directory):
    for size in range(len(BASE)):
        directory.base().write_bytes(BASE[:size])
        check(directory.path, code=DAMAGED)


def test_repair_needs_to_be_told_to_lose_data(directory):
    log = three_batches()
    bad = bytearray(log.bytes)
    bad[log.starts[1] + 100] ^= 1
    directory.log().write_bytes(bad)
    before = directory.files()
    ran = check("--repair", directory.path, code=DAMAGED)
    assert "--repair-damage" in ran.stderr and "restore a backup" in ran.stderr
    assert {**directory.files(), LOCK: b""} == {**before, LOCK: b""}
    ran = check("--repair-damage", directory.path, code=GOOD)
    assert f"at byte {log.starts[1]}; lost: {len(bad) - log.starts[1]} bytes" in ran.stdout
    assert directory.log().read_bytes() == log.bytes[:log.starts[1]]
    assert dump(directory.path) == ["SELECT 0", "SET a 1", "DEL l", "RPUSH l 1 2",
                                    f"SET t x PXAT {LATER_MS}"]


@pytest.mark.parametrize("what", ["flipped", "torn", "missing"])
def test_damage_before_the_last_log_drops_the_later_ones(tmp_path, what):
    logs = [three_batches(101).bytes, three_batches(105).bytes, three_batches(109).bytes]
    directory = DataDir(tmp_path / "data", BASE, logs)
    bad = directory.log(2)
    if what == "flipped":
        bad.write_bytes(logs[1][:30] + b"!" + logs[1][31:])
    elif what == "torn":
        bad.write_bytes(logs[1][:-1])
    else:
        bad.unlink()
    check(directory.path, code=DAMAGED)
    check("--repair", directory.path, code=DAMAGED)
    ran = check("--repair-damage", directory.path, code=GOOD)
    assert f"dropped   {FOLDER}/{log_name(3)}" in ran.stdout
    assert not directory.log(3).exists() and log_name(3) not in directory.manifest.read_text()
    assert (directory.folder / (log_name(3) + ".before-repair-1")).read_bytes() == logs[2]
    check(directory.path, code=GOOD)
    assert len(load(directory.path)) == 4


def test_an_emptied_log_shows_in_the_next_one(tmp_path):
    logs = [three_batches(101).bytes, b"", three_batches(109).bytes]
    directory = DataDir(tmp_path / "data", BASE, logs)
    assert "revisions are missing that were durable" in check(directory.path, code=DAMAGED).stdout
    check("--repair-damage", directory.path, code=GOOD)
    assert directory.log(1).read_bytes() == logs[0] and directory.log(3).read_bytes() == b""


def test_a_gap_in_the_revisions(tmp_path):
    gap = DataDir(tmp_path / "gap", BASE, [three_batches(102).bytes])
    ran = check(gap.path, code=DAMAGED)
    assert "damaged at byte 0: revisions are missing that were durable" in ran.stdout
    # Here the log says that what is missing had not been durable: so it may have been lost.
    log = Log(103)
    log.synced = 100
    check(DataDir(tmp_path / "lost", BASE, [log.add(command("SET", "k", 1)).bytes]).path, code=GOOD)


def test_an_old_log_in_the_place_of_a_new_one(tmp_path):
    old = DataDir(tmp_path / "old", BASE, [three_batches(50).bytes])
    ran = check(old.path)
    assert ran.returncode in (TORN, DAMAGED) and "a batch repeats revisions" in ran.stdout


@pytest.mark.parametrize("name", ["base", "log"])
def test_a_missing_file(directory, name):
    (directory.base() if name == "base" else directory.log()).unlink()
    ran = check(directory.path, code=DAMAGED)
    assert "the manifest names it, but it is not there" in ran.stdout
    ran = check("--repair-damage", directory.path)
    if name == "base":
        assert ran.returncode == DAMAGED and "restore a backup" in ran.stderr
    else:
        assert ran.returncode == GOOD and log_name(1) not in directory.manifest.read_text()


@pytest.mark.parametrize("text", [
    "", "garbage\n", "\n", f"file {log_name(1)} seq 1 type i",
    f"file {log_name(1)} seq 1 type i\nfile {log_name(1)} seq 2 type i\n",
    f"file {log_name(1)} seq x type i\n", f"file ../{log_name(1)} seq 1 type i\n", "\0" * 100,
])
def test_a_manifest_that_is_none(directory, text):
    directory.manifest.write_text(text)
    before = directory.files()
    ran = check(directory.path, code=DAMAGED)
    assert ran.last == "damaged: it is unknown which files make up the data"
    assert "start removes" not in ran.stdout
    ran = check("--repair-damage", directory.path, code=DAMAGED)
    assert "restore a backup" in ran.stderr
    assert {**directory.files(), LOCK: b""} == {**before, LOCK: b""}


def test_no_manifest(directory):
    directory.manifest.unlink()
    ran = check(directory.path, code=REFUSED)
    assert f"but no {FOLDER}/{MANIFEST} that says" in ran.last and "start removes" not in ran.stdout


def test_a_log_of_an_old_redis(tmp_path):
    (tmp_path / "appendonly.aof").write_bytes(command("SET", "a", 1))
    assert "start redis-server 7.0 on it once" in check(tmp_path, code=REFUSED).last


@pytest.mark.parametrize("record", [
    command("SET", "a"), command("NOSUCH", "a"), command("MULTI"), b"plain text\r\n",
    command("SET", "a", 1, "PXAT", "soon"),
])
def test_an_intact_batch_of_nonsense(directory, record):
    log = three_batches()
    start = len(log.bytes)
    directory.log().write_bytes(log.add(command("SET", "a", 1), record).bytes)
    ran = check(directory.path)
    if b"NOSUCH" in record:
        assert ran.returncode == REFUSED and "NOSUCH" in ran.stdout
        return
    assert ran.returncode == DAMAGED and f"damaged at byte {start}: " in ran.stdout
    assert "3 batches" in ran.stdout
    check("--repair-damage", directory.path, code=GOOD)
    assert directory.log().read_bytes() == three_batches().bytes


# ---- redis-server's directories ----

def fill(redis):
    for number in range(50):
        redis.call("SET", f"key:{number}", "x" * number)
        redis.call("RPUSH", f"list:{number % 7}", number, "element %d" % number)
    redis.call("SELECT", 5)
    redis.call("SET", b"\x00\xff \"'\\\r\n\t\a\b", b"\x00\x01\xfe#\n", "PXAT", LATER_MS)
    redis.call("RPUSH", "with deadline", "", "a b", "#c")
    redis.call("PEXPIREAT", "with deadline", LATER_MS + 1)
    redis.call("RPUSH", "long", *range(1000))
    redis.call("SET", "large", b"\x80" * 100_000)
    redis.call("DEL", "key:3")


@pytest.fixture(params=["log", "rewritten", "dump"])
def of_redis(request, tmp_path):
    """A directory that redis-server has filled and left, and what was in it."""
    path = tmp_path / "redis"
    path.mkdir()
    with Redis(path, "--appendonly", "no" if request.param == "dump" else "yes") as redis:
        fill(redis)
        if request.param == "rewritten":
            redis.call("BGREWRITEAOF")
            deadline = time.monotonic() + TIMEOUT_S
            while b"base.rdb seq 2" not in (path / FOLDER / MANIFEST).read_bytes():
                assert time.monotonic() < deadline, redis.log
                time.sleep(0.01)
            redis.call("SELECT", 1)
            redis.call("SET", "behind", "the rewrite")
        if request.param == "dump":
            redis.call("SAVE")
        data = redis.contents()
        redis.stop()
    return path, data


def test_directories_of_redis_are_good(of_redis):
    path, _ = of_redis
    check(path, code=GOOD)
    for file in sorted(path.rglob("*")):
        if file.suffix in (".rdb", ".aof"):
            check(file, code=GOOD)


def test_the_dump_of_a_directory_of_redis_is_its_data(of_redis, tmp_path):
    path, data = of_redis
    printed = check("--dump", path, code=GOOD).stdout
    (tmp_path / "empty").mkdir()
    with Redis(tmp_path / "empty") as redis:
        ran = subprocess.run(["redis-cli", "-s", redis.path], input=printed.encode(),
                             capture_output=True, timeout=TIMEOUT_S, check=True)
        assert b"ERR" not in ran.stdout + ran.stderr
        assert redis.contents() == data


def test_types_that_keystore_lacks(tmp_path):
    with Redis(tmp_path, "--appendonly", "yes") as redis:
        redis.call("SET", "kept", 1)
        redis.call("SADD", "a set", 1, 2)
        redis.call("HSET", "a hash", "f", 1)
        redis.call("BGREWRITEAOF")
        deadline = time.monotonic() + TIMEOUT_S
        while b"base.rdb seq 2" not in (tmp_path / FOLDER / MANIFEST).read_bytes():
            assert time.monotonic() < deadline, redis.log
            time.sleep(0.01)
        redis.call("ZADD", "a zset", 1, "m")
        redis.stop()
    said = check(tmp_path, code=GOOD).stdout
    assert re.search(r'not for KeyStore: .*set \(1: "a set"\).*ZADD \(1: "a zset"\)', said)
    assert dump(tmp_path) == ["SELECT 0", "SET kept 1"]


def test_a_directory_of_redis_that_is_torn(tmp_path):
    with Redis(tmp_path, "--appendonly", "yes") as redis:
        redis.call("SET", "a", 1)
        redis.call("SET", "b", 2)
        redis.stop()
    log = tmp_path / FOLDER / log_name(1)
    whole = log.read_bytes()
    log.write_bytes(whole[:-3])
    assert "without checksums" in check(tmp_path, code=TORN).stdout
    check("--repair", tmp_path, code=GOOD)
    assert load(tmp_path) == {(0, b"a"): (b"1", 0)}
    log.write_bytes(whole.replace(b"$1\r\na", b"$1\rXa"))
    check(tmp_path, code=DAMAGED)


# ---- keystore-server's directories ----

def run_cli(server, *words):
    return subprocess.run([str(BIN / "keystore-cli"), "-p", str(server.port), *map(str, words)],
                          capture_output=True, timeout=TIMEOUT_S, check=True).stdout


def test_a_directory_of_a_server(fresh_server, tmp_path):
    path = tmp_path / "data"
    server = fresh_server(directory=path)
    run_cli(server, "SET", "a", 1)
    run_cli(server, "RPUSH", "l", "x", "y")
    refused = check(path, code=UNREADABLE).stderr
    assert f"a server, process {server.pid}, uses {path}" in refused
    assert "a server, process" in check("--repair", path, code=UNREADABLE).stderr
    server.kill()
    assert "2 records in the log, up to revision 2" in check(path, code=GOOD).last
    assert dump(path) == ["SELECT 0", "SET a 1", "DEL l", "RPUSH l x y"]
    assert load(path) == {(0, b"a"): (b"1", 0), (0, b"l"): ([b"x", b"y"], 0)}


def test_a_server_starts_on_what_a_repair_leaves(directory, fresh_server):
    bad = bytearray(three_batches().bytes)
    bad[three_batches().starts[1] + 100] ^= 1
    directory.log().write_bytes(bad)
    check("--repair-damage", directory.path, code=GOOD)
    server = fresh_server(directory=directory.path)
    assert run_cli(server, "GET", "a") == b"1\n"
    assert run_cli(server, "LRANGE", "l", 0, -1) == b"1\n2\n"
    run_cli(server, "SET", "new", "value")
    server.stop()
    said = check(directory.path, code=GOOD)
    assert "up to revision 102" in said.last
    copy = directory.folder / (log_name(1) + ".before-repair-1")
    assert copy.read_bytes() == bytes(bad) and "kept by a repair" in said.stdout


def test_a_torn_end_is_what_the_server_cuts(directory, fresh_server):
    with directory.log().open("ab") as file:
        file.write(b"#KS1 seq=105 ops=1 len=")
    ran = check(directory.path, code=TORN)
    fresh_server(directory=directory.path).stop()
    assert "23 bytes" in ran.stdout
    assert directory.log().read_bytes() == three_batches().bytes
    check(directory.path, code=GOOD)


def test_redis_goes_on_with_our_log_and_we_with_its(directory):
    with Redis(directory.path, "--appendonly", "yes") as redis:
        redis.call("SET", "from", "redis")
        redis.stop()
    ran = check(directory.path, code=GOOD)
    assert "in 3 batches, checksums right; 1 of the records not in batches" in ran.stdout
    assert "SET from redis" in dump(directory.path)


# ---- printing the data ----

def test_dump(directory):
    before = directory.files()
    ran = check("--dump", directory.path, code=GOOD)
    assert ran.stdout.splitlines() == [
        "SELECT 0", "SET a 1", "DEL l", "RPUSH l 1 2 x y", f"SET t x PXAT {LATER_MS}", "SELECT 3",
        "SET z 12"]
    assert "good: " in ran.stderr and "printed 4 keys\n" in ran.stderr
    assert directory.files() == before


def test_dump_after_databases_were_swapped(directory):
    log = three_batches()
    log.add(command("SWAPDB", 3, 0))
    log.add(command("SET", "after", 1))
    directory.log().write_bytes(log.bytes)
    expected = ["SELECT 0", "SET z 12", "SELECT 3", "SET a 1", "SET after 1", "DEL l",
                "RPUSH l 1 2 x y", f"SET t x PXAT {LATER_MS}"]
    assert dump(directory.path) == expected


def test_dump_of_what_is_before_the_bad_record(directory):
    log = three_batches()
    directory.log().write_bytes(log.bytes[:-1])
    expected = ["SELECT 0", "SET a 1", "DEL l", "RPUSH l 1 2 x y", f"SET t x PXAT {LATER_MS}"]
    assert dump(directory.path, code=TORN) == expected
    directory.log().write_bytes(b"!" + log.bytes[1:])
    assert dump(directory.path, code=DAMAGED) == ["SELECT 0", "SET a 0", "DEL l", "RPUSH l 1 2",
                                                     expected[4]]


def test_dump_of_one_file(directory):
    assert dump(directory.log())[:2] == ["SELECT 0", "SET a 1"]
    assert dump(directory.base())[:2] == ["SELECT 0", "SET a 0"]


def test_dump_leaves_out_what_has_expired(tmp_path):
    directory = DataDir(tmp_path / "data", rdb([(b"old", b"1", 1000), (b"new", b"2", LATER_MS)]))
    assert dump(directory.path) == ["SELECT 0", f"SET new 2 PXAT {LATER_MS}"]


def test_keystore_cli_reads_a_dump(directory, fresh_server):
    with directory.log().open("ab") as file:
        log = three_batches()
        size = len(log.bytes)
        log.add(command("SELECT", 0) + command("SET", b"\x00\xff \"'\\\r\n", b"\x01 #\xfe"))
        file.write(log.bytes[size:])
    server = fresh_server()
    cli = [str(BIN / "keystore-cli"), "-p", str(server.port)]
    printed = check("--dump", directory.path, code=GOOD).stdout.encode()
    ran = subprocess.run([*cli, "--pipe"], input=printed, capture_output=True, timeout=TIMEOUT_S,
                         check=True)
    assert ran.stderr.startswith(b"8 commands, 0 errors"), ran.stderr
    asked = subprocess.run(cli, input=b'GET "\\x00\\xff \\"\'\\\\\\r\\n"\nLRANGE l 0 -1\n',
                           capture_output=True, timeout=TIMEOUT_S, check=True)
    assert asked.stdout == b"\x01 #\xfe\n1\n2\nx\ny\n"


def test_a_dump_makes_the_same_data_of_whatever_is_there(tmp_path, fresh_server):
    """Loaded twice, and over keys of other types, values and deadlines."""
    path = tmp_path / "data"
    original, copy = fresh_server(directory=path), fresh_server()
    run_cli(original, "RPUSH", "l", *(str(number) for number in range(200)))
    run_cli(original, "RPUSH", "t", "x")
    run_cli(original, "PEXPIREAT", "t", str(LATER_MS))
    run_cli(original, "SET", "s", "v")
    original.stop()
    run_cli(copy, "SET", "l", "a string")
    run_cli(copy, "RPUSH", "s", "a", "list")
    run_cli(copy, "RPUSH", "t", "other")
    run_cli(copy, "EXPIRE", "s", "1000")
    printed = check("--dump", path, code=GOOD).stdout
    for _ in range(2):
        subprocess.run([str(BIN / "keystore-cli"), "-p", str(copy.port), "--pipe"],
                       input=printed.encode(), capture_output=True, timeout=TIMEOUT_S, check=True)
    copied = run_cli(copy, "LRANGE", "l", "0", "-1").split()
    assert copied == [b"%d" % number for number in range(200)]
    assert run_cli(copy, "LRANGE", "t", "0", "-1").split() == [b"x"]
    assert run_cli(copy, "PEXPIRETIME", "t").split() == [b"%d" % LATER_MS]
    assert run_cli(copy, "GET", "s").split() == [b"v"]
    assert run_cli(copy, "TTL", "s").split() == [b"-1"]


# ---- one file, and what is none ----

def test_one_file(directory, tmp_path):
    assert "revisions 101 to 104" in check(directory.log(), code=GOOD).stdout
    assert "revision 100" in check(directory.base(), code=GOOD).stdout
    alone = tmp_path / "some.aof"
    alone.write_bytes(three_batches().bytes[:-1])
    check(alone, code=TORN)
    check("--repair", alone, code=GOOD)
    assert alone.read_bytes() == three_batches().bytes[:three_batches().starts[-1]]
    alone.write_bytes(BASE[:-1])
    ran = check("--repair-damage", alone, code=DAMAGED)
    assert "snapshot" in ran.stderr


def test_a_file_without_a_folder_in_its_path(tmp_path):
    (tmp_path / "x.rdb").write_bytes(BASE)
    ran = subprocess.run([str(CHECK), "x.rdb"], cwd=tmp_path, capture_output=True,
                         timeout=TIMEOUT_S, check=False)
    assert ran.returncode == GOOD, ran.stderr


def test_a_file_of_a_directory_is_not_repaired_alone(directory):
    directory.log().write_bytes(three_batches().bytes[:-1])
    before = directory.files()
    ran = check("--repair", directory.log(), code=UNREADABLE)
    assert "belongs to a data directory" in ran.stderr
    assert directory.files() == before


@pytest.mark.parametrize("option", [(), ("--repair",), ("--dump",)])
def test_a_server_that_uses_the_directory(directory, option):
    lock = directory.path / LOCK
    lock.write_text("4711\n")
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for path in (directory.path, directory.log()):
            if path.is_file() and option == ("--repair",):
                continue
            ran = check(*option, path, code=UNREADABLE)
            assert "a server, process 4711, uses " in ran.stderr and ran.stdout == ""
    check(*option, directory.path, code=GOOD)


def test_a_check_leaves_the_lock_file_as_it_is(directory):
    (directory.path / LOCK).write_text("4711\n")
    check(directory.path, code=GOOD)
    assert (directory.path / LOCK).read_text() == "4711\n"


@pytest.mark.parametrize("arguments,said", [
    ((), "the data directory or file to check is missing"),
    (("a", "b"), "only one data directory or file can be checked"),
    (("",), "is empty"),
    (("--nosuch", "a"), "there is no option --nosuch"),
    (("-x", "a"), "there is no option -x"),
    (("--dump=1", "a"), "takes no value"),
    (("--dump", "--repair", "a"), "--dump only reads"),
    (("/nonexistent/x",), "/nonexistent/x: No such file or directory"),
    (("/dev/null",), "is neither a directory nor a file"),
])
def test_bad_input(arguments, said):
    ran = check(*arguments, code=UNREADABLE)
    assert said in ran.stderr and ran.stderr.startswith("keystore-check: ") and ran.stdout == ""


def test_the_folder_of_the_logs_is_not_the_data_directory(directory):
    assert "the folder above it" in check(directory.folder, code=UNREADABLE).stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(directory):
    directory.log().chmod(0)
    assert "Permission denied" in check(directory.path, code=UNREADABLE).stdout


def test_help_and_version():
    text = check("--help", code=GOOD).stdout
    assert text.startswith("Usage: keystore-check [OPTION]... PATH\n") and "Exit code:" in text
    assert all(len(line) <= 90 for line in text.splitlines())
    assert re.fullmatch(r"keystore-check \d+\.\d+\.\d+\n", check("--version", code=GOOD).stdout)


def test_output_that_cannot_be_written(directory):
    with open("/dev/full", "w", encoding="ascii") as full:
        ran = subprocess.run([str(CHECK), str(directory.path)], stdout=full, timeout=TIMEOUT_S,
                             stderr=subprocess.PIPE, check=False)
    assert ran.returncode == UNREADABLE and b"cannot write" in ran.stderr


def test_nothing_is_written_where_nothing_may_be(directory):
    shutil.rmtree(directory.folder)
    check(directory.path, code=GOOD)
    assert list(directory.path.iterdir()) == []
    check(directory.path / "sub", code=UNREADABLE)
    assert list(directory.path.iterdir()) == []
