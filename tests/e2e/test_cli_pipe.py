"""keystore-cli --pipe: lines and RESP, many operations at a time, each as if it had come alone."""

import os
import re
import resource
import subprocess

import pytest

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from keystore_env import BIN, SANITIZE

CLI = str(BIN / "keystore-cli")
TIMEOUT_S = 120


def resp(*words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def pipe(server, stdin, code=0, **options):
    """The finished `keystore-cli --pipe` that was given the bytes."""
    done = subprocess.run([CLI, "-p", str(server.port), "--pipe"], input=stdin, capture_output=True,
                          timeout=TIMEOUT_S, check=False, **options)
    assert done.returncode == code, done.stderr[-2000:]
    return done


@pytest.fixture
def own(fresh_server):
    server = fresh_server("--durability", "none")
    with open_channel(server.address) as channel:
        yield server, Stub(channel)


# RESP.

def test_a_value_that_looks_like_a_command_is_a_value(own):
    server, stub = own
    stub.Set(pb.KeyValue(key=b"kept", value=b"v"))
    done = pipe(server, resp("SET", "a", "\r\nFLUSHDB\r\n") + resp("SET", "FLUSHDB", "FLUSHDB"))
    assert (done.stdout, done.stderr) == (b"OK\nOK\n", b"2 commands, 0 errors\n")
    assert stub.Get(pb.Key(key=b"a")).value == b"\r\nFLUSHDB\r\n"
    assert stub.Get(pb.Key(key=b"kept")).found


def test_words_of_any_bytes(own, random_of_test):
    server, stub = own
    values = {random_of_test.randbytes(random_of_test.randrange(1, 40)):
              random_of_test.randbytes(random_of_test.choice([0, 1, 100, 70000, 3000000]))
              for _ in range(40)}
    done = pipe(server, b"".join(resp("SET", key, value) for key, value in values.items()))
    assert done.stderr == b"%d commands, 0 errors\n" % len(values)
    for key, value in values.items():
        assert stub.Get(pb.Key(key=key)).value == value


def test_resp_without_the_option(own):
    server, _ = own
    done = subprocess.run([CLI, "-p", str(server.port)], input=resp("SET", "a", "1 2") + resp("GET", "a"),
                          capture_output=True, timeout=TIMEOUT_S, check=True)
    assert (done.stdout, done.stderr) == (b"OK\n1 2\n", b"")


def test_errors_in_resp_have_the_number_of_the_command(own):
    server, _ = own
    done = pipe(server, resp("SET", "a", "x\ny\nz") + resp("INCR", "a") + resp("NONSENSE") +
                resp("GET", "a"), code=1)
    assert done.stdout == b"OK\nx\ny\nz\n"
    lines = done.stderr.decode().splitlines()
    assert lines[0].startswith("command 2: (error) FAILED_PRECONDITION NOT_A_NUMBER: ")
    assert lines[1].startswith("command 3: (error) unknown command 'NONSENSE'")
    assert lines[2:] == ["4 commands, 2 errors"]


@pytest.mark.parametrize("rest,said", [
    (b"SET b 1\n", "byte 27: expected '*' and the number of words of a command, got 'S'"),
    (b"*2\r\n$3\r\nGET\r\n$1\r\na", "byte 45: expected \"\\r\\n\", got the end"),
    (b"*2\r\n$3\r\nGET\r\n$9\r\na\r\n", "byte 47: expected the rest of a word, got the end"),
    (b"*2\r\n$3\r\nGETS\r\n", "byte 38: expected \"\\r\\n\", got 'S'"),
])
def test_malformed_resp_stops_there(own, rest, said):
    server, stub = own
    done = pipe(server, resp("SET", "a", "1") + rest, code=1)
    assert done.stdout == b"OK\n"
    assert done.stderr.decode().splitlines() == [
        f"(error) command 2, {said}. Stopped; 1 command before that was run.", "1 command, 1 error"]
    assert stub.Get(pb.Key(key=b"a")).value == b"1" and not stub.Get(pb.Key(key=b"b")).found


# What cannot be read.

def test_a_directory_is_no_input(own, tmp_path):
    server, _ = own
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        done = subprocess.run([CLI, "-p", str(server.port), "--pipe"], stdin=descriptor,
                              capture_output=True, timeout=TIMEOUT_S, check=False)
    finally:
        os.close(descriptor)
    assert done.returncode == 1
    assert done.stderr == (b"(error) cannot read standard input: Is a directory. Stopped; 0 commands "
                           b"before that were run.\n0 commands, 1 error\n")


def test_a_zero_byte_is_no_line(own):
    server, _ = own
    done = pipe(server, b"SET a 1\nSET b \0\nSET c 1\n", code=1)
    assert done.stdout == b"OK\n"
    assert done.stderr.startswith(b"(error) line 2 has a zero byte")
    assert done.stderr.endswith(b"1 command before that was run.\n1 command, 1 error\n")


@pytest.mark.skipif(SANITIZE != "", reason="a sanitizer needs terabytes of addresses")
@pytest.mark.parametrize("head,tail", [(b"SET b ", b"\n"), (b"*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$80000000\r\n",
                                                         b"\r\n")], ids=["line", "resp"])
def test_memory_that_is_not_there(own, head, tail):
    server, _ = own
    limit = 100_000_000
    first = resp("SET", "a", "1") if head.startswith(b"*") else b"SET a 1\n"
    done = pipe(server, first + head + b"x" * 80_000_000 + tail, code=1,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
    assert done.stdout == b"OK\n"
    unit = b"command" if head.startswith(b"*") else b"line"
    assert re.fullmatch(rb"\(error\) out of memory: %s 2 needs more than \d+ bytes\. Stopped; 1 command "
                        rb"before that was run\.\n1 command, 1 error\n" % unit, done.stderr)


def test_answers_that_cannot_be_written_stop_it(own):
    server, stub = own
    stub.Set(pb.KeyValue(key=b"a", value=b"x" * 10000))
    with open("/dev/full", "wb") as full:
        done = subprocess.run([CLI, "-p", str(server.port), "--pipe"], input=b"GET a\n" * 100000,
                              stdout=full, stderr=subprocess.PIPE, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 1
    assert re.match(rb"\(error\) the answers cannot be written\. Stopped; \d+ commands before that were "
                    rb"run\.\n\d+ commands, 1 error\n", done.stderr), done.stderr


# Many at a time.

KEYS = ["a", "b", "l", "m", "n"]


MOST_AT_ONCE = 4000


def test_nothing_is_run_whose_answer_cannot_be_written(own):
    """Also of the commands that were read before that showed."""
    server, stub = own
    stub.Set(pb.KeyValue(key=b"large", value=bytes(5_000)))
    commands = b"GET large\n" * MOST_AT_ONCE + b"SET after v\n"
    with subprocess.Popen([CLI, "-p", str(server.port)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as cli:
        cli.stdout.close()
        _, said = cli.communicate(commands, timeout=TIMEOUT_S)
    assert cli.returncode == 1
    assert b"the answers cannot be written. Stopped" in said
    assert not stub.Get(pb.Key(key=b"after")).found


def operation(dice):
    """An operation that fails now and then, on one of a few keys."""
    key, other = dice.choice(KEYS), dice.choice(KEYS)
    return dice.choice([
        ("SET", key, dice.randrange(100)), ("SET", key, "x y"), ("GET", key), ("INCR", key),
        ("APPEND", key, dice.randrange(10)), ("RPUSH", key, dice.randrange(9), "v"), ("LPOP", key),
        ("LRANGE", key, 0, -1), ("DEL", key), ("DEL", key, other), ("RENAME", key, other),
        ("MSET", key, 1, other, 2), ("MGET", key, other), ("LMOVE", key, other, "LEFT", "RIGHT"),
        ("SET", key, 1, "NX"), ("GETDEL", key), ("STRLEN", key), ("LINDEX", key, 1), ("TYPE", key),
        ("SETRANGE", key, 3, "ab"), ("INCRBYFLOAT", key, "0.1"), ("EXISTS", key, other), ("PING",),
        ("LSET", key, 7, "v"), ("SELECT", dice.randrange(3)), ("SELECT", 99), ("NONSENSE", key),
        ("LPOP", key, -1), ("COPY", key, other), ("LTRIM", key, 1, 5), ("DBSIZE",),
    ])


def one_by_one(server, commands):
    """What `commands`, lines, print when each is answered before the next is given: a PING behind each
    says when."""
    with subprocess.Popen([CLI, "-p", str(server.port), "--pipe", "--no-raw"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        seen = []
        for number, command in enumerate(commands):
            process.stdin.write(command + b"ECHO mark:%d\n" % number)
            process.stdin.flush()
            while (line := process.stdout.readline()) != b'"mark:%d"\n' % number:
                assert line
                seen.append(line)
        process.stdin.close()
        errors = process.stderr.read()
    return b"".join(seen), errors


def quoted(words):
    return " ".join(f'"{word}"' for word in words).encode() + b"\n"


@pytest.mark.parametrize("share_of_errors", ["many", "few", "none"])
def test_commands_at_once_are_those_one_by_one(fresh_server, random_of_test, share_of_errors):
    dice = random_of_test
    commands = [operation(dice) for _ in range(1500)]
    if share_of_errors != "many":
        often = 0 if share_of_errors == "none" else 200
        commands = [("INCR", dice.choice(KEYS)) if often == 0 or dice.randrange(often) else command
                    for command in commands]
    lines = [quoted(words) for words in commands]
    servers = [fresh_server("--durability", "none") for _ in range(3)]
    answers, errors = one_by_one(servers[0], lines)
    errors = re.sub(rb"^line (\d+)", lambda match: b"line %d" % ((int(match[1]) + 1) // 2), errors,
                    flags=re.M)
    options = [CLI, "-p", str(servers[1].port), "--pipe", "--no-raw"]
    done = subprocess.run(options, input=b"".join(lines), capture_output=True, timeout=TIMEOUT_S,
                          check=False)
    assert done.stdout == answers
    *complaints, counts = errors.splitlines()
    failed = int(counts.split()[2])
    assert done.stderr.splitlines() == [*complaints, b"1500 commands, %d error%s"
                                        % (failed, b"" if failed == 1 else b"s")]
    options[2] = str(servers[2].port)
    done = subprocess.run(options, input=b"".join(resp(*words) for words in commands),
                          capture_output=True, timeout=TIMEOUT_S, check=False)
    assert done.stdout == answers
    assert done.stderr.splitlines()[:-1] == [re.sub(rb"^line", b"command", line) for line in complaints]


def test_answers_larger_than_one_message(own):
    """What does not fit into one answer is asked for in several."""
    server, stub = own
    value = bytes(1000000)
    stub.Set(pb.KeyValue(key=b"a", value=value))
    done = pipe(server, b"SET b 1\n" + b"GET a\n" * 150 + b"INCR b\n")
    assert done.stdout == b"OK\n" + (value + b"\n") * 150 + b"2\n"
    assert done.stderr == b"152 commands, 0 errors\n"


def test_a_server_that_dies_leaves_what_is_not_known(own):
    server, _ = own
    with subprocess.Popen([CLI, "-p", str(server.port), "--pipe"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdin.write(b"SET a 1\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"OK\n"
        server.freeze()
        process.stdin.write(b"INCR a\n" * 50)
        process.stdin.flush()
        server.kill()
        _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert re.match(rb"(lines 2 to \d+|line 2): \(error\) UNAVAILABLE: ", errors), errors
    assert b"may or may not have been executed: check their keys" in errors or errors.startswith(b"line 2: ")
    assert re.search(rb"Stopped at line \d+, which was not run, nor was anything after it\.", errors) \
        or errors.startswith(b"lines 2 to 51: ")
    assert re.search(rb"\n\d+ commands, \d+ errors\n$", errors)
