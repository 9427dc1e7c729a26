"""Each limit that an option sets, at a small value: it bites there and not below, and only there.

What the defaults stop is tested elsewhere; here the point is that the number given is the one that
holds. A timeout of 1 s must have ended a connection within WITHIN_S, which no default does.
"""

import re
import select
import socket
import time
from contextlib import contextmanager

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import PACKAGE_PATH, Stub, admin_stub, open_channel
from errors import BAD_ARGUMENT, OUT_OF_MEMORY, TOO_LARGE
from h2conn import LARGEST_WINDOW, PREFACE, Closed, H2Conn, frames, prefixed
from keystore_env import SANITIZE
from rpc_status import check_rpc_error
from server_process import run_server
from test_http2 import read_to_the_end

SET, GET = PACKAGE_PATH + "Set", PACKAGE_PATH + "Get"
REFUSED_STREAM, ENHANCE_YOUR_CALM = 7, 11
# The shortest default of a timeout is 10 s. Timeouts are looked at once a second.
WITHIN_S = 8
MIB = 1 << 20
KEY, BODY = b"limits", prefixed(pb.KeyValue(key=b"limits", value=b"v").SerializeToString())


def check_serves(connection):
    connection.call(SET, BODY[5:]).message()


@contextmanager
def beside(server):
    """A connection that was there before and must not notice what happens to others."""
    with H2Conn(server.address) as other:
        check_serves(other)
        yield other
        check_serves(other)
        assert not other.goaways


def expect_end(connection, timeout_s=WITHIN_S):
    """The server closes the connection."""
    with pytest.raises(Closed):
        connection.receive_until(lambda: False, timeout_s)


def expect_calm(connection):
    expect_end(connection)
    assert [each.error_code for each in connection.goaways] == [ENHANCE_YOUR_CALM]


def ping_until(connection, moment):
    """Lets time pass on a connection that is used meanwhile."""
    while time.monotonic() < moment:
        connection.ping()


def test_every_limit_is_tested():
    """A new option needs a test here, named after it."""
    others = {"config", "help", "version", "listen", "threads", "log-level", "reflection", "dir",
              "compress-replies",  # test_compression.py
              "durability", "log-rewrite-percent", "log-rewrite-min-size", "save", "import-skip-unsupported",
              "databases", "max-memory", "max-memory-policy", "max-client-memory",
              "metrics-listen",  # test_metrics.py
              "request-ids", "request-id-age", "request-id-memory",  # test_request_ids.py
              "watch-history",  # test_watch.py
              "max-connection-age", "max-connection-age-grace", "keepalive-time",
              "keepalive-timeout", "min-ping-interval",  # test_lifecycle.py
              "drain-delay", "health-listen",  # test_health.py
              "tls-listen", "tls-cert", "tls-key", "tls-client-ca", "tls-client-certs",  # test_tls.py
              "users-file",  # test_users.py
              "session-lifetime",  # test_passwords.py
              "audit-log",  # test_audit.py
              "insecure",  # test_exposure.py
              "max-calls", "max-calls-per-user", "calls-per-second-per-user",  # test_quotas.py
              "log-format", "slow-log-us", "slow-log-max-len"}  # test_observe.py
    limits = set(re.findall(r"^ +--([a-z-]+)", run_server("--help").stdout, re.M)) - others
    assert limits
    tests = [name for name in globals() if name.startswith("test_")]
    untested = [limit for limit in limits
                if not any(each.startswith("test_" + limit.replace("-", "_")) for each in tests)]
    assert not untested


# Connections.

def connects(address, **options):
    """A connection that the server has taken, or None if it turned it away."""
    connection = H2Conn(address, begin=False, **options)
    try:
        connection.begin()
        connection.ping()
        return connection
    except Closed:
        connection.close()
        return None


