"""HTTP/2 peers that break no rule of a single frame but wear the server out: each is stopped.

What ends a connection must say so with ENHANCE_YOUR_CALM, other connections must not notice, and
what a reasonable client does must not be punished.
"""

import select
import ssl
import struct
import time

import pytest

from h2conn import DEFAULT_WINDOW, GONE, LARGEST_WINDOW, Closed
from keystore_env import SANITIZE
from rawframes import (ENHANCE_YOUR_CALM, FIRST_DYNAMIC, INCREMENTAL, INDEXED, INITIAL_WINDOW_SIZE,
                       KEY, MAX_HEADER_LIST_SIZE, PROTOCOL_ERROR, VALUE, Peer, check_serves,
                       continuation, data, get_body, headers, integer, literal, peer_fixture, ping,
                       plain_block, priority, request, rst_stream, settings, store, stored_fixture,
                       window_update)  # noqa: F401
from rpc_status import check_error

MIB = 1 << 20
CONTINUATIONS_ALLOWED = 8
SETTINGS_ALLOWED = 64
EMPTY_FRAMES_ALLOWED = 1000
HEADERS_ALLOWED = 16384
RESOURCE_EXHAUSTED = 8
# Longer than any deadline for a peer that does not read.
STALL_S = 20


def flood(peer, parts, at_once=20):
    """Sends the parts, some in one write, until they are all sent or the server has had enough."""
    try:
        waiting = []
        for number, part in enumerate(parts, 1):
            waiting.append(part)
            if number % at_once == 0:
                peer.send(*waiting)
                waiting.clear()
                peer.receive_what_is_there()
        peer.send(*waiting)
    except Closed:
        pass


def check_stopped(peer, parts, **options):
    """The server ends the connection because of the flood, and says so."""
    flood(peer, parts, **options)
    peer.expect_goaway(ENHANCE_YOUR_CALM)


class Memory:
    """How much the server may grow, at the most, while the block runs."""

    def __init__(self, server, limit):
        self.server = server
        self.limit = limit

    def __enter__(self):
        with open(f"/proc/{self.server.pid}/clear_refs", "w", encoding="ascii") as refs:
            refs.write("5")  # the peak is measured from now on
        self.before = self.server.resident_bytes()

    def __exit__(self, failed, *_):
        grown = self.server.peak_resident_bytes() - self.before
        # Sanitizers keep what was freed.
        if not failed and not SANITIZE:
            assert grown <= self.limit, f"grew by {grown // 1024} KiB, {self.limit // 1024} allowed"


@pytest.fixture
def own_server(fresh_server):
    """A server whose memory no other test has touched."""
    started = fresh_server()
    store(started.address, KEY, VALUE)
    for _ in range(10):  # so that each worker has had a connection
        check_serves(started.address)
    return started


# Resets by the client (CVE-2023-44487).

def resets(peer, sent, count=5000):
    """Calls that are reset after so many bytes of their message."""
    for _ in range(count):
        stream_id = peer.new_stream()
        yield (headers(stream_id, peer.block(request()))
               + (data(stream_id, get_body()[:sent]) if sent else b"") + rst_stream(stream_id))


@pytest.mark.parametrize("sent", [0, 8], ids=["HEADERS", "half a message"])
def test_rapid_reset(peer, sent):
    check_stopped(peer, resets(peer, sent))


def test_moderate_cancelling(peer):
    """One call cancelled for three that complete, 300 times: a hedging client, not an attacker."""
    for _ in range(300):
        cancelled = peer.open()
        calls = [peer.new_stream() for _ in range(3)]
        peer.send(rst_stream(cancelled), *[peer.call_frames(each) for each in calls])
        for stream_id in calls:
            peer.expect_value(stream_id)
        peer.send(window_update(0, sum(len(peer.answers[each].body) for each in calls)))
    peer.expect_pong()
    assert peer.goaway is None


# Resets that the client makes the server send ("MadeYouReset", CVE-2025-8671).

