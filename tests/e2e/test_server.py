"""The program: its command line, its configuration file, where it listens, how it ends."""

import os
import re
import signal
import socket
import stat
from contextlib import closing

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from server_process import own_loopback, run_server


def check_serves(address):
    with open_channel(address) as channel:
        stub = Stub(channel)
        assert stub.Set(pb.KeyValue(key=b"server: k", value=b"v")).ok
        assert stub.Get(pb.Key(key=b"server: k")).value == b"v"


def check_refused(result, *words, code=2):
    """The program did not start and says why in a sentence that has the words."""
    assert result.returncode == code, f"exit code {result.returncode}: {result.stderr}"
    assert "Server started" not in result.stdout
    assert len(result.stderr.split()) >= 3, f"{result.stderr!r} is no sentence"
    for word in words:
        assert str(word) in result.stderr, f"{word!r} is not in {result.stderr!r}"


# Options.

def test_help():
    result = run_server("--help")
    assert result.returncode == 0 and not result.stderr
    for option in ("--listen", "--threads", "--log-level", "--max-value", "--drain-timeout",
                   "--config", "--help", "--version"):
        assert option in result.stdout


def test_version():
    result = run_server("--version")
    assert result.returncode == 0 and not result.stderr
    assert re.fullmatch(r"keystore-server \d+\.\d+\.\d+\n", result.stdout)


@pytest.mark.parametrize("arguments,words", [
    (["--nonsense"], ["--nonsense"]),
    (["--nonsense=1"], ["--nonsense"]),
    (["-x"], ["-x"]),
    (["something"], ["something"]),
    (["--threads"], ["--threads"]),
    (["--threads", "0"], ["--threads", "0"]),
    (["--threads", "-1"], ["--threads", "-1"]),
    (["--threads", "x"], ["--threads", "x"]),
    (["--threads", "2x"], ["--threads", "2x"]),
    (["--threads", ""], ["--threads"]),
    (["--threads", "99999999999999999999"], ["--threads"]),
    (["--log-level", "loud"], ["--log-level", "loud"]),
    (["--listen", "nonsense"], ["--listen", "nonsense"]),
    (["--listen", "127.0.0.1:"], ["--listen"]),
    (["--listen", "127.0.0.1:x"], ["--listen"]),
    (["--listen", "127.0.0.1:65536"], ["--listen", "65536"]),
    (["--listen", "127.0.0.1:-1"], ["--listen"]),
    (["--listen", ""], ["--listen"]),
    (["--listen", "unix:"], ["--listen"]),
    (["--listen", "unix:/tmp/" + "x" * 200], ["--listen"]),
    (["--max-value", "0"], ["--max-value", "0"]),
    (["--max-value", "-1"], ["--max-value", "-1"]),
    (["--max-value", "x"], ["--max-value", "x"]),
    (["--max-value", "99999999999999999999"], ["--max-value"]),
    (["--max-value", "5XiB"], ["--max-value", "5XiB"]),
    (["--max-value", "99999999GiB"], ["--max-value"]),
    (["--drain-timeout", "x"], ["--drain-timeout"]),
    (["--drain-timeout", "-1"], ["--drain-timeout"]),
    (["--config"], ["--config"]),
], ids=lambda value: " ".join(value)[:40])
def test_refused_options(arguments, words):
    check_refused(run_server("--listen", "127.0.0.1:0", *arguments), *words)


@pytest.mark.parametrize("text,size", [("1000", 1000), ("1KiB", 1024), ("2KiB", 2048)])
def test_sizes(fresh_server, text, size):
    server = fresh_server("--max-value", text)
    assert longest_value(server, [size + 1, size]) == size


def thread_count(server):
    """Two for each of --threads (an event loop, and one for calls that take long), and others."""
    return len(os.listdir(f"/proc/{server.pid}/task"))


def test_threads(fresh_server):
    one, four = fresh_server(threads=1), fresh_server(threads=4)
    assert thread_count(four) == thread_count(one) + 2 * 3
    check_serves(one.address)
    check_serves(four.address)


