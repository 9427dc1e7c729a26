"""keystore-cli beside redis-cli: the same commands, the same output, each with its own server.

A conversation is what a person would see: "> COMMAND", then its answer. Of an error only that it is
one is compared: the sentences are each program's own, and so is the stream that they go to.
"""

import os
import random
import re
import shutil
import subprocess

import pytest

from keystore_env import BIN

CLI = str(BIN / "keystore-cli")
TIMEOUT_S = 60
DB = 9  # and the next one; no other test uses them

ALIKE = {
    "bits": r"""
        > SETBIT k 7 1
        (integer) 0
        > SETBIT k 7 1
        (integer) 1
        > GET k
        "\x01"
        > SETBIT k 20 0
        (integer) 0
        > STRLEN k
        (integer) 3
        > GETBIT k 7
        (integer) 1
        > GETBIT none 100
        (integer) 0
        > SETBIT k 4294967296 1
        (error)
        > SETBIT k 0 2
        (error)
        > GETBIT k -1
        (error)
        > BITCOUNT k
        (integer) 1
        > BITCOUNT k 7 7 BIT
        (integer) 1
        > BITCOUNT k 1 -1
        (integer) 0
        > BITCOUNT k 1
        (error)
        > BITCOUNT k 1 2 WORD
        (error)
        > BITPOS k 1
        (integer) 7
        > BITPOS k 1 1
        (integer) -1
        > BITPOS k 0 8 9 BIT
        (integer) 8
        > BITPOS none 0
        (integer) 0
        > BITPOS none 1
        (integer) -1
        > BITPOS k 2
        (error)
        > SET k "\xff"
        OK
        > BITPOS k 0
        (integer) 8
        > BITPOS k 0 0 -1
        (integer) -1
    """,
    "combining bits": r"""
        > SET a "\x0f\xff"
        OK
        > SET b "\x33"
        OK
        > BITOP AND t a b
        (integer) 2
        > GET t
        "\x03\x00"
        > BITOP or t a b none
        (integer) 2
        > GET t
        "?\xff"
        > BITOP XOR t a b
        (integer) 2
        > GET t
        "<\xff"
        > BITOP NOT t b
        (integer) 1
        > GET t
        "\xcc"
        > BITOP NOT t a b
        (error)
        > BITOP NAND t a b
        (error)
        > BITOP AND t none
        (integer) 0
        > EXISTS t
        (integer) 0
        > RPUSH l x
        (integer) 1
        > BITOP OR t a l
        (error)
        > BITOP OR l a
        (integer) 2
        > TYPE l
        string
    """,
    "bit fields": r"""
        > BITFIELD k SET u8 0 255 INCRBY u8 0 10 GET u4 4
        1) (integer) 0
        2) (integer) 9
        3) (integer) 9
        > BITFIELD k OVERFLOW SAT INCRBY i8 #1 200 OVERFLOW FAIL INCRBY i8 #1 1 GET i8 #1
        1) (integer) 127
        2) (nil)
        3) (integer) 127
        > BITFIELD k SET i5 100 -3 GET u5 100
        1) (integer) 0
        2) (integer) 29
        > STRLEN k
        (integer) 14
        > BITFIELD k SET u8 0 -1 GET u8 0
        1) (integer) 9
        2) (integer) 255
        > BITFIELD k GET u64 0
        (error)
        > BITFIELD k SET u8 -1 0
        (error)
        > BITFIELD k PUT u8 0 0
        (error)
        > BITFIELD k OVERFLOW NONE SET u8 0 0
        (error)
        > BITFIELD none OVERFLOW FAIL SET u8 16 256
        1) (nil)
        > STRLEN none
        (integer) 3
        > BITFIELD_RO k GET i8 8 GET u1 0
        1) (integer) 127
        2) (integer) 1
        > BITFIELD_RO k SET u8 0 1
        (error)
        > BITFIELD_RO missing GET u8 0
        1) (integer) 0
        > EXISTS missing
        (integer) 0
    """,
    "common subsequences": r"""
        > MSET a ohmytext b mynewtext c abc
        OK
        > LCS a b
        "mytext"
        > LCS a b LEN
        (integer) 6
        > LCS a b IDX
        1) "matches"
        2) 1) 1) 1) (integer) 4
                 2) (integer) 7
              2) 1) (integer) 5
                 2) (integer) 8
           2) 1) 1) (integer) 2
                 2) (integer) 3
              2) 1) (integer) 0
                 2) (integer) 1
        3) "len"
        4) (integer) 6
        > LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN
        1) "matches"
        2) 1) 1) 1) (integer) 4
                 2) (integer) 7
              2) 1) (integer) 5
                 2) (integer) 8
              3) (integer) 4
        3) "len"
        4) (integer) 6
        > LCS a none
        ""
        > LCS none none IDX
        1) "matches"
        2) (empty array)
        3) "len"
        4) (integer) 0
        > LCS a c minmatchlen 9
        ""
        > LCS a b LEN IDX
        (error)
        > LCS a b MINMATCHLEN
        (error)
        > LCS a b IDX MINMATCHLEN x
        (error)
        > LCS a
        (error)
        > RPUSH l x
        (integer) 1
        > LCS a l
        (error)
    """,
    "swapped databases": r"""
        > SET k nine
        OK
        > SELECT 10
        OK
        > SET k ten
        OK
        > SET only here
        OK
        > SWAPDB 9 10
        OK
        > GET k
        "nine"
        > EXISTS only
        (integer) 0
        > SELECT 9
        OK
        > GET k
        "ten"
        > SWAPDB 9 9
        OK
        > WATCH k
        OK
        > SWAPDB 10 9
        OK
        > MULTI
        OK
        > GET k
        QUEUED
        > EXEC
        (nil)
        > SWAPDB 9 99
        (error)
        > SWAPDB 9 -1
        (error)
        > SWAPDB 9 x
        (error)
        > SWAPDB 9
        (error)
        > GET k
        "nine"
    """,
    "set and get": r"""
        > SET k v
        OK
        > GET k
        "v"
        > SET k "" GET
        "v"
        > GET k
        ""
        > GET none
        (nil)
        > SET none v XX
        (nil)
        > SET k 2 NX
        (nil)
        > SET k 2 XX GET
        ""
        > SET k 3 NX GET
        "2"
        > SET new 1 NX GET
        (nil)
        > SET k "a\x00\xff\"\n"
        OK
        > GET k
        "a\x00\xff\"\n"
    """,
    "set's kin": r"""
        > SETNX k 1
        (integer) 1
        > SETNX k 2
        (integer) 0
        > GETSET k 3
        "1"
        > GETSET fresh 3
        (nil)
        > GETDEL k
        "3"
        > GETDEL k
        (nil)
        > SETEX k 4000000000 v
        OK
        > SETEX k 0 v
        (error)
        > SETEX k x v
        (error)
        > PSETEX k 4000000000000 v
        OK
        > MSET a 1 b 2 a 3
        OK
        > MGET a none b
        1) "3"
        2) (nil)
        3) "2"
        > MSETNX new 1 a 1
        (integer) 0
        > EXISTS new
        (integer) 0
        > MSETNX new 1 new 2
        (integer) 1
        > GET new
        "2"
        > MSET a
        (error)
        > MSET a 1 b
        (error)
    """,
    "deadlines": r"""
        > SET k v EXAT 4102444800
        OK
        > EXPIRETIME k
        (integer) 4102444800
        > PEXPIRETIME k
        (integer) 4102444800000
        > SET k w KEEPTTL
        OK
        > EXPIRETIME k
        (integer) 4102444800
        > SET k w
        OK
        > TTL k
        (integer) -1
        > EXPIRETIME k
        (integer) -1
        > TTL none
        (integer) -2
        > PEXPIRETIME none
        (integer) -2
        > PEXPIREAT k 4102444800499
        (integer) 1
        > EXPIRETIME k
        (integer) 4102444800
        > PEXPIREAT k 4102444800500 GT
        (integer) 1
        > EXPIRETIME k
        (integer) 4102444801
        > EXPIREAT k 4102444800 GT
        (integer) 0
        > EXPIREAT k 4102444800 LT
        (integer) 1
        > EXPIREAT k 4102444800 NX
        (integer) 0
        > PERSIST k
        (integer) 1
        > PERSIST k
        (integer) 0
        > EXPIREAT k 4102444800 XX
        (integer) 0
        > EXPIREAT k 4102444800 NX
        (integer) 1
        > GETEX k PERSIST
        "w"
        > PTTL k
        (integer) -1
        > GETEX k PXAT 4102444800000
        "w"
        > EXPIRETIME k
        (integer) 4102444800
        > GETEX k
        "w"
        > EXPIRETIME k
        (integer) 4102444800
        > GETEX none EX 5
        (nil)
        > EXPIRE none 5
        (integer) 0
        > EXPIRE k 5 NX GT
        (error)
        > EXPIRE k never
        (error)
        > EXPIRE k 9223372036854775807
        (error)
        > SET k v EX 0
        (error)
        > SET k v EX 1 PX 1
        (error)
        > SET k v EX
        (error)
        > GET k
        "w"
    """,
    "deadlines that have come": r"""
        > MSET a 1 b 1 c 1 d 1
        OK
        > EXPIRE a -1
        (integer) 1
        > PEXPIRE b 0
        (integer) 1
        > EXPIREAT c -1
        (integer) 1
        > PEXPIREAT d 1
        (integer) 1
        > EXISTS a b c d
        (integer) 0
        > SET a 1 PXAT 1
        OK
        > GET a
        (nil)
        > SET a 1
        OK
        > EXPIRE a -1 GT
        (integer) 0
        > EXPIRE a 0 LT
        (integer) 1
        > GET a
        (nil)
    """,
    "parts of strings": r"""
        > APPEND k abc
        (integer) 3
        > APPEND k def
        (integer) 6
        > STRLEN k
        (integer) 6
        > STRLEN none
        (integer) 0
        > GETRANGE k 1 -2
        "bcde"
        > SUBSTR k -100 100
        "abcdef"
        > GETRANGE k 4 2
        ""
        > GETRANGE none 0 -1
        ""
        > SETRANGE k 8 xy
        (integer) 10
        > GET k
        "abcdef\x00\x00xy"
        > SETRANGE none 5 ""
        (integer) 0
        > SETRANGE k -1 x
        (error)
        > GETRANGE k 0 b
        (error)
    """,
    "numbers": r"""
        > INCR n
        (integer) 1
        > INCRBY n 41
        (integer) 42
        > DECR n
        (integer) 41
        > DECRBY n -9
        (integer) 50
        > INCRBYFLOAT n 0.1
        "50.1"
        > INCR n
        (error)
        > INCRBYFLOAT f 10.5
        "10.5"
        > INCRBYFLOAT f 0.1
        "10.6"
        > INCRBYFLOAT f -5.6
        "5"
        > INCRBYFLOAT f 5.0e3
        "5005"
        > INCRBYFLOAT g 0.1
        "0.1"
        > INCRBYFLOAT g 0.2
        "0.3"
        > INCRBYFLOAT g x
        (error)
        > SET n 9223372036854775807
        OK
        > INCR n
        (error)
        > INCRBY n 1.5
        (error)
        > INCRBY n -9223372036854775808
        (integer) -1
        > DECRBY n -9223372036854775808
        (error)
    """,
    "keys": r"""
        > MSET a 1 b 2
        OK
        > RPUSH l x
        (integer) 1
        > TYPE a
        string
        > TYPE l
        list
        > TYPE none
        none
        > EXISTS a l none a
        (integer) 3
        > TOUCH a l none
        (integer) 2
        > DBSIZE
        (integer) 3
        > RENAME a c
        OK
        > RENAME a c
        (error)
        > RENAMENX c b
        (integer) 0
        > RENAMENX c d
        (integer) 1
        > RENAMENX none d
        (error)
        > GET d
        "1"
        > COPY d b
        (integer) 0
        > COPY d b REPLACE
        (integer) 1
        > COPY none b REPLACE
        (integer) 0
        > GET b
        "1"
        > UNLINK b none
        (integer) 1
        > DEL d l none
        (integer) 2
        > DBSIZE
        (integer) 0
        > RANDOMKEY
        (nil)
        > SET only v
        OK
        > RANDOMKEY
        "only"
        > MEMORY USAGE none
        (nil)
        > FLUSHDB
        OK
        > EXISTS only
        (integer) 0
    """,
    "databases": r"""
        > SET k nine
        OK
        > MOVE k 10
        (integer) 1
        > MOVE k 10
        (integer) 0
        > MOVE k 9
        (error)
        > GET k
        (nil)
        > COPY k j DB 10
        (integer) 0
        > SELECT 10
        OK
        > GET k
        "nine"
        > COPY k k DB 9
        (integer) 1
        > COPY k k DB 9
        (integer) 0
        > SELECT 9
        OK
        > GET k
        "nine"
        > SELECT 16
        (error)
        > SELECT -1
        (error)
        > GET k
        "nine"
    """,
    "the ends of lists": r"""
        > LPUSH l 3 2 1
        (integer) 3
        > RPUSH l 4 5
        (integer) 5
        > LPUSHX none x
        (integer) 0
        > RPUSHX none x
        (integer) 0
        > RPUSHX l 6
        (integer) 6
        > LPUSHX l 0
        (integer) 7
        > LRANGE l 0 -1
        1) "0"
        2) "1"
        3) "2"
        4) "3"
        5) "4"
        6) "5"
        7) "6"
        > LPOP l
        "0"
        > RPOP l
        "6"
        > LPOP l 2
        1) "1"
        2) "2"
        > RPOP l 0
        (empty array)
        > RPOP l 9
        1) "5"
        2) "4"
        3) "3"
        > EXISTS l
        (integer) 0
        > LPOP l
        (nil)
        > LPOP l 2
        (nil)
        > LPOP l 0
        (nil)
        > LPOP l -1
        (error)
    """,
    "pops of several lists": r"""
        > RPUSH b 1 2 3 4 5 6 7 8 9 10 11
        (integer) 11
        > LMPOP 2 a b LEFT
        1) "b"
        2) 1) "1"
        > LMPOP 2 a b RIGHT COUNT 10
        1) "b"
        2)  1) "11"
            2) "10"
            3) "9"
            4) "8"
            5) "7"
            6) "6"
            7) "5"
            8) "4"
            9) "3"
           10) "2"
        > LMPOP 1 b LEFT
        (nil)
        > LMPOP 0 b LEFT
        (error)
        > LMPOP 1 b
        (error)
        > LMPOP 1 b UP
        (error)
        > LMPOP 1 b LEFT COUNT 0
        (error)
    """,
    "moves between lists": r"""
        > RPUSH a 1 2 3
        (integer) 3
        > LMOVE a b LEFT RIGHT
        "1"
        > RPOPLPUSH a b
        "3"
        > LRANGE b 0 -1
        1) "3"
        2) "1"
        > LMOVE b b LEFT RIGHT
        "3"
        > LRANGE b 0 -1
        1) "1"
        2) "3"
        > LMOVE none b LEFT LEFT
        (nil)
        > RPOPLPUSH none b
        (nil)
        > LMOVE a b LEFT UP
        (error)
    """,
    "elements of lists": r"""
        > RPUSH l a b c b a
        (integer) 5
        > LLEN l
        (integer) 5
        > LLEN none
        (integer) 0
        > LINDEX l -2
        "b"
        > LINDEX l 5
        (nil)
        > LSET l 0 A
        OK
        > LSET l 5 x
        (error)
        > LSET none 0 x
        (error)
        > LINSERT l BEFORE b x
        (integer) 6
        > LINSERT l after none x
        (integer) -1
        > LINSERT none AFTER b x
        (integer) 0
        > LRANGE l 0 2
        1) "A"
        2) "x"
        3) "b"
        > LRANGE l 5 2
        (empty array)
        > LPOS l b
        (integer) 2
        > LPOS l b RANK -1
        (integer) 4
        > LPOS l none
        (nil)
        > LPOS l b COUNT 0
        1) (integer) 2
        2) (integer) 4
        > LPOS l b COUNT 0 MAXLEN 3
        1) (integer) 2
        > LPOS l none COUNT 1
        (empty array)
        > LPOS l b RANK 0
        (error)
        > LREM l -1 b
        (integer) 1
        > LREM l 0 none
        (integer) 0
        > LTRIM l 1 -2
        OK
        > LRANGE l 0 -1
        1) "x"
        2) "b"
        3) "c"
        > LTRIM l 5 9
        OK
        > EXISTS l
        (integer) 0
    """,
    "keys of another type": r"""
        > SET s v
        OK
        > RPUSH l v
        (integer) 1
        > GET l
        (error)
        > STRLEN l
        (error)
        > LLEN s
        (error)
        > LPOP s 0
        (error)
        > LPUSH s v
        (error)
        > INCR l
        (error)
        > SET l v GET
        (error)
        > MGET s l
        1) "v"
        2) (nil)
        > LMOVE l s LEFT LEFT
        (error)
        > LLEN l
        (integer) 1
        > SET l v
        OK
    """,
    "the server": r"""
        > PING
        PONG
        > PING "two words"
        "two words"
        > ECHO hello
        "hello"
        > ECHO
        (error)
    """,
    "transactions": r"""
        > MULTI
        OK
        > SET k v
        QUEUED
        > RPUSH l 1 2
        QUEUED
        > LRANGE l 0 -1
        QUEUED
        > GET none
        QUEUED
        > LRANGE none 0 -1
        QUEUED
        > INCRBYFLOAT f 0.5
        QUEUED
        > TYPE l
        QUEUED
        > LMPOP 1 l LEFT
        QUEUED
        > PING
        QUEUED
        > RENAME none k
        QUEUED
        > TTL k
        QUEUED
        > EXEC
         1) OK
         2) (integer) 2
         3) 1) "1"
            2) "2"
         4) (nil)
         5) (empty array)
         6) "0.5"
         7) list
         8) 1) "l"
            2) 1) "1"
         9) PONG
        10) (error)
        11) (integer) -1
        > MULTI
        OK
        > SET k w
        QUEUED
        > DISCARD
        OK
        > GET k
        "v"
        > MULTI
        OK
        > EXEC
        (empty array)
        > EXEC
        (error)
        > DISCARD
        (error)
        > MULTI
        OK
        > SET k w
        QUEUED
        > SET k
        (error)
        > NONSENSE
        (error)
        > EXEC
        (error)
        > GET k
        "v"
        > MULTI
        OK
        > MULTI
        (error)
        > WATCH k
        (error)
        > DISCARD
        OK
        > MULTI
        OK
        > SELECT 10
        QUEUED
        > SET only 10
        QUEUED
        > EXEC
        1) OK
        2) OK
        > GET only
        "10"
        > SELECT 9
        OK
        > GET only
        (nil)
    """,
    "watched keys": r"""
        > SET k 1
        OK
        > WATCH k none
        OK
        > MULTI
        OK
        > INCR k
        QUEUED
        > EXEC
        1) (integer) 2
        > WATCH k
        OK
        > INCR k
        (integer) 3
        > MULTI
        OK
        > INCR k
        QUEUED
        > EXEC
        (nil)
        > GET k
        "3"
        > WATCH none
        OK
        > SET none 1
        OK
        > MULTI
        OK
        > INCR k
        QUEUED
        > EXEC
        (nil)
        > WATCH k
        OK
        > INCR k
        (integer) 4
        > UNWATCH
        OK
        > MULTI
        OK
        > INCR k
        QUEUED
        > EXEC
        1) (integer) 5
    """,
}

