"""keystore-cli backup: what is in the folder afterwards, and that servers load it."""

import gzip
import os
import pty
import shutil
import signal
import subprocess

import pytest

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from keystore_env import BIN, ROOT
from redis_process import Redis
from slow_disk import SYNC_US, start_on_slow_disk
from times import wait_until

CLI = str(BIN / "keystore-cli")
TIMEOUT_S = 60
PAIRS = {b"key:%d" % i: b"%d" % i * 200 for i in range(2000)}


@pytest.fixture
def full(fresh_server):
    server = fresh_server()
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        stub.MSet(pb.KeyValues(entries=[pb.KeyValue(key=key, value=value)
                                        for key, value in PAIRS.items()]))
        stub.RPush(pb.ListInsert(key=b"list", values=[b"a", b"b"], ttl_ms=10**9))
    return server


def cli(server, *words, code=0, **options):
    done = subprocess.run([CLI, "-p", str(server.port), *map(str, words)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=TIMEOUT_S, check=False, **options)
    assert done.returncode == code, done.stderr
    return done


def check_restored(address):
    with open_channel(address) as channel:
        stub = Stub(channel)
        values = stub.MGet(pb.Keys(keys=list(PAIRS))).values
        assert [value.value for value in values] == list(PAIRS.values())
        assert stub.Describe(pb.Key(key=b"list")).expire_at_ms > 0


def test_a_backup_is_loaded_by_both_servers(full, fresh_server, tmp_path):
    file = tmp_path / "daily.rdb"
    done = cli(full, "backup", file)
    assert done.stdout == b"OK\n" and done.stderr == b""
    assert os.listdir(tmp_path) == ["daily.rdb"]
    for name in "ours", "theirs":
        (tmp_path / name).mkdir()
        shutil.copy(file, tmp_path / name / "dump.rdb")
    check_restored(fresh_server(directory=tmp_path / "ours").address)
    with Redis(tmp_path / "theirs") as redis:
        assert redis.call("DBSIZE") == len(PAIRS) + 1
        assert redis.call("GET", "key:7") == PAIRS[b"key:7"]
        assert redis.call("LRANGE", "list", 0, -1) == [b"a", b"b"]


def test_standard_output(full, fresh_server, tmp_path):
    (tmp_path / "data").mkdir()
    content = cli(full, "backup", "-").stdout
    assert content.startswith(b"REDIS")
    (tmp_path / "data" / "dump.rdb").write_bytes(content)
    check_restored(fresh_server(directory=tmp_path / "data").address)


def test_a_file_is_replaced_only_with_force(full, tmp_path):
    file = tmp_path / "b.rdb"
    file.write_bytes(b"former")
    assert b"b.rdb exists: --force replaces it" in cli(full, "backup", file, code=1).stderr
    assert file.read_bytes() == b"former"
    cli(full, "backup", file, "--force")
    assert file.read_bytes().startswith(b"REDIS")
    file.write_bytes(b"former")
    cli(full, "--force", "backup", file)
    assert file.read_bytes().startswith(b"REDIS")
    assert os.listdir(tmp_path) == ["b.rdb"]


@pytest.mark.parametrize("words, complaint", [
    (["{folder}"], b"is not a regular file"),
    (["{folder}/none/b.rdb"], b"No such file or directory"),
    (["a", "b"], b"BACKUP has no option 'b' there"),
    (["--force"], b"name the file"),
    ([""], b"BACKUP takes the name of a file"),
    ([], b"BACKUP takes 1 to 2 arguments"),
])
def test_wrong_arguments(server, tmp_path, words, complaint):
    words = [word.format(folder=tmp_path) for word in words]
    assert complaint in cli(server, "backup", *words, code=1).stderr
    assert os.listdir(tmp_path) == []


def test_a_disk_that_is_full(full):
    with open("/dev/full", "wb") as out:
        done = subprocess.run([CLI, "-p", str(full.port), "backup", "-"], stdout=out,
                              stderr=subprocess.PIPE, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 1
    assert b"cannot write to standard output: No space left on device" in done.stderr


def test_the_commands_of_the_docs(full, fresh_server, tmp_path, monkeypatch):
    """As they stand there, but in a folder of the test and for its servers."""
    text = (ROOT / "docs" / "durability.md").read_text().replace("/var/backups", str(tmp_path))
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    assert "keystore-server --dir data" in lines
    at = lines.index(f"keystore-cli backup {tmp_path}/keystore.rdb")
    monkeypatch.setenv("PATH", str(BIN), prepend=":")
    for line in lines[at], lines[at + 1], lines[at + 2]:
        line = line.replace("keystore-cli ", f"keystore-cli -p {full.port} ")
        subprocess.run(line, shell=True, cwd=tmp_path, timeout=TIMEOUT_S, check=True)
    check_restored(fresh_server(directory=tmp_path / "data").address)
    content = gzip.decompress((tmp_path / "keystore.rdb.gz").read_bytes())
    assert len(content) == (tmp_path / "keystore.rdb").stat().st_size
    (tmp_path / "keystore").mkdir()
    (nightly,) = [line for line in lines if line.startswith("17 3 * * *")]
    nightly = nightly[nightly.index("keystore-cli"):].replace("\\%", "%")
    nightly = nightly.replace("keystore-cli ", f"keystore-cli -p {full.port} ")
    for _ in range(2):  # a week later
        subprocess.run(nightly, shell=True, timeout=TIMEOUT_S, check=True)
    assert len(os.listdir(tmp_path / "keystore")) == 1


def test_no_backup_to_a_terminal(full):
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run([CLI, "-p", str(full.port), "backup", "-"], stdout=theirs,
                              stderr=subprocess.PIPE, timeout=TIMEOUT_S, check=False)
        assert done.returncode == 1 and b"standard output is a terminal" in done.stderr
    finally:
        os.close(ours)
        os.close(theirs)


class Waiting:
    """A backup that waits for the server's disk; its temporary file is there."""

    def __init__(self, server, folder):
        folder.mkdir()
        self.folder = folder
        self.process = subprocess.Popen([CLI, "-p", str(server.port), "backup", folder / "b.rdb"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_until(lambda: os.listdir(folder))

    def fails(self, complaint):
        out, err = self.process.communicate(timeout=TIMEOUT_S)
        assert self.process.returncode == 1 and out == b"" and complaint in err, err
        assert os.listdir(self.folder) == []


def test_what_is_not_complete_leaves_nothing(tmp_path, monkeypatch):
    server = start_on_slow_disk(tmp_path, monkeypatch, SYNC_US, directory=tmp_path / "data")
    waiting = Waiting(server, tmp_path / "interrupted")
    waiting.process.send_signal(signal.SIGINT)
    waiting.fails(b"the backup was interrupted")
    waiting = Waiting(server, tmp_path / "lost")
    server.kill()
    waiting.fails(b"UNAVAILABLE")