def test_without_options_but_listen(fresh_server):
    check_serves(fresh_server(threads=None).address)


# Where it listens.

def test_busy_port(fresh_server):
    server = fresh_server()
    result = run_server("--listen", server.address)
    check_refused(result, server.port, "in use", code=1)
    check_serves(server.address)


def test_busy_port_of_another_program():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        check_refused(run_server("--listen", f"127.0.0.1:{port}"), port, "in use", code=1)


def test_the_second_address_is_busy(fresh_server, tmp_path):
    """Then the first one is not served either, and nothing is left behind."""
    server = fresh_server()
    path = tmp_path / "socket"
    result = run_server("--listen", f"unix:{path}", "--listen", server.address)
    assert result.returncode == 1 and str(server.port) in result.stderr
    assert not path.exists()


def test_address_that_is_not_ours():
    result = run_server("--listen", "192.0.2.1:0")
    check_refused(result, "192.0.2.1", code=1)


def test_several_addresses(fresh_server, tmp_path):
    path = tmp_path / "socket"
    server = fresh_server(listen=["127.0.0.1:0", "127.0.0.1:0", f"unix:{path}"])
    second = int(server.wait_for_line(r"Server started on port (\d+)$").group(1))
    server.wait_for_line(f"Server started on unix:{re.escape(str(path))}$")
    assert second != server.port
    for address in (server.address, f"127.0.0.1:{second}", f"unix:{path}"):
        check_serves(address)


def has_ipv6():
    with closing(socket.socket(socket.AF_INET6)) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_ipv6(fresh_server):
    server = fresh_server(listen=["[::1]:0"])
    check_serves(f"[::1]:{server.port}")


def test_host_name(fresh_server):
    check_serves(f"localhost:{fresh_server(listen=['localhost:0']).port}")


def unix_server(fresh_server, path):
    """The TCP address is for Server, which waits for a port."""
    server = fresh_server(listen=["127.0.0.1:0", f"unix:{path}"])
    server.wait_for_line(r"Server started on unix:")
    return server


def test_unix_socket(fresh_server, tmp_path):
    path = tmp_path / "keystore.socket"
    server = unix_server(fresh_server, path)
    assert stat.S_ISSOCK(path.stat().st_mode)
    check_serves(f"unix:{path}")
    server.stop()
    assert not path.exists()


def test_unix_socket_with_many_clients(fresh_server, tmp_path):
    path = tmp_path / "keystore.socket"
    unix_server(fresh_server, path)
    for _ in range(20):
        check_serves(f"unix:{path}")


def test_stale_unix_socket_is_replaced(fresh_server, tmp_path):
    path = tmp_path / "keystore.socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.exists()
    unix_server(fresh_server, path)
    check_serves(f"unix:{path}")


def test_unix_socket_after_a_crash(fresh_server, tmp_path):
    path = tmp_path / "keystore.socket"
    unix_server(fresh_server, path).kill()
    assert path.exists()
    unix_server(fresh_server, path)
    check_serves(f"unix:{path}")


def test_unix_socket_in_use(fresh_server, tmp_path):
    path = tmp_path / "keystore.socket"
    unix_server(fresh_server, path)
    check_refused(run_server("--listen", f"unix:{path}"), path, code=1)
    check_serves(f"unix:{path}")


