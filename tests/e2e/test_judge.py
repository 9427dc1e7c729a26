"""One judgement on a data directory: directories are spoilt at random, and the server's start and
keystore-check must say the same of each, and redis-server too, where it can tell.

KEYSTORE_JUDGE_CASES is how many are tried of each kind; KEYSTORE_SEED has them tried again."""

import os
import re
import shutil
import subprocess

import pytest

from datadir import (FOLDER, MANIFEST, VERSIONS, DataDir, Log, base_name, command, log_name, rdb,
                     versions)
from keystore_env import BIN
from redis_process import Redis
from server_process import Server

CASES = int(os.environ.get("KEYSTORE_JUDGE_CASES", "25"))
TIMEOUT_S = 60
GOOD, TORN, DAMAGED, UNREADABLE, REFUSED = range(5)
LATER_MS = 4102444800000  # 2100

# Our reasons, in the words of keystore-server, for directories that redis-server 7.0 loads although we
# do not.

# It has no checksums in logs: lines of '#' are comments for it, and what is RESP is loaded. Nor does it
# know revisions, which tell us that something is there twice, or is not there any more.
LINE = "the line of a batch is cut or its check fails"
BATCH = "the check of a batch fails"
ENDS = "the file ends within a batch"
BEGUN = "the file ends within a command or transaction"  # or within the first bytes of a batch
NEITHER = "neither a batch nor a command starts here"
MISSING = "revisions are missing that were durable"
REPEATS = "a batch repeats revisions; it is older than its place"
# It reads the digits of a length as far as they go, and passes over the two bytes that end an argument
# without looking at them.
FORMAT = "a command is not in Redis' format"
# A command that fails it passes over.
WRONG_TYPE = "the command LPUSH cannot be applied here: the key holds a string; this operation needs a " \
    "list (or no such key)"
NO_NUMBER = "the command INCR cannot be applied here: the string is not an integer of 64 bits in plain " \
    "decimal digits"
# It takes empty files for empty data, and any file for a log, whatever its name says.
EMPTY = "it is empty, which a snapshot never is"
NO_SNAPSHOT = "it is no snapshot, although its name says so"
# Without a manifest it starts empty and forgets the logs; files that it does not name it leaves alone.
UNNAMED = "FILE is newer than all logs that FILE names, so a line for it is missing there"
NO_MANIFEST = "there is FILE, but no FILE that says how to load it; bring the manifest back, or move " \
    "the folder away to start without it, or choose another directory with --dir"
# A file that two lines name it loads twice.
TWICE_NAMED = "in line N: names a file that an earlier line names"

# By what was done, and to what.
REDIS_LOADS = {
    "cut log": [LINE, ENDS, BEGUN, MISSING],
    "cut base": [EMPTY],
    "empty log": [MISSING],
    "empty base": [EMPTY],
    "flip log": [LINE, BATCH, NEITHER, FORMAT],
    "double log": [LINE],
    "copy log": [MISSING, REPEATS],
    "copy base": [NO_SNAPSHOT, EMPTY],
    "append log": [LINE, REPEATS, WRONG_TYPE, NO_NUMBER],
    "append base": [LINE, REPEATS, WRONG_TYPE, NO_NUMBER],
    "drop manifest": [MISSING, UNNAMED],
    "cut manifest": [UNNAMED],
    "flip manifest": [MISSING, UNNAMED, TWICE_NAMED],
    "remove manifest": [NO_MANIFEST],
}


def reason_of(told):
    """Why the server refuses a directory, without names, numbers, and what to do about it."""
    reason = told.rpartition("keystore-server: ")[2].strip().removeprefix("DATA_LOSS: ")
    reason = re.sub(r"(appendonlydir/)?appendonly\.aof[\w.]*", "FILE", reason)
    reason = reason.removeprefix("FILE is damaged ")
    reason = re.sub(r"^at offset \d+: ", "", reason)
    reason = re.sub(r"; the batch at offset \d+ shows that this had been written durably", "", reason)
    reason = re.sub(r"; (nothing was changed|it names the files that make up the data).*", "", reason)
    return re.sub(r"\bline \d+", "line N", reason)


def check(path, *options):
    ran = subprocess.run([str(BIN / "keystore-check"), *options, str(path)], capture_output=True,
                         timeout=TIMEOUT_S, check=False)
    return ran.returncode, ran.stdout.decode(), ran.stderr.decode()


def contents_of(path):
    """The commands that print the data: sorted, so equal data are equal text."""
    return check(path, "--dump")[1]


def start(path):
    """The server's verdict on a directory: a state, and what it says of it."""
    options = ("--import-skip-unsupported", "--databases", 1024)
    try:
        server = Server(*options, directory=path, threads=1)
    except AssertionError as failed:
        said = str(failed)
        if "DATA_LOSS" in said:
            return DAMAGED, said
        return (REFUSED if "cannot be loaded" in said or "says how to load" in said
                else UNREADABLE), said
    server.stop()
    return (TORN if "a crash had cut short" in server.stderr else GOOD), server.stderr