# What Redis does not have, or does in another way.
OURS = {
    # Redis would have set k: its transactions go on after errors.
    "a transaction is all or nothing": r"""
        > RPUSH l 1
        (integer) 1
        > MULTI
        OK
        > SET k v
        QUEUED
        > INCR l
        QUEUED
        > EXEC
        (error)
        The transaction was not executed.
        > GET k
        (nil)
    """,
    # Redis lets a transaction have any command.
    "what a transaction cannot have": r"""
        > MULTI
        OK
        > RANDOMKEY
        (error)
        > FLUSHDB
        (error)
        > EXEC
        (error)
        > EXEC
        (error)
    """,
    "conditions": r"""
        > SET k 1 IFEQ 1
        (nil)
        > SET k 1
        OK
        > SET k 2 IFEQ 1
        OK
        > SET k 3 IFEQ 1 GET
        "2"
        > SET k 3 IFVERSION 18446744073709551615
        (nil)
        > DELETE k IFEQ 1
        (integer) 0
        > DELETE k IFVERSION 18446744073709551615
        (integer) 0
        > DELETE k IFEQ 2
        (integer) 1
        > DELETE k
        (integer) 0
        > SET k v NX IFEQ v
        (error)
        > DESCRIBE k
        (nil)
    """,
}


class Conversation:
    def __init__(self, text):
        lines = [line[8:] for line in text.strip("\n").split("\n")[:-1]]
        self.commands = "".join(line[2:] + "\n" for line in lines if line.startswith("> "))
        self.answers = [line for line in lines if not line.startswith("> ")]


