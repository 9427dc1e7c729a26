"""The wire: HTTP/2 frames and gRPC framing that no client library would send."""

import gzip
import socket
import time

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import PACKAGE_PATH, Stub, open_channel
from errors import BAD_ARGUMENT, BAD_MESSAGE, DEADLINE, NOT_SERVED, TOO_LARGE
from h2conn import DEFAULT_FRAME_SIZE, LARGEST_WINDOW, PREFACE, Closed, H2Conn, frames, prefixed
from rpc_status import check_error

SET, GET = PACKAGE_PATH + "Set", PACKAGE_PATH + "Get"
MIB = 1 << 20
PROTOCOL_ERROR = 1


def set_request(key, value=b"v"):
    return pb.KeyValue(key=key, value=value).SerializeToString()


def get_request(key):
    return pb.Key(key=key).SerializeToString()


def value_of(connection, key):
    """The value by an ordinary call on the connection; None if there is none."""
    answer = pb.Value.FromString(connection.call(GET, get_request(key)).message())
    return answer.value if answer.found else None


def check(answer, expected):
    code, reason = expected
    check_error(code.value[0], reason, got_code=answer.grpc_status, sentence=answer.sentence,
                trailers=answer.plain_trailers)


@pytest.fixture
def connection(server):
    """A connection that must still serve after whatever the test did."""
    with H2Conn(server.address) as opened:
        yield opened
        assert value_of(opened, b"http2: no such key") is None
        assert not opened.goaways


# The header block.

@pytest.mark.parametrize("content_type", [
    "application/json", "text/plain", "application/grp", "application/grpcx",
    "application/grpc+json", "application/x-protobuf", "", None])
def test_wrong_content_type(connection, key, content_type):
    stream_id = connection.start(SET, set_request(key), content_type=content_type)
    assert connection.wait(stream_id).http_status == 415
    assert value_of(connection, key) is None


@pytest.mark.parametrize("content_type", [
    "application/grpc", "application/grpc+proto", "Application/gRPC", "application/GRPC+Proto",
    "application/grpc ;charset=utf-8", "application/grpc; charset=utf-8", " application/grpc\t"])
def test_right_content_type(connection, key, content_type):
    answer = connection.call(SET, set_request(key), content_type=content_type)
    assert pb.Status.FromString(answer.message()).ok
    assert answer.headers["content-type"].startswith("application/grpc")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "BREW"])
def test_wrong_http_method(connection, method):
    bodiless = connection.open(GET, method=method, end=True)
    refused = connection.wait(bodiless)
    assert refused.http_status == 405
    assert refused.headers["allow"] == "POST"
    assert connection.call(GET, get_request(b"k"), method=method).http_status == 405


def test_a_refused_request_may_still_send_its_body(connection, key):
    """The answer comes before the body, which then arrives all the same."""
    stream_id = connection.open(SET, content_type="text/plain")
    assert connection.wait(stream_id).http_status == 415
    for _ in range(10):
        connection.send_data_frame(stream_id, b"x" * 1000)
    connection.ping()


def test_a_body_that_waits_for_permission(connection, key):
    for _ in range(3):  # a header block that repeats is recognised
        stream_id = connection.open(SET, headers=[("expect", "100-continue")])
        answer = connection.answers[stream_id]
        connection.receive_until(lambda answer=answer: answer.blocks)
        assert answer.headers == {":status": "100"} and not answer.ended
        connection.send(stream_id, prefixed(set_request(key)), end=True)
        connection.wait(stream_id)
        assert answer.blocks[1][":status"] == "200" and answer.grpc_status == 0
    refused = connection.open(SET, method="GET", headers=[("expect", "100-continue")])
    assert connection.wait(refused).http_status == 405  # at once


@pytest.mark.parametrize("authority", [
    "/run/keystore.sock", "%2Frun%2Fkeystore.sock", "run/a directory/keystore.sock", "", None,
    "user@host:1"])