def expect_place(address, **options):
    """A place that was left is free as soon as the server has noticed."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        connection = connects(address, **options)
        if connection:
            return connection
    raise AssertionError("the place of a closed connection is not given away again")


@pytest.mark.parametrize("limit", [1, 3])
def test_max_connections(fresh_server, limit):
    server = fresh_server("--max-connections", limit)
    taken = [connects(server.address) for _ in range(limit)]
    assert all(taken)
    for _ in range(10):
        assert connects(server.address) is None
    for each in taken:
        check_serves(each)
    taken.pop().close()
    taken.append(expect_place(server.address))
    assert connects(server.address) is None
    for each in taken:
        check_serves(each)
        each.close()


def test_max_connections_per_address(fresh_server):
    server = fresh_server("--max-connections-per-address", 2)
    first, second = ([connects(server.address, source=source) for _ in range(2)]
                     for source in ("127.0.0.1", "127.0.0.2"))
    assert all(first + second)
    for source in ("127.0.0.1", "127.0.0.2"):
        assert connects(server.address, source=source) is None
    first.pop().close()
    first.append(expect_place(server.address, source="127.0.0.1"))
    assert connects(server.address, source="127.0.0.1") is None
    assert connects(server.address, source="127.0.0.2") is None
    for each in first + second:
        check_serves(each)
        each.close()


def test_max_connections_per_address_of_none(fresh_server):
    server = fresh_server("--max-connections-per-address", 0, "--max-connections", 20)
    taken = [connects(server.address) for _ in range(20)]
    assert all(taken)
    for each in taken:
        each.close()


# Streams and header blocks.

@pytest.mark.parametrize("limit", [1, 5])
def test_max_streams(fresh_server, limit):
    server = fresh_server("--max-streams", limit)
    with beside(server), H2Conn(server.address) as connection:
        connection.ping()
        name = frames.SettingsFrame.MAX_CONCURRENT_STREAMS
        assert connection.server_settings[name] == limit
        allowed = [connection.open(SET) for _ in range(limit)]
        refused = [connection.open(SET) for _ in range(2)]
        assert [connection.wait(each).reset for each in refused] == [REFUSED_STREAM] * 2
        for each in allowed:
            connection.send(each, BODY, end=True)
            connection.wait(each).message()
        check_serves(connection)


def padded_headers(connection, size):
    """Fields that bring the block of a call to exactly this size, as RFC 9113, 6.5.2 counts. None
    has more than 64 KiB, which no decoder likes."""
    usual = [(":method", "POST"), (":scheme", "http"), (":path", SET),
             (":authority", connection.address), ("content-type", "application/grpc"),
             ("te", "trailers"), ("x-pad", ""), ("x-pad", "")]
    room = size - sum(len(name) + len(value) + 32 for name, value in usual)
    return [("x-pad", "x" * (room // 2)), ("x-pad", "y" * (room - room // 2))]


@pytest.mark.parametrize("limit", [1024, 3000, 60000])
def test_max_header_size(fresh_server, limit):
    server = fresh_server("--max-header-size", limit)
    with beside(server), H2Conn(server.address) as connection:
        connection.ping()
        name = frames.SettingsFrame.MAX_HEADER_LIST_SIZE
        assert connection.server_settings[name] == limit
        for _ in range(2):
            fits, exceeds = (
                connection.start(SET, BODY[5:], headers=padded_headers(connection, size),
                                 pieces=1 + size // 12000)
                for size in (limit, limit + 1))
            connection.wait(fits).message()
            refused = connection.wait(exceeds)
            assert refused.grpc_status == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
            assert f"larger than {limit} bytes (--max-header-size)" in refused.sentence
        check_serves(connection)


@pytest.mark.parametrize("limit", [0, 1, 12])
def test_max_continuations(fresh_server, limit):
    server = fresh_server("--max-continuations", limit)
    with beside(server), H2Conn(server.address) as connection:
        # A field that was sent before would be a byte, too short for many pieces.
        first, second, third = ([("x-pad", letter * 300)] for letter in "xyz")
        connection.call(SET, BODY[5:], headers=first, pieces=1 + limit).message()
        connection.call(SET, BODY[5:], headers=second, pieces=1 + limit).message()
        connection.open(SET, headers=third, pieces=2 + limit)
        expect_calm(connection)


# Frames.

def settings(count):
    return frames.SettingsFrame(0, settings={0x80 + number: number for number in range(count)})


@pytest.mark.parametrize("limit", [6, 100])
def test_max_settings_entries(fresh_server, limit):
    server = fresh_server("--max-settings-entries", limit)
    with beside(server), H2Conn(server.address) as connection:
        for _ in range(2):
            connection.send_frame(settings(limit))
        connection.ping()
        check_serves(connection)
        connection.send_frame(settings(limit + 1))
        expect_calm(connection)


IDLE_FRAMES = {
    "empty DATA": lambda connection, stream_id: frames.DataFrame(stream_id),
    "PRIORITY": lambda connection, stream_id: frames.PriorityFrame(stream_id, depends_on=0),
    "SETTINGS": lambda connection, stream_id: settings(1),
    "unknown": lambda connection, stream_id: frames.ExtensionFrame(0x77, 0),
}


@pytest.mark.parametrize("frame", IDLE_FRAMES)
@pytest.mark.parametrize("limit", [10, 1500])
def test_max_idle_frames(fresh_server, limit, frame):
    server = fresh_server("--max-idle-frames", limit)
    with beside(server), H2Conn(server.address) as connection:
        stream_id = connection.open(SET)
        idle = IDLE_FRAMES[frame](connection, stream_id)
        for _ in range(2):  # a call begins the count anew
            check_serves(connection)
            with connection.held():
                for _ in range(limit):
                    connection.send_frame(idle)
            connection.ping()
        connection.send_frame(idle)
        expect_calm(connection)


# Resets.

def reset_calls(connection, count):
    """In one write, so that next to no time passes between them."""
    with connection.held():
        for _ in range(count):
            connection.reset(connection.open(SET))


@pytest.mark.parametrize("limit", [1, 50, 300])
def test_reset_burst(fresh_server, limit):
    server = fresh_server("--reset-burst", limit, "--resets-per-second", 0, "--max-streams", 5)
    with beside(server), H2Conn(server.address) as connection:
        reset_calls(connection, limit + 5)
        connection.ping()
        check_serves(connection)  # which gives one back
        reset_calls(connection, 1)
        connection.ping()
        reset_calls(connection, 1)
        expect_calm(connection)


def test_resets_per_second(fresh_server):
    server = fresh_server("--reset-burst", 20, "--resets-per-second", 1, "--max-streams", 5)
    with beside(server), H2Conn(server.address) as connection:
        reset_calls(connection, 25)
        connection.ping()
        ping_until(connection, time.monotonic() + 1.1)
        reset_calls(connection, 1)
        connection.ping()
        reset_calls(connection, 10)
        expect_calm(connection)


def test_resets_per_second_in_plenty(fresh_server):
    """Far above the default; each round takes some milliseconds."""
    server = fresh_server("--reset-burst", 50, "--resets-per-second", 100000, "--max-streams", 5)
    with H2Conn(server.address) as connection:
        for _ in range(20):
            reset_calls(connection, 50)
            sent = time.monotonic()
            ping_until(connection, sent + 0.02)
        check_serves(connection)


# Timeouts.

@contextmanager
def ended_in_time(began):
    """What waits in the block for the end does so for at least 1 s from `began` on."""
    yield
    assert time.monotonic() - began >= 0.99, "ended before its time"


UNGREETED = {"silent": b"", "half the preface": PREFACE[:10], "no SETTINGS": PREFACE,
             "half the SETTINGS": PREFACE + b"\0\0\x06\x04\0\0\0\0\0\0\x04"}


@pytest.mark.parametrize("sent", UNGREETED)
def test_greeting_timeout(fresh_server, sent):
    server = fresh_server("--greeting-timeout", 1)
    host, port = server.address.split(":")
    with beside(server), socket.create_connection((host, int(port)), timeout=WITHIN_S) as silent:
        with ended_in_time(time.monotonic()):
            silent.sendall(UNGREETED[sent])
            read_to_the_end(silent)


def half_header_blocks():
    headers = frames.HeadersFrame(1, b"\x83\x86").serialize()
    continuation = frames.ContinuationFrame(1, b"\x84").serialize()
    return {"no END_HEADERS": headers, "half HEADERS": headers[:-1],
            "header of a frame": headers[:5], "half CONTINUATION": headers + continuation[:-1]}


@pytest.mark.parametrize("sent", half_header_blocks())
def test_header_timeout(fresh_server, sent):
    server = fresh_server("--header-timeout", 1)
    with beside(server) as other, H2Conn(server.address) as connection:
        # Half a message, or silence, is none of this timeout's business.
        stream_id = other.open(SET)
        other.send(stream_id, BODY[:7])
        check_serves(connection)
        with ended_in_time(time.monotonic()):
            connection.socket.sendall(half_header_blocks()[sent])
            expect_end(connection)
        other.send(stream_id, BODY[7:], end=True)
        other.wait(stream_id).message()


def test_header_timeout_of_a_trickle(fresh_server):
    """A byte now and then does not help."""
    server = fresh_server("--header-timeout", 1)
    with beside(server), H2Conn(server.address) as connection:
        check_serves(connection)
        trickle = iter(frames.HeadersFrame(3, b"\x83" * 10000).serialize())
        deadline = time.monotonic() + WITHIN_S
        with ended_in_time(time.monotonic()), pytest.raises(Closed):
            while time.monotonic() < deadline:
                send_or_closed(connection, bytes([next(trickle)]))
                connection_ended(connection, 0.05)


def send_or_closed(connection, data):
    try:
        connection.socket.send(data)
    except BlockingIOError:
        pass
    except (BrokenPipeError, ConnectionResetError) as error:
        raise Closed("found closed while sending") from error


def connection_ended(connection, wait_s):
    """Raises Closed once the server has closed it, found without reading from it."""
    poller = select.poll()
    poller.register(connection.socket, select.POLLRDHUP)
    if poller.poll(wait_s * 1000):
        raise Closed("found closed while waiting")


@pytest.fixture
def large_value(random_of_test):
    return random_of_test.randbytes(16 * MIB)


def set_value(server, value):
    with open_channel(server.address) as channel:
        Stub(channel).Set(pb.KeyValue(key=KEY + b": large", value=value))


def large_get():
    return pb.Key(key=KEY + b": large").SerializeToString()


def test_write_timeout_of_one_who_does_not_read(fresh_server, large_value):
    """Windows are open, but the kernel's buffers are full."""
    server = fresh_server("--write-timeout", 1)
    set_value(server, large_value)
    with beside(server), H2Conn(server.address, initial_window=LARGEST_WINDOW,
                                begin=False) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        connection.begin()
        connection.grant(0, LARGEST_WINDOW - 65535)
        ping = frames.PingFrame(0, b"awake???").serialize()
        with ended_in_time(time.monotonic()), pytest.raises(Closed):
            connection.start(GET, large_get())
            connection.socket.setblocking(False)
            deadline = time.monotonic() + WITHIN_S
            while time.monotonic() < deadline:
                # Tells us that it is closed; that it sends does not make up for not reading.
                send_or_closed(connection, ping)
                connection_ended(connection, 0.05)