def answers_of(command, commands):
    """The lines that the program prints for these commands."""
    done = subprocess.run(command, input=commands.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=TIMEOUT_S, check=False)
    text = re.sub(r"(?m)^line \d+: ", "", done.stdout.decode())
    return re.sub(r"\(error\).*", "(error)", text).rstrip("\n").split("\n")


@pytest.fixture
def ours(server):
    """keystore-cli in an empty database."""
    command = [CLI, "-p", str(server.port), "--no-raw"]
    for number in (DB, DB + 1):
        assert answers_of([*command, "-n", str(number), "FLUSHDB"], "") == ["OK"]
    return [*command, "-n", str(DB)]


@pytest.fixture(scope="module")
def redis_socket(tmp_path_factory):
    """The socket of a redis-server that keeps nothing."""
    if shutil.which("redis-server") is None:
        raise AssertionError("redis-server is missing; script/bootstrap --test installs it")
    folder = tmp_path_factory.mktemp("redis")
    socket = folder / "s"
    command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "",
               "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert any("ready to accept" in line.lower()
                       for line in process.stdout), "redis-server does not start"
            yield socket
        finally:
            process.kill()


@pytest.fixture
def theirs(redis_socket):
    """redis-cli in an empty database."""
    command = ["redis-cli", "-s", str(redis_socket), "--no-raw"]
    assert answers_of([*command, "FLUSHALL"], "") == ["OK"]
    return [*command, "-n", str(DB)]