def test_any_authority(connection, key, authority):
    """Clients of gRPC over a unix socket send its path, or nothing."""
    fields = [] if authority is None else [(":authority", authority)]
    stream_id = connection.open(SET, without=[":authority", "content-type", "te"],
                                content_type=None, headers=[
                                    *fields, ("content-type", "application/grpc"),
                                    ("te", "trailers")])
    connection.send(stream_id, prefixed(set_request(key)), end=True)
    assert pb.Status.FromString(connection.wait(stream_id).message()).ok


@pytest.mark.parametrize("value", [" v", "v ", "\tv\t", "  ", "a b"], ids=repr)
def test_blanks_at_the_ends_of_metadata(connection, key, value):
    """They are no part of the value."""
    stream_id = connection.open(SET, headers=[("x-blank", value), ("grpc-timeout", " 1H ")])
    connection.send(stream_id, prefixed(set_request(key)), end=True)
    assert pb.Status.FromString(connection.wait(stream_id).message()).ok


def test_headers_in_continuation_frames(connection, key):
    many = [(f"x-custom-{number}", "some-text " * 5 + ".") for number in range(40)]
    stream_id = connection.open(SET, headers=many, pieces=5)
    connection.send(stream_id, prefixed(set_request(key)), end=True)
    connection.wait(stream_id).message()
    assert value_of(connection, key) == b"v"


@pytest.mark.parametrize("headers,without", [
    ([("Upper-Case", "x")], ()), ([("connection", "close")], ()), ([("te", "gzip")], ["te"]),
    ([(":status", "200")], ()), ([], [":path"]), ([], [":method"]), ([], [":scheme"]),
    ([("x-control", "a\nb")], ()), ([(":path", "/again")], ())], ids=str)
def test_malformed_headers(connection, key, headers, without):
    """RFC 9113, 8.1.1: an error of the stream, whose DATA then is ignored."""
    stream_id = connection.open(SET, headers=headers, without=without)
    connection.send_data_frame(stream_id, prefixed(set_request(key)), end=True)
    answer = connection.wait(stream_id)
    assert answer.reset == PROTOCOL_ERROR or answer.http_status == 400
    assert value_of(connection, key) is None


def test_too_many_headers(connection, key):
    """More than fit is refused, and the compression state of the connection stays whole."""
    for _ in range(3):
        stream_id = connection.open(SET, headers=[(f"x-{n}", "y" * 200) for n in range(100)],
                                    pieces=2)
        connection.send_data_frame(stream_id, prefixed(set_request(key)), end=True)
        check(connection.wait(stream_id), TOO_LARGE)
    assert value_of(connection, key) is None


# Exactly one whole message.

def raw_call(connection, body, **options):
    """The answer to a Set whose body is these bytes."""
    stream_id = connection.open(SET, **options)
    connection.send(stream_id, body, end=True)
    return connection.wait(stream_id)


def test_no_message(connection):
    check(connection.wait(connection.open(SET, end=True)), NOT_SERVED)
    check(raw_call(connection, b""), NOT_SERVED)


@pytest.mark.parametrize("messages", [2, 3, 50])
@pytest.mark.parametrize("frame_size", [7, DEFAULT_FRAME_SIZE])
def test_more_than_one_message(connection, key, messages, frame_size):
    stream_id = connection.open(SET)
    connection.send(stream_id, prefixed(set_request(key)) * messages, end=True,
                    piece_size=frame_size)
    check(connection.wait(stream_id), NOT_SERVED)
    assert value_of(connection, key) is None


@pytest.mark.parametrize("kept", [1, 4, 5, 6, -1])
def test_truncated_message(connection, key, kept):
    check(raw_call(connection, prefixed(set_request(key))[:kept]), BAD_MESSAGE)
    assert value_of(connection, key) is None


def test_second_message_truncated(connection, key):
    body = prefixed(set_request(key))
    answer = raw_call(connection, body + body[:3])
    assert answer.grpc_status in (BAD_MESSAGE[0].value[0], NOT_SERVED[0].value[0])
    assert value_of(connection, key) is None


