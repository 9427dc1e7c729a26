"""The commands that README.md and docs/*.md show, done in their order, print what they show.

Each block with commands has a function here; one that nobody has written a function for, or named
the test of, fails. Only ports and paths are others than a reader's: the programs on the PATH add
them."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import pytest

from keystore_env import BIN, ROOT
from redis_process import Redis
from server_process import run_server

TIMEOUT_S = 120
PORT = "50051"

# A line that someone is meant to type.
TYPED = re.compile(r"\$ |>>> |\S+:\d+(\[\d+\])?(\(TX\))?> |#!/bin/sh|"
                   r"(script/\w+|cmake|keystore-\w+|redis-\w+|cp|kill)( |$)")

# (file, section): which other test does the commands, or why there is none.
ELSEWHERE = {
    ("README.md", "Two commands"): "they build and test the tree that this test is part of",
    ("README.md", "TLS in two commands"): "test_tls.py",
    ("README.md", "A session with C"): "test_install.py",
    ("docs/durability.md", "Backups"): "test_backup.py and test_cli_backup.py",
    ("docs/metrics.md", "Metrics and the live page"): "test_metrics.py",
    ("docs/observability.md", "Slow calls"):
        "test_cli_observe.py, and test_observe.py with grpcio in place of grpcurl",
    ("docs/observability.md", "Counts and durations"): "the same",
    ("docs/request-ids.md", "With the C library and keystore-cli"): "test_retries.py",
    ("docs/install.md", "Containers"): "script/package --container does the steps of the file",
    ("docs/install.md", "Debian packages"): "script/package --test, in a Debian of its own",
    ("docs/install.md", "Kubernetes"): "test_deploy.py checks the files; it needs a cluster",
    ("docs/security.md", "TLS and users in five commands"): "test_docs_commands.py",
    ("docs/users.md", "Five commands"): "test_docs_commands.py",
    ("docs/users.md", "Passwords"): "test_passwords.py",
}


def blocks_of(name):
    """(section, lines) of each indented or fenced block, in order."""
    section, block, fenced = "", [], False
    for line in [*(ROOT / name).read_text().split("\n"), ""]:
        is_fence = line.startswith("```")
        if not fenced and line.startswith("#"):
            section = line.lstrip("#").strip()
        if is_fence:
            fenced = not fenced
        elif fenced or line.startswith("    "):
            block.append(line if fenced else line[4:])
            continue
        if block and not fenced:
            yield section, block
            block = []


def commands_of(name, section):
    """The blocks with commands of the section."""
    return [block for title, block in blocks_of(name)
            if title == section and any(TYPED.match(line) for line in block)]


def steps_of(block):
    """(command, shown lines) of a block whose commands begin with "$ "."""
    steps = []
    for line in block:
        if line.startswith("$ "):
            steps.append((line[2:], []))
        elif steps and steps[-1][0].endswith("\\"):
            steps[-1] = (steps[-1][0] + "\n" + line, [])
        else:
            steps[-1][1].append(line)
    return steps


class Reader:
    """Someone at a terminal, in a tree of the project that was built, with a server that runs."""

    def __init__(self, folder, server):
        self.folder = folder
        self.server = server
        programs = folder / "build" / "bin"
        programs.mkdir(parents=True)
        for program in ("keystore-cli", "keystore-bench"):
            self.add_program(programs / program, f'exec {BIN / program} -p {server.port} "$@"')
        (programs / "keystore-check").symlink_to(BIN / "keystore-check")
        (folder / "proto").symlink_to(ROOT / "proto")
        self.environment = dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}", HOME=str(folder),
                                TERM="xterm")

    @staticmethod
    def add_program(path, script):
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def types(self, command, code=0):
        """The lines that a command of the shell shows on a terminal."""
        master, slave = pty.openpty()
        shown = b""
        with subprocess.Popen(["sh", "-c", command], stdin=slave, stdout=slave, stderr=slave,
                              cwd=self.folder, env=self.environment) as process:
            os.close(slave)
            deadline = time.monotonic() + TIMEOUT_S
            while True:
                assert time.monotonic() < deadline, shown
                if not select.select([master], [], [], 1)[0]:
                    continue
                try:
                    shown += os.read(master, 65536)
                except OSError:  # the last one has closed the terminal
                    break
        os.close(master)
        lines = shown.decode().replace("\r\n", "\n")
        assert process.returncode == code, f"{command}: {lines}"
        return lines.splitlines()

    def follows(self, block):
        for command, expected in steps_of(block):
            assert self.types(command) == expected, command


@pytest.fixture
def reader(fresh_server, tmp_path):
    return Reader(tmp_path, fresh_server(directory=tmp_path / "data"))


# README.md.

def do_command_line(reader):
    session, batch, prompt = commands_of("README.md", "A session with the command line")
    reader.follows(session)
    reader.follows(batch)
    typed = [line.split("> ", 1)[1] for line in prompt if TYPED.match(line)]
    shown = [line for line in prompt if not TYPED.match(line)]
    prompts = [line.split("> ", 1)[0] for line in prompt if TYPED.match(line)]
    begun, ended = typed.index("MULTI"), typed.index("EXEC")
    assert prompts == [f"127.0.0.1:{PORT}" + ("(TX)" if begun < i <= ended else "")
                       for i in range(len(typed))]
    (reader.folder / "typed").write_text("\n".join(typed))
    assert reader.types("keystore-cli < typed") == shown


def do_python(reader):
    (block,) = commands_of("README.md", "A session with Python")
    start = next(i for i, line in enumerate(block) if line.startswith(">>> "))
    *commands, python = steps_of(block[:start])
    for command, expected in commands:
        assert reader.types(command) == expected
    (reader.folder / "session").write_text(
        "\n".join(block[start:]).replace(f":{PORT}", f":{reader.server.port}") + "\n")
    (reader.folder / "run.py").write_text(
        "import doctest, sys\nprint(doctest.testfile('session', module_relative=False))\n")
    assert re.fullmatch(r"TestResults\(failed=0, attempted=[1-9]\d*\)",
                        "\n".join(reader.types(python[0] + " run.py")))


def do_what_survives(reader):
    (block,) = commands_of("README.md", "What survives a crash")
    ((command, expected),) = steps_of(block)
    copying, starting = command.split(" && ")
    assert expected == [] and reader.types(copying) == []
    assert starting == 'redis-server --dir "$PWD/redis-data" --appendonly yes'
    with Redis(reader.folder / "redis-data", "--appendonly", "yes") as redis:
        assert redis.call("GET", "a") == b"1" and redis.call("LRANGE", "orders", 0, -1) == [b"jane"]
        redis.stop()


def do_how_fast(reader):
    (block,) = commands_of("README.md", "How fast")
    commands = [command for command, _ in steps_of(block)]
    assert len(commands) == 3 and "-r 1000000 " in commands[0]
    for command in commands:
        assert command.endswith(" -t 10")
        shorter = command.replace("-t 10", "-t 1").replace("-r 1000000", "-r 100000")
        shown = "\n".join(reader.types(shorter))
        assert "errors       none" in shown
        assert ("fill: 100,000 keys in " in shown) == (command is commands[0])


def test_the_readme(reader):
    do_command_line(reader)
    do_python(reader)
    do_what_survives(reader)
    do_how_fast(reader)


def test_the_configuration_of_the_readme(tmp_path):
    (block,) = [lines for title, lines in blocks_of("README.md") if title == "The server's settings"]
    assert block[0] == "# keystore.conf, for keystore-server --config keystore.conf"
    text = "\n".join(block)
    for theirs, ours in ((f"127.0.0.1:{PORT}", "127.0.0.1:0"), ("/run/", f"{tmp_path}/"),
                         ("/var/lib/keystore", f"{tmp_path}/data")):
        assert theirs in text
        text = text.replace(theirs, ours)
    (tmp_path / "keystore.conf").write_text(text)
    with subprocess.Popen([str(BIN / "keystore-server"), "--config", str(tmp_path / "keystore.conf")],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, errors
    assert re.fullmatch(rf"Server started on port \d+\nServer started on unix:{tmp_path}/keystore.sock\n",
                        "".join(lines))
    assert "no effect" not in errors
    assert run_server("--config", tmp_path / "keystore.conf", "--help").returncode == 0


# docs/durability.md.

def without_comment(line):
    return re.sub(r" +# .*", "", line)


def test_checking_and_dumping(reader, fresh_server):
    check, dump = commands_of("docs/durability.md", "keystore-check")
    reader.types("keystore-cli RPUSH l 1 2 3")
    reader.types("keystore-cli SET s v")
    reader.types("cp -a data copy")
    assert len(check) == 1
    assert reader.types(check[0].replace("DIRECTORY", "copy"))[-1].startswith("good: ")
    other = fresh_server()
    dumping, loading = dump
    assert reader.types(dumping.replace("DIRECTORY", "copy"))[-1] == "printed 2 keys"
    for _ in range(2):
        assert reader.types(loading.replace("--pipe", f"-p {other.port} --pipe"))[-1] \
            == "4 commands, 0 errors"
    assert reader.types(f"keystore-cli -p {other.port} LRANGE l 0 -1") == ['1) "1"', '2) "2"', '3) "3"']


def test_the_way_to_redis_and_back(reader, fresh_server):
    (block,) = commands_of("docs/durability.md", "From KeyStore to Redis")
    kill, check, copy, start = map(without_comment, block)
    reader.types("keystore-cli RPUSH l 1 2 3")
    reader.types("keystore-cli SET s v")
    assert reader.types(kill) == []
    reader.server.wait()
    assert reader.types(check)[-1].startswith("good: ")
    assert reader.types(copy) == []
    assert start == 'redis-server --dir "$PWD/redis-data" --appendonly yes'
    (block,) = commands_of("docs/durability.md", "From Redis to KeyStore")
    append, shutdown, check, copy, start = map(without_comment, block)
    with Redis(reader.folder / "redis-data", "--appendonly", "yes") as redis:
        assert redis.call("LRANGE", "l", 0, -1) == [b"1", b"2", b"3"]
        redis.call("RPUSH", "l", "4")
        socket = f"redis-cli -s {redis.path} "
        assert reader.types(append.replace("redis-cli ", socket)) == ["OK"]
        assert reader.types(shutdown.replace("redis-cli ", socket)) == []
        redis.process.wait(TIMEOUT_S)
    assert reader.types(check)[-1].startswith("good: ")
    shutil.rmtree(reader.folder / "data")
    assert reader.types(copy) == []
    assert start == "keystore-server --dir data"
    again = fresh_server(directory=reader.folder / "data")
    assert reader.types(f"keystore-cli -p {again.port} LRANGE l 0 -1")[-1] == '4) "4"'


# All of them.

HERE = {
    ("README.md", "A session with the command line"), ("README.md", "A session with Python"),
    ("README.md", "What survives a crash"), ("README.md", "How fast"),
    ("README.md", "The server's settings"),
    ("docs/durability.md", "keystore-check"), ("docs/durability.md", "From KeyStore to Redis"),
    ("docs/durability.md", "From Redis to KeyStore"),
}


def test_every_block_with_commands_is_done_somewhere():
    names = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
    found = {(name, section) for name in names for section, block in blocks_of(name)
             if any(TYPED.match(line) for line in block)}
    assert found >= {("README.md", "How fast"), ("docs/durability.md", "Backups")}
    undone = found - HERE - set(ELSEWHERE)
    assert not undone, "show them being done"
    assert not set(ELSEWHERE) - found, "they are no longer shown"


def test_the_commands_that_build_are_there():
    (scripts, plain, presets) = commands_of("README.md", "Two commands")
    assert all(os.access(ROOT / line.split()[0], os.X_OK) for line in scripts)
    for kind in ("configure", "build", "test"):
        listed = subprocess.run(["cmake", f"--list-presets={kind}"], cwd=ROOT, capture_output=True,
                                text=True, timeout=TIMEOUT_S, check=True).stdout
        assert '"release"' in listed
    assert presets == ["cmake --preset release && cmake --build --preset release && "
                       "ctest --preset release"]
    assert plain == ["cmake -G Ninja -B build/release && cmake --build build/release"]  # as test_install.py