@pytest.mark.parametrize("name", ALIKE)
def test_alike(ours, theirs, name):
    conversation = Conversation(ALIKE[name])
    assert answers_of(theirs, conversation.commands) == conversation.answers
    assert answers_of(ours, conversation.commands) == conversation.answers


@pytest.mark.parametrize("name", OURS)
def test_ours(ours, name):
    conversation = Conversation(OURS[name])
    assert answers_of(ours, conversation.commands) == conversation.answers


def answer(command):
    (line,) = answers_of(command, "")
    return line


def number(command):
    return int(answer(command).removeprefix("(integer) "))


# What a real number may look like, and what only looks like one.
REALS = ["0", "-0", "+1", "007", ".5", "5.", "1e4932", "-1e4932", "1.18973149535723176502e4932",
         "9007199254740993", "9223372036854775808", "-9223372036854775808", "72057594037927936",
         "12345678901234567.5", "1e-17", "5e-18", "1e-4940", "3.6e-4951", "1e-5000", "1e5000", "0x1p3",
         "-0x1.8p-3", "0X.8", "inf", "-Infinity", "nan", "NaN", "1,5", "' 1'", "'1 '", "''", "1e",
         "e5", ".", "-", "x", "0x", "1_000"]


INTEGERS = ["0", "1", "-1", "9223372036854775807", "-9223372036854775808", "-9223372036854775807",
            "9223372036854775808", "+1", "01", "-0", "''", "' 1'", "'1 '", "1.0", "1e3", "0x1", "x"]


