"""Connections that the server ends early: the client, the log and Info all hear why."""

import http.client
import socket
import ssl
import struct

import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from h2conn import PREFACE
from rawframes import (ENHANCE_YOUR_CALM, INITIAL_WINDOW_SIZE, KEY, PROTOCOL_ERROR,
                       SETTINGS_TIMEOUT, Peer, headers, ping, request, rst_stream, settings,
                       window_update)
from times import wait_until

PROXY_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12)


@pytest.fixture(name="own")
def own_fixture(fresh_server):
    return fresh_server("--greeting-timeout", 1, "--header-timeout", 1)


def closed(server):
    """The counters that are not zero."""
    with open_channel(server.address) as channel:
        fields = admin_stub(channel).Info(pb.InfoRequest(sections=["stats"])).fields
    prefix = "connections_closed_"
    return {name.removeprefix(prefix): int(value) for name, value in fields.items()
            if name.startswith(prefix) and value != "0"}


def check_told(server, kind, words, count=1):
    wait_until(lambda: closed(server).get(kind) == count)
    assert set(closed(server)) == {kind}
    assert f" was closed: {words}" in server.stderr, server.stderr
    assert "127.0.0.1:" in server.stderr


def check_goaway(peer, code, words):
    peer.expect_goaway(code)
    assert words in peer.goaways[-1].additional_data.decode()


def talk(server, data):
    """All that the server answers to the bytes."""
    host, port = server.address.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(data)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    return answer


@pytest.mark.parametrize("method, path", [("GET", "/"), ("POST", "/keystore.v1.KeyStore/Get"),
                                          ("OPTIONS", "*"), ("PUT", "/k"), ("DELETE", "/k")])
def test_http1(own, method, path):
    host, port = own.address.split(":")
    client = http.client.HTTPConnection(host, int(port), timeout=60)
    client.request(method, path, headers={"upgrade": "h2c", "connection": "upgrade"})
    answer = client.getresponse()
    assert answer.status == 505
    assert answer.getheader("connection") == "close"
    text = answer.read().decode()
    assert "HTTP/2" in text and "keystore-cli" in text
    client.close()
    check_told(own, "http1", "this is an HTTP/1 request")


def test_http1_byte_by_byte(own):
    host, port = own.address.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"POST /":
            connection.sendall(bytes([byte]))
        assert connection.recv(4096).startswith(b"HTTP/1.1 505 ")


def test_tls(own):
    host, port = own.address.split(":")
    context = ssl.create_default_context()
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        with pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(connection, server_hostname="localhost")
    check_told(own, "tls", "this is a TLS handshake; this listener speaks plain HTTP/2")


