"""Reads a long answer as fast as it comes, so that the server is measured, not its client.

usage: read_stream.py scan|list PORT [KEY]        a Scan or StreamList of keystore-server
       read_stream.py redis-scan PORT COUNT       SCAN of redis-server, COUNT keys at a time
       read_stream.py redis-list PORT KEY         LRANGE KEY 0 -1

Prints a line of CSV: bytes of the messages, messages, and the first 100 bytes in hex. HTTP/2 frames
are cut, but nothing in them is decoded, and the windows are so large that they need not be updated.
By hand it needs PYTHONPATH=bench.
"""
import socket
import struct
import sys

from harness.idle import ACK, DATA, END_STREAM, GOAWAY, HEADERS, PREFACE, SETTINGS, frame, request
from harness.messages import field

WINDOW_UPDATE = 8
WINDOW = (1 << 31) - 1
PREFIX = 5  # bytes before a gRPC message
READ = 1 << 20


def call(method, message):
    return b"".join([
        PREFACE, frame(SETTINGS, payload=struct.pack(">HI", 4, WINDOW)),
        frame(WINDOW_UPDATE, payload=struct.pack(">I", WINDOW - 65535)),
        request(b"/keystore.v1.KeyStore/" + method, message)])


class Messages:
    """Counts the messages in the DATA of a stream."""

    def __init__(self):
        self.bytes = self.count = 0
        self.first = b""
        self._left = 0      # of the present message
        self._prefix = b""  # as far as it has arrived

    def take(self, data):
        at = 0
        while at < len(data):
            if self._left == 0:
                need = PREFIX - len(self._prefix)
                self._prefix += bytes(data[at:at + need])
                at += need
                if len(self._prefix) == PREFIX:
                    self._left = struct.unpack(">I", self._prefix[1:])[0]
                    self.count += 1
                    self._prefix = b""
                continue
            part = min(self._left, len(data) - at)
            if len(self.first) < 100:
                self.first += bytes(data[at:at + min(100, part)])
            self.bytes += part
            self._left -= part
            at += part


def read_frames(connection, messages):
    """Until the stream has ended."""
    pending = bytearray()
    while True:
        part = connection.recv(READ)
        if not part:
            sys.exit("the server has closed the connection")
        pending += part
        at = 0
        view = memoryview(pending)
        ended = False
        while len(pending) - at >= 9:
            size = int.from_bytes(view[at:at + 3], "big")
            if len(pending) - at - 9 < size:
                break
            kind, flags = view[at + 3], view[at + 4]
            if kind == DATA:
                messages.take(view[at + 9:at + 9 + size])
            if kind == SETTINGS and not flags & ACK:
                connection.sendall(frame(SETTINGS, ACK))
            if kind == GOAWAY:
                sys.exit("the server has sent a GOAWAY")
            ended |= kind in (DATA, HEADERS) and bool(flags & END_STREAM)
            at += 9 + size
        view.release()
        del pending[:at]
        if ended:
            return


def read_keystore(port, method, message):
    messages = Messages()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(call(method, message))
        read_frames(connection, messages)
    return messages.bytes, messages.count, messages.first[:100]


def redis_command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word)
                                              for word in words)


def scan_redis(port, count):
    """Each reply is `*2`, the cursor, and an array of keys."""
    total = replies = 0
    first, cursor = b"", b"0"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while replies == 0 or cursor != b"0":
            connection.sendall(redis_command(b"SCAN", cursor, b"COUNT", count))
            reply = b""
            while True:
                reply += connection.recv(READ)
                lines = reply.split(b"\r\n", 4)
                if len(lines) == 5 and lines[4].count(b"\r\n") >= 2 * int(lines[3][1:]):
                    break
            cursor = lines[2]
            first = first or reply[:100]
            total += len(reply)
            replies += 1
    return total, replies, first


def list_redis(port, key):
    total, first = 0, b""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(redis_command(b"LRANGE", key, b"0", b"-1") + redis_command(b"PING"))
        end = b"+PONG\r\n"
        last = b""
        while not last.endswith(end):
            part = connection.recv(READ)
            if not part:
                sys.exit("the server has closed the connection")
            first = first or part[:100]
            last = (last + part)[-len(end):]
            total += len(part)
    return total - len(end), 1, first


def main(kind, port, *more):
    port = int(port)
    if kind == "scan":
        result = read_keystore(port, b"Scan", b"")
    elif kind == "list":
        key = more[0].encode()
        result = read_keystore(port, b"StreamList",
                               field(1, key) + b"\x18\x01")  # stop = -1
    elif kind == "redis-scan":
        result = scan_redis(port, more[0].encode())
    else:
        result = list_redis(port, more[0].encode())
    print("bytes,messages,first")
    print(f"{result[0]},{result[1]},{result[2].hex()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