def real(dice):
    kind = dice.randrange(7)
    sign = dice.choice(["", "", "-", "+"])
    if kind == 0:
        return dice.choice(REALS)
    if kind == 1:
        return f"{sign}{dice.randrange(10**dice.randrange(1, 40))}"
    if kind == 2:
        return f"{sign}{dice.randrange(10**18)}.{dice.randrange(10**9)}"
    if kind == 3:
        return f"{sign}{dice.random():.{dice.randrange(1, 18)}e}"
    if kind == 4:
        return f"{sign}{dice.randrange(10)}.{dice.randrange(10**6)}E{dice.randrange(-4990, 4990)}"
    if kind == 5:
        return f"{sign}0x{dice.randrange(2**60):x}.{dice.randrange(4096):x}p{dice.randrange(-90, 90)}"
    return f"{sign}{dice.randrange(100000)}.{dice.randrange(100):02}"


def test_sums_of_reals_are_those_of_redis(ours, theirs):
    """Ten thousand sums, as printed and as stored, byte for byte."""
    seed = int(os.environ.get("KEYSTORE_SEED", random.randrange(2**32)))
    print(f"KEYSTORE_SEED={seed}")
    dice = random.Random(seed)
    commands = []
    for _ in range(10000):
        if dice.randrange(3) > 0:
            commands.append(f"SET k {real(dice)}")
        commands += [f"INCRBYFLOAT k {real(dice)}", "GET k"]
        if dice.randrange(3) == 0:
            commands += [f"SET n {dice.choice(INTEGERS)}", f"{dice.choice(['INCRBY', 'DECRBY'])} n "
                         f"{dice.choice(INTEGERS)}", "INCR n", "DECR n", "GET n"]
    text = "".join(command + "\n" for command in commands)
    mine, his = answers_of(ours, text), answers_of(theirs, text)
    assert len(mine) == len(his) == len(commands)
    for i, (command, one, other) in enumerate(zip(commands, mine, his)):
        assert one == other, f"{commands[max(0, i - 2):i + 1]}: ours {one}, Redis' {other}"


