"""The data directory as a place: its lock, its room, and what else may lie there."""

import os
import resource
import subprocess

import mini_redis_pb2 as pb
import pytest

from clients import Stub, open_channel
from datadir import FOLDER, LOCK, MANIFEST, DataDir, Log, command, log_name, rdb
from keystore_env import BIN, SERVER
from server_process import Server, run_server
from small_disk import fill_up


def cli(server, *words):
    return subprocess.run([str(BIN / "keystore-cli"), "-p", str(server.port), *map(str, words)],
                          capture_output=True, timeout=60, check=False).stdout


def on_disk(path):
    return sum(file.stat().st_blocks * 512 for file in path.rglob("*") if file.is_file())


# ---- the lock ----

def test_the_lock_outlives_its_file(tmp_path, fresh_server):
    server = fresh_server(directory=tmp_path)
    (tmp_path / LOCK).unlink()
    second = run_server("--dir", tmp_path, "--listen", "127.0.0.1:0")
    assert second.returncode == 1 and "is in use by another server" in second.stderr
    checked = subprocess.run([str(BIN / "keystore-check"), str(tmp_path)], capture_output=True,
                             text=True, check=False)
    assert checked.returncode == 3 and "a server uses" in checked.stderr
    assert cli(server, "SET", "a", 1) == b"OK\n"


# ---- room ----

def test_finished_logs_give_their_reservation_back(tmp_path):
    for number in range(3):
        server = Server(directory=tmp_path)
        cli(server, "SET", number, number)
        server.stop()
    assert on_disk(tmp_path) < 1 << 20
    server = Server(directory=tmp_path)
    cli(server, "SET", "killed", 1)
    server.kill()
    Server(directory=tmp_path).stop()
    assert on_disk(tmp_path) < 1 << 20


def test_a_snapshot_has_room_beside_the_log(small_disk, fresh_server):
    server = fresh_server(directory=small_disk / "data")
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        for number in range(6):
            stub.Set(pb.KeyValue(key=b"%d" % number, value=os.urandom(1 << 20)))
    assert cli(server, "SAVE") == b"OK\n"
    server.stop()


def test_a_start_on_a_full_disk_serves_reads(small_disk):
    data = small_disk / "data"
    server = Server(directory=data)
    cli(server, "SET", "a", 1)
    server.stop()
    (data / LOCK).unlink()
    filler = fill_up(small_disk)
    server = Server(directory=data)
    assert cli(server, "GET", "a") == b"1\n"
    assert b"disk is full" in cli(server, "SET", "a", 2) + cli(server, "INFO")
    server.stop()
    server = Server(directory=data)
    filler.unlink()
    while cli(server, "SET", "a", 3) != b"OK\n":
        assert server.running
    server.stop()
    server = Server(directory=data)
    assert cli(server, "GET", "a") == b"3\n"
    server.stop()


def test_a_dump_on_a_full_disk_is_served(small_disk):
    data = small_disk / "data"
    data.mkdir()
    (data / "dump.rdb").write_bytes(rdb([(b"a", b"1", None)]))
    filler = fill_up(small_disk)
    server = Server(directory=data)
    assert cli(server, "GET", "a") == b"1\n"
    filler.unlink()
    while cli(server, "SET", "b", 2) != b"OK\n":
        assert server.running
    server.stop()
    server = Server(directory=data)
    assert cli(server, "MGET", "a", "b").split() == [b"1", b"2"]
    server.stop()


def test_a_limit_of_file_size_is_an_error_of_the_disk(tmp_path):
    server = Server(directory=tmp_path)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (100_000, 100_000))
    cli(server, "SET", "a", "x" * 90_000)
    cli(server, "SET", "b", "x" * 90_000)
    assert cli(server, "GET", "a") == b"x" * 90_000 + b"\n"
    server.send_signal()
    assert server.process.wait(60) == 1
    assert "File too large" in server.stderr
    assert "the log stops with records unwritten: File too large" in server.stderr


# ---- what else may lie there ----

def good(path):
    return DataDir(path, None, [Log(1).add(command("SET", "a", 1)).bytes])


def test_temporary_names_that_are_not_ours_stay(tmp_path, fresh_server):
    directory = good(tmp_path / "data")
    (directory.folder / "temp-x").mkdir()
    (directory.folder / "temp-notes.txt").write_text("mine")
    ours = directory.folder / f"temp-{MANIFEST}"
    ours.write_text("half")
    server = fresh_server(directory=directory.path)
    assert cli(server, "GET", "a") == b"1\n"
    assert (directory.folder / "temp-x").is_dir() and not ours.exists()
    assert (directory.folder / "temp-notes.txt").read_text() == "mine"
    assert f"{FOLDER}/temp-{MANIFEST} is removed" in server.stderr


@pytest.mark.parametrize("name", ["dump.rdb", f"{FOLDER}/{MANIFEST}", f"{FOLDER}/{log_name(1)}"])
def test_a_pipe_in_the_place_of_a_file(name, tmp_path):
    directory = good(tmp_path / "data")
    if name == "dump.rdb":
        directory.manifest.unlink()
        directory.log().unlink()
    else:
        (directory.path / name).unlink()
    os.mkfifo(directory.path / name)
    ran = run_server("--dir", directory.path, "--listen", "127.0.0.1:0")
    assert ran.returncode == 1 and f"{name}: it is not a regular file" in ran.stderr


def test_a_directory_above_that_cannot_be_synced():
    if subprocess.run(["unshare", "-m", "sh", "-c", "mount -t tmpfs none /sys/kernel/debug"],
                      capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    server = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /sys/kernel/debug && exec \"$0\" "
         "--dir /sys/kernel/debug --listen 127.0.0.1:0", str(SERVER)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = server.stdout.readline()
    server.terminate()
    said = server.communicate(timeout=60)[1]
    assert line.startswith("Server started") and server.returncode == 0, said
    assert "the directory above /sys/kernel/debug cannot be synced" in said


# ---- settings ----

def test_no_rewrite_at_zero_percent(tmp_path):
    logs, first = [], 1
    for _ in range(40):
        logs.append(Log(first).add(command("SET", "a", first)).bytes)
        first += 1
    directory = DataDir(tmp_path / "data", None, logs)
    server = Server("--log-rewrite-percent", 0, directory=directory.path)
    assert cli(server, "GET", "a") == b"40\n"
    server.stop()
    assert "snapshot started" not in server.stderr and len(list(directory.folder.iterdir())) == 42
    server = Server(directory=directory.path)
    while "snapshot of 1 keys" not in server.stderr:
        assert server.running
    server.stop()


def test_data_beyond_the_limit_of_memory(tmp_path):
    server = Server(directory=tmp_path)
    for number in range(30):
        cli(server, "SET", number, "x" * 100_000)
    server.stop()
    server = Server("--max-memory", "1MiB", directory=tmp_path)
    server.stop()
    assert "more than the 1048576 of --max-memory: writes that need memory are refused" \
        in server.stderr