@pytest.mark.parametrize("granted", [0, 1000])
def test_write_timeout_of_one_without_windows(fresh_server, granted):
    server = fresh_server("--write-timeout", 1)
    set_value(server, b"v" * MIB)
    with beside(server), H2Conn(server.address, initial_window=granted, credit=False) as connection:
        with ended_in_time(time.monotonic()):
            answer = connection.answers[connection.start(GET, large_get())]
            expect_end(connection)
        assert len(answer.body) == granted


def grant_by_the_byte(connection, stream_id, until):
    """Opens the window by a byte each time that one has come."""
    answer = connection.answers[stream_id]
    while time.monotonic() < until:
        connection.grant(stream_id, 1)
        received = len(answer.body)
        connection.receive_until(lambda: len(answer.body) > received)
        ping_until(connection, time.monotonic() + 0.2)


def test_min_progress_is_enough(fresh_server):
    """A byte now and then, if a byte is all that is wanted."""
    server = fresh_server("--write-timeout", 1, "--min-progress", 1)
    set_value(server, b"v" * MIB)
    with H2Conn(server.address, initial_window=0, credit=False) as connection:
        stream_id = connection.start(GET, large_get())
        grant_by_the_byte(connection, stream_id, time.monotonic() + 4)
        connection.grant(stream_id, 2 * MIB)
        connection.grant(0, 2 * MIB)
        assert pb.Value.FromString(connection.wait(stream_id).message()).value == b"v" * MIB


