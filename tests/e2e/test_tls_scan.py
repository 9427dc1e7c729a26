"""sslscan finds nothing weak about the server, and does about one that is."""

import socket
import subprocess

import pytest

from certs import Certs
from clients import CALL_TIMEOUT_S
from times import wait_until
from tls_scan import facts, scan, weaknesses


@pytest.fixture(name="certs", scope="module")
def certs_fixture(tmp_path_factory):
    return Certs(tmp_path_factory.mktemp("scan-certs"))


def test_nothing_is_weak(certs, fresh_server, counts):
    server = fresh_server(*certs.server_options(), listen=())
    report = scan("127.0.0.1", server.port)
    assert weaknesses(report) == []
    for line in facts(report):
        counts(line)


def test_a_weak_server_is_found(certs):
    """With all that OpenSSL can be made to do."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert",
               certs.path("server.pem"), "-key", certs.path("server.key"), "-alpn", "h2", "-cipher",
               "ALL:@SECLEVEL=0", "-tls1_1", "-client_renegotiation", "-quiet"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as weak:
        def is_listening():
            assert weak.poll() is None
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(is_listening)
        found = weaknesses(scan("127.0.0.1", port))
        weak.kill()
        weak.wait(CALL_TIMEOUT_S)
    assert "the protocol 1.1 is enabled" in found and "TLS 1.3 is not enabled" in found
    assert any("TLSv1.1 has the cipher" in each for each in found)
