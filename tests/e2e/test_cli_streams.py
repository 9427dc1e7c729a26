"""keystore-cli's commands for streams: what they print, how they end, and that Ctrl-C ends only them."""

import signal
import subprocess

import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from keystore_env import BIN
from redis_process import Redis
from test_cli import Prompt

CLI = str(BIN / "keystore-cli")
TIMEOUT_S = 60
CTRL_C = b"\x03"
ENTER = b"\r"


@pytest.fixture
def own(fresh_server):
    server = fresh_server("--durability", "none")
    with open_channel(server.address) as channel:
        yield server, Stub(channel)


@pytest.fixture
def redis(tmp_path):
    redis = Redis(tmp_path)
    yield redis
    redis.stop()


def cli(server, *words, code=0, **options):
    done = subprocess.run([CLI, "-p", str(server.port), *words], capture_output=True, text=True,
                          timeout=TIMEOUT_S, check=False, **options)
    assert done.returncode == code, done.stderr
    return done


class Following:
    """A command that prints until it is interrupted."""

    def __init__(self, program, *arguments):
        self.process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def lines(self, count):
        return [self.process.stdout.readline().decode().rstrip("\n") for _ in range(count)]

    def interrupt(self, number=signal.SIGINT):
        """The rest of the output, and the exit code."""
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=TIMEOUT_S)
        return rest, self.process.returncode


def follow(server, *words):
    return Following(CLI, "-p", str(server.port), *words)


# Keys.

def test_keys_and_scan_return_each_key_once(own):
    server, stub = own
    names = {b"key:%d" % i for i in range(500)}
    for name in names:
        stub.Set(pb.KeyValue(key=name, value=b"v"))
    stub.RPush(pb.ListInsert(key=b"list", values=[b"v"]))
    assert sorted(cli(server, "KEYS", "key:*").stdout.encode().splitlines()) == sorted(names)
    assert cli(server, "--no-raw", "KEYS", "l*").stdout == '1) "list"\n'
    seen, cursor, calls = [], "0", 0
    while cursor != "0" or calls == 0:
        cursor, *keys = cli(server, "SCAN", cursor, "MATCH", "key:*", "COUNT", "50").stdout.splitlines()
        seen += filter(None, keys)
        calls += 1
    assert sorted(seen) == sorted(name.decode() for name in names) and calls > 5
    assert cli(server, "--no-raw", "SCAN", "0", "TYPE", "list", "COUNT", "1000").stdout == (
        '1) "0"\n2) 1) "list"\n')
    assert "BAD_ARGUMENT" in cli(server, "SCAN", "nonsense", code=1).stderr


def test_keys_that_match_are_deleted_after_a_yes(own):
    server, stub = own
    for i in range(2500):
        stub.Set(pb.KeyValue(key=b"a:%d" % i, value=b"v"))
    stub.Set(pb.KeyValue(key=b"b", value=b"v"))
    refused = cli(server, "DELMATCH", "a:*", code=1, stdin=subprocess.DEVNULL)
    assert "--yes" in refused.stderr and stub.Exists(pb.Keys(keys=[b"a:0"])).count == 1
    assert cli(server, "--yes", "DELMATCH", "a:*").stdout == "2500\n"
    assert cli(server, "KEYS", "*").stdout == "b\n"
    with Prompt(server) as prompt:
        for answer, said in ((b"n", b"(error) nothing was deleted"), (b"y", b"(integer) 1")):
            prompt.expect(prompt.label)
            prompt.type(b"delmatch b" + ENTER)
            prompt.expect(b"that match 'b'? [y/N] ")
            prompt.type(answer + b"\n")
            prompt.expect(said)


def test_flushall_empties_all_databases(own):
    server, stub = own
    for db in range(16):
        stub.Set(pb.KeyValue(key=b"k", value=b"v", db=db))
    assert cli(server, "FLUSHALL").stdout == "OK\n"
    assert not any(stub.Exists(pb.Keys(keys=[b"k"], db=db)).count for db in range(16))


# Pops that wait.