def test_write_timeout_of_windows_by_the_byte(fresh_server):
    server = fresh_server("--write-timeout", 1, "--min-progress", 1000)
    set_value(server, b"v" * MIB)
    with beside(server), H2Conn(server.address, initial_window=0, credit=False) as connection:
        with ended_in_time(time.monotonic()), pytest.raises(Closed):
            grant_by_the_byte(connection, connection.start(GET, large_get()),
                              time.monotonic() + WITHIN_S)


def test_write_timeout_of_a_trickle(fresh_server, large_value):
    """Windows are open, and some bytes are read now and then: what the kernels hold is no progress,
    and all that was read makes no tenth of it."""
    server = fresh_server("--write-timeout", 1, "--min-progress", 4 * MIB)
    set_value(server, large_value)
    with beside(server), H2Conn(server.address, initial_window=LARGEST_WINDOW,
                                receive_buffer=16384) as connection:
        connection.grant(0, LARGEST_WINDOW - 65535)
        with ended_in_time(time.monotonic()), pytest.raises(Closed):
            connection.start(GET, large_get())
            deadline = time.monotonic() + WITHIN_S
            while time.monotonic() < deadline:
                try:
                    if not connection.socket.recv(2000):
                        raise Closed("found closed while reading")
                except ConnectionResetError as error:
                    raise Closed("found reset while reading") from error
                connection_ended(connection, 0.05)


