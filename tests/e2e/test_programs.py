"""What all programs have in common: the standard descriptors, as whoever starts them leaves them."""

import os
import re
import signal
import subprocess
import time

import pytest

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from h2conn import prefixed
from keystore_env import BIN

TIMEOUT_S = 60
PROGRAMS = ["keystore-server", "keystore-cli", "keystore-bench", "keystore-check"]


def run(command, redirections, **options):
    """A command line of the shell: the program, and descriptors that are closed or redirected."""
    return subprocess.run(["sh", "-c", f'exec "$@" {redirections}', "sh", *map(str, command)],
                          capture_output=True, timeout=TIMEOUT_S, check=False, **options)


def test_every_program_is_tested_here():
    assert sorted(path.name for path in BIN.iterdir() if path.name.startswith("keystore")) == sorted(PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("redirection,reason", [(">/dev/full", "No space left on device"),
                                                (">&-", "Bad file descriptor")])
def test_help_that_cannot_be_written(program, redirection, reason):
    ran = run([BIN / program, "--help"], redirection)
    assert ran.returncode not in (0, -signal.SIGPIPE, -signal.SIGABRT)
    assert ran.stderr.decode() == f"{program}: cannot write to standard output: {reason}\n"


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_reader_that_has_gone(program):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = subprocess.run([str(BIN / program), "--help"], stdout=writing, stderr=subprocess.PIPE,
                             timeout=TIMEOUT_S, check=False)
    finally:
        os.close(writing)
    assert ran.returncode in (1, 3)
    assert ran.stderr.decode() == f"{program}: cannot write to standard output: Broken pipe\n"


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_does_not_hide_a_bad_option(program, option):
    for words in ([option, "--bogus"], ["--bogus", option]):
        ran = subprocess.run([str(BIN / program), *words], capture_output=True, text=True,
                             timeout=TIMEOUT_S, check=False)
        assert ran.returncode in (2, 3) and ran.stdout == ""
        assert "there is no option --bogus" in ran.stderr


def test_an_answer_is_not_written_to_the_server(fresh_server):
    """The socket would be the first free descriptor; the value is a call of FlushDb."""
    server = fresh_server()
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        stub.Set(pb.KeyValue(key=b"k", value=prefixed(b"") * 5000))
        for closed in (">&-", "<&-", "2>&-", "<&- >&-", "<&- >&- 2>&-", ">&- 2>&-"):
            ran = run([BIN / "keystore-cli", "-p", server.port, "GET", "k"], closed)
            assert ran.returncode == (1 if ">&-" in closed.replace("2>&-", "") else 0)
        assert stub.Get(pb.Key(key=b"k")).found
        info = run([BIN / "keystore-cli", "-p", server.port, "INFO"], "").stdout.decode()
        assert not re.search(r"protocol_errors:[1-9]", info)


def test_nothing_to_read_is_an_error(fresh_server):
    server = fresh_server()
    ran = run([BIN / "keystore-cli", "-p", server.port, "--pipe"], "<&-")
    assert ran.returncode == 1
    assert ran.stderr.startswith(b"(error) cannot read standard input: Bad file descriptor.")


def answer_of(path, process, *words):
    """What keystore-cli prints, once the server has loaded its data."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        assert process.poll() is None
        ran = run([BIN / "keystore-cli", "-s", path, *words], "")
        if ran.returncode == 0:
            return ran.stdout
    raise AssertionError(ran.stderr)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full"])
def test_a_server_without_standard_descriptors(tmp_path, closed):
    path = tmp_path / "socket"
    command = [str(BIN / "keystore-server"), "--dir", str(tmp_path / "data"), "--listen", f"unix:{path}"]
    with subprocess.Popen(["sh", "-c", f'exec "$@" {closed}', "sh", *command],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert answer_of(path, process, "SET", "k", "v") == b"OK\n"
            assert answer_of(path, process, "GET", "k") == b"v\n"
        finally:
            process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, errors
    if closed.startswith(">"):
        assert b"keystore-server: cannot write to standard output: " in errors
        assert b"started, but" in errors


def test_settings_without_effect_are_told(fresh_server):
    server = fresh_server("--max-connections", 10, "--max-connections-per-address", 1000,
                          "--max-memory-policy", "allkeys-lru", "--save", "1 1")
    warnings = [line for line in server.stderr.splitlines() if "no effect" in line]
    assert len(warnings) == 3 and all(" warning " in line for line in warnings), server.stderr
    assert not [line for line in fresh_server().stderr.splitlines() if "no effect" in line]