def test_times_to_live(ours):
    assert answer([*ours, "SET", "k", "v", "EX", "1000"]) == "OK"
    assert 900 <= number([*ours, "TTL", "k"]) <= 1000
    assert 900_000 <= number([*ours, "PTTL", "k"]) <= 1_000_000
    assert answer([*ours, "EXPIRE", "k", "5000"]) == "(integer) 1"
    assert 4900 <= number([*ours, "TTL", "k"]) <= 5000
    assert answer([*ours, "PEXPIRE", "k", "9000000"]) == "(integer) 1"
    assert 8900 <= number([*ours, "TTL", "k"]) <= 9000


def test_versions_that_describe_gives(ours):
    assert answer([*ours, "SET", "k", "v"]) == "OK"
    rows = answers_of([*ours, "DESCRIBE", "k"], "")
    parts = dict(zip(rows[::2], rows[1::2]))
    assert parts[' 1) "type"'] == ' 2) "string"'
    assert parts[' 3) "length"'] == " 4) (integer) 1"
    assert parts[' 5) "ttl-ms"'] == " 6) (integer) -1"
    assert int(parts[' 9) "memory-bytes"'].removeprefix("10) (integer) ")) > 0
    version = re.fullmatch(r' 8\) "(\d+)"', parts[' 7) "version"']).group(1)
    assert answer([*ours, "SET", "k", "w", "IFVERSION", version]) == "OK"
    assert answer([*ours, "SET", "k", "x", "IFVERSION", version]) == "(nil)"
    assert number([*ours, "MEMORY", "USAGE", "k"]) > 0


