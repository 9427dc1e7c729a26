"""A server that others could reach without TLS or without users does not start, unless it is told to."""

import os
import shutil
import socket
import subprocess

import grpc
import pytest

import mini_redis_pb2 as pb
from certs import Certs
from clients import admin_stub, open_channel
from keystore_env import SERVER
from server_process import STOP_TIMEOUT_S, run_server
from users import UsersFile


def _own_network():
    """A network of its own for the server, if the system allows it: there nobody can reach what it
    listens on."""
    wrapper = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") is None:
        return ()
    tried = subprocess.run([*wrapper, "true"], capture_output=True, check=False)
    return wrapper if tried.returncode == 0 else ()


OWN_NETWORK = _own_network()
BOTH = "neither TLS (--tls-listen) nor users (--users-file)"


def refusal(*arguments, tmp_path):
    """What a server says that does not start; it has left nothing behind."""
    ran = run_server("--dir", tmp_path / "data", *arguments, wrapper=OWN_NETWORK)
    assert ran.returncode == 1 and ran.stdout == "", (ran.returncode, ran.stdout, ran.stderr)
    assert len(ran.stderr.splitlines()) == 1, ran.stderr
    assert not (tmp_path / "data").exists()
    return ran.stderr


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0"])
def test_open_addresses_are_refused(tmp_path, address):
    line = refusal("--listen", address, tmp_path=tmp_path)
    host = address.rpartition(":")[0]
    assert f"refuses to listen on {host}:" in line and BOTH in line and "--insecure" in line
    assert "use --tls-listen instead of --listen and set --users-file" in line


def test_one_open_address_among_others(tmp_path):
    line = refusal("--listen", "127.0.0.1:0", "--listen", f"unix:{tmp_path}/socket",
                   "--listen", "0.0.0.0:0", tmp_path=tmp_path)
    assert "refuses to listen on 0.0.0.0:" in line
    assert not (tmp_path / "socket").exists()


def test_users_are_not_enough(tmp_path):
    users = UsersFile(tmp_path, {"app": ["all"]})
    line = refusal("--listen", "0.0.0.0:0", "--users-file", users.path, tmp_path=tmp_path)
    assert "no TLS (--tls-listen)" in line and "use --tls-listen" in line
    assert "set --users-file" not in line


@pytest.fixture(name="certs")
def _certs(tmp_path):
    return Certs(tmp_path / "certs")


def test_tls_is_not_enough(tmp_path, certs):
    options = ["--tls-listen", "0.0.0.0:0", *certs.server_options()[2:]]
    line = refusal(*options, tmp_path=tmp_path)
    assert "no users (--users-file)" in line and "set --users-file" in line
    line = refusal(*options, "--tls-client-ca", certs.path("ca.pem"), "--tls-client-certs",
                   "optional", tmp_path=tmp_path)
    assert "set --users-file" in line


def start(*arguments, folder):
    """Starts a server in a network of its own, stops it, and returns what it has logged."""
    command = [*OWN_NETWORK, SERVER, "--dir", folder / "data", "--threads", 1, *arguments]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    process.terminate()
    _, log = process.communicate(timeout=STOP_TIMEOUT_S)
    assert process.returncode == 0 and line.startswith("Server started"), (line, log)
    return log


def test_tls_with_users_or_certificates_of_clients(tmp_path, certs):
    options = ["--tls-listen", "0.0.0.0:0", *certs.server_options()[2:]]
    users = UsersFile(tmp_path, {"app": ["all"]})
    assert "insecure" not in start(*options, "--users-file", users.path, folder=tmp_path)
    assert "insecure" not in start(*options, "--tls-client-ca", certs.path("ca.pem"),
                                   folder=tmp_path)


def test_insecure_says_so_at_every_start(tmp_path):
    settings = tmp_path / "settings"
    settings.write_text("insecure = yes\nlisten = 0.0.0.0:0\nlisten = 127.0.0.1:0\n")
    for arguments in [("--insecure", "--listen", "0.0.0.0:0")] * 2 + [("--config", settings)]:
        log = start(*arguments, folder=tmp_path)
        [line] = [line for line in log.splitlines() if "--insecure" in line]
        assert "0.0.0.0:" in line and BOTH in line and "127.0.0.1" not in line


def test_health_checks_and_metrics_are_open_by_design(tmp_path):
    log = start("--listen", "127.0.0.1:0", "--health-listen", "0.0.0.0:0", "--metrics-listen",
                "0.0.0.0:0", folder=tmp_path)
    assert "listening on 0.0.0.0:" in log and "insecure" not in log


def test_a_passed_socket_is_judged_by_where_it_is_bound(tmp_path):
    """Nothing is accepted from it: the server ends."""
    with socket.socket() as passed:
        passed.bind(("0.0.0.0", 0))
        passed.listen(1)
        ran = subprocess.run(
            ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", str(SERVER), "--dir", tmp_path / "data"],
            env={**os.environ, "LISTEN_FDS": "1"}, pass_fds=[3], capture_output=True, text=True,
            preexec_fn=lambda: os.dup2(passed.fileno(), 3), timeout=STOP_TIMEOUT_S, check=False)
    assert ran.returncode == 1, ran.stderr
    assert "refuses to listen on 0.0.0.0:" in ran.stderr and "FileDescriptorName" in ran.stderr


def test_it_cannot_be_changed_while_the_server_runs(fresh_server):
    server = fresh_server()
    with open_channel(server.address) as channel, pytest.raises(grpc.RpcError) as error:
        admin_stub(channel).SetConfig(pb.SetConfigRequest(name="insecure", value="yes"))
    assert "needs a restart" in error.value.details()