POPS = [
    ("BLPOP", "none", "q", "5"), ("BRPOP", "q", "5"), ("BLMPOP", "5", "2", "none", "q", "LEFT", "COUNT", "2"),
    ("BLMPOP", "5", "1", "q", "RIGHT"), ("BLMOVE", "q", "t", "LEFT", "RIGHT", "5"),
    ("BRPOPLPUSH", "q", "t", "5"), ("BLPOP", "none", "0.01"), ("BLMPOP", "0.01", "1", "none", "LEFT"),
    ("BLMOVE", "none", "t", "LEFT", "LEFT", "0.01"), ("BRPOPLPUSH", "none", "t", "0.01"),
]


@pytest.mark.parametrize("raw", ["--raw", "--no-raw"])
def test_pops_print_what_redis_cli_prints(own, redis, raw):
    server, stub = own
    values = [b"%d" % i for i in range(20)]
    stub.RPush(pb.ListInsert(key=b"q", values=values))
    redis.call("RPUSH", "q", *values)
    for words in POPS:
        theirs = subprocess.run(["redis-cli", "-s", redis.path, raw, *words], capture_output=True,
                                text=True, timeout=TIMEOUT_S, check=True).stdout
        assert cli(server, raw, *words).stdout == theirs, words


def test_a_pop_waits_for_an_element(own):
    server, stub = own
    with follow(server, "BLPOP", "q", "0") as pop:
        while stub.RPush(pb.ListInsert(key=b"q", values=[b"v"])).count and pop.process.poll() is None:
            if stub.Exists(pb.Keys(keys=[b"q"])).count == 0:
                break
            stub.Delete(pb.Key(key=b"q"))
        assert pop.lines(2) == ["q", "v"]
        assert pop.process.wait(TIMEOUT_S) == 0


def test_within_a_transaction_a_pop_does_not_wait(own):
    server, _ = own
    done = cli(server, "--no-raw", input="MULTI\nBLPOP none 0\nBLMOVE none t LEFT LEFT 0\nEXEC\n")
    assert done.stdout == "OK\nQUEUED\nQUEUED\n1) (nil)\n2) (nil)\n"


def test_ctrl_c_ends_a_pop_at_the_prompt(own):
    server, stub = own
    with open_channel(server.address) as channel, Prompt(server) as prompt:
        admin = admin_stub(channel)
        prompt.expect(prompt.label)
        prompt.type(b"blpop q 0" + ENTER)
        while admin.Info(pb.InfoRequest(sections=["clients"])).fields["blocked_clients"] == "0":
            pass
        prompt.type(CTRL_C)
        prompt.expect(prompt.label)
        prompt.type(b"ping" + ENTER)
        prompt.expect(b"PONG")
    stub.RPush(pb.ListInsert(key=b"q", values=[b"kept"]))
    assert stub.LPop(pb.Key(key=b"q")).value == b"kept"


# Messages.

@pytest.mark.parametrize("command", ["SUBSCRIBE", "PSUBSCRIBE"])
def test_messages_look_as_in_redis_cli(own, redis, command):
    server, stub = own
    words = [command, "news", "sport"] if command == "SUBSCRIBE" else [command, "n*", "*s"]
    size = 3 if command == "SUBSCRIBE" else 4
    with follow(server, "--no-raw", *words) as ours, \
            Following("redis-cli", "-s", redis.path, "--no-raw", *words) as theirs:
        assert ours.lines(6) == [line for line in theirs.lines(7) if not line.startswith("Reading")]
        sent = stub.Publish(pb.Message(channel=b"news", payload=b'a "b"\n')).count
        redis.call("PUBLISH", "news", b'a "b"\n')
        messages = 1 if command == "SUBSCRIBE" else 2
        assert sent == messages
        assert sorted(ours.lines(size * messages)) == sorted(theirs.lines(size * messages))
        assert ours.interrupt() == (b"", 0)


def test_publish_counts_subscriptions(own):
    server, _ = own
    assert cli(server, "--no-raw", "PUBLISH", "c", "m").stdout == "(integer) 0\n"
    with follow(server, "SUBSCRIBE", "c") as following:
        following.lines(3)
        assert cli(server, "PUBLISH", "c", "m").stdout == "1\n"
        assert following.lines(3) == ["message", "c", "m"]
        assert following.interrupt(signal.SIGTERM) == (b"", 0)


