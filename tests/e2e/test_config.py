"""Config and SetConfig of KeyStoreAdmin, and CONFIG of keystore-cli: what is told, and that a change
is in effect."""

import socket
import subprocess

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from errors import reason_of
from keystore_env import BIN
from times import wait_until

CLI = str(BIN / "keystore-cli")
TIMEOUT_S = 60
DEFAULT, FILE, COMMAND_LINE, CHANGED = range(4)


@pytest.fixture(name="own")
def own_fixture(fresh_server):
    return fresh_server("--durability", "none", "--save", "")


def settings(admin, pattern=""):
    return admin.Config(pb.ConfigRequest(pattern=pattern)).settings


def setting(admin, name):
    (found,) = settings(admin, name)
    return found


def change(admin, name, value):
    return admin.SetConfig(pb.SetConfigRequest(name=name, value=str(value))).ok


def info(admin):
    return admin.Info(pb.InfoRequest()).fields


def test_the_settings_are_a_configuration_file(fresh_server, tmp_path):
    path = tmp_path / "keystore.conf"
    path.write_text("max-memory = 300MiB\nlog-level = warning\n")
    socket_path = f"unix:{tmp_path}/socket"
    server = fresh_server("--config", path, "--max-memory", "200MiB", "--save", "900 1 300 10",
                          directory=tmp_path / "data", listen=("127.0.0.1:0", socket_path))
    with open_channel(server.address) as channel:
        first = list(settings(admin_stub(channel)))
    by_name = {each.name: each for each in first}
    assert [each.value for each in first if each.name == "listen"] == [server.address, socket_path]
    assert by_name["max-memory"].value == "200MiB"
    assert by_name["max-memory"].origin == COMMAND_LINE and by_name["max-memory"].changeable
    assert not by_name["max-value"].changeable
    assert by_name["log-level"].origin == FILE and by_name["log-level"].changeable
    assert by_name["databases"].value == "16" and by_name["databases"].origin == DEFAULT
    assert by_name["save"].value == "900 1 300 10"
    assert by_name["request-timeout"].accepts == "a number of seconds, 1 to 86400"
    assert all(each.accepts and each.help for each in first)
    server.stop()
    again = tmp_path / "again.conf"
    again.write_text("".join(f"{each.name} = {each.value}\n" for each in first))
    server = fresh_server("--config", again, threads=None, listen=(),
                          directory=tmp_path / "data")
    with open_channel(server.address) as channel:
        second = list(settings(admin_stub(channel)))
    assert [(each.name, each.value) for each in second] == [(each.name, each.value)
                                                           for each in first]
    assert {each.origin for each in second
            if each.name not in ("dir", "min-ping-interval")} == {FILE}


def test_a_change_is_told(own):
    with open_channel(own.address) as channel:
        admin = admin_stub(channel)
        before = setting(admin, "idle-timeout")
        assert (before.value, before.origin, before.changeable) == ("0", DEFAULT, True)
        assert change(admin, "idle-timeout", 500)
        assert not change(admin, "idle-timeout", 500)
        after = setting(admin, "idle-timeout")
        assert (after.value, after.origin) == ("500", CHANGED)
    own.stop()
    assert "idle-timeout was set to `500` by an administrator" in own.stderr


def test_timeouts_of_open_connections(own):
    with open_channel(own.address) as channel, \
            socket.create_connection((own.host, own.port), timeout=TIMEOUT_S) as silent, \
            socket.create_connection((own.host, own.port), timeout=TIMEOUT_S) as idle:
        idle.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        admin = admin_stub(channel)
        assert change(admin, "greeting-timeout", 1)
        while silent.recv(65536):  # a GOAWAY, and the end
            pass
        assert info(admin)["connections_closed_handshake_timeout"] == "1"
        assert change(admin, "idle-timeout", 1)
        while idle.recv(65536):
            pass
        assert int(info(admin)["idle_connections_ended"]) >= 1  # the channel may be idle, too


def test_the_number_of_connections(own):
    with open_channel(own.address) as channel:
        admin = admin_stub(channel)
        assert info(admin)["maxclients"] != "1"
        assert change(admin, "max-connections", 1)
        assert info(admin)["maxclients"] == "1"
        with socket.create_connection((own.host, own.port), timeout=TIMEOUT_S) as refused:
            assert refused.recv(1) == b""
        assert change(admin, "max-connections", 100)
        with open_channel(own.address) as other:
            assert not Stub(other).Get(pb.Key(key=b"k")).found
        assert info(admin)["rejected_connections"] == "1"


def test_snapshots_by_a_new_rule(own):
    with open_channel(own.address) as channel:
        admin = admin_stub(channel)
        Stub(channel).Set(pb.KeyValue(key=b"k", value=b"v"))
        assert info(admin)["rdb_last_save_time"] == "0"
        assert change(admin, "save", "1 1")
        wait_until(lambda: info(admin)["rdb_last_save_time"] != "0")


def test_the_log_level(own):
    with open_channel(own.address) as channel:
        assert change(admin_stub(channel), "log-level", "error")
        assert change(admin_stub(channel), "drain-timeout", 5)
    own.stop()
    assert "drain-timeout" not in own.stderr and "stopped" not in own.stderr


@pytest.mark.parametrize("name, value, words", [
    ("threads", "4", "it needs a restart"),
    ("listen", "127.0.0.1:0", "it needs a restart"),
    ("idle-timeout", "-1", "must be a number of seconds, 0 to 864000"),
    ("max-client-memory", "1TB", "KiB, MiB or GiB may follow"),
    ("save", "1 2 3", "pairs of seconds and changes"),
    ("log-level", "loud", "must be error, warning, info or debug"),
    ("idel-timeout", "1", "did you mean idle-timeout?"),
    ("maxmemory", "1", "Redis' maxmemory is max-memory here"),
    ("zzz", "1", "Config lists all"),
])
def test_what_is_refused(server, name, value, words):
    with open_channel(server.address) as channel:
        with pytest.raises(grpc.RpcError) as error:
            change(admin_stub(channel), name, value)
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert reason_of(error.value) == "ERROR_REASON_BAD_ARGUMENT"
        assert words in error.value.details()


def cli(server, *words, code=0):
    done = subprocess.run([CLI, "-p", str(server.port), *words], capture_output=True, text=True,
                          timeout=TIMEOUT_S, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_config_of_the_cli(own):
    lines = cli(own, "CONFIG", "GET", "*-timeout").stdout.splitlines()
    pairs = dict(zip(lines[::2], lines[1::2]))
    assert pairs["write-timeout"] == "60" and all("-timeout" in name for name in pairs)
    assert cli(own, "CONFIG", "SET", "write-timeout", "30").stdout == "OK\n"
    assert cli(own, "--no-raw", "CONFIG", "GET", "write-timeout").stdout == \
        '1) "write-timeout"\n2) "30"\n'
    assert cli(own, "CONFIG", "SET", "save", "").stdout == "OK\n"
    assert "needs a restart" in cli(own, "CONFIG", "SET", "dir", "x", code=1).stderr
    assert "is not written to a file" in cli(own, "CONFIG", "REWRITE", code=1).stderr