def test_write_timeout_of_one_that_keeps_up(fresh_server):
    """Small answers, each read before the next call: less than the progress that is wanted, but all
    that there is."""
    server = fresh_server("--write-timeout", 1, "--min-progress", 4 * MIB)
    with H2Conn(server.address) as connection:
        deadline = time.monotonic() + 3.5
        while time.monotonic() < deadline:
            check_serves(connection)
        assert not connection.goaways


def test_write_timeout_of_idle_connections(fresh_server):
    """Nothing to be sent means nothing to wait for, even with half a request under way."""
    server = fresh_server("--write-timeout", 1)
    with H2Conn(server.address) as idle, H2Conn(server.address) as connection:
        stream_id = idle.open(SET)
        idle.send(stream_id, BODY[:7])
        ping_until(connection, time.monotonic() + 3)
        idle.send(stream_id, BODY[7:], end=True)
        idle.wait(stream_id).message()


DEADLINE_EXCEEDED = 4


def test_request_timeout(fresh_server):
    """The call fails alone, whether half of its message came, nothing, or all but its end; calls on
    the same connection go on."""
    server = fresh_server("--request-timeout", 1)
    with H2Conn(server.address) as connection:
        began = time.monotonic()
        stream_ids = [connection.open(SET) for _ in range(3)]
        connection.send(stream_ids[0], BODY[:7])
        connection.send(stream_ids[1], BODY)
        for stream_id in stream_ids:
            answer = connection.wait(stream_id)
            assert answer.grpc_status == DEADLINE_EXCEEDED
            assert "--request-timeout" in answer.sentence
        assert time.monotonic() - began >= 0.99
        check_serves(connection)
        assert not connection.goaways
        with open_channel(server.address) as channel:
            fields = admin_stub(channel).Info(pb.InfoRequest(sections=["stats"])).fields
            assert fields["slow_requests_ended"] == "3"
    server.stop()
    assert "3 requests were ended" in server.stderr


