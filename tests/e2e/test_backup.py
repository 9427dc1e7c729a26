"""The backup of docs/durability.md, as it stands there, while the server writes and rewrites."""

import os
import re
import subprocess
import threading
import time

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from keystore_env import BIN, ROOT

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
