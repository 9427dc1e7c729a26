"""Calls that the C library repeats, and keystore-cli --retry: every write takes effect once, across lost
replies, kills and restarts of the server, and restarts of the client."""

import contextlib
import os
import shutil
import subprocess
import threading

import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from cutter import Cutter
from keystore_env import BIN, ROOT, SANITIZE
from place import Place
from times import wait_until

CLI = str(BIN / "keystore-cli")
LIBRARIES = BIN.parent / "lib"
TIMEOUT_S = 240


class LossyPlace(Place):
    """One with a proxy that loses replies."""

    def __init__(self, directory, *arguments):
        super().__init__(directory, "--durability", "always", *arguments)
        self.cutter = Cutter(self.listen, 12, directory.name)

    @contextlib.contextmanager
    def stub(self, kind=Stub):
        with open_channel(self.listen) as channel:
            yield kind(channel)

    def get(self, key):
        with self.stub() as stub:
            return stub.Get(pb.Key(key=key)).value

    def list(self, key):
        with self.stub() as stub:
            return list(stub.LRange(pb.ListRange(key=key, start=0, stop=-1)).values)

    def info(self):
        with self.stub(admin_stub) as admin:
            return dict(admin.Info(pb.InfoRequest()).fields)

    def close(self):
        self.cutter.close()
        super().close()


@pytest.fixture
def place(tmp_path):
    with contextlib.closing(LossyPlace(tmp_path)) as opened:
        yield opened


def cli(place, *words, stdin=None):
    return subprocess.run([CLI, "-h", place.cutter.host, "-p", str(place.cutter.port), *words],
                          input=stdin, text=True, capture_output=True, timeout=TIMEOUT_S, check=False)


# ---- keystore-cli ----

CLIENTS = 4
WRITES_EACH = 150


class Writer(threading.Thread):
    """A keystore-cli --retry with commands on standard input."""

    def __init__(self, place, number):
        super().__init__(daemon=True)
        self._place = place
        self._commands = [line for each in range(WRITES_EACH) for line in (
            f"INCR n{number}", "INCR shared", f"RPUSH l{number} {each}")]
        self._commands += ["MULTI", f"INCR n{number}", "INCR shared", "EXEC", f"LPOP l{number}"]
        self.number = number
        self.start()

    def run(self):
        self.done = cli(self._place, "--retry", "1000", "--timeout", "120000", "--pipe",
                        stdin="".join(f"{command}\n" for command in self._commands))

    def check(self):
        """Each reply is the first one."""
        assert self.done.returncode == 0, self.done.stderr
        lines = self.done.stdout.split("\n")
        assert lines[0:3 * WRITES_EACH:3] == [str(each + 1) for each in range(WRITES_EACH)]
        assert lines[2:3 * WRITES_EACH:3] == [str(each + 1) for each in range(WRITES_EACH)]
        assert lines[3 * WRITES_EACH:3 * WRITES_EACH + 4] == ["OK", "QUEUED", "QUEUED",
                                                             str(WRITES_EACH + 1)]
        assert lines[-2] == "0"
        key = b"%d" % self.number
        assert self._place.get(b"n" + key) == b"%d" % (WRITES_EACH + 1)
        assert self._place.list(b"l" + key) == [b"%d" % each for each in range(1, WRITES_EACH)]


def test_commands_take_effect_once(place, counts):
    """The server is killed after so many writes each, while four keystore-cli write."""
    writers = [Writer(place, number) for number in range(CLIENTS)]
    crashes = 0
    for amount in range(50, CLIENTS * WRITES_EACH - 100, 100):
        wait_until(lambda: not all(each.is_alive() for each in writers)
                   or int(place.get(b"shared") or 0) >= amount)  # pylint: disable=cell-var-from-loop
        place.crash()
        crashes += 1
    for writer in writers:
        writer.join()
        writer.check()
    assert place.get(b"shared") == b"%d" % (CLIENTS * (WRITES_EACH + 1))
    assert place.cutter.cut > 20
    place.crash()
    assert place.get(b"shared") == b"%d" % (CLIENTS * (WRITES_EACH + 1))
    counts(f"{CLIENTS * (3 * WRITES_EACH + 2)} writes, {place.cutter.cut} replies lost, {crashes} crashes")