FORCED_RESETS = {
    "WINDOW_UPDATE of 0": lambda peer, stream_id: (
        headers(stream_id, peer.block(request())) + window_update(stream_id, 0)),
    "window overflow": lambda peer, stream_id: (
        headers(stream_id, peer.block(request())) + window_update(stream_id, LARGEST_WINDOW) * 2),
    "malformed fields": lambda peer, stream_id: (
        headers(stream_id, peer.block(request(("Upper-Case", "x"))), end_stream=True)),
    "wrong content-length": lambda peer, stream_id: (
        headers(stream_id, peer.block(request(("content-length", "1"))))
        + data(stream_id, get_body(), end=True)),
}


@pytest.mark.parametrize("cause", FORCED_RESETS)
def test_forced_resets(peer, cause):
    check_stopped(peer, (FORCED_RESETS[cause](peer, peer.new_stream()) for _ in range(1000)))


def test_a_few_forced_resets(peer):
    """Mistakes alone are no attack."""
    for _ in range(20):
        stream_id = peer.open(("Upper-Case", "x"))
        assert peer.expect_end_of(stream_id).reset == PROTOCOL_ERROR
    peer.expect_call()


# Header blocks.

def pieces(block, count):
    """The block in so many CONTINUATION frames after HEADERS with its first byte."""
    rest = [block[1 + number:2 + number] for number in range(count - 1)] + [block[count:]]
    return headers(1, block[:1], end_headers=False) + b"".join(
        continuation(1, piece, end_headers=number == count) for number, piece in enumerate(rest, 1))


def test_allowed_continuations(peer):
    peer.send(pieces(peer.block(request()), CONTINUATIONS_ALLOWED), data(1, get_body(), end=True))
    peer.expect_value(1)


def test_one_continuation_too_many(peer):
    peer.send(pieces(peer.block(request()), CONTINUATIONS_ALLOWED + 1))
    peer.expect_goaway(ENHANCE_YOUR_CALM)


def continuations(peer, size, count=5000):
    """A header block without an end (CVE-2024-27316), some of it without even a byte of progress."""
    piece = literal(INCREMENTAL, b"x", b"x" * (size - 4)) if size > 4 else b"\x82" * size
    yield headers(1, peer.block(request()), end_headers=False)
    for _ in range(count):
        yield continuation(1, piece, end_headers=False)


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_continuation_flood(peer, size):
    check_stopped(peer, continuations(peer, size), at_once=1)


def test_an_empty_continuation(peer):
    """Useless, but in order."""
    peer.send(headers(1, b"", end_headers=False), continuation(1, b"", end_headers=False),
              continuation(1, peer.block(request()), end_headers=True),
              data(1, get_body(), end=True))
    peer.expect_value(1)


def expect_refused(peer, stream_id):
    """RESOURCE_EXHAUSTED with a message, and nothing else is the matter."""
    answer = peer.expect_end_of(stream_id)
    check_error(RESOURCE_EXHAUSTED, "ERROR_REASON_TOO_LARGE",
                got_code=answer.grpc_status, sentence=answer.sentence,
                trailers=answer.plain_trailers)
    assert "--max-header-size" in answer.sentence
    assert peer.goaway is None


def check_large_block(peer, fields):
    """Refused; what was in the block counts for the compression state all the same."""
    block = peer.block(request(*fields))
    stream_id = peer.new_stream()
    parts = [block[start:start + 16000] for start in range(0, len(block), 16000)]
    peer.send(headers(stream_id, parts[0], end_stream=True, end_headers=len(parts) == 1),
              *[continuation(stream_id, part, end_headers=part is parts[-1])
                for part in parts[1:]])
    expect_refused(peer, stream_id)
    peer.expect_call()


@pytest.mark.parametrize("fields", [
    [("x-large", "x" * 30000)], [(f"x-{number}", "x" * 400) for number in range(100)],
    [("x-large", "x" * 66000)], [("x-large", "x" * 200000), ("x-small", "y"), ("x-large", "z")],
    [(f"x-{number}", "x" * 9000) for number in range(100)]],
    ids=["one field", "many fields", "66,000 bytes", "200,000 bytes", "900,000 bytes"])
