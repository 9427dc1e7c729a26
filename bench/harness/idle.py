"""Many idle HTTP/2 connections, silent after the exchange of SETTINGS; and single calls.

It knows the frames of the greeting and of small calls, and takes no library's word for them.
"""
import socket
import struct

from harness.process import Failure

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
ACK, END_STREAM, END_HEADERS = 1, 1, 4
# A local port serves one connection to a server; further addresses allow more of them, and avoid a
# limit of connections per address.
PER_ADDRESS = 500


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    """A header field, never indexed: it costs the server no memory for its table."""
    return b"\x10" + bytes([len(name)]) + name + bytes([len(value)]) + value


def get_request(key):
    return request(b"/keystore.v1.KeyStore/Get", b"\x0a" + bytes([len(key)]) + key)


def request(path, message):
    block = b"".join(literal(*field) for field in (
        (b":method", b"POST"), (b":scheme", b"http"), (b":path", path),
        (b":authority", b"localhost"), (b"content-type", b"application/grpc"),
        (b"te", b"trailers")))
    return (frame(HEADERS, END_HEADERS, 1, block) +
            frame(DATA, END_STREAM, 1, b"\0" + struct.pack(">I", len(message)) + message))


class Connection:
    """`tls`: an ssl.SSLContext, for a server that speaks TLS."""

    def __init__(self, source, port, tls=None):
        self.socket = socket.socket()
        self.socket.settimeout(10)
        self.socket.bind((source, 0))
        self.socket.connect(("127.0.0.1", port))
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.received = b""
        self.payload = b""

    def next_frame(self):
        """(kind, flags, stream) of the next frame, whose payload is left in self.payload."""
        while len(self.received) < 9 or len(self.received) < 9 + self._length():
            chunk = self.socket.recv(4096)
            if not chunk:
                raise Failure("the server closed a connection that should stay idle")
            self.received += chunk
        kind, flags, stream = struct.unpack(">BBI", self.received[3:9])
        length = self._length()
        self.payload = self.received[9:9 + length]
        self.received = self.received[9 + length:]
        if kind == GOAWAY:
            raise Failure("the server sent GOAWAY on a connection that should stay idle")
        return kind, flags, stream

    def _length(self):
        return int.from_bytes(self.received[:3], "big")

    def send_greeting(self):
        self.socket.sendall(PREFACE + frame(SETTINGS))

    def finish_greeting(self):
        """Waits until SETTINGS are exchanged and acknowledged in both directions."""
        settings = acknowledged = False
        while not (settings and acknowledged):
            kind, flags, _ = self.next_frame()
            if kind == SETTINGS and flags & ACK:
                acknowledged = True
            elif kind == SETTINGS:
                self.socket.sendall(frame(SETTINGS, ACK))
                settings = True

    def call_once(self, sent):
        """The only call of a connection; returns the answer's bytes."""
        self.socket.sendall(sent)
        body = b""
        while True:
            kind, flags, stream = self.next_frame()
            if kind == RST_STREAM:
                raise Failure("the server reset the stream of a call")
            if kind == DATA:
                body += self.payload
            if kind == HEADERS and stream == 1 and flags & END_STREAM:
                return body

    def get(self):
        self.call_once(get_request(b"0123456789abcdef"))


class IdleConnections:
    """Use with `with`: leaving it closes them all."""

    def __init__(self, port, count, tls=None):
        self.connections = []
        try:
            for i in range(count):
                self.connections.append(Connection(f"127.0.1.{1 + i // PER_ADDRESS}", port,
                                                   tls))
                self.connections[-1].send_greeting()
            for connection in self.connections:
                connection.finish_greeting()
        except OSError as error:
            self.close()
            raise Failure(f"connection {len(self.connections) + 1} of {count} failed: {error}")
        except Failure:
            self.close()
            raise

    def get_once(self):
        """One call on each, in sequence."""
        for connection in self.connections:
            connection.get()

    def close(self):
        for connection in self.connections:
            connection.socket.close()
        self.connections = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def fields(message):
    """The fields of a protobuf message that are bytes: (number, bytes); below 16, and short."""
    while message:
        length, begin, shift = 0, 1, 0
        while True:
            length |= (message[begin] & 127) << shift
            begin, shift = begin + 1, shift + 7
            if message[begin - 1] < 128:
                break
        yield message[0] >> 3, message[begin:begin + length]
        message = message[begin + length:]


def info(port):
    """The fields of Info: texts by name."""
    connection = Connection("127.0.0.1", port)
    try:
        connection.send_greeting()
        connection.finish_greeting()
        body = connection.call_once(request(b"/keystore.v1.KeyStoreAdmin/Info", b""))
    finally:
        connection.socket.close()
    entries = (dict(fields(entry)) for _, entry in fields(body[5:]))
    return {entry[1].decode(): entry[2].decode() for entry in entries}