@pytest.mark.parametrize("progress,ends", [(1, False), (10_000, True)])
def test_request_timeout_of_a_trickle(fresh_server, progress, ends):
    server = fresh_server("--request-timeout", 1, "--min-progress", progress)
    body = prefixed(pb.KeyValue(key=KEY, value=b"v" * 100_000).SerializeToString())
    with H2Conn(server.address) as connection:
        stream_id = connection.open(SET)
        answer = connection.answers[stream_id]
        began, sent = time.monotonic(), 0
        while time.monotonic() < began + (WITHIN_S if ends else 4) and not answer.ended:
            connection.send(stream_id, body[sent:sent + 100])
            sent += 100
            ping_until(connection, time.monotonic() + 0.2)
        assert answer.ended == ends
        if ends:
            assert answer.grpc_status == DEADLINE_EXCEEDED
        else:
            connection.send(stream_id, body[sent:], end=True)
            connection.wait(stream_id).message()


def test_idle_timeout(fresh_server):
    """It is ended in order, so that clients make a new one. One that makes calls, or waits for one,
    stays."""
    server = fresh_server("--idle-timeout", 1)
    with H2Conn(server.address) as busy, H2Conn(server.address) as calling:
        stream_id = busy.open(SET)
        busy.send(stream_id, BODY[:7])
        with H2Conn(server.address) as idle, ended_in_time(time.monotonic()):
            with pytest.raises(Closed):
                idle.ping()
                while True:
                    check_serves(calling)
                    idle.ping()
            assert [each.error_code for each in idle.goaways] == [0, 0]
        check_serves(calling)
        busy.send(stream_id, BODY[7:], end=True)
        busy.wait(stream_id).message()
        assert not calling.goaways and not busy.goaways


def test_idle_timeout_of_a_channel(fresh_server):
    """grpc does not notice."""
    server = fresh_server("--idle-timeout", 1)
    with open_channel(server.address) as channel, open_channel(server.address) as other:
        stub, admin = Stub(channel), admin_stub(other)
        assert stub.Set(pb.KeyValue(key=KEY, value=b"v")).ok
        deadline = time.monotonic() + WITHIN_S
        while int(admin.Info(pb.InfoRequest()).fields["idle_connections_ended"]) == 0:
            assert time.monotonic() < deadline
        assert stub.Get(pb.Key(key=KEY)).value == b"v"


@pytest.mark.parametrize("limit_s", [0, 1])
def test_drain_timeout(fresh_server, limit_s):
    server = fresh_server("--drain-timeout", limit_s)
    with H2Conn(server.address) as connection:
        connection.send(connection.open(SET), BODY[:7])
        connection.ping()
        began = time.monotonic()
        server.send_signal()
        server.wait(WITHIN_S)
        assert time.monotonic() - began >= limit_s - 0.01
        expect_end(connection)


def test_drain_timeout_is_waited_for(fresh_server):
    """A call that ends after 3 s, of 30 that it has."""
    server = fresh_server("--drain-timeout", 30)
    with H2Conn(server.address) as connection:
        stream_id = connection.open(SET)
        connection.send(stream_id, BODY[:7])
        connection.ping()
        server.send_signal()
        ping_until(connection, time.monotonic() + 3)
        connection.send(stream_id, BODY[7:], end=True)
        connection.wait(stream_id).message()
        server.wait(WITHIN_S)


# Values.

