"""The C programs in docs/examples: compiled as their comments say, and run."""

import contextlib
import os
import shutil
import subprocess

import pytest

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from keystore_env import BIN, ROOT, SANITIZE

TIMEOUT_S = 120
LIBRARIES = BIN.parent / "lib"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Compiles an example; returns the program."""
    folder = tmp_path_factory.mktemp("examples")

    def compile_example(name):
        sanitize = [f"-fsanitize={SANITIZE}"] if SANITIZE else []
        subprocess.run([shutil.which("cc"), "-std=gnu11", "-Wall", "-Wextra", "-Werror", *sanitize,
                        "-I", str(ROOT / "include"), "-o", str(folder / name),
                        str(ROOT / "docs" / "examples" / f"{name}.c"), "-L", str(LIBRARIES), "-lkeystore"],
                       check=True, timeout=TIMEOUT_S)
        return str(folder / name)

    return compile_example


ENVIRONMENT = dict(os.environ, LD_LIBRARY_PATH=str(LIBRARIES))


@contextlib.contextmanager
def start(program, server):
    """The running program, which does not outlive the test."""
    with subprocess.Popen([program, server.address], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env=ENVIRONMENT) as running:
        try:
            yield running
        finally:
            running.kill()


def test_bulk_load(compiled, own):
    server, stub = own
    program = compiled("bulk_load")
    lines = "".join(f"key{i}\tvalue {i}\n" for i in range(50_000))
    done = subprocess.run([program, server.address], input=lines + "\tno key\n" + "empty\n", text=True,
                          capture_output=True, timeout=TIMEOUT_S, check=False, env=ENVIRONMENT)
    assert done.returncode == 1 and done.stdout == "50002 lines, 1 failed\n"
    assert done.stderr.startswith("line 50001: ") and "key" in done.stderr
    assert stub.Get(pb.Key(key=b"key49999")).value == b"value 49999"
    assert stub.Get(pb.Key(key=b"empty")).found


def test_bulk_load_of_a_server_that_is_gone(compiled, own):
    server, _ = own
    program = compiled("bulk_load")
    with subprocess.Popen([program, server.address], stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env=ENVIRONMENT) as loading:
        loading.stdin.write("key\tvalue\n" * 10_000)
        loading.stdin.flush()
        server.kill()
        _, said = loading.communicate("key\tvalue\n" * 10_000, timeout=TIMEOUT_S)
    assert loading.returncode == 1 and "of the last lines may not be stored" in said


def test_a_cache_follows_changes(compiled, own):
    server, stub = own
    stub.Set(pb.KeyValue(key=b"config:a", value=b"1"))
    stub.Set(pb.KeyValue(key=b"other", value=b"1"))
    with start(compiled("cache"), server) as cache:
        assert cache.stdout.readline() == "config:a = 1\n"
        assert cache.stdout.readline() == "complete\n"
        stub.Set(pb.KeyValue(key=b"config:b", value=b"2"))
        assert cache.stdout.readline() == "config:b = 2\n"
        stub.Delete(pb.Key(key=b"config:a"))
        assert cache.stdout.readline() == "config:a = (none)\n"
        stub.Set(pb.KeyValue(key=b"config:stop", value=b"now"))
        rest, said = cache.communicate(timeout=TIMEOUT_S)
        assert (cache.returncode, rest, said) == (0, "config:stop = now\n", "")


def test_workers_share_a_queue(compiled, own):
    server, stub = own
    jobs = [f"job {i}".encode() for i in range(100)]
    stub.RPush(pb.ListInsert(key=b"jobs", values=jobs + [b"stop", b"stop"]))
    program = compiled("worker")
    with start(program, server) as one, start(program, server) as other:
        done = [worker.communicate(timeout=TIMEOUT_S) for worker in (one, other)]
        assert [one.returncode, other.returncode] == [0, 0], done
    assert sorted("".join(out for out, _ in done).encode().splitlines()) == sorted(jobs)
    assert stub.Exists(pb.Keys(keys=[b"jobs", b"jobs:pending"])).count == 0


@pytest.fixture
def own(fresh_server):
    server = fresh_server("--durability", "none")
    with open_channel(server.address) as channel:
        yield server, Stub(channel)
