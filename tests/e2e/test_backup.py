"""Backups while the server writes: the script of docs/durability.md, as it stands there, and the
method Backup."""

import os
import re
import subprocess
import threading
import time

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from keystore_env import BIN, ROOT
from redis_process import Redis

TIMEOUT_S = 60
BACKUPS = 8


def script_of_docs(folder):
    text = (ROOT / "docs" / "durability.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    assert len(blocks) == 1
    path = folder / "backup"
    path.write_text(blocks[0])
    path.chmod(0o755)
    return path


class Writer(threading.Thread):
    """Writes k:0, k:1, k:2 and so on, one after the other."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address = address
        self.acknowledged = 0
        self.stopping = threading.Event()
        self.error = None

    def run(self):
        try:
            with open_channel(self.address) as channel:
                stub = Stub(channel)
                while not self.stopping.is_set():
                    stub.Set(pb.KeyValue(key=b"k:%d" % self.acknowledged, value=b"x" * 200))
                    self.acknowledged += 1
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def wait_for(self, count):
        deadline = time.monotonic() + TIMEOUT_S
        while self.acknowledged < count:
            assert self.error is None and time.monotonic() < deadline, self.error
            time.sleep(0.01)


def numbers_in(directory):
    ran = subprocess.run([str(BIN / "keystore-check"), "--dump", str(directory)],
                         capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert ran.returncode in (0, 1), ran.stderr
    return sorted(int(number) for number in re.findall(r"^SET k:(\d+) ", ran.stdout, re.M))


def test_backups_while_the_server_writes_and_rewrites(fresh_server, tmp_path, counts):
    script = script_of_docs(tmp_path)
    data = tmp_path / "data"
    server = fresh_server("--log-rewrite-min-size", "20000", "--log-rewrite-percent", "1",
                          directory=data)
    writer = Writer(server.address)
    writer.start()
    environment = dict(os.environ, PATH=f"{BIN}:{os.environ['PATH']}")
    bases = set()
    for number in range(BACKUPS):
        writer.wait_for(writer.acknowledged + 300)
        before = writer.acknowledged
        copy = tmp_path / f"copy{number}"
        ran = subprocess.run([str(script), str(data), str(copy)], env=environment, timeout=TIMEOUT_S,
                             capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        after = writer.acknowledged
        found = numbers_in(copy)
        assert found == list(range(len(found))), "a copy with holes"
        assert before <= len(found) <= after + 1
        bases |= {path.name for path in copy.rglob("*.base.rdb")}
    writer.stopping.set()
    writer.join(TIMEOUT_S)
    assert writer.error is None
    assert len(bases) > 1, "there was no rewrite meanwhile"
    counts(f"{BACKUPS} backups with {len(bases)} bases while {writer.acknowledged} keys were written")
    server.stop()
    restored = fresh_server(directory=tmp_path / f"copy{BACKUPS - 1}")
    with open_channel(restored.address) as channel:
        assert Stub(channel).Get(pb.Key(key=b"k:%d" % (before - 1))).found


# The same by a call.

class Pairs(threading.Thread):
    """Writes two keys at a time with the same number: a backup of one moment has equal ones."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address = address
        self.written = 0
        self.stopping = threading.Event()

    def run(self):
        with open_channel(self.address) as channel:
            stub = Stub(channel)
            while not self.stopping.is_set():
                number = b"%d" % (self.written + 1)
                stub.MSet(pb.KeyValues(entries=[pb.KeyValue(key=b"one", value=number),
                                                pb.KeyValue(key=b"two", value=number)]))
                self.written += 1

    def stop(self):
        self.stopping.set()
        self.join(TIMEOUT_S)


def receive(channel):
    """The file of a backup, whose pages are in order and complete."""
    content, size = b"", None
    for page in admin_stub(channel).Backup(pb.BackupRequest()):
        assert page.data and page.offset == len(content)
        content += page.data
        size = page.size
    assert len(content) == size
    return content


def restore(content, directory):
    directory.mkdir()
    (directory / "dump.rdb").write_bytes(content)
    return directory


def test_a_backup_is_of_one_moment(fresh_server, tmp_path):
    server = fresh_server()
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        stub.RPush(pb.ListInsert(key=b"list", values=[b"%d" % i for i in range(1000)], ttl_ms=10**9))
        for i in range(20):
            stub.Set(pb.KeyValue(key=b"large:%d" % i, value=os.urandom(50_000), db=3))
        expected = [stub.Get(pb.Key(key=b"large:%d" % i, db=3)).value for i in range(20)]
        writer = Pairs(server.address)
        writer.start()
        contents = []
        for _ in range(5):
            before = writer.written
            contents.append((before, receive(channel), writer.written + 1))
        writer.stop()
    for number, (before, content, after) in enumerate(contents):
        directory = restore(content, tmp_path / str(number))
        with open_channel(fresh_server(directory=directory).address) as channel:
            stub = Stub(channel)
            one, two = [stub.Get(pb.Key(key=key)).value for key in (b"one", b"two")]
            assert one == two and before <= int(one or 0) <= after
            assert stub.Describe(pb.Key(key=b"list")).length == 1000
            assert [stub.Get(pb.Key(key=b"large:%d" % i, db=3)).value for i in range(20)] == expected


def test_redis_loads_a_backup(fresh_server, tmp_path):
    with open_channel(fresh_server().address) as channel:
        Stub(channel).Set(pb.KeyValue(key=b"key", value=b"value"))
        Stub(channel).RPush(pb.ListInsert(key=b"list", values=[b"1", b"2"]))
        directory = restore(receive(channel), tmp_path / "redis")
    with Redis(directory) as redis:
        assert redis.call("GET", "key") == b"value"
        assert redis.call("LRANGE", "list", 0, -1) == [b"1", b"2"]


def test_an_empty_server_has_a_backup(fresh_server, tmp_path):
    with open_channel(fresh_server().address) as channel:
        directory = restore(receive(channel), tmp_path / "empty")
    with open_channel(fresh_server(directory=directory).address) as channel:
        assert not Stub(channel).RandomKey(pb.DbRequest()).key


def test_without_a_log(fresh_server, tmp_path):
    with open_channel(fresh_server("--durability", "none").address) as channel:
        Stub(channel).Set(pb.KeyValue(key=b"key", value=b"value"))
        directory = restore(receive(channel), tmp_path / "copy")
    with open_channel(fresh_server(directory=directory).address) as channel:
        assert Stub(channel).Get(pb.Key(key=b"key")).value == b"value"


def test_a_backup_that_is_cancelled(fresh_server):
    """At any point; the next one is complete."""
    with open_channel(fresh_server().address) as channel:
        for i in range(30):
            Stub(channel).Set(pb.KeyValue(key=b"large:%d" % i, value=os.urandom(100_000)))
        for pages in (0, 1, 2, 5):
            call = admin_stub(channel).Backup(pb.BackupRequest())
            for _ in range(pages):
                next(call)
            call.cancel()
        assert len(receive(channel)) > 3_000_000
