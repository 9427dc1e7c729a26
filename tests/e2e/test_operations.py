"""Every operation of the table, from a command line to the log and back: the command-line client
understands it, the client library encodes it, the server decodes and does it and writes it to its
log, the answer is printed; and both a server and a redis-server that read that log have the same data.
"""

import re
import subprocess

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from keystore_env import BIN, ROOT
from redis_process import Redis
from server_process import Server

TIMEOUT_S = 60
DATABASES = 3

# Method: what a person types, and the answer of the last command. A key that a conversation leaves
# is still there when the data is compared.
CONVERSATIONS = {
    "Set": (["SET set v"], "OK"),
    "Get": (["SET get v", "GET get"], '"v"'),
    "Delete": (["SET delete v", "DELETE delete"], "(integer) 1"),
    "LPush": (["LPUSH lpush a b"], "(integer) 2"),
    "LRange": (["RPUSH lrange a b", "LRANGE lrange 1 1"], '1) "b"'),
    "LPop": (["RPUSH lpop a b", "LPOP lpop"], '"a"'),
    "MGet": (["SET mget v", "MGET mget"], '1) "v"'),
    "MSet": (["MSET mset:1 v mset:2 w"], "OK"),
    "Incr": (["INCRBY incr 5"], "(integer) 5"),
    "Append": (["SET append v", "APPEND append w"], "(integer) 2"),
    "GetRange": (["SET getrange abc", "GETRANGE getrange 1 -1"], '"bc"'),
    "SetRange": (["SET setrange abc", "SETRANGE setrange 4 d"], "(integer) 5"),
    "SetBit": (["SET setbit a", "SETBIT setbit 20 1"], "(integer) 0"),
    "GetBit": (["SET getbit a", "GETBIT getbit 1"], "(integer) 1"),
    "BitCount": (["SET bitcount aaa", "BITCOUNT bitcount 0 8 BIT"], "(integer) 3"),
    "BitPos": (["SET bitpos aaa", "BITPOS bitpos 1 1"], "(integer) 9"),
    "BitOp": (["SET bitop:1 ab", "SET bitop:2 x", "BITOP XOR bitop bitop:1 bitop:2"],
              "(integer) 2"),
    "BitField": (["SET bitfield abc", "BITFIELD bitfield INCRBY u4 10 3 GET i5 3 SET u8 #5 9"],
                 "3) (integer) 0"),
    "Lcs": (["SET lcs:1 ohmytext", "SET lcs:2 mynewtext", "LCS lcs:1 lcs:2"], '"mytext"'),
    "GetDel": (["SET getdel v", "GETDEL getdel"], '"v"'),
    "GetEx": (["SET getex v", "GETEX getex PXAT 4000000000000"], '"v"'),
    "Exists": (["SET exists v", "EXISTS exists none"], "(integer) 1"),
    "DeleteMany": (["MSET many:1 v many:2 v", "DEL many:1 many:2"], "(integer) 2"),
    "Touch": (["SET touch v", "TOUCH touch"], "(integer) 1"),
    "Describe": (["RPUSH describe a b", "LLEN describe"], "(integer) 2"),
    "Expire": (["SET expire v", "PEXPIREAT expire 4000000000000"], "(integer) 1"),
    "Rename": (["SET rename v", "RENAME rename renamed"], "OK"),
    "Copy": (["SET copy v", "COPY copy copied"], "(integer) 1"),
    "RandomKey": (["SELECT 1", "SET random v", "RANDOMKEY"], '"random"'),
    "RPush": (["RPUSH rpush a b"], "(integer) 2"),
    "RPop": (["RPUSH rpop a b", "RPOP rpop"], '"b"'),
    "ListPop": (["RPUSH listpop a b c", "LPOP listpop 1"], '1) "a"'),
    "LMove": (["RPUSH lmove a b", "LMOVE lmove lmoved LEFT RIGHT"], '"a"'),
    "LIndex": (["RPUSH lindex a b", "LINDEX lindex -1"], '"b"'),
    "LSet": (["RPUSH lset a b", "LSET lset 0 c"], "OK"),
    "LInsert": (["RPUSH linsert a b", "LINSERT linsert AFTER a c"], "(integer) 3"),
    "LRem": (["RPUSH lrem a b a", "LREM lrem -1 a"], "(integer) 1"),
    "LPos": (["RPUSH lpos a b", "LPOS lpos b"], "(integer) 1"),
    "LTrim": (["RPUSH ltrim a b c", "LTRIM ltrim 1 -1"], "OK"),
    "Txn": (["MULTI", "SET txn:1 v", "RPUSH txn:2 a", "EXEC"], "2) (integer) 1"),
    "FlushDb": (["SELECT 2", "SET flush v", "FLUSHDB"], "OK"),
    "SwapDb": (["SET swap v", "SWAPDB 0 2", "SELECT 2", "SET swapped w"], "OK"),
}


def methods():
    """The methods of the operation table, in its order."""
    table = (ROOT / "src/store/operations.def").read_text()
    return re.findall(r"^OPERATION(?:_ALONE)?\(\w+, (\w+),", table, re.M)


def test_every_operation_has_a_conversation():
    assert sorted(CONVERSATIONS) == sorted(methods())


def contents(stub, keys):
    """{(db, key): (value, deadline)} of those of the keys that there are."""
    found = {}
    for db in range(DATABASES):
        for key in keys:
            told = stub.Describe(pb.Key(key=key, db=db))
            if told.type == pb.VALUE_TYPE_LIST:
                value = list(stub.LRange(pb.ListRange(key=key, db=db, stop=-1)).values)
            else:
                value = stub.Get(pb.Key(key=key, db=db)).value
            if told.found:
                found[db, key] = (value, told.expire_at_ms)
    return found


def test_operations_go_all_the_way(tmp_path):
    server = Server(directory=tmp_path)
    for commands, answer in CONVERSATIONS.values():
        done = subprocess.run([BIN / "keystore-cli", "-p", str(server.port), "--no-raw"],
                              input="\n".join(commands) + "\n", capture_output=True, text=True,
                              timeout=TIMEOUT_S, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.rstrip("\n").split("\n")[-1] == answer, commands
    keys = {word.encode() for commands, _ in CONVERSATIONS.values() for command in commands
            for word in command.split()[1:]}
    with open_channel(server.address) as channel:
        expected = contents(Stub(channel), keys)
    server.stop()
    again = Server(directory=tmp_path)
    with open_channel(again.address) as channel:
        assert contents(Stub(channel), keys) == expected
    again.stop()
    redis = Redis(tmp_path, "--appendonly", "yes")
    assert redis.contents(DATABASES) == expected
    redis.stop()