def test_the_control_counts_too_much(place, counts):
    """Repeated without an id, a write whose reply was lost takes effect again: the test above can fail."""
    for _ in range(WRITES_EACH):
        while cli(place, "INCR", "n").returncode != 0:
            pass
    counts(f"{WRITES_EACH} increments gave {int(place.get(b'n'))}")
    assert int(place.get(b"n")) > WRITES_EACH


def test_a_single_command_waits_for_the_server(place):
    place.kill()
    command = subprocess.Popen([CLI, "-h", place.cutter.host, "-p", str(place.cutter.port), "--retry",
                                "1000", "--timeout", "120000", "INCR", "n"], stdout=subprocess.PIPE)
    place.start()
    assert command.communicate(timeout=TIMEOUT_S)[0] == b"1\n"
    assert place.get(b"n") == b"1"
    place.kill()
    done = cli(place, "--retry", "2", "INCR", "n")
    assert done.returncode == 1 and "(after 3 attempts)" in done.stderr


def test_without_retry_nothing_is_repeated(place):
    assert place.info()["request_ids"] == "0"
    address = place.server.address.split(":")
    done = subprocess.run([CLI, "-h", address[0], "-p", address[1], "INCR", "n"], check=True,
                          capture_output=True)
    assert done.stdout == b"1\n"
    assert place.info()["request_ids"] == "0"
    subprocess.run([CLI, "-h", address[0], "-p", address[1], "--retry", "1", "INCR", "n"], check=True)
    assert place.info()["request_ids"] == "1"


def test_request_ids_that_are_turned_off(tmp_path):
    with contextlib.closing(LossyPlace(tmp_path, "--request-ids", "0")) as place:
        place.cutter.close()
        address = place.server.address.split(":")
        done = subprocess.run([CLI, "-h", address[0], "-p", address[1], "--retry", "1", "INCR", "n"],
                              check=False, capture_output=True, text=True)
        assert done.returncode == 1 and "request ids are turned off" in done.stderr


# ---- the library ----

@pytest.fixture(scope="module")
def orders(tmp_path_factory):
    """docs/examples/orders.c, compiled."""
    program = tmp_path_factory.mktemp("orders") / "orders"
    sanitize = [f"-fsanitize={SANITIZE}"] if SANITIZE else []
    subprocess.run([shutil.which("cc"), "-std=gnu11", "-Wall", "-Wextra", "-Werror", *sanitize, "-I",
                    str(ROOT / "include"), "-o", str(program), str(ROOT / "docs/examples/orders.c"),
                    "-L", str(LIBRARIES), "-lkeystore"], check=True, timeout=TIMEOUT_S)
    return program


def run_orders(program, place, lines):
    return subprocess.Popen([program, place.cutter.address], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=dict(os.environ, LD_LIBRARY_PATH=str(LIBRARIES))), "".join(lines)


def test_ids_outlive_the_program(place, orders, random_of_test, counts):
    """The program and the server are killed in turn; the program starts again with the same orders."""
    lines = [f"order-{number} {number}\n" for number in range(1, 301)]
    sums = [number * (number + 1) // 2 for number in range(1, 301)]
    starts = 0
    for share in (10, 60, 130, 200, 270, None):
        running, text = run_orders(orders, place, lines)
        starts += 1
        if share is None:
            output, problem = running.communicate(text, timeout=TIMEOUT_S)
            assert running.returncode == 0, problem
            break
        running.stdin.write(text)
        running.stdin.flush()
        wait_until(lambda: int(place.get(b"sales") or 0) >= sums[share])  # pylint: disable=cell-var-from-loop
        running.kill()
        running.communicate()
        if random_of_test.randrange(2) == 0:
            place.crash()
    # Also of orders that were booked by an earlier start of the program, the first reply comes.
    assert output == "".join(f"order-{number}: {sums[number - 1]}\n" for number in range(1, 301))
    assert place.get(b"sales") == b"%d" % sums[-1]
    place.crash()
    assert place.get(b"sales") == b"%d" % sums[-1]
    counts(f"{starts} starts, {place.cutter.cut} replies lost")


def test_an_id_of_another_write(place, orders):
    running, _ = run_orders(orders, place, [])
    _, problem = running.communicate("a 1\nb 2\na 3\n", timeout=TIMEOUT_S)
    assert running.returncode == 1 and "belongs to another request" in problem
    assert place.get(b"sales") == b"3"
