"""A bare HTTP/2 client: frames as the test wants them, well-formed or not.

Built on hyperframe and hpack (the parts of python3-h2) and not on h2 itself, which would refuse to
send half of what the tests must send. Connection is what every such client is: it reads, and answers
SETTINGS and PING. H2Conn makes calls with it; the Peer of rawframes.py sends bytes.
"""

import base64
import socket
import ssl
import time
from contextlib import contextmanager, suppress
from urllib.parse import unquote

import hpack
from hyperframe import frame as frames

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DEFAULT_WINDOW = 65535
LARGEST_WINDOW = 2**31 - 1
DEFAULT_FRAME_SIZE = 16384
TIMEOUT_S = 60
# What sending or receiving raises when the server is gone.
GONE = (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


def prefixed(message, compressed=0, length=None):
    """A gRPC message with its 5-byte prefix, which may lie about the length."""
    size = len(message) if length is None else length
    return bytes([compressed]) + size.to_bytes(4, "big") + message


class Closed(Exception):
    """The server closed the connection."""


class Answer:
    """What has come back on one stream so far."""

    def __init__(self):
        self.blocks = []
        self.body = bytearray()
        self.ended = False  # or reset
        self.reset = None

    @property
    def headers(self):
        return self.blocks[0]

    @property
    def trailers(self):
        return self.blocks[-1]

    @property
    def http_status(self):
        """None if nothing has come."""
        return int(self.headers[":status"]) if self.blocks else None

    @property
    def grpc_status(self):
        """None if nothing has come, -1 without one."""
        return int(self.trailers.get("grpc-status", -1)) if self.blocks else None

    @property
    def sentence(self):
        return unquote(self.trailers.get("grpc-message", ""))

    @property
    def plain_trailers(self):
        """Trailers with -bin values decoded, as gRPC gives them."""
        return {name: base64.b64decode(value + "=" * (-len(value) % 4))
                if name.endswith("-bin") else value for name, value in self.trailers.items()}

    def message(self):
        """The one message of a call that succeeded."""
        assert self.ended and self.reset in (None, 0), f"reset with code {self.reset}"
        assert (self.http_status, self.grpc_status) == (200, 0), f"{self.blocks}"
        assert self.body[0] == 0, "compressed, though nobody asked"
        assert int.from_bytes(self.body[1:5], "big") == len(self.body) - 5
        return bytes(self.body[5:])

    def __str__(self):
        return f"reset {self.reset}, ended {self.ended}, {len(self.body)} bytes, {self.blocks}"


class Connection:
    """A socket, and what has come back on it. `source` = the IP address that it comes from,
    `receive_buffer` = bytes that the kernel may keep for it, `tls` = the ssl.SSLContext to speak TLS
    with."""

    timeout_s = TIMEOUT_S

    def __init__(self, address, *, source="", receive_buffer=None, tls=None):
        self.address = address
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(self.timeout_s)
        self.socket.bind((source, 0))
        host, port = address.rsplit(":", 1)
        self.socket.connect((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder(max_header_list_size=1 << 20)
        self.answers = {}
        self.server_settings = {}
        self.acks = 0  # of our SETTINGS
        self.goaways = []
        self.last_stream_id = -1
        self._received = bytearray()
        self._block = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def new_stream(self):
        self.last_stream_id += 2
        return self.last_stream_id

    def _write(self, data):
        try:
            self.socket.sendall(data)
        except GONE as error:
            raise Closed("the server closed the connection while it was written to") from error

    def _reply(self, frame):
        """Sends what the protocol asks for. If nobody is there any more, reading will tell."""
        with suppress(Closed):
            self._write(frame.serialize())

    def _read(self, deadline):
        """Waits for bytes; TimeoutError if none come, Closed if none will."""
        self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            received = self.socket.recv(1 << 18)
        except GONE as error:
            raise Closed("the server reset the connection") from error
        finally:
            self.socket.settimeout(self.timeout_s)
        if not received:
            raise Closed("the server closed the connection")
        self._received += received

    def _cut_frame(self):
        """The next frame that has come; None if it is not whole."""
        if len(self._received) < 9:
            return None
        frame, length = frames.Frame.parse_frame_header(memoryview(bytes(self._received[:9])))
        assert length <= DEFAULT_FRAME_SIZE, f"a frame of {length} bytes"
        if len(self._received) < 9 + length:
            return None
        frame.parse_body(memoryview(bytes(self._received[9:9 + length])))
        del self._received[:9 + length]
        return frame

    def _on_frame(self, frame):
        handler = getattr(self, f"_on_{type(frame).__name__}", None)
        if handler:
            handler(frame)

    def _on_SettingsFrame(self, frame):
        if "ACK" in frame.flags:
            self.acks += 1
            return
        self.server_settings.update(frame.settings)
        self._reply(frames.SettingsFrame(0, flags=["ACK"]))

    def _on_PingFrame(self, frame):
        if "ACK" not in frame.flags:
            self._reply(frames.PingFrame(0, frame.opaque_data, flags=["ACK"]))

    def _on_GoAwayFrame(self, frame):
        self.goaways.append(frame)

    def _on_RstStreamFrame(self, frame):
        answer = self.answers[frame.stream_id]
        answer.reset = frame.error_code
        answer.ended = True

    def _on_HeadersFrame(self, frame):
        self._block = [self.answers[frame.stream_id], b"", "END_STREAM" in frame.flags]
        self._on_ContinuationFrame(frame)

    def _on_ContinuationFrame(self, frame):
        self._block[1] += frame.data
        if "END_HEADERS" in frame.flags:
            answer, block, ended = self._block
            answer.blocks.append(dict(self.decoder.decode(block)))
            answer.ended = answer.ended or ended

    def _on_DataFrame(self, frame):
        answer = self.answers[frame.stream_id]
        answer.body += frame.data
        answer.ended = answer.ended or "END_STREAM" in frame.flags


class H2Conn(Connection):
    """Makes calls. `credit` = give windows back by itself. With `begin` off, nothing is sent before
    begin()."""

    def __init__(self, address, *, credit=True, initial_window=DEFAULT_WINDOW, begin=True,
                 **options):
        super().__init__(address, **options)
        self.credit = credit
        self.initial_window = initial_window
        self.answer_pings = True
        self.pongs = []
        self.pings_unanswered = []
        self.send_window = DEFAULT_WINDOW
        self.stream_windows = {}
        self._held = None
        if begin:
            self.begin()

    # Sending.

    def begin(self):
        self._write(PREFACE)
        self.send_frame(frames.SettingsFrame(0, settings={
            frames.SettingsFrame.INITIAL_WINDOW_SIZE: self.initial_window}))

    def _write(self, data):
        if self._held is not None:
            self._held += data
        else:
            super()._write(data)

    @contextmanager
    def held(self, piece_size=None):
        """Keeps back what is written in the block, then sends it in one write or in pieces."""
        self._held = bytearray()
        try:
            yield
        finally:
            data, self._held = bytes(self._held), None
        for start in range(0, len(data), piece_size or len(data)):
            self.socket.sendall(data[start:start + (piece_size or len(data))])

    def send_frame(self, frame):
        self._write(frame.serialize())

    def open(self, path, *, end=False, method="POST", content_type="application/grpc",
             headers=(), without=(), pieces=1):
        """Sends a request's HEADERS in `pieces` frames, less the usual fields that are named in
        `without`; returns the stream."""
        stream_id = self.new_stream()
        fields = [(":method", method), (":scheme", "http"), (":path", path),
                  (":authority", self.address)]
        if content_type is not None:
            fields.append(("content-type", content_type))
        usual = [field for field in [*fields, ("te", "trailers")] if field[0] not in without]
        block = self.encoder.encode([*usual, *headers])
        self.answers[stream_id] = Answer()
        self.stream_windows[stream_id] = self.server_settings.get(
            frames.SettingsFrame.INITIAL_WINDOW_SIZE, DEFAULT_WINDOW)
        step = -(-len(block) // pieces)
        parts = [block[start:start + step] for start in range(0, len(block), step)]
        for number, part in enumerate(parts):
            kind = frames.ContinuationFrame if number else frames.HeadersFrame
            frame = kind(stream_id, part)
            if number == len(parts) - 1:
                frame.flags.add("END_HEADERS")
            if end and number == 0:
                frame.flags.add("END_STREAM")
            self.send_frame(frame)
        return stream_id

    def send(self, stream_id, data, *, end=False, piece_size=DEFAULT_FRAME_SIZE, pad=None):
        """Sends DATA as far as the windows allow, reading until they do; gives up quietly when
        the answer has come early."""
        position = 0
        while not self.answers[stream_id].ended:
            room = min(self.send_window, self.stream_windows[stream_id], piece_size)
            if pad is not None:
                room -= pad + 1
            if room <= 0 and position < len(data):
                self.receive()
                continue
            piece = data[position:position + room]
            position += len(piece)
            last = position == len(data)
            self.send_data_frame(stream_id, piece, end=end and last, pad=pad)
            if last:
                return

    def send_data_frame(self, stream_id, data, *, end=False, pad=None):
        frame = frames.DataFrame(stream_id, bytes(data))
        if pad is not None:
            frame.pad_length = pad
            frame.flags.add("PADDED")
        if end:
            frame.flags.add("END_STREAM")
        self.send_window -= frame.flow_controlled_length
        self.stream_windows[stream_id] -= frame.flow_controlled_length
        self.send_frame(frame)

    def send_trailers(self, stream_id, fields):
        """Ends a request with trailers of its own, which gRPC has none of."""
        frame = frames.HeadersFrame(stream_id, self.encoder.encode(fields))
        frame.flags |= {"END_HEADERS", "END_STREAM"}
        self.send_frame(frame)

    def grant(self, stream_id, size):
        self.send_frame(frames.WindowUpdateFrame(stream_id, window_increment=size))

    def reset(self, stream_id, code=8):
        self.send_frame(frames.RstStreamFrame(stream_id, error_code=code))
        self.answers[stream_id].ended = True

    def start(self, path, message, **options):
        """Sends a whole call; the answer is to be waited for."""
        stream_id = self.open(path, **options)
        self.send(stream_id, prefixed(message), end=True)
        return stream_id

    def call(self, path, message, **options):
        return self.wait(self.start(path, message, **options))

    # Receiving.

    def wait(self, stream_id, timeout_s=TIMEOUT_S):
        answer = self.answers[stream_id]
        self.receive_until(lambda: answer.ended, timeout_s)
        return answer

    def ping(self, data=b"keystore"):
        """A round trip: when it is back, the server has seen everything sent before."""
        expected = len(self.pongs) + 1
        self.send_frame(frames.PingFrame(0, data))
        self.receive_until(lambda: len(self.pongs) >= expected)
        return self.pongs[-1]

    def answer_late_pings(self):
        """Answers what came while answer_pings was off."""
        self.answer_pings = True
        for data in self.pings_unanswered:
            self.send_frame(frames.PingFrame(0, data, flags=["ACK"]))
        self.pings_unanswered.clear()

    def receive_until(self, condition, timeout_s=TIMEOUT_S):
        deadline = time.monotonic() + timeout_s
        while not condition():
            self.receive(deadline)

    def receive(self, deadline=None):
        """Reads once and handles the frames that are whole."""
        self._read(time.monotonic() + self.timeout_s if deadline is None else deadline)
        while frame := self._cut_frame():
            self._on_frame(frame)

    def _on_SettingsFrame(self, frame):
        initial = frames.SettingsFrame.INITIAL_WINDOW_SIZE
        before = self.server_settings.get(initial, DEFAULT_WINDOW)
        super()._on_SettingsFrame(frame)
        for stream_id in self.stream_windows:
            self.stream_windows[stream_id] += self.server_settings.get(initial, before) - before
        if frames.SettingsFrame.HEADER_TABLE_SIZE in frame.settings:
            self.encoder.header_table_size = min(
                4096, frame.settings[frames.SettingsFrame.HEADER_TABLE_SIZE])

    def _on_PingFrame(self, frame):
        if "ACK" in frame.flags:
            self.pongs.append(frame.opaque_data)
        elif not self.answer_pings:
            self.pings_unanswered.append(frame.opaque_data)
        else:
            super()._on_PingFrame(frame)

    def _on_WindowUpdateFrame(self, frame):
        if frame.stream_id == 0:
            self.send_window += frame.window_increment
        elif frame.stream_id in self.stream_windows:
            self.stream_windows[frame.stream_id] += frame.window_increment

    def _on_DataFrame(self, frame):
        super()._on_DataFrame(frame)
        size = frame.flow_controlled_length
        if self.credit and size:
            self._reply(frames.WindowUpdateFrame(0, window_increment=size))
            if not self.answers[frame.stream_id].ended:
                self._reply(frames.WindowUpdateFrame(frame.stream_id, window_increment=size))
