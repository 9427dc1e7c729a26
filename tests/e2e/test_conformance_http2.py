"""What RFC 9113 demands of a server: the cases of h2spec's part `http2`, one by one.

The names and numbers are h2spec's, which are the sections of RFC 7540; the requests are gRPC calls.
Where a case needs a stream that stays half-closed, the client's window of 0 holds the answer back.
Where RFC 9113 differs from RFC 7540, a comment says so and RFC 9113 is followed.
"""

import pytest

from h2conn import DEFAULT_FRAME_SIZE, LARGEST_WINDOW, PREFACE, Closed, frames
from rawframes import (ACK, COMPRESSION_ERROR, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM,
                       FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE,
                       MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE, PADDED, PING, PRIORITY,
                       PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM, RST_STREAM, SET, SETTINGS,
                       STREAM_CLOSED, UNKNOWN, WINDOW_UPDATE, Cases, Peer, continuation, data,
                       get_body, goaway, headers, peer_fixture, ping, plain_block, priority, raw,
                       request, rst_stream, set_body, settings, stored_fixture,
                       window_update)  # noqa: F401

case = Cases("http2")
TRAILER = [("x-test", "ok")]


@pytest.mark.parametrize("run", case.params)
def test(peer, run):
    run(peer)


# Frames that are wrong wherever they come, right after the handshake.