@pytest.mark.parametrize("header", [b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", PROXY_2],
                         ids=["version 1", "version 2"])
def test_proxy(own, header):
    answer = talk(own, header + PREFACE)
    assert b"PROXY protocol" in answer
    check_told(own, "proxy", "this is a header of the PROXY protocol")


@pytest.mark.parametrize("sent", [b"SSH-2.0-OpenSSH_9.2\r\n", b"*1\r\n$4\r\nPING\r\n", bytes(30)],
                         ids=["SSH", "Redis", "zeros"])
def test_anything_else(own, sent):
    with Peer(own.address, handshake=False) as peer:
        peer.send(sent)
        check_goaway(peer, PROTOCOL_ERROR, "this is not HTTP/2")
    check_told(own, "not_http2", "this is not HTTP/2")


def test_an_error_of_the_protocol(own):
    with Peer(own.address) as peer:
        peer.send(rst_stream(1))
        check_goaway(peer, PROTOCOL_ERROR, "RST_STREAM was sent for a stream")
    check_told(own, "protocol_error", "RST_STREAM was sent for a stream")


def test_a_flood(own):
    with Peer(own.address) as peer:
        peer.send(settings() * 1100)
        check_goaway(peer, ENHANCE_YOUR_CALM, "--max-idle-frames")
    check_told(own, "flood", "too many frames made no progress with any request")


@pytest.mark.parametrize("sent", [b"", b"GET", PREFACE], ids=["nothing", "a word", "half"])
def test_no_handshake(own, sent):
    answer = talk(own, sent)
    assert struct.pack(">I", SETTINGS_TIMEOUT) + b"the client did not complete" in answer
    check_told(own, "handshake_timeout", "the client did not complete the HTTP/2 handshake in time")


def test_half_a_header_block(own):
    with Peer(own.address) as peer:
        peer.send(headers(1, b"", end_headers=False))
        check_goaway(peer, ENHANCE_YOUR_CALM, "--header-timeout")
    check_told(own, "header_timeout", "the client did not complete a header block in time")


def info(server):
    with open_channel(server.address) as channel:
        return admin_stub(channel).Info(pb.InfoRequest(sections=["stats"])).fields


def test_answers_that_are_not_taken(fresh_server):
    server = fresh_server("--write-timeout", 1)
    with open_channel(server.address) as channel:
        assert Stub(channel).Set(pb.KeyValue(key=KEY, value=bytes(50_000_000))).ok
    with Peer(server.address) as peer:
        peer.apply((INITIAL_WINDOW_SIZE, 2**31 - 1))
        peer.send(window_update(0, 2**30), peer.call_frames())
        check_told(server, "write_timeout", "the client ")
    assert "its answers in time (--write-timeout" in server.stderr


def test_clients_that_hold_too_much(fresh_server):
    server = fresh_server("--max-client-memory", "1MiB")
    with open_channel(server.address) as channel:
        assert Stub(channel).Set(pb.KeyValue(key=KEY, value=bytes(15_000))).ok
    with Peer(server.address) as peer, Peer(server.address) as other:
        for each in (peer, other):
            each.apply((INITIAL_WINDOW_SIZE, 0))
            each.send(*[each.call_frames() for _ in range(60)])
        wait_until(lambda: closed(server).get("client_memory", 0) >= 1)
    assert " was closed: the client did not read its answers" in server.stderr


def test_a_client_that_does_not_end(fresh_server):
    server = fresh_server("--drain-timeout", 1)
    with Peer(server.address) as peer:
        peer.open()
        peer.expect_pong()
        server.send_signal()
        peer.receive_until(lambda: len(peer.goaways) >= 2, "both GOAWAYs of a shutdown")
        assert any(b"shutting down" in each.additional_data for each in peer.goaways)
        peer.expect_end()
    server.wait()
    assert " was closed: the server is shutting down, and the client did not close" in server.stderr


def test_every_end_has_a_test(own):
    """A new kind needs one, too: here, in test_lifecycle.py, with a limit of memory
    (test_no_memory.py), for those that administrators end (test_clients.py), or with TLS
    (test_tls.py)."""
    names = {name.removeprefix("connections_closed_") for name in info(own)
             if name.startswith("connections_closed_")}
    assert names == {"http1", "tls", "proxy", "not_http2", "protocol_error", "flood",
                     "handshake_timeout", "header_timeout", "write_timeout", "client_memory",
                     "server_memory", "shutdown", "too_many_pings", "keepalive_timeout", "max_idle",
                     "max_age", "killed", "tls_failed"}


# Calls that are refused below gRPC.

def test_more_streams_than_there_may_be(fresh_server):
    server = fresh_server("--max-streams", 3)
    with Peer(server.address) as peer:
        streams = [peer.open() for _ in range(5)]
        peer.expect_pong()
        assert all(peer.expect_end_of(each).reset for each in streams[3:])
        assert info(server)["refused_streams"] == "2"
    server.stop()
    assert "2 calls were refused unseen (REFUSED_STREAM)" in server.stderr


def test_requests_that_break_a_rule(own):
    with Peer(own.address) as peer:
        stream = peer.open()
        peer.send(headers(stream + 2, peer.block(request(without=(":path",)))))
        assert peer.expect_end_of(stream + 2).reset == PROTOCOL_ERROR
        fields = info(own)
        assert (fields["malformed_requests"], fields["refused_streams"]) == ("1", "0")


def test_requests_that_are_not_grpc(own):
    with Peer(own.address) as peer:
        for fields, status in ((request(method="GET"), 405),
                               (request(**{"content-type": "text/html"}), 415)):
            stream = peer.new_stream()
            peer.send(headers(stream, peer.block(fields), end_stream=True))
            assert peer.expect_end_of(stream).http_status == status
        assert info(own)["requests_not_grpc"] == "2"


def test_clients_turned_away_are_named(fresh_server):
    server = fresh_server("--max-connections", 1)
    host, port = server.address.split(":")
    with Peer(server.address) as peer:
        peer.expect_pong()
        with socket.create_connection((host, int(port)), timeout=60) as turned_away:
            name = "127.0.0.1:%d" % turned_away.getsockname()[1]
            assert turned_away.recv(1) == b""
        wait_until(lambda: f"1 connections were refused, the last one from {name}: "
                   in server.stderr)


def test_lines_are_limited(own):
    """Each is counted, few are logged."""
    for _ in range(50):
        talk(own, b"GET / HTTP/1.1\r\n\r\n")
    wait_until(lambda: closed(own) == {"http1": 50})
    assert own.stderr.count("this is an HTTP/1 request") < 50


def test_an_orderly_client_is_not_counted(own):
    with Peer(own.address) as peer:
        peer.expect_pong()
        peer.send(headers(1, peer.block([(":method", "GET"), (":scheme", "http"), (":path", "/")]),
                          end_stream=True))
        assert peer.expect_end_of(1).http_status == 405
    with Peer(own.address) as peer:  # cut off
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert closed(own) == {}


def test_the_last_stream_never_increases(own):
    """A GOAWAY has said which streams are not worked on; an error later does not say otherwise."""
    with Peer(own.address) as peer:
        peer.send(headers(1, peer.block([(":method", "POST"), (":scheme", "http"),
                                         (":path", "/keystore.v1.KeyStore/Get"),
                                         ("content-type", "application/grpc")])))
        peer.expect_pong()
        own.send_signal()
        peer.receive_until(lambda: len(peer.goaways) == 2, "both GOAWAYs of a shutdown")
        peer.send(headers(3, peer.block([(":method", "POST"), (":scheme", "http"),
                                         (":path", "/")])))
        assert peer.expect_end_of(3).reset
        peer.send(ping(b"short"))
        peer.expect_end()
        assert [each.last_stream_id for each in peer.goaways[1:]] == [1, 1]
        assert b"shutting down" in peer.goaways[1].additional_data
    own.wait()