def test_ctrl_c_ends_a_subscription_at_the_prompt(own):
    server, stub = own
    with Prompt(server) as prompt:
        prompt.expect(prompt.label)
        prompt.type(b"subscribe c" + ENTER)
        prompt.expect(b"3) (integer) 1\r\n")
        stub.Publish(pb.Message(channel=b"c", payload=b"hello"))
        prompt.expect(b'3) "hello"\r\n')
        prompt.type(CTRL_C)
        prompt.ask(b"ping", b"PONG")


def test_a_subscription_ends_with_its_server(own):
    server, _ = own
    with follow(server, "SUBSCRIBE", "c") as following:
        following.lines(3)
        server.stop()
        _, said = following.process.communicate(timeout=TIMEOUT_S)
        assert following.process.returncode == 1 and b"STOPPING" in said


# Queues.

def test_consume_acknowledges_what_it_prints(own):
    server, stub = own
    stub.RPush(pb.ListInsert(key=b"q", values=[b"%d" % i for i in range(10)]))
    assert cli(server, "CONSUME", "q", "COUNT", "3").stdout == "q\n0\nq\n1\nq\n2\n"
    assert cli(server, "--no-raw", "CONSUME", "none", "q", "RIGHT", "MAX", "5", "COUNT", "1").stdout == (
        '1) "q"\n2) "9"\n')
    assert list(stub.LRange(pb.ListRange(key=b"q", stop=-1)).values) == [b"%d" % i for i in range(3, 9)]
    with follow(server, "CONSUME", "q", "MAX", "100") as following:
        assert following.lines(12)[1::2] == [str(i) for i in range(3, 9)]
        stub.RPush(pb.ListInsert(key=b"q", values=[b"later"]))
        assert following.lines(2) == ["q", "later"]
        assert following.interrupt() == (b"", 0)
    assert stub.Exists(pb.Keys(keys=[b"q", b"q:pending"])).count == 0


def test_what_cannot_be_printed_is_not_consumed(own):
    server, stub = own
    stub.RPush(pb.ListInsert(key=b"q", values=[b"v"]))
    with open("/dev/full", "wb") as full:
        done = subprocess.run([CLI, "-p", str(server.port), "CONSUME", "q", "COUNT", "1"], stdout=full,
                              stderr=subprocess.PIPE, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 1 and b"return to their list" in done.stderr
    assert cli(server, "CONSUME", "q", "COUNT", "1").stdout == "q\nv\n"


# Changes.

def test_observe_prints_changes(own):
    server, stub = own
    stub.Set(pb.KeyValue(key=b"k0", value=b"v"))
    with follow(server, "OBSERVE", "k*", "INITIAL") as following:
        assert [line for line in following.lines(6) if not line.isdigit()] == ["write", "k0", "complete", ""]
        stub.Set(pb.KeyValue(key=b"other", value=b"v"))
        first = stub.Set(pb.KeyValue(key=b"k1", value=b"v")).version
        stub.Delete(pb.Key(key=b"k0"))
        assert following.lines(3) == ["write", "k1", str(first)]
        assert following.lines(3)[:2] == ["delete", "k0"]
        assert following.interrupt() == (b"", 0)
    with follow(server, "OBSERVE", "*", "FROM", str(first)) as following:
        assert following.lines(3)[:2] == ["delete", "k0"]


def test_observing_survives_a_restart(fresh_server, tmp_path):
    server = fresh_server(directory=tmp_path / "data")
    with open_channel(server.address) as channel:
        Stub(channel).Set(pb.KeyValue(key=b"k1", value=b"v"))
    with follow(server, "OBSERVE", "k*", "INITIAL") as following:
        following.lines(6)
        server.kill()
        again = fresh_server(directory=tmp_path / "data", listen=[server.address])
        with open_channel(again.address) as channel:
            Stub(channel).Set(pb.KeyValue(key=b"k2", value=b"v"))
        assert following.lines(3)[:2] == ["write", "k2"]
        assert following.interrupt() == (b"", 0)
