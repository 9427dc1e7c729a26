"""A peer that speaks HTTP/2 frame by frame, and may break every rule of it.

For the conformance and limit tests: what is sent is bytes that the test laid out itself, what comes
back is read as h2conn.py reads it, and each expectation has a deadline. Nothing is sent that the
test did not ask for, but for the answers to the server's SETTINGS and PING.
"""

import select
import socket
import struct
import time
from collections import defaultdict

import pytest
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

import keystore_env  # noqa: F401  (puts the stubs on the path)
import mini_redis_pb2 as pb
from h2conn import DEFAULT_WINDOW, PREFACE, Answer, Closed, Connection, H2Conn, frames, prefixed

TIMEOUT_S = 5
DEFAULT_TABLE_SIZE = 4096

SET, GET = "/keystore.v1.KeyStore/Set", "/keystore.v1.KeyStore/Get"
KEY, VALUE = b"conformance", b"0123456789" * 10

(DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE,
 CONTINUATION) = range(10)
UNKNOWN = 0x16
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITISED = 0x1, 0x1, 0x4, 0x8, 0x20

(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED,
 FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR,
 ENHANCE_YOUR_CALM) = range(12)

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = (
    range(1, 6))
MAX_HEADER_LIST_SIZE = 6


# Frames. A length may be claimed that the payload does not have.

def raw(kind, flags, stream_id, payload=b""):
    return (len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream_id.to_bytes(4, "big")
            + payload)


def padded(payload, pad):
    return bytes([pad]) + payload + bytes(pad)


def data(stream_id, payload=b"", *, end=False, pad=None):
    flags = end * END_STREAM | (pad is not None) * PADDED
    return raw(DATA, flags, stream_id, payload if pad is None else padded(payload, pad))


def headers(stream_id, block, *, end_stream=False, end_headers=True, pad=None, depends_on=None):
    flags = (end_stream * END_STREAM | end_headers * END_HEADERS | (pad is not None) * PADDED
             | (depends_on is not None) * PRIORITISED)
    if depends_on is not None:
        block = dependency(depends_on) + block
    return raw(HEADERS, flags, stream_id, block if pad is None else padded(block, pad))


def continuation(stream_id, block, *, end_headers):
    return raw(CONTINUATION, end_headers * END_HEADERS, stream_id, block)


def dependency(stream_id, weight=16, exclusive=False):
    return struct.pack(">IB", stream_id | exclusive << 31, weight - 1)


def priority(stream_id, depends_on=0, **options):
    return raw(PRIORITY, 0, stream_id, dependency(depends_on, **options))


def rst_stream(stream_id, code=CANCEL):
    return raw(RST_STREAM, 0, stream_id, struct.pack(">I", code))