def test_a_file_that_is_no_socket_is_left_alone(tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")
    check_refused(run_server("--listen", f"unix:{path}"), path, code=1)
    assert path.read_text() == "data"


def test_unix_socket_in_no_folder(tmp_path):
    path = tmp_path / "missing" / "socket"
    check_refused(run_server("--listen", f"unix:{path}"), path, code=1)


# The configuration file.

@pytest.fixture
def config(tmp_path):
    """Writes lines to a configuration file."""
    path = tmp_path / "keystore.conf"

    def write(*lines):
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return write


def longest_value(server, sizes=(2000, 1000, 500)):
    """The --max-value that is in force: the first of these, from the largest, that is stored."""
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        for size in sizes:
            try:
                stub.Set(pb.KeyValue(key=b"server: k", value=bytes(size)))
                return size
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    return 0


def test_config_file(fresh_server, config, tmp_path):
    path = config("# where and how", "listen = 127.0.0.1:0", f"listen = unix:{tmp_path}/socket", "",
                  "threads = 3   ", "  # by hand", "log-level = debug", "max-value=1000")
    server = fresh_server("--config", path, listen=[], threads=None)
    server.wait_for_line("Server started on unix:")
    assert thread_count(server) == thread_count(fresh_server(threads=3))
    assert longest_value(server) == 1000
    check_serves(f"unix:{tmp_path}/socket")


def test_the_command_line_wins(fresh_server, config):
    with socket.create_server(("127.0.0.1", 0)) as other:
        busy = other.getsockname()[1]
        path = config(f"listen = 127.0.0.1:{busy}", "threads = 1", "max-value = 500")
        # Whichever comes first.
        before = fresh_server("--max-value", 2000, "--config", path, threads=3)
        after = fresh_server("--config", path, threads=None)
    for server in (before, after):
        assert server.port != busy
    assert thread_count(before) == thread_count(after) + 2 * 2
    assert (longest_value(before), longest_value(after)) == (2000, 500)


@pytest.mark.parametrize("lines,number,words", [
    (["threads = 2", "nonsense = 1"], 2, ["nonsense"]),
    (["", "# x", "threads = many"], 3, ["threads", "many"]),
    (["threads = 0"], 1, ["threads"]),
    (["log-level = loud"], 1, ["log-level", "loud"]),
    (["listen = nonsense"], 1, ["listen", "nonsense"]),
    (["max-value = 0"], 1, ["max-value"]),
    (["threads"], 1, []),
    (["max-value = 5", "help = 1"], 2, ["help"]),
    (["config = other.conf"], 1, ["config"]),
    (["threads = 1", "threads = x", "nonsense = 2"], 2, ["threads"]),
], ids=lambda value: " | ".join(value) if isinstance(value, list) else str(value))
def test_bad_lines_in_the_config_file(config, lines, number, words):
    path = config(*lines)
    listen = [] if "listen" in words else ["--listen", "127.0.0.1:0"]
    result = run_server(*listen, "--config", path)
    check_refused(result, f"{path}:{number}", *words)


def test_config_file_that_cannot_be_read(tmp_path):
    path = tmp_path / "missing.conf"
    check_refused(run_server("--listen", "127.0.0.1:0", "--config", path), path)
    check_refused(run_server("--listen", "127.0.0.1:0", "--config", tmp_path), tmp_path)


# The end.

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals(fresh_server, number):
    server = fresh_server(listen=[f"{own_loopback()}:0"])
    check_serves(server.address)
    server.stop(number)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port), timeout=10).close()


def test_signal_with_open_channels(fresh_server):
    """Idle clients, which answer no PING before they are used again, cannot hold up the end."""
    server = fresh_server("--drain-timeout", 1)
    channels = [open_channel(server.address) for _ in range(10)]
    for opened in channels:
        Stub(opened).Get(pb.Key(key=b"k"))
    server.stop()
    for opened in channels:
        opened.close()


def test_a_port_is_free_again_at_once(fresh_server):
    server = fresh_server(listen=[f"{own_loopback()}:0"])
    check_serves(server.address)
    server.stop()
    again = fresh_server(listen=[server.address])
    assert again.port == server.port
    check_serves(again.address)


def test_standard_output_has_nothing_else(fresh_server):
    """Scripts wait for the line; logs go to standard error."""
    server = fresh_server("--log-level", "debug")
    check_serves(server.address)
    server.stop()
    assert server.stdout == [f"Server started on port {server.port}"]


def test_the_log_names_the_ports_that_were_chosen(fresh_server, tmp_path):
    server = fresh_server(listen=["127.0.0.1:0", "localhost:0", f"unix:{tmp_path}/socket:0"])
    second = server.wait_for_line(r"Server started on port (\d+)$").group(1)
    named = re.findall(r"listening on (\S+),", server.stderr)
    assert named == [server.address, f"localhost:{second}", f"unix:{tmp_path}/socket:0"]