def test_prefix_that_lies(connection, key):
    message = set_request(key)
    check(raw_call(connection, prefixed(message, length=len(message) + 1)), BAD_MESSAGE)
    answer = raw_call(connection, prefixed(message, length=len(message) - 1))
    assert answer.grpc_status != 0
    check(raw_call(connection, prefixed(message, compressed=7)), BAD_MESSAGE)
    assert value_of(connection, key) is None


def test_compressed_message(connection, key):
    body = prefixed(gzip.compress(set_request(key)), compressed=1)
    for encoding in ("deflate", "snappy", "GZIP", "gzip, gzip"):
        answer = raw_call(connection, body, headers=[("grpc-encoding", encoding)])
        check(answer, NOT_SERVED)
        assert answer.headers["grpc-accept-encoding"] == "identity,gzip"
        assert "identity and gzip" in answer.sentence
    assert value_of(connection, key) is None
    answer = raw_call(connection, body, headers=[("grpc-encoding", "gzip")])
    assert answer.grpc_status == 0
    assert value_of(connection, key) is not None


def test_compressed_flag_without_encoding(connection, key):
    """gRPC: a set flag with no grpc-encoding is an INTERNAL error."""
    check(raw_call(connection, prefixed(set_request(key), compressed=1)), BAD_MESSAGE)


def test_identity_encoding(connection, key):
    headers = [("grpc-encoding", "identity"), ("grpc-accept-encoding", "gzip, deflate, identity")]
    answer = connection.call(SET, set_request(key), headers=headers)
    assert pb.Status.FromString(answer.message()).ok


# Deadlines.

@pytest.mark.parametrize("timeout", ["0n", "0u", "0m", "0S", "0M", "0H", "00000000m"])
def test_expired_deadline(connection, key, timeout):
    stream_id = connection.start(SET, set_request(key), headers=[("grpc-timeout", timeout)])
    check(connection.wait(stream_id), DEADLINE)
    assert value_of(connection, key) is None


def test_deadline_that_passes_before_the_request_is_whole(connection, key):
    body = prefixed(set_request(key))
    stream_id = connection.open(SET, headers=[("grpc-timeout", "5m")])
    connection.send(stream_id, body[:8])
    sent = time.monotonic()
    while time.monotonic() < sent + 0.02:
        connection.ping()
    connection.send(stream_id, body[8:], end=True)
    check(connection.wait(stream_id), DEADLINE)
    assert value_of(connection, key) is None


@pytest.mark.parametrize("timeout", ["", "5", "m", "5x", "-1S", "+1S", "1.5S", "123456789S", "5mm",
                                     "S5", "0x5S", "5s", "99999999999999999999n"])
def test_malformed_timeout(connection, key, timeout):
    stream_id = connection.start(SET, set_request(key), headers=[("grpc-timeout", timeout)])
    check(connection.wait(stream_id), BAD_ARGUMENT)
    assert value_of(connection, key) is None


@pytest.mark.parametrize("timeout", ["60S", "99999999H", "99999999S", "99999999u", "60000m", "1M"])
def test_future_deadline(connection, key, timeout):
    answer = connection.call(SET, set_request(key), headers=[("grpc-timeout", timeout)])
    assert pb.Status.FromString(answer.message()).ok


# How the bytes are cut.

@pytest.mark.parametrize("piece_size", [1, 2, 3, 10, 100])
def test_bytes_in_pieces(server, key, piece_size):
    """From the preface to the last byte, each piece a packet of its own."""
    connection = H2Conn(server.address, begin=False)
    with connection.held(piece_size):
        connection.begin()
        stream_ids = [connection.start(SET, set_request(key + b"%d" % n)) for n in range(3)]
    for n, stream_id in enumerate(stream_ids):
        assert pb.Status.FromString(connection.wait(stream_id).message()).ok
        assert value_of(connection, key + b"%d" % n) == b"v"
    connection.close()


@pytest.mark.parametrize("frame_size", [1, 5, 6, 1000])
def test_a_message_in_many_data_frames(connection, key, frame_size):
    value = key * 20
    stream_id = connection.open(SET)
    connection.send(stream_id, prefixed(set_request(key, value)), end=True, piece_size=frame_size)
    connection.wait(stream_id).message()
    assert value_of(connection, key) == value