def test_large_header_block(peer, fields):
    check_large_block(peer, fields)


def test_header_block_near_the_limit(peer):
    limit = peer.server_settings.get(MAX_HEADER_LIST_SIZE, HEADERS_ALLOWED)
    fields = request()
    room = limit - sum(len(name) + len(value) + 32 for name, value in fields) - 32 - len("x-large")
    peer.expect_call(block=peer.block([*fields, ("x-large", "x" * min(room, 12000))]))


def bombs(peer):
    """Requests of 1 KiB that decode to 1000 fields of 4000 bytes, all one entry of the table."""
    size = 4000
    entry = literal(INCREMENTAL, b"x-bomb", b"x" * (size - len("x-bomb") - 32))
    repeated = integer(INDEXED, FIRST_DYNAMIC) * 1000
    while True:
        yield headers(peer.new_stream(), plain_block(request()) + entry + repeated, end_stream=True)
        entry = b""


def test_hpack_bomb(own_server):
    with Memory(own_server, 16 * MIB), Peer(own_server.address) as attacker:
        bomb = bombs(attacker)
        attacker.send(next(bomb))
        expect_refused(attacker, attacker.last_stream_id)
        attacker.expect_call(block=plain_block(request()))
        check_serves(own_server.address)


def test_repeated_hpack_bombs(own_server):
    with Memory(own_server, 16 * MIB), Peer(own_server.address) as attacker:
        bomb = bombs(attacker)
        flood(attacker, (next(bomb) for _ in range(1000)))
        attacker.expect_connection_error(ENHANCE_YOUR_CALM)
        check_serves(own_server.address)


# Frames that the server must answer, for a peer that does not read.

def send_unread(peer, chunk, limit):
    """Repeats the chunk, reading nothing, until the server has ended the connection."""
    peer.socket.setblocking(False)
    poller = select.poll()
    poller.register(peer.socket, select.POLLOUT | select.POLLRDHUP)
    deadline, sent, rest = time.monotonic() + STALL_S, 0, memoryview(b"")
    while sent < limit:
        remaining = deadline - time.monotonic()
        assert remaining > 0, f"still open after {sent} bytes that made the server answer"
        events = poller.poll(remaining * 1000)
        if events and events[0][1] & ~select.POLLOUT:
            return
        rest = rest or memoryview(chunk)
        try:
            count = peer.socket.send(rest)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            continue
        except GONE:
            return
        sent += count
        rest = rest[count:]
    raise AssertionError(f"the server took {sent} bytes and would take more")


@pytest.mark.parametrize("frame", [ping(), settings(), settings((INITIAL_WINDOW_SIZE, 65535))],
                         ids=["PING", "empty SETTINGS", "SETTINGS"])
def test_answers_that_nobody_reads(own_server, frame):
    with Memory(own_server, 16 * MIB):
        with Peer(own_server.address, receive_buffer=4096) as attacker:
            send_unread(attacker, frame * 1000, 256 * MIB)
        check_serves(own_server.address)


def test_pings_of_a_peer_that_reads(peer):
    """Many round trips, or several on their way at once, are not what is meant."""
    for _ in range(20):
        peer.send(*[ping(struct.pack(">Q", number)) for number in range(10)])
        for number in range(10):
            peer.expect_pong_of(struct.pack(">Q", number))


def test_allowed_settings_in_a_frame(peer):
    peer.apply(*[(INITIAL_WINDOW_SIZE, 65535)] * SETTINGS_ALLOWED)


@pytest.mark.parametrize("count", [SETTINGS_ALLOWED + 1, 2730])
@pytest.mark.parametrize("setting", [INITIAL_WINDOW_SIZE, 0xff], ids=["known", "unknown"])
def test_too_many_settings_in_a_frame(peer, setting, count):
    peer.send(settings(*[(setting, 65535)] * count))
    peer.expect_goaway(ENHANCE_YOUR_CALM)


# Frames without progress.