# ---- directories to spoil ----

def log_of_batches(random, first, count):
    log = Log(first)
    for _ in range(count):
        key = random.choice("abcdef")
        log.add(*random.choice([
            [command("SET", "s" + key, random.randbytes(random.randrange(40)))],
            [command("RPUSH", "l" + key, "1", "2"), command("APPEND", "s" + key, "y")],
            [command("MULTI") + command("SET", "s" + key, 1) + command("DEL", "l" + key)
             + command("EXEC")],
            [command("SELECT", 3) + command("SET", key, 1, "PXAT", LATER_MS)]]))
    return log


def make(random, path):
    """A good one: with or without base, of batches or of plain commands."""
    base = rdb([(b"sa", b"0", None), (b"t", b"x", LATER_MS)], [(b"la", [b"1", b"2"])],
               revision=100)
    kind = random.choice(["batches", "batches", "plain", "no base"])
    if kind == "plain":
        commands = [command("SELECT", 0)] + [command("SET", "s%d" % i, i) for i in range(6)]
        return DataDir(path, base, [b"".join(commands[:4]), b"".join(commands[:1] + commands[4:])])
    first = 1 if kind == "no base" else 101
    logs, log_count = [], random.randrange(1, 4)
    for _ in range(log_count):
        log = log_of_batches(random, first, random.randrange(1, 5))
        logs.append(log.bytes)
        first = log.next
    return DataDir(path, None if kind == "no base" else base, logs)


# ---- how they are spoilt ----

def data_files(directory):
    return sorted(file for file in directory.folder.iterdir() if file.name != MANIFEST)


def kind_of(file):
    return "base" if ".base." in file.name else "log"


def spoil_file(random, directory):
    file = random.choice(data_files(directory))
    data = file.read_bytes()
    how = random.choice(["cut", "empty", "flip", "flip", "remove", "double", "copy", "append"])
    if how == "cut":
        file.write_bytes(data[:random.randrange(len(data) + 1)])
    elif how == "empty":
        file.write_bytes(b"")
    elif how == "flip" and data:
        at = random.randrange(len(data))
        file.write_bytes(data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1:])
    elif how == "remove":
        file.unlink()
    elif how == "double":
        file.write_bytes(data + data)
    elif how == "copy":
        other = random.choice(data_files(directory))
        file.write_bytes(other.read_bytes())
    elif how == "append":
        file.write_bytes(data + random.choice([
            b"\0" * 100, b"#KS1 ", b"garbage", command("INCR", "sa"), command("SET", "x"),
            command("LPUSH", "sa", 1)]))
    return f"{how} {kind_of(file)}"


def spoil_manifest(random, directory):
    lines = directory.manifest.read_text().splitlines(keepends=True)
    how = random.choice(["drop", "swap", "repeat", "cut", "flip", "remove", "renumber"])
    at = random.randrange(len(lines))
    if how == "drop":
        del lines[at]
    elif how == "swap":
        random.shuffle(lines)
    elif how == "repeat":
        lines.append(lines[at])
    elif how == "renumber":
        lines[at] = lines[at].replace("seq ", "seq 1")
    text = "".join(lines).encode()
    if how == "cut":
        text = text[:random.randrange(len(text))]
    elif how == "flip":
        flipped = random.randrange(len(text))
        text = text[:flipped] + bytes([text[flipped] ^ 1 << random.randrange(8)]) \
            + text[flipped + 1:]
    directory.manifest.write_bytes(text)
    if how == "remove":
        directory.manifest.unlink()
    return f"{how} manifest"


# ---- the verdicts ----

def load_in_redis(path, place):
    """What redis-server has of a copy of the directory; None: it refuses it."""
    shutil.copytree(path, place)
    try:
        with Redis(place, "--appendonly", "yes") as redis:
            return redis.contents()
    except (AssertionError, OSError):  # it ended while it was loading
        return None


def compare(path, place, redis_loads=()):
    """Has all three look at the directory, and returns what they found. Redis may load one that we
    refuse for these reasons alone; None: what is spoilt is a file of ours, which it does not know."""
    before = {file: file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}
    code, said, _ = check(path)
    printed = contents_of(path)
    after = {file: file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}
    assert after == before, "a check changes nothing"
    spoilt = place / "spoilt"
    shutil.copytree(path, spoilt)
    state, told = start(path)
    assert state == code, f"keystore-check: {said}\nkeystore-server: {told}"
    if code == DAMAGED and "is damaged at offset" in told:
        file, offset = re.search(r"DATA_LOSS: (.+) is damaged at offset (\d+)", told).groups()
        assert file in said
        reason = re.search(r"is damaged at offset \d+: (.*?); nothing was changed", told).group(1)
        assert reason in said, f"offset {offset}: {reason} is not in {said}"
    if code in (GOOD, TORN):
        assert contents_of(path) == printed, "the server has what the check printed"
        assert load_in_redis(path, place / "redis") == data_of(printed), "Redis has it as well"
    elif redis_loads is not None and load_in_redis(spoilt, place / "redis") is not None:
        assert reason_of(told) in redis_loads, f"Redis loads what we do not: {told}"
    return code


WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|([^ ]+)')
ESCAPE = re.compile(rb"\\(?:x([0-9a-f]{2})|(.))")
ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}


def words_of(line):
    """The words of a line of --dump, as redis-cli would read them."""
    def byte(escape):
        digits, letter = escape.groups()
        return bytes.fromhex(digits.decode()) if digits else ESCAPED.get(letter, letter)
    return [ESCAPE.sub(byte, quoted.encode()) if bare is None else bare.encode()
            for quoted, bare in (found.group(1, 2) for found in WORD.finditer(line))]


def data_of(printed):
    """{(db, key): (value, deadline)} of the commands that --dump prints."""
    found, db = {}, 0
    for line in printed.splitlines():
        words = words_of(line)
        if words[0] == b"SELECT":
            db = int(words[1])
        elif words[0] == b"SET":
            found[db, words[1]] = words[2], int(words[4]) if len(words) > 3 else 0
        elif words[0] == b"RPUSH":
            found.setdefault((db, words[1]), ([], 0))[0].extend(words[2:])
        elif words[0] == b"PEXPIREAT":
            found[db, words[1]] = found[db, words[1]][0], int(words[2])
    return found


@pytest.mark.parametrize("spoil", [spoil_file, spoil_manifest])
def test_all_judge_alike(spoil, tmp_path, random_of_test, counts):
    verdicts = {}
    for case in range(CASES):
        place = tmp_path / str(case)
        directory = make(random_of_test, place / "data")
        how = spoil(random_of_test, directory)
        try:
            code = compare(directory.path, place, REDIS_LOADS.get(how, ()))
        except AssertionError as failed:
            raise AssertionError(f"case {case}, {how}: {failed}") from failed
        verdicts[code] = verdicts.get(code, 0) + 1
        shutil.rmtree(place)
    counts(f"{CASES} directories, verdicts by exit code: {sorted(verdicts.items())}")


TWICE = rdb([(b"a", b"0", None), (b"b", b"1", None), (b"a", b"2", None)], revision=3)


@pytest.mark.parametrize("code,base,logs,manifest,redis_loads", [
    (DAMAGED, TWICE, [b""], None, []),
    (DAMAGED, b"", [b""], None, [EMPTY]),
    (DAMAGED, None, [command("SELECT", 0) + command("SET", "a", "x") + command("INCR", "a")], None,
     [NO_NUMBER]),
    (DAMAGED, None, [command("SELECT", 0) + command("SET", "a", "x") + command("LPUSH", "a", 1)],
     None, [WRONG_TYPE]),
    (DAMAGED, None, [b"", Log(1).add(command("SET", "a", 1)).bytes],
     f"file {log_name(1)} seq 1 type i\n", [UNNAMED]),
    (GOOD, rdb([(b"a", b"1", None)], revision=1), [],
     f"file {base_name(1)} seq 1 type b\nfile {log_name(9)} seq 9 type h\n", []),
])
def test_what_was_judged_differently(code, base, logs, manifest, redis_loads, tmp_path):
    directory = DataDir(tmp_path / "data", base, logs, manifest)
    assert compare(directory.path, tmp_path, redis_loads) == code


@pytest.mark.parametrize("text,code", [
    (versions(7), GOOD),
    (versions(1 << 40), GOOD),
    (versions(1 << 40)[:-1], DAMAGED),
    (versions(7).replace(b"7", b"8", 1), DAMAGED),
    (versions(7) + b"\n", DAMAGED),
    (b"", DAMAGED),
    (None, GOOD),
])
def test_the_file_of_versions_counts(text, code, tmp_path):
    base = rdb([(b"a", b"1", None)], revision=1)
    directory = DataDir(tmp_path / "data", base, [Log(2).add(command("SET", "a", 2)).bytes])
    if text is not None:
        (directory.path / VERSIONS).write_bytes(text)
    assert compare(directory.path, tmp_path, redis_loads=None) == code


def test_an_empty_log_that_no_start_has_named(tmp_path):
    """A crash in a first start leaves that."""
    directory = DataDir(tmp_path / "data", None, [b""])
    directory.manifest.unlink()
    assert compare(directory.path, tmp_path) == GOOD
    assert (directory.path / FOLDER / MANIFEST).exists()


def test_the_offset_of_a_key_that_comes_twice_is_the_first_such(tmp_path):
    strings = [(b"k%d" % (i % 40), b"v", None) for i in range(60)]
    base = rdb(strings, revision=3)
    directory = DataDir(tmp_path / "data", base, [b""])
    second = base.index(b"\x02k0", base.index(b"\x02k0") + 1) + 1
    for _ in range(3):
        assert f"damaged at byte {second}: key \"k0\"" in check(directory.path)[1]