def settings(*pairs):
    return raw(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def ping(payload=bytes(8), *, ack=False):
    return raw(PING, ack * ACK, 0, payload)


def goaway(code=NO_ERROR, debug=b""):
    return raw(GOAWAY, 0, 0, struct.pack(">II", 0, code) + debug)


def window_update(stream_id, increment):
    return raw(WINDOW_UPDATE, 0, stream_id, struct.pack(">I", increment))


# HPACK, one representation at a time (RFC 7541, 5 and 6).

INDEXED, INCREMENTAL, SIZE_UPDATE, NEVER_INDEXED, WITHOUT_INDEXING = (
    (0x80, 7), (0x40, 6), (0x20, 5), (0x10, 4), (0x00, 4))
USER_AGENT = 58
FIRST_DYNAMIC = 62
EOS = 256


def integer(representation, number):
    """The number in the bits that the representation's first byte leaves to it, and beyond."""
    first, bits = representation
    most = (1 << bits) - 1
    if number < most:
        return bytes([first | number])
    encoded, number = bytearray([first | most]), number - most
    while number >= 128:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes(encoded) + bytes([number])


def string(text):
    return integer((0x00, 7), len(text)) + text


def huffman(symbols, *, pad="1", extra=b""):
    """A Huffman-coded string of bytes or symbols, its last byte filled with `pad` bits."""
    bits = "".join(format(REQUEST_CODES[each], f"0{REQUEST_CODES_LENGTH[each]}b")
                   for each in symbols)
    bits += pad * (-len(bits) % 8)
    coded = int(bits, 2).to_bytes(len(bits) // 8, "big") + extra
    return integer((0x80, 7), len(coded)) + coded


def literal(representation, name, value, *, coded=string):
    """A literal field; the name is an index, or text for a new name."""
    if isinstance(name, int):
        return integer(representation, name) + coded(value)
    return integer(representation, 0) + coded(name) + coded(value)


def plain_block(fields):
    """A header block that leaves the dynamic table alone."""
    return b"".join(literal(WITHOUT_INDEXING, name.encode(), value.encode())
                    for name, value in fields)


# Requests.

def request(*more, without=(), **changed):
    """The fields of a request; `changed` gives some another value, by names without the colon."""
    fields = [(":method", "POST"), (":scheme", "http"), (":path", GET),
              (":authority", "127.0.0.1"), ("content-type", "application/grpc"), ("te", "trailers")]
    return [(name, changed.get(name.lstrip(":"), value)) for name, value in fields
            if name not in without] + list(more)


def get_body(key=KEY):
    return prefixed(pb.Key(key=key).SerializeToString())


def set_body(key, value):
    return prefixed(pb.KeyValue(key=key, value=value).SerializeToString())


class Peer(Connection):
    timeout_s = TIMEOUT_S

    def __init__(self, address, *, handshake=True, **options):
        super().__init__(address, **options)
        self.answers = defaultdict(Answer)  # the server may speak of any stream
        self.first = None
        self._pings = 0
        self._log = []
        if handshake:
            self.handshake()

    # Sending.

    def _write(self, data):
        """That the server is gone is for reading to find, which still gives what it said before."""
        try:
            super()._write(data)
        except Closed:
            pass
        except socket.timeout:
            raise AssertionError(f"the server has read nothing for {TIMEOUT_S} s; "
                                 f"{self.story}") from None

    def send(self, *parts):
        """In one write."""
        self._write(b"".join(parts))

    def handshake(self):
        self.send(PREFACE, settings((INITIAL_WINDOW_SIZE, DEFAULT_WINDOW)))
        self.receive_until(lambda: self.acks, "the server's SETTINGS and its answer to ours")

    def apply(self, *pairs):
        """Settings, which hold once the server has acknowledged them."""
        acks = self.acks
        self.send(settings(*pairs))
        self.receive_until(lambda: self.acks > acks, "an acknowledgement of SETTINGS")

    def block(self, fields):
        return self.encoder.encode(fields, huffman=True)

    def call_frames(self, stream_id=None, *, block=None, body=None, **changed):
        """HEADERS and DATA of a call that should succeed."""
        if stream_id is None:
            stream_id = self.new_stream()
        self.last_stream_id = max(self.last_stream_id, stream_id)
        block = self.block(request(**changed)) if block is None else block
        body = get_body() if body is None else body
        return headers(stream_id, block) + data(stream_id, body, end=True)

    def open(self, *more, **changed):
        """A request without its end; returns the stream."""
        stream_id = self.new_stream()
        self.send(headers(stream_id, self.block(request(*more, **changed))))
        return stream_id

    def blocked_call(self):
        """A call whose answer the window of 0 holds back: its stream stays half-closed."""
        self.apply((INITIAL_WINDOW_SIZE, 0))
        stream_id = self.new_stream()
        self.send(self.call_frames(stream_id))
        return stream_id

    # Receiving.

    @property
    def story(self):
        shown = [f"... {len(self._log) - 30} more"] if len(self._log) > 30 else []
        log = [*self._log[:15], *shown, *self._log[15:][-15:]]
        return f"received: {'; '.join(log) or 'nothing'}"

    @property
    def goaway(self):
        """The code of the last one; None if there was none."""
        return self.goaways[-1].error_code if self.goaways else None

    def next(self, deadline, wanted):
        """The next frame; Closed if there is none."""
        while True:
            frame = self._cut_frame()
            if frame:
                self._on_frame(frame)
                return frame
            assert time.monotonic() < deadline, f"no {wanted} in {TIMEOUT_S} s; {self.story}"
            try:
                self._read(deadline)
            except socket.timeout:
                continue

    def _read(self, deadline):
        try:
            super()._read(deadline)
        except Closed:
            if self._log[-1:] != ["the end"]:
                self._log.append("the end")
            raise Closed(self.story) from None

    def _on_frame(self, frame):
        self.first = self.first or frame
        self._log.append(f"{type(frame).__name__} {frame.stream_id} {sorted(frame.flags)}"
                         + (f" code {frame.error_code}" if hasattr(frame, "error_code") else ""))
        super()._on_frame(frame)

    def receive_until(self, condition, wanted, timeout_s=TIMEOUT_S):
        deadline = time.monotonic() + timeout_s
        while not condition():
            self.next(deadline, wanted)

    def _has_pending(self):
        """Bytes that TLS has decrypted, of which the socket knows nothing."""
        return getattr(self.socket, "pending", int)() > 0

    def receive_what_is_there(self):
        """Without waiting; Closed if the connection is, or is about to be."""
        while self._has_pending() or select.select([self.socket], [], [], 0)[0]:
            self._read(time.monotonic() + TIMEOUT_S)
            while frame := self._cut_frame():
                self._on_frame(frame)
        if self.goaway is not None:
            raise Closed(self.story)

    # Expectations.

    def expect_pong(self):
        """A PING round trip: what was sent before has been worked on, the connection goes on."""
        self._pings += 1
        payload = b"ping%04d" % self._pings
        self.send(ping(payload))
        self.expect_pong_of(payload)

    def expect_pong_of(self, payload):
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            frame = self.next(deadline, f"answer to the PING {payload!r}")
            if isinstance(frame, frames.PingFrame) and "ACK" in frame.flags:
                assert frame.opaque_data == payload, f"{frame.opaque_data!r}, not {payload!r}"
                return

    def expect_pong_or_end(self):
        try:
            self.expect_pong()
        except Closed:
            pass

    def expect_end_of(self, stream_id):
        """The answer, once it is whole or reset."""
        answer = self.answers[stream_id]
        self.receive_until(lambda: answer.ended, f"end of stream {stream_id}")
        return answer

    def expect_value(self, stream_id, value=VALUE):
        """The answer of a successful Get; the stream is closed after it."""
        answer = self.expect_end_of(stream_id)
        assert (answer.http_status, answer.grpc_status, answer.reset) == (200, 0, None), str(answer)
        assert bytes(answer.body[:5]) == b"\0" + (len(answer.body) - 5).to_bytes(4, "big")
        got = pb.Value.FromString(bytes(answer.body[5:]))
        assert got.found and got.value == value

    def expect_body_of(self, stream_id, size):
        """Exactly so many bytes of the answer so far, and no more while the window stays."""
        answer = self.answers[stream_id]
        self.receive_until(lambda: len(answer.body) >= size, f"{size} bytes on {stream_id}")
        self.expect_pong()
        assert len(answer.body) == size, f"{len(answer.body)} bytes, {size} were allowed"

    def expect_call(self, stream_id=None, **options):
        """A Get of the stored value that succeeds."""
        if stream_id is None:
            stream_id = self.new_stream()
        self.send(self.call_frames(stream_id, **options))
        self.expect_value(stream_id)

    def expect_end(self):
        """Nothing matters but that the server closes the connection."""
        deadline = time.monotonic() + TIMEOUT_S
        try:
            while True:
                self.next(deadline, "end of the connection")
        except Closed:
            pass

    def expect_goaway(self, code):
        """GOAWAY with this code, which must be there, and then the end."""
        self.expect_end()
        assert self.goaway == code, f"not GOAWAY with {code}; {self.story}"

    def expect_connection_error(self, *codes):
        """RFC 9113, 5.4.1: the end of the connection; the GOAWAY before it is only a SHOULD, but
        if there is one, its code must be right."""
        self.expect_end()
        assert self.goaway is None or self.goaway in codes, f"not one of {codes}; {self.story}"

    def expect_stream_error(self, stream_id, *codes):
        """RST_STREAM after which the connection serves on, or (RFC 9113, 5.4.2) a connection error
        instead. Returns whether the connection is still there."""
        deadline = time.monotonic() + TIMEOUT_S
        answer = self.answers[stream_id]
        try:
            while answer.reset is None and self.goaway is None:
                self.next(deadline, f"error of stream {stream_id} with one of {codes}")
        except Closed:
            return False
        if self.goaway is not None:
            self.expect_connection_error(*codes)
            return False
        assert answer.reset in codes, f"reset with {answer.reset}, not one of {codes}; {self.story}"
        self.apply((INITIAL_WINDOW_SIZE, DEFAULT_WINDOW))
        self.expect_call()
        return True


def store(address, key, value):
    with H2Conn(address) as connection:
        connection.call(SET, pb.KeyValue(key=key, value=value).SerializeToString()).message()


def check_serves(address):
    with Peer(address) as other:
        other.expect_call()


@pytest.fixture(scope="session", name="stored")
def stored_fixture(server):
    """The address of a server that holds the value of all these calls."""
    store(server.address, KEY, VALUE)
    return server.address


@pytest.fixture(name="peer")
def peer_fixture(stored):
    """A connection; whatever happens to it, the server must serve another one afterwards."""
    with Peer(stored) as opened:
        yield opened
    check_serves(stored)


class Cases:
    """The cases of one part of the suite. A case is a function of a peer, named by its section and
    number there."""

    def __init__(self, part):
        self.part = part
        self.params = []

    def add(self, name, function):
        self.params.append(pytest.param(function, id=f"{self.part}/{name}"))

    def __call__(self, name):
        def register(function):
            self.add(name, function)
            return function
        return register