def test_empty_data_ends_the_stream(connection, key):
    stream_id = connection.open(SET)
    connection.send_data_frame(stream_id, b"")
    connection.send(stream_id, prefixed(set_request(key)))
    connection.ping()
    assert not connection.answers[stream_id].blocks, "answered before the request was complete"
    connection.send_data_frame(stream_id, b"", end=True)
    connection.wait(stream_id).message()
    assert value_of(connection, key) == b"v"


def test_trailers_of_a_request_end_it(connection, key):
    stream_id = connection.open(SET)
    connection.send(stream_id, prefixed(set_request(key)))
    connection.send_trailers(stream_id, [("x-checksum", "1")])
    connection.wait(stream_id).message()
    assert value_of(connection, key) == b"v"


@pytest.mark.parametrize("pad", [0, 1, 255])
def test_padded_data(connection, key, pad):
    value = key * 200
    stream_id = connection.open(SET)
    connection.send(stream_id, prefixed(set_request(key, value)), end=True, piece_size=300, pad=pad)
    connection.wait(stream_id).message()
    assert value_of(connection, key) == value


def test_padding_gives_its_window_back(connection, key):
    """More padding than fits into the window: what is no data must be credited, too."""
    connection.ping()
    stream_id = connection.open(SET)
    window = min(connection.send_window, connection.stream_windows[stream_id])
    value = b"v" * (2 * window // 256)
    connection.send(stream_id, prefixed(set_request(key, value)), end=True, piece_size=257, pad=255)
    connection.wait(stream_id).message()
    assert value_of(connection, key) == value


def test_many_requests_in_one_write(connection, key):
    connection.ping()
    with connection.held():
        sets = [connection.start(SET, set_request(key, b"%d" % n)) for n in range(300)]
        gets = [connection.start(GET, get_request(key)) for _ in range(300)]
    for stream_id in sets:
        assert pb.Status.FromString(connection.wait(stream_id).message()).ok
    values = {pb.Value.FromString(connection.wait(each).message()).value for each in gets}
    assert values <= {b""} | {b"%d" % n for n in range(300)}


def test_requests_interleaved_frame_by_frame(connection, key):
    count = 50
    bodies = [prefixed(set_request(key + b"%d" % n, b"%d" % n * 50)) for n in range(count)]
    stream_ids = [connection.open(SET) for _ in range(count)]
    for start in range(0, max(map(len, bodies)), 9):
        for stream_id, body in zip(stream_ids, bodies):
            piece = body[start:start + 9]
            if piece:
                connection.send_data_frame(stream_id, piece, end=start + 9 >= len(body))
    for n, stream_id in enumerate(stream_ids):
        connection.wait(stream_id).message()
        assert value_of(connection, key + b"%d" % n) == b"%d" % n * 50


def test_a_thousand_streams_at_once(connection, key, counts):
    """All are open, each with half a request, before any is finished."""
    connection.ping()
    allowed = connection.server_settings.get(frames.SettingsFrame.MAX_CONCURRENT_STREAMS, 2**31)
    assert allowed >= 1000
    bodies = {connection.open(SET): prefixed(set_request(key + b"%d" % n, b"%d" % n))
              for n in range(1000)}
    for stream_id, body in bodies.items():
        connection.send_data_frame(stream_id, body[:9])
    connection.ping()
    assert not any(connection.answers[stream_id].blocks for stream_id in bodies)
    for stream_id, body in bodies.items():
        connection.send_data_frame(stream_id, body[9:], end=True)
    for stream_id in bodies:
        assert pb.Status.FromString(connection.wait(stream_id).message()).ok
    for n in range(1000):
        assert value_of(connection, key + b"%d" % n) == b"%d" % n
    counts(f"{len(bodies)} streams open at once on one connection")


# Resets, pings, garbage.

def test_reset_before_the_request_is_whole(connection, key):
    body = prefixed(set_request(key))
    beside = connection.open(SET)
    for _ in range(20):
        stream_id = connection.open(SET)
        connection.send(stream_id, body[:10])
        connection.reset(stream_id)
    connection.ping()
    assert value_of(connection, key) is None
    connection.send(beside, body, end=True)
    connection.wait(beside).message()
    assert value_of(connection, key) == b"v"


def test_reset_of_a_large_answer(connection, stub, key):
    """Reset as soon as it begins: the rest of 1 MiB must not follow."""
    stub.Set(pb.KeyValue(key=key, value=b"v" * MIB))
    connection.credit = False
    stream_id = connection.start(GET, get_request(key))
    connection.receive_until(lambda: connection.answers[stream_id].body)
    connection.reset(stream_id)
    connection.ping()
    received = len(connection.answers[stream_id].body)
    assert received <= 65535
    connection.credit = True
    connection.grant(0, received)
    assert len(value_of(connection, key)) == MIB


def test_reset_of_a_finished_stream(connection, key):
    stream_id = connection.start(SET, set_request(key))
    connection.wait(stream_id).message()
    connection.reset(stream_id)
    connection.ping()


def test_ping_is_answered(connection):
    for number in range(20):
        data = b"%08d" % number
        assert connection.ping(data) == data


@pytest.mark.parametrize("data", [b"unasked!", b"draining"])
def test_an_unasked_ping_answer_is_ignored(connection, data):
    for _ in range(10):
        connection.send_frame(frames.PingFrame(0, data, flags=["ACK"]))
    connection.ping()
    assert not connection.goaways


GARBAGE = {
    "http1": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "almost-the-preface": PREFACE[:-1] + b"X",
    "zeros": bytes(100),
    "no-settings": PREFACE + b"\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    "huge-frame": PREFACE + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\xff" * 40,
    "data-on-stream-0": PREFACE + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
                        + b"\x00\x00\x01\x00\x00\x00\x00\x00\x00x",
    "bad-hpack": PREFACE + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
                 + b"\x00\x00\x04\x01\x05\x00\x00\x00\x01\xff\xff\xff\xff",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_ends_its_connection_only(server, connection, key, name):
    stream_id = connection.open(SET)
    host, port = server.address.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as other:
        other.sendall(GARBAGE[name])
        read_to_the_end(other)
    connection.send(stream_id, prefixed(set_request(key)), end=True)
    connection.wait(stream_id).message()


def read_to_the_end(connected):
    try:
        while connected.recv(65536):
            pass
    except ConnectionResetError:
        pass


def test_random_bytes_after_the_settings(server, connection, random_of_test):
    """Whatever they do to their own connections, the server and the others live."""
    for _ in range(60):
        victim = H2Conn(server.address)
        victim.ping()
        stream_id = victim.start(GET, get_request(b"k"))
        mutated = bytearray(frames.DataFrame(stream_id, random_of_test.randbytes(30)).serialize())
        for _ in range(random_of_test.randint(1, 8)):
            mutated[random_of_test.randrange(9)] = random_of_test.randrange(256)
        try:
            victim.socket.sendall(mutated + random_of_test.randbytes(random_of_test.randrange(500)))
            victim.socket.shutdown(socket.SHUT_WR)
            read_to_the_end(victim.socket)
        except (ConnectionResetError, BrokenPipeError):
            pass
        victim.close()
        connection.ping()


def test_connections_cut_in_the_middle(server, connection, key):
    for cut in range(0, 200, 7):
        with H2Conn(server.address) as victim:
            if cut % 2:
                victim.ping()
            stream_id = victim.open(SET)
            victim.send(stream_id, prefixed(set_request(key, b"v" * 200))[:cut])
    connection.ping()
    assert value_of(connection, key) is None


# Slow readers.

def test_a_reader_with_tiny_windows(server, stub, key, random_of_test):
    """4 MiB for a client that grants 16 bytes at first: others are served, it gets everything."""
    value = random_of_test.randbytes(4 * MIB)
    stub.Set(pb.KeyValue(key=key, value=value))
    with H2Conn(server.address, credit=False, initial_window=16) as connection:
        stream_id = connection.start(GET, get_request(key))
        answer = connection.answers[stream_id]
        connection.receive_until(lambda: len(answer.body) == 16)
        connection.ping()
        assert len(answer.body) == 16
        check_others_are_served(server, key)
        granted = 16
        total = len(prefixed(pb.Value.FromString(get_reply(stub, key)).SerializeToString()))
        while not answer.ended:
            step = random_of_test.choice([1, 100, 10000, 300000])
            connection.grant(stream_id, step)
            connection.grant(0, step)
            granted = min(granted + step, total)
            connection.receive_until(lambda: answer.ended or len(answer.body) >= granted)
            assert len(answer.body) <= granted
        assert pb.Value.FromString(answer.message()).value == value


def get_reply(stub, key):
    return stub.Get(pb.Key(key=key)).SerializeToString()


def check_others_are_served(server, key):
    """By enough connections that every worker has some of them."""
    for number in range(8):
        with H2Conn(server.address) as other:
            name = key + b":other%d" % number
            other.call(SET, set_request(name)).message()
            assert value_of(other, name) == b"v"


def test_a_reader_that_stops_reading(server, stub, key, random_of_test):
    """Windows without limit, but nothing is read: the kernel's buffers fill up."""
    value = random_of_test.randbytes(4 * MIB)
    stub.Set(pb.KeyValue(key=key, value=value))
    with H2Conn(server.address, credit=False, initial_window=LARGEST_WINDOW) as connection:
        connection.grant(0, LARGEST_WINDOW - 65535)
        stream_ids = [connection.start(GET, get_request(key)) for _ in range(12)]
        check_others_are_served(server, key)
        for stream_id in stream_ids:
            answer = connection.wait(stream_id)
            assert pb.Value.FromString(answer.message()).value == value
            answer.body.clear()


# Shutdown.

def test_sigterm_lets_calls_finish(fresh_server, key):
    """Two-step GOAWAY: the call in flight and one that was on its way are answered, then exit 0."""
    server = fresh_server()
    body = prefixed(set_request(key))
    connection = H2Conn(server.address)
    idle = H2Conn(server.address)
    idle.ping()
    under_way = connection.open(SET)
    connection.send(under_way, body[:10])
    connection.ping()
    connection.answer_pings = False
    server.send_signal()
    connection.receive_until(lambda: connection.goaways)
    assert connection.goaways[0].error_code == 0
    assert connection.goaways[0].last_stream_id >= under_way
    # The client has not seen the GOAWAY yet, as far as the server knows.
    crossing = connection.start(SET, set_request(key + b":crossing"))
    connection.ping()
    assert server.running
    connection.answer_late_pings()
    connection.send(under_way, body[10:], end=True)
    assert pb.Status.FromString(connection.wait(under_way).message()).ok
    assert pb.Status.FromString(connection.wait(crossing).message()).ok
    for each in (connection, idle):
        with pytest.raises(Closed):
            each.receive_until(lambda: False)
    server.wait()


@pytest.mark.parametrize("half_a_request", [False, True])
def test_sigterm_does_not_wait_for_the_dead(fresh_server, half_a_request):
    """A client that went silent, in the middle of a request or not, cannot hold up the exit."""
    server = fresh_server("--drain-timeout", 1)
    with H2Conn(server.address) as connection:
        connection.ping()
        if half_a_request:
            stream_id = connection.open(SET)
            connection.send(stream_id, b"\0\0")
            connection.ping()
        server.stop()


def test_sigterm_under_load_loses_no_call(fresh_server, key):
    """Calls that grpcio has sent are answered OK or refused unprocessed, which UNAVAILABLE says."""
    server = fresh_server()
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        stub.Set(pb.KeyValue(key=key))
        calls = [stub.LPush.future(pb.ListInsert(key=key + b":list", values=[b"v"]))
                 for _ in range(500)]
        calls[0].result()
        server.send_signal()
        codes = {call.code() for call in calls}
    assert codes <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
    server.wait()