@pytest.mark.parametrize("pad", [None, 0], ids=["empty", "padding only"])
def test_empty_data(peer, pad):
    stream_id = peer.open()
    check_stopped(peer, (data(stream_id, pad=pad) for _ in range(5 * EMPTY_FRAMES_ALLOWED)))


def test_empty_data_over_many_streams(peer):
    """The connection is what counts."""
    stream_ids = [peer.open() for _ in range(50)]
    check_stopped(peer, (data(each) for _ in range(EMPTY_FRAMES_ALLOWED // 10)
                         for each in stream_ids))


def test_some_empty_data(peer):
    stream_id = peer.open()
    for _ in range(5):
        peer.send(data(stream_id) * (EMPTY_FRAMES_ALLOWED // 10))
        peer.expect_pong()
    peer.send(data(stream_id, get_body(), end=True))
    peer.expect_value(stream_id)


def test_priority_flood(own_server):
    """RFC 9113 deprecates PRIORITY: it may cost the client its connection, but the server nothing
    to remember."""
    with Memory(own_server, 8 * MIB), Peer(own_server.address) as attacker:
        try:
            for first in range(1, 100000, 1000):
                attacker.send(*[priority(first + each, depends_on=first + each + 2)
                                for each in range(0, 1000, 2)] * 2)
                attacker.receive_what_is_there()
            attacker.expect_call(200001)
        except Closed:
            attacker.expect_goaway(ENHANCE_YOUR_CALM)
        check_serves(own_server.address)


# Answers that nobody lets go.

LARGE_KEY, LARGE_VALUE = b"limits: large", bytes(range(256)) * 4096
BLOCKED_CALLS = 100


def large_call(peer, stream_id):
    return peer.call_frames(stream_id, body=get_body(LARGE_KEY))


@pytest.mark.parametrize("stream_window, allowed", [(0, 0), (1000, 1000 * 65), (1 << 30, 65535)],
                         ids=["of the streams", "of both", "of the connection"])
def test_zero_window(own_server, stream_window, allowed):
    """100 MiB of answers wait for a window: they are not copied for that, and come whole once there
    is one, unless the server refuses to hold so many."""
    store(own_server.address, LARGE_KEY, LARGE_VALUE)
    with Memory(own_server, 48 * MIB), Peer(own_server.address) as attacker:
        attacker.apply((INITIAL_WINDOW_SIZE, stream_window))
        stream_ids = [attacker.new_stream() for _ in range(BLOCKED_CALLS)]
        answers = [attacker.answers[each] for each in stream_ids]
        attacker.send(*[large_call(attacker, each) for each in stream_ids])

        def received():
            return sum(len(answer.body) for answer in answers)

        attacker.receive_until(lambda: received() >= allowed, f"{allowed} bytes of answers")
        attacker.expect_pong()
        assert received() <= DEFAULT_WINDOW
        assert all(len(answer.body) <= stream_window for answer in answers)
        check_serves(own_server.address)
        attacker.send(window_update(0, 2 * MIB * BLOCKED_CALLS))
        for stream_id in stream_ids:
            expect_large_value_or_refusal(attacker, stream_id)


def expect_large_value_or_refusal(peer, stream_id):
    answer = peer.answers[stream_id]
    if not answer.ended:
        peer.send(window_update(stream_id, 2 * MIB))
    peer.expect_end_of(stream_id)
    if answer.reset is None and answer.grpc_status == 0:
        peer.expect_value(stream_id, LARGE_VALUE)


def test_reset_frees_a_blocked_answer(own_server):
    """Blocked answers that were reset do not pile up, nor keep others from being sent."""
    store(own_server.address, LARGE_KEY, LARGE_VALUE)
    with Memory(own_server, 24 * MIB), Peer(own_server.address) as attacker:
        attacker.apply((INITIAL_WINDOW_SIZE, 0))
        for _ in range(BLOCKED_CALLS):
            stream_id = attacker.new_stream()
            attacker.send(large_call(attacker, stream_id))
            attacker.expect_pong()
            attacker.send(rst_stream(stream_id))
        attacker.apply((INITIAL_WINDOW_SIZE, 65535))
        attacker.expect_call()