def test_info(ours, server):
    done = subprocess.run([*ours, "INFO", "Server", "clients"], capture_output=True, text=True,
                          timeout=TIMEOUT_S, check=True)
    fields = dict(line.split(":", 1) for line in done.stdout.splitlines())
    assert fields["process_id"] == str(server.pid)
    assert "used_memory" not in fields
    assert "used_memory:" in "\n".join(answers_of([*ours, "INFO"], ""))


def test_a_change_by_someone_else_is_seen(ours):
    """The watched key changes while the transaction is open."""
    with subprocess.Popen(ours, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as watching:
        def ask(line):
            os.write(watching.stdin.fileno(), line + b"\n")
            return watching.stdout.readline()

        assert ask(b"WATCH k") == b"OK\n"
        assert ask(b"MULTI") == b"OK\n"
        assert ask(b"SET k mine") == b"QUEUED\n"
        assert answer([*ours, "SET", "k", "theirs"]) == "OK"
        assert ask(b"EXEC") == b"(nil)\n"
        assert ask(b"GET k") == b'"theirs"\n'
        watching.stdin.close()
        assert watching.wait(TIMEOUT_S) == 0


def test_exit_codes(ours):
    def code(*words, commands=b""):
        return subprocess.run([*ours, *words], input=commands, capture_output=True,
                              timeout=TIMEOUT_S, check=False).returncode

    assert code("GET", "none") == 0
    assert code("RENAME", "none", "x") == 1
    assert code("NONSENSE") == 1
    assert code(commands=b"MULTI\nSET k v\nEXEC\n") == 0
    assert code(commands=b"MULTI\nSET k v\nGET\nEXEC\n") == 1
    assert code(commands=b"MULTI\nSET k v\n") == 1
    assert code(commands=b"WATCH k\nSET k 1\nMULTI\nEXEC\n") == 0


def test_raw_transactions(ours):
    raw = [word for word in ours if word != "--no-raw"]
    done = subprocess.run(raw, input=b"MULTI\nSET k v\nRPUSH l 1 2\nLRANGE l 0 -1\nGET none\nEXEC\n",
                          capture_output=True, timeout=TIMEOUT_S, check=True)
    assert done.stdout == b"OK\n" + 4 * b"QUEUED\n" + b"OK\n2\n1\n2\n\n"