CONNECTION_ERRORS = {
    "4.3/1 header block that does not decode": (
        COMPRESSION_ERROR, raw(HEADERS, END_HEADERS | END_STREAM, 1, b"\x40")),
    "5.1/2 idle: RST_STREAM": (PROTOCOL_ERROR, rst_stream(1)),
    "5.1/3 idle: WINDOW_UPDATE": (PROTOCOL_ERROR, window_update(1, 100)),
    "5.1/4 idle: CONTINUATION": (
        PROTOCOL_ERROR, continuation(1, plain_block(request()), end_headers=True)),
    "5.1.1/1 stream identifier that is even": (
        PROTOCOL_ERROR, headers(2, plain_block(request()), end_stream=True)),
    "5.4.1/1 connection closed after a wrong PING": (PROTOCOL_ERROR, raw(PING, 0, 3, bytes(8))),
    "6.1/1 DATA on stream 0": (PROTOCOL_ERROR, data(0, b"test", end=True)),
    "6.2/3 HEADERS on stream 0": (
        PROTOCOL_ERROR, headers(0, plain_block(request()), end_stream=True)),
    # RFC 9113, 6.2: a connection error; h2spec would also take a stream error.
    "6.2/4 HEADERS with more padding than payload": (
        PROTOCOL_ERROR, raw(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, bytes([
            len(plain_block(request())) + 1]) + plain_block(request()))),
    "6.3/1 PRIORITY on stream 0": (PROTOCOL_ERROR, priority(0)),
    "6.4/1 RST_STREAM on stream 0": (PROTOCOL_ERROR, rst_stream(0)),
    "6.4/2 RST_STREAM on an idle stream": (PROTOCOL_ERROR, rst_stream(1)),
    "6.5/1 SETTINGS with ACK and a payload": (FRAME_SIZE_ERROR, raw(SETTINGS, ACK, 0, b"\0")),
    "6.5/2 SETTINGS on stream 1": (
        PROTOCOL_ERROR, raw(SETTINGS, 0, 1, b"\0\x03\0\0\0\x64")),
    # RFC 9113, 6.5: FRAME_SIZE_ERROR; h2spec would also take PROTOCOL_ERROR.
    "6.5/3 SETTINGS with a length that is no multiple of 6": (
        FRAME_SIZE_ERROR, raw(SETTINGS, 0, 0, b"\0\x03\0")),
    "6.5.2/1 ENABLE_PUSH of 2": (PROTOCOL_ERROR, settings((ENABLE_PUSH, 2))),
    "6.5.2/2 INITIAL_WINDOW_SIZE above the largest window": (
        FLOW_CONTROL_ERROR, settings((INITIAL_WINDOW_SIZE, LARGEST_WINDOW + 1))),
    "6.5.2/3 MAX_FRAME_SIZE below its initial value": (
        PROTOCOL_ERROR, settings((MAX_FRAME_SIZE, DEFAULT_FRAME_SIZE - 1))),
    "6.5.2/4 MAX_FRAME_SIZE above the largest frame": (
        PROTOCOL_ERROR, settings((MAX_FRAME_SIZE, 1 << 24))),
    "6.7/3 PING on stream 1": (PROTOCOL_ERROR, raw(PING, 0, 1, bytes(8))),
    "6.7/4 PING with a length other than 8": (FRAME_SIZE_ERROR, raw(PING, 0, 0, bytes(6))),
    "6.8/1 GOAWAY on stream 1": (PROTOCOL_ERROR, raw(GOAWAY, 0, 1, bytes(8))),
    "6.9/1 WINDOW_UPDATE of 0 on the connection": (PROTOCOL_ERROR, window_update(0, 0)),
    "6.9/3 WINDOW_UPDATE with a length other than 4": (
        FRAME_SIZE_ERROR, raw(WINDOW_UPDATE, 0, 0, b"\0\0\x01")),
    "6.9.2/3 INITIAL_WINDOW_SIZE above the largest window": (
        FLOW_CONTROL_ERROR, settings((INITIAL_WINDOW_SIZE, LARGEST_WINDOW + 1))),
    "8.2/1 PUSH_PROMISE from a client": (
        PROTOCOL_ERROR, raw(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\x03" + plain_block(request()))),
}


def check_connection_error(code, frame):
    def run(peer):
        peer.send(frame)
        peer.expect_connection_error(code)
    return run


for name, expected in CONNECTION_ERRORS.items():
    case.add(name, check_connection_error(*expected))


# Requests with fields that make them malformed (RFC 9113, 8.1.1).

MALFORMED_FIELDS = {
    "8.1.2/1 field name in uppercase": request(("X-TEST", "ok")),
    "8.1.2.1/1 unknown pseudo-header field": request((":test", "ok")),
    "8.1.2.1/2 pseudo-header field of responses": request((":status", "200")),
    "8.1.2.1/4 pseudo-header field after a regular field": [*TRAILER, *request()],
    "8.1.2.2/1 connection-specific field": request(("connection", "keep-alive")),
    "8.1.2.2/2 TE other than trailers": request(te="trailers, deflate"),
    "8.1.2.3/1 empty :path": request(path=""),
    "8.1.2.3/2 no :method": request(without=[":method"]),
    "8.1.2.3/3 no :scheme": request(without=[":scheme"]),
    "8.1.2.3/4 no :path": request(without=[":path"]),
    "8.1.2.3/5 two :method": request()[:1] + request(),
    "8.1.2.3/6 two :scheme": request()[1:2] + request(),
    "8.1.2.3/7 two :path": request()[2:3] + request(),
}


def check_malformed_fields(fields):
    def run(peer):
        """With the end of the stream in HEADERS, then with a body and trailers, which come too late
        for a stream that the server has reset: to be ignored, but for the compression state."""
        first = peer.new_stream()
        peer.send(headers(first, peer.block(fields), end_stream=True))
        if peer.expect_stream_error(first, PROTOCOL_ERROR):
            second = peer.new_stream()
            peer.send(headers(second, peer.block(fields)), data(second, get_body()),
                      headers(second, peer.block([("x-checksum", "1")]), end_stream=True))
            peer.expect_stream_error(second, PROTOCOL_ERROR)
    return run


for name, fields in MALFORMED_FIELDS.items():
    case.add(name, check_malformed_fields(fields))


# 3.5 Connection preface.

@case("3.5/1 the server's preface")
def server_preface(peer):
    with Peer(peer.address, handshake=False) as fresh:
        fresh.send(PREFACE, settings((INITIAL_WINDOW_SIZE, 65535)))
        fresh.receive_until(lambda: fresh.first, "frame")
        assert isinstance(fresh.first, frames.SettingsFrame) and "ACK" not in fresh.first.flags


@case("3.5/2 an invalid client's preface")
def invalid_preface(peer):
    with Peer(peer.address, handshake=False) as fresh:
        fresh.send(b"INVALID CONNECTION PREFACE\r\n\r\n")
        fresh.expect_connection_error(PROTOCOL_ERROR)


# 4.1 Frame format, 4.2 frame size, 4.3 header compression, 5.5 extensions.

@case("4.1/1 frame of an unknown type")
def unknown_frame(peer):
    peer.send(raw(UNKNOWN, 0, 0, bytes(8)))
    peer.expect_pong()


@case("4.1/2 undefined flags")
def undefined_flags(peer):
    peer.send(raw(PING, 0xfe, 0, b"flagged!"))
    peer.expect_pong_of(b"flagged!")


@case("4.1/3 the reserved bit")
def reserved_bit(peer):
    peer.send(raw(PING, 0, 1 << 31, b"reserved"))
    peer.expect_pong_of(b"reserved")


@case("4.2/1 DATA of 2^14 bytes")
def largest_data_frame(peer):
    value = bytes(DEFAULT_FRAME_SIZE - len(set_body(b"4.2/1", bytes(DEFAULT_FRAME_SIZE // 2)))
                  + DEFAULT_FRAME_SIZE // 2)
    body = set_body(b"4.2/1", value)
    assert len(body) == DEFAULT_FRAME_SIZE
    peer.send(peer.call_frames(1, path=SET, body=body))
    answer = peer.expect_end_of(1)
    assert (answer.http_status, answer.grpc_status) == (200, 0)
    peer.send(peer.call_frames(3, body=get_body(b"4.2/1")))
    peer.expect_value(3, value)


def frame_limit(peer):
    return peer.server_settings.get(MAX_FRAME_SIZE, DEFAULT_FRAME_SIZE)


@case("4.2/2 DATA larger than MAX_FRAME_SIZE")
def too_large_data(peer):
    stream_id = peer.open(path=SET)
    peer.send(data(stream_id, bytes(frame_limit(peer) + 1), end=True))
    peer.expect_stream_error(stream_id, FRAME_SIZE_ERROR)


@case("4.2/3 HEADERS larger than MAX_FRAME_SIZE")
def too_large_headers(peer):
    large = [(f"x-dummy{number}", "x" * (frame_limit(peer) // 4)) for number in range(5)]
    peer.send(headers(1, plain_block(request(*large)), end_stream=True))
    peer.expect_connection_error(FRAME_SIZE_ERROR)


def check_interrupted_block(peer, *interruption, end_stream=False):
    """What must not come between HEADERS without END_HEADERS and its CONTINUATION."""
    peer.send(headers(1, peer.block(request()), end_stream=end_stream, end_headers=False),
              *interruption, continuation(1, peer.block(TRAILER), end_headers=True))
    peer.expect_connection_error(PROTOCOL_ERROR)


@case("4.3/2 PRIORITY within a header block")
def priority_in_block(peer):
    check_interrupted_block(peer, priority(1))


@case("4.3/3 HEADERS of another stream within a header block")
def headers_in_block(peer):
    check_interrupted_block(peer, headers(3, plain_block(request()), end_stream=True))


@case("5.5/1 unknown extension frame")
def extension_frame(peer):
    peer.send(raw(UNKNOWN, 0xff, 0, bytes(8)), raw(UNKNOWN, 0xff, 1, bytes(8)))
    peer.expect_call(1)


@case("5.5/2 unknown extension frame within a header block")
def extension_in_block(peer):
    check_interrupted_block(peer, raw(UNKNOWN, 0, 0, bytes(8)), end_stream=True)


# 5.1 Stream states.

@case("5.1/1 idle: DATA")
def data_on_idle(peer):
    """Both codes are in RFC 9113: one in 5.1, the other in 6.1."""
    peer.send(data(1, b"test", end=True))
    peer.expect_stream_error(1, PROTOCOL_ERROR, STREAM_CLOSED)


@case("5.1/5 half-closed (remote): DATA")
def data_on_half_closed(peer):
    stream_id = peer.blocked_call()
    peer.send(data(stream_id, b"test", end=True))
    peer.expect_stream_error(stream_id, STREAM_CLOSED)


@case("5.1/6 half-closed (remote): HEADERS")
def headers_on_half_closed(peer):
    stream_id = peer.blocked_call()
    peer.send(headers(stream_id, peer.block(request()), end_stream=True))
    peer.expect_stream_error(stream_id, STREAM_CLOSED)


@case("5.1/7 half-closed (remote): CONTINUATION")
def continuation_on_half_closed(peer):
    stream_id = peer.blocked_call()
    peer.send(continuation(stream_id, peer.block(request()), end_headers=True))
    peer.expect_stream_error(stream_id, STREAM_CLOSED, PROTOCOL_ERROR)


def reset_stream(peer):
    """A stream closed by the client's RST_STREAM. The pong comes when the server has seen it."""
    stream_id = peer.open()
    peer.send(rst_stream(stream_id))
    peer.expect_pong()
    return stream_id


def finished_stream(peer):
    """A stream closed by END_STREAM from both sides."""
    peer.expect_call()
    return peer.last_stream_id


@case("5.1/8 closed by RST_STREAM: DATA")
def data_after_reset(peer):
    stream_id = reset_stream(peer)
    peer.send(data(stream_id, b"test", end=True))
    peer.expect_stream_error(stream_id, STREAM_CLOSED)


# RFC 9113, 5.1 says MAY where RFC 7540 said MUST, but 5.1.1 still makes HEADERS for an old stream
# an unexpected stream identifier: so an error it is, and PROTOCOL_ERROR is right as well.
HEADERS_ON_CLOSED = STREAM_CLOSED, PROTOCOL_ERROR


@case("5.1/9 closed by RST_STREAM: HEADERS")
def headers_after_reset(peer):
    stream_id = reset_stream(peer)
    peer.send(headers(stream_id, peer.block(request()), end_stream=True))
    peer.expect_stream_error(stream_id, *HEADERS_ON_CLOSED)


@case("5.1/10 closed by RST_STREAM: CONTINUATION")
def continuation_after_reset(peer):
    stream_id = reset_stream(peer)
    peer.send(continuation(stream_id, peer.block(TRAILER), end_headers=True))
    peer.expect_stream_error(stream_id, STREAM_CLOSED, PROTOCOL_ERROR)


@case("5.1/11 closed: DATA")
def data_on_closed(peer):
    stream_id = finished_stream(peer)
    peer.send(data(stream_id, b"test", end=True))
    peer.expect_stream_error(stream_id, STREAM_CLOSED)


@case("5.1/12 closed: HEADERS")
def headers_on_closed(peer):
    stream_id = finished_stream(peer)
    peer.send(headers(stream_id, peer.block(request()), end_stream=True))
    peer.expect_connection_error(*HEADERS_ON_CLOSED)


@case("5.1/13 closed: CONTINUATION")
def continuation_on_closed(peer):
    stream_id = finished_stream(peer)
    peer.send(continuation(stream_id, peer.block(TRAILER), end_headers=True))
    peer.expect_connection_error(STREAM_CLOSED, PROTOCOL_ERROR)


@case("5.1.1/2 stream identifier numerically smaller than previous")
def smaller_stream_id(peer):
    peer.send(peer.call_frames(5), headers(3, peer.block(request()), end_stream=True))
    peer.expect_connection_error(PROTOCOL_ERROR)


@case("5.1.2/1 more streams than MAX_CONCURRENT_STREAMS")
def too_many_streams(peer):
    allowed = peer.server_settings.get(MAX_CONCURRENT_STREAMS)
    if allowed is None or allowed > 2000:
        pytest.skip(f"the server allows {allowed or 'any number of'} concurrent streams")
    peer.send(window_update(0, 1 << 20))
    peer.apply((INITIAL_WINDOW_SIZE, 0))
    peer.send(*[peer.call_frames() for _ in range(allowed + 1)])
    if peer.expect_stream_error(peer.last_stream_id, PROTOCOL_ERROR, REFUSED_STREAM):
        assert not any(peer.answers[each].reset for each in range(1, 2 * allowed, 2))


# 5.3.1 Stream dependencies. RFC 9113 deprecates them and knows no error of this kind: a server that
# ignores them all is right, as is one that still follows RFC 7540.

@case("5.3.1/1 HEADERS that depend on their own stream")
def headers_on_themselves(peer):
    peer.send(headers(1, peer.block(request()), depends_on=1), data(1, get_body(), end=True))
    try:
        peer.receive_until(lambda: peer.answers[1].ended or peer.goaway is not None,
                           "answer or error of stream 1")
    except Closed:
        return
    if peer.answers[1].reset is None and peer.goaway is None:
        peer.expect_value(1)
    else:
        peer.expect_stream_error(1, PROTOCOL_ERROR)


@case("5.3.1/2 PRIORITY that depends on its own stream")
def priority_on_itself(peer):
    peer.send(priority(1, depends_on=1))
    try:
        peer.expect_pong()
        assert peer.answers[1].reset in (None, PROTOCOL_ERROR)
    except Closed:
        peer.expect_connection_error(PROTOCOL_ERROR)


@case("5.4.1/2 GOAWAY after a wrong PING")
def goaway_before_the_end(peer):
    peer.send(raw(PING, 0, 3, bytes(8)))
    peer.expect_goaway(PROTOCOL_ERROR)


# 6 Frame definitions.

@case("6.1/2 DATA on a stream that is neither open nor half-closed (local)")
def data_after_the_end(peer):
    stream_id = peer.blocked_call()
    peer.send(data(stream_id, b"test"))
    peer.expect_stream_error(stream_id, STREAM_CLOSED)


@case("6.1/3 DATA with more padding than payload")
def too_much_padding(peer):
    stream_id = peer.open(("content-length", "4"))
    peer.send(raw(DATA, END_STREAM | PADDED, stream_id, b"\x06test"))
    peer.expect_connection_error(PROTOCOL_ERROR)


@case("6.2/1 HEADERS without END_HEADERS, then PRIORITY")
def headers_then_priority(peer):
    check_interrupted_block(peer, priority(1))


@case("6.2/2 HEADERS without END_HEADERS, then HEADERS of another stream")
def headers_then_headers(peer):
    check_interrupted_block(peer, headers(3, plain_block(request()), end_stream=True))


@case("6.3/2 PRIORITY with a length other than 5")
def short_priority(peer):
    stream_id = peer.blocked_call()
    peer.send(raw(PRIORITY, 0, stream_id, b"\x80\0\0\x01"))
    peer.expect_stream_error(stream_id, FRAME_SIZE_ERROR)


@case("6.4/3 RST_STREAM with a length other than 4")
def short_reset(peer):
    stream_id = peer.blocked_call()
    peer.send(raw(RST_STREAM, 0, stream_id, bytes(3)))
    peer.expect_connection_error(FRAME_SIZE_ERROR)


@case("6.5.2/5 unknown setting")
def unknown_setting(peer):
    peer.apply((0xff, 1))
    peer.expect_pong()


def check_blocked_at(peer, *sizes):
    """These initial windows, in one SETTINGS frame, leave an answer the last one."""
    peer.apply(*[(INITIAL_WINDOW_SIZE, size) for size in sizes])
    peer.send(peer.call_frames(1))
    peer.expect_body_of(1, sizes[-1])


@case("6.5.3/1 two values of INITIAL_WINDOW_SIZE in one frame")
def last_value_holds(peer):
    check_blocked_at(peer, 100, 1)


@case("6.5.3/2 SETTINGS are acknowledged")
def acknowledged_settings(peer):
    peer.apply((ENABLE_PUSH, 0))


@case("6.7/1 PING")
def ping_payload(peer):
    peer.send(ping(b"payload!"))
    peer.expect_pong_of(b"payload!")


@case("6.7/2 PING with ACK is not answered")
def unasked_pong(peer):
    peer.send(ping(b"unasked!", ack=True))
    peer.expect_pong()


@case("6.9/2 WINDOW_UPDATE of 0 on a stream")
def empty_window_update(peer):
    stream_id = peer.open()
    peer.send(window_update(stream_id, 0))
    peer.expect_stream_error(stream_id, PROTOCOL_ERROR)


@case("6.9.1/1 an answer stays within a window of 1")
def window_of_1(peer):
    check_blocked_at(peer, 1)


@case("6.9.1/2 connection's window above the largest")
def connection_window_overflow(peer):
    """The RFC asks for the GOAWAY, so its absence is no pass."""
    peer.send(window_update(0, LARGEST_WINDOW), window_update(0, LARGEST_WINDOW))
    peer.expect_goaway(FLOW_CONTROL_ERROR)


@case("6.9.1/3 stream's window above the largest")
def stream_window_overflow(peer):
    """The RFC asks for the RST_STREAM, so the end of the connection is no pass."""
    stream_id = peer.open()
    peer.send(window_update(stream_id, LARGEST_WINDOW), window_update(stream_id, LARGEST_WINDOW))
    assert peer.expect_stream_error(stream_id, FLOW_CONTROL_ERROR), peer.story


@case("6.9.2/1 INITIAL_WINDOW_SIZE changed after HEADERS")
def window_opened_by_settings(peer):
    stream_id = peer.blocked_call()
    peer.expect_body_of(stream_id, 0)
    peer.apply((INITIAL_WINDOW_SIZE, 1))
    peer.expect_body_of(stream_id, 1)


@case("6.9.2/2 window made negative by SETTINGS")
def negative_window(peer):
    check_blocked_at(peer, 3)
    peer.apply((INITIAL_WINDOW_SIZE, 2))
    peer.send(window_update(1, 1))
    peer.expect_body_of(1, 3)
    peer.send(window_update(1, 1))
    peer.expect_body_of(1, 4)


# 6.10 CONTINUATION.

LARGE_FIELDS = [("x-dummy0", "x" * 4000)]


@case("6.10/1 several CONTINUATION frames after HEADERS")
def several_continuations(peer):
    large = peer.block(LARGE_FIELDS)
    peer.send(headers(1, peer.block(request()), end_headers=False),
              continuation(1, large, end_headers=False), continuation(1, large, end_headers=True),
              data(1, get_body(), end=True))
    peer.expect_value(1)


@case("6.10/2 CONTINUATION without END_HEADERS, then DATA")
def data_after_continuation(peer):
    check_interrupted_block(peer, continuation(1, peer.block(TRAILER), end_headers=False),
                            data(1, b"test", end=True))


@case("6.10/3 CONTINUATION on stream 0")
def continuation_on_stream_0(peer):
    check_interrupted_block(peer, continuation(0, peer.block(TRAILER), end_headers=True))


@case("6.10/4 CONTINUATION after HEADERS with END_HEADERS")
def continuation_after_headers(peer):
    peer.send(headers(1, peer.block(request())),
              continuation(1, peer.block(TRAILER), end_headers=True))
    peer.expect_connection_error(PROTOCOL_ERROR)


@case("6.10/5 CONTINUATION after CONTINUATION with END_HEADERS")
def continuation_after_the_last(peer):
    check_interrupted_block(peer, continuation(1, peer.block(TRAILER), end_headers=True))


@case("6.10/6 CONTINUATION after DATA")
def continuation_after_data(peer):
    check_interrupted_block(peer, data(1, b"test", end=True),
                            continuation(1, peer.block(TRAILER), end_headers=False))


# 7 Error codes.

@case("7/1 GOAWAY with an unknown code")
def unknown_goaway_code(peer):
    """There is no stream to finish, so the server may close at once."""
    peer.send(goaway(0xff))
    peer.expect_pong_or_end()


@case("7/2 RST_STREAM with an unknown code")
def unknown_reset_code(peer):
    """h2spec would also accept the end of the connection; that would be special behaviour."""
    stream_id = peer.open()
    peer.send(rst_stream(stream_id, 0xff))
    peer.expect_pong()


# 8.1 HTTP messages.

@case("8.1/1 second HEADERS without END_STREAM")
def trailers_without_end(peer):
    stream_id = peer.open()
    peer.send(data(stream_id, get_body()), headers(stream_id, peer.block(TRAILER)))
    peer.expect_stream_error(stream_id, PROTOCOL_ERROR)


@case("8.1.2.1/3 pseudo-header field in trailers")
def pseudo_header_in_trailers(peer):
    stream_id = peer.open()
    peer.send(data(stream_id, get_body()),
              headers(stream_id, peer.block([(":method", "POST")]), end_stream=True))
    peer.expect_stream_error(stream_id, PROTOCOL_ERROR)


@case("8.1.2.6/1 content-length that is not the length of DATA")
def wrong_content_length(peer):
    stream_id = peer.open(("content-length", "1"))
    peer.send(data(stream_id, get_body(), end=True))
    if peer.expect_stream_error(stream_id, PROTOCOL_ERROR):
        stream_id = peer.open(("content-length", str(len(get_body()) + 1)))
        peer.send(data(stream_id, get_body(), end=True))
        peer.expect_stream_error(stream_id, PROTOCOL_ERROR)


@case("8.1.2.6/2 content-length that is not the sum of several DATA frames")
def wrong_content_length_of_parts(peer):
    body = get_body()
    stream_id = peer.open(("content-length", str(len(body) - 1)))
    peer.send(data(stream_id, body[:5]), data(stream_id, body[5:], end=True))
    peer.expect_stream_error(stream_id, PROTOCOL_ERROR)
