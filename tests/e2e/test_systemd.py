"""The server under a service manager: what it notifies, and sockets that it is passed."""

import os
import signal
import socket
import subprocess

import pytest

import mini_redis_pb2 as pb
from certs import Certs
from clients import Stub, open_channel
from keystore_env import SERVER

TIMEOUT_S = 60


class Manager:
    """Starts a server as systemd does, and listens to it."""

    def __init__(self, folder):
        self.folder = folder
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.socket.settimeout(TIMEOUT_S)
        self.process = None

    def start(self, *arguments, sockets=(), **environment):
        """The sockets become the descriptors from 3 on. LISTEN_PID is the process that gets them, so
        a shell sets it to its own and becomes the server."""
        listed = {"LISTEN_FDS": str(len(sockets))} if sockets else {}
        command = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", str(SERVER), "--dir",
                   str(self.folder / "data"), "--threads", "2", *arguments]

        def place():
            high = [os.dup2(each.fileno(), 100 + i) for i, each in enumerate(sockets)]
            for i, descriptor in enumerate(high):
                os.dup2(descriptor, 3 + i)

        self.process = subprocess.Popen(
            command, env={**os.environ, "NOTIFY_SOCKET": str(self.folder / "notify"), **listed,
                          **environment},
            preexec_fn=place, pass_fds=range(3, 3 + len(sockets)), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)

    def wait_for(self, word):
        while True:
            notification = self.socket.recv(4096).decode().splitlines()
            if word in notification:
                return notification

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.wait_for("STOPPING=1")
        self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode


@pytest.fixture
def manager(tmp_path):
    one = Manager(tmp_path)
    yield one
    if one.process is not None and one.process.poll() is None:
        one.process.kill()
        one.process.communicate()
    one.socket.close()


def listening():
    one = socket.socket()
    one.bind(("127.0.0.1", 0))
    one.listen(10)
    return one


def is_served(address):
    with open_channel(address) as channel:
        return Stub(channel).Set(pb.KeyValue(key=b"key", value=b"v")).ok


def test_the_manager_hears_of_start_and_stop(manager):
    manager.start("--listen", "127.0.0.1:0")
    assert "STATUS=Serving" in manager.wait_for("READY=1")
    assert manager.stop() == 0


def test_the_watchdog_hears_from_the_server(manager):
    manager.start("--listen", "127.0.0.1:0", WATCHDOG_USEC="300000")
    for _ in range(3):
        manager.wait_for("WATCHDOG=1")
    assert manager.stop() == 0


def test_passed_sockets_take_the_place_of_the_default(manager, tmp_path):
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(tmp_path / "server"))
    unix.listen(10)
    with listening() as tcp, unix:
        manager.start(sockets=[tcp, unix])
        manager.wait_for("READY=1")
        assert is_served(f"127.0.0.1:{tcp.getsockname()[1]}")
        assert is_served(f"unix:{tmp_path}/server")
        assert manager.stop() == 0
        assert (tmp_path / "server").exists()  # it is the manager's


def test_passed_sockets_beside_others(manager, tmp_path):
    with listening() as tcp:
        manager.start("--listen", f"unix:{tmp_path}/server", sockets=[tcp])
        manager.wait_for("READY=1")
        assert is_served(f"127.0.0.1:{tcp.getsockname()[1]}")
        assert is_served(f"unix:{tmp_path}/server")
        assert manager.stop() == 0


def test_passed_sockets_with_tls(manager, tmp_path):
    """Their names say so; systemd learns of a reload."""
    certs = Certs(tmp_path / "certs")
    with listening() as plain, listening() as secure:
        manager.start("--tls-cert", str(certs.path("server.pem")), "--tls-key",
                      str(certs.path("server.key")), sockets=[plain, secure],
                      LISTEN_FDNAMES="keystore.socket:tls-port")
        manager.wait_for("READY=1")
        assert is_served(f"127.0.0.1:{plain.getsockname()[1]}")
        with certs.channel(f"127.0.0.1:{secure.getsockname()[1]}") as channel:
            assert Stub(channel).Set(pb.KeyValue(key=b"key", value=b"v")).ok
        manager.process.send_signal(signal.SIGHUP)
        assert any(line.startswith("MONOTONIC_USEC=") for line in manager.wait_for("RELOADING=1"))
        manager.wait_for("READY=1")
        assert manager.stop() == 0
    manager.start("--tls-listen", "127.0.0.1:0")
    _, errors = manager.process.communicate(timeout=TIMEOUT_S)
    assert manager.process.returncode == 1 and "--tls-cert and --tls-key" in errors


def test_a_reload_with_nothing_to_load(manager):
    """`systemctl reload` must not end the server, whatever its settings are."""
    manager.start("--listen", "127.0.0.1:0")
    manager.wait_for("READY=1")
    manager.process.send_signal(signal.SIGHUP)
    manager.wait_for("RELOADING=1")
    manager.wait_for("READY=1")
    assert manager.stop() == 0


def test_a_connection_that_waited_for_the_server(manager):
    """It was made before the server was started."""
    with listening() as tcp, socket.create_connection(tcp.getsockname()) as early:
        manager.start(sockets=[tcp])
        manager.wait_for("READY=1")
        early.settimeout(TIMEOUT_S)
        early.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert early.recv(100).startswith(b"HTTP/1.1 ")
        assert manager.stop() == 0


def test_clients_connect_between_two_servers(manager):
    """A server that stops leaves the passed socket as it was: its clients wait for the next one."""
    with listening() as passed:
        host, port = passed.getsockname()
        for _ in range(2):
            manager.start(sockets=[passed])
            manager.wait_for("READY=1")
            assert is_served(f"{host}:{port}")
            assert manager.stop() == 0
            with socket.create_connection((host, port), timeout=0.9):
                pass  # less than a second: no SYN is sent again


def test_a_socket_that_does_not_listen(manager):
    with socket.socket() as idle:
        manager.start(sockets=[idle])
        _, errors = manager.process.communicate(timeout=TIMEOUT_S)
    assert manager.process.returncode == 1
    assert "descriptor 3" in errors and "not a listening" in errors