@pytest.mark.parametrize("limit", [1, 70000])
def test_max_value(fresh_server, key, limit):
    """Each value is measured, not their sum."""
    server = fresh_server("--max-value", limit)
    fits, exceeds = b"v" * limit, b"v" * (limit + 1)
    with beside(server), open_channel(server.address) as channel:
        stub = Stub(channel)
        assert stub.Set(pb.KeyValue(key=key + b":string", value=fits)).ok
        assert stub.LPush(pb.ListInsert(key=key, values=[fits] * 3)).count == 3
        for method, request in (
                (stub.Set, pb.KeyValue(key=key + b":string", value=exceeds)),
                (stub.LPush, pb.ListInsert(key=key, values=[fits, exceeds]))):
            with pytest.raises(grpc.RpcError) as caught:
                method(request)
            check_rpc_error(caught.value, *TOO_LARGE)
        assert stub.Get(pb.Key(key=key + b":string")).value == fits
        assert list(stub.LRange(pb.ListRange(key=key, stop=-1)).values) == [fits] * 3


# Data.

@pytest.mark.parametrize("count", [1, 3])
def test_databases(fresh_server, count):
    server = fresh_server("--databases", count)
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        assert stub.Set(pb.KeyValue(key=b"k", value=b"v", db=count - 1)).ok
        with pytest.raises(grpc.RpcError) as caught:
            stub.Set(pb.KeyValue(key=b"k", value=b"v", db=count))
        check_rpc_error(caught.value, *BAD_ARGUMENT)
        assert f"0 to {count - 1}" in caught.value.details()


def fill(stub, count, size, **fields):
    """Sets keys until one is refused; returns the error or None, and how many were set."""
    for i in range(0, count, 100):
        entries = [pb.KeyValue(key=b"fill:%d" % k, value=b"v" * size, **fields)
                   for k in range(i, i + 100)]
        try:
            assert stub.MSet(pb.KeyValues(entries=entries)).ok
        except grpc.RpcError as error:
            return error, i
    return None, count


# What a server takes without data, and a connection's buffers.
BASE_BYTES = 24 * MIB
# Sanitizers keep what was freed, and much beside it; and they take their time to fill it.
EXACT = not SANITIZE
MEMORY = (4 if SANITIZE else 12) * MIB


@pytest.mark.parametrize("size", [20, 1000, 30000])
def test_max_memory(fresh_server, size):
    """Without a policy what does not fit is refused, and nothing that was there is lost."""
    limit = MEMORY
    server = fresh_server("--max-memory", limit)
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        error, count = fill(stub, 2 * limit // size, size)
        check_rpc_error(error, *OUT_OF_MEMORY)
        assert "--max-memory" in error.details()
        keys = [b"fill:%d" % k for k in range(count)]
        for i in range(0, count, 1000):
            part = keys[i:i + 1000]
            assert stub.Exists(pb.Keys(keys=part)).count == len(part)
        # Removing is still allowed, and makes room again.
        assert stub.DeleteMany(pb.Keys(keys=keys[:count // 2])).count == count // 2
        assert stub.Set(pb.KeyValue(key=b"k", value=b"v" * size)).ok
        if EXACT:
            assert server.resident_bytes() < limit * 1.1 + BASE_BYTES


@pytest.mark.parametrize("policy,deadline,evicts", [
    ("noeviction", True, False), ("allkeys-lru", False, True), ("volatile-lru", False, False),
    ("volatile-lru", True, True), ("allkeys-random", False, True), ("volatile-ttl", True, True)])
def test_max_memory_policy(fresh_server, policy, deadline, evicts):
    limit, size = MEMORY, 100
    server = fresh_server("--max-memory", limit, "--max-memory-policy", policy)
    fields = {"ttl_ms": 10_000_000} if deadline else {}
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        error, count = fill(stub, 3 * limit // size, size, **fields)
        assert (error is None) == evicts
        if error is not None:
            check_rpc_error(error, *OUT_OF_MEMORY)
        elif EXACT:
            assert server.resident_bytes() < limit * 1.1 + BASE_BYTES
