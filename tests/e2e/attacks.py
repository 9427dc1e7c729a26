"""The attacks: what a peer may do to wear a server out, or to get past its rules.

Each is a function of a Target (attack_ground.py). script/attack runs them for as long as it is told,
test_attacks.py once. Most are built from what the tests of single limits send.
"""

import functools
import gzip
import random
import socket
import ssl
import time
from collections import namedtuple
from contextlib import ExitStack, suppress

import mini_redis_pb2 as pb
from attack_ground import ATTACKER, BAR_S, CONNECTIONS_PER_ADDRESS, MAX_VALUE, RULES
from clients import ADMIN_PATH, PACKAGE_PATH
from h2conn import GONE, LARGEST_WINDOW, PREFACE, Closed, prefixed
from rawframes import (ENHANCE_YOUR_CALM, INITIAL_WINDOW_SIZE, continuation, data, headers, ping,
                       request, settings, window_update)
from test_compression import GZIP, bomb_of
from test_http2_limits import (FORCED_RESETS, MIB, SETTINGS_ALLOWED, bombs, check_stopped,
                               continuations, flood, resets, send_unread)
from test_tls import H2, s_client
from users import reload_users, token_of

SET, GET, MSET, TXN, POP = (PACKAGE_PATH + name for name in ("Set", "Get", "MSet", "Txn", "ListPop"))
PIPELINE, WATCH, SUBSCRIBE, PUBLISH = (PACKAGE_PATH + name for name in (
    "Pipeline", "Watch", "Subscribe", "Publish"))
(INVALID_ARGUMENT, DEADLINE_EXCEEDED, PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNIMPLEMENTED,
 INTERNAL, UNAUTHENTICATED) = (3, 4, 7, 8, 12, 13, 16)
INNER = 256 * 1024
USERS_FILE_MOST = 2 * MIB
BIG_KEY = b"app:big"

Attack = namedtuple("Attack", "name attack transport guarded")
ATTACKS = []


def suits(attack, target):
    return attack.transport in (None, target.name)


Attack.suits = suits


def attack(name, *, transport=None, guarded=False):
    """Registers a function. `transport`: the only one that it is for; `guarded`: it needs users."""
    def register(function):
        ATTACKS.append(Attack(name, function, transport, guarded))
        return function
    return register


# What the server must do.

def expect_end(connection):
    """It ends the connection, which has a `receive_until`."""
    deadline = time.monotonic() + BAR_S
    with suppress(Closed, socket.timeout):
        while True:
            connection.receive(deadline)
    assert time.monotonic() < deadline, "still connected"


def expect_sockets_end(sockets):
    """It ends all of them, of which nothing else matters."""
    deadline = time.monotonic() + BAR_S
    for each in sockets:
        try:
            while True:
                each.settimeout(max(deadline - time.monotonic(), 0.001))
                if not each.recv(1 << 16):
                    break
        except GONE:
            pass
        except socket.timeout:
            raise AssertionError(f"still connected after {BAR_S} s") from None


def expect_status(answer, *codes):
    assert answer.ended, "no answer"
    assert answer.grpc_status in codes, f"not one of {codes}: {answer}"


def raw_sockets(target, stack, count):
    """Connections on which nothing has been sent, not even for TLS."""
    host, port = target.address.split(":")
    return [stack.enter_context(socket.create_connection((host, int(port)), BAR_S,
                                                         source_address=(ATTACKER, 0)))
            for _ in range(count)]


def sends(connection, data_):
    try:
        connection.sendall(data_)
        return True
    except GONE:
        return False


def set_message(key, value):
    return pb.KeyValue(key=key, value=value).SerializeToString()


def store_big(target):
    """A value that is as large as values may be."""
    with target.calls() as connection:
        connection.call(SET, set_message(BIG_KEY, bytes(MAX_VALUE))).message()


# ---- HTTP/2 ----

@attack("rapid reset")
def rapid_reset(target):
    for sent in (0, 8):
        with target.peer() as peer:
            check_stopped(peer, resets(peer, sent))


@attack("MadeYouReset")
def made_you_reset(target):
    for cause in FORCED_RESETS.values():
        with target.peer() as peer:
            check_stopped(peer, (cause(peer, peer.new_stream()) for _ in range(1000)))


@attack("CONTINUATION flood")
def continuation_flood(target):
    for size in (0, 1, 1000):
        with target.peer() as peer:
            check_stopped(peer, continuations(peer, size), at_once=1)


@attack("HPACK bomb")
def hpack_bomb(target):
    with target.peer() as peer:
        bomb = bombs(peer)
        flood(peer, (next(bomb) for _ in range(1000)))
        peer.expect_connection_error(ENHANCE_YOUR_CALM)


@attack("SETTINGS flood")
def settings_flood(target):
    with target.peer() as peer:
        check_stopped(peer, (settings() for _ in range(5000)))
    with target.peer() as peer:
        peer.send(settings(*[(INITIAL_WINDOW_SIZE, 65535)] * (SETTINGS_ALLOWED + 1)))
        peer.expect_goaway(ENHANCE_YOUR_CALM)
    with target.peer(receive_buffer=4096) as peer:
        send_unread(peer, settings((INITIAL_WINDOW_SIZE, 65535)) * 1000, 256 * MIB)


@attack("PING flood")
def ping_flood(target):
    with target.peer() as peer:
        check_stopped(peer, (ping() for _ in range(5000)))
    with target.peer(receive_buffer=4096) as peer:
        send_unread(peer, ping() * 1000, 256 * MIB)


@attack("empty DATA frames")
def empty_data(target):
    for pad in (None, 0):
        with target.peer() as peer:
            stream_id = peer.open()
            check_stopped(peer, (data(stream_id, pad=pad) for _ in range(5000)))


# ---- peers that do not read, or hardly ----

def gets_of_big(peer, count):
    body = prefixed(pb.Key(key=BIG_KEY).SerializeToString())
    return [peer.call_frames(body=body) for _ in range(count)]


@attack("zero window")
def zero_window(target):
    store_big(target)
    for window in (0, 1000):
        with target.calls(initial_window=window, credit=False) as connection:
            for _ in range(100):
                connection.start(GET, pb.Key(key=BIG_KEY).SerializeToString())
            expect_end(connection)


@attack("unread answers")
def unread_answers(target):
    store_big(target)
    with target.peer(receive_buffer=4096) as peer:
        peer.apply((INITIAL_WINDOW_SIZE, LARGEST_WINDOW))
        peer.send(window_update(0, LARGEST_WINDOW - 65535), *gets_of_big(peer, 100))
        # Nothing is read, so the end is found by sending.
        deadline = time.monotonic() + BAR_S
        while sends(peer.socket, settings()):
            assert time.monotonic() < deadline, "still connected"
            time.sleep(0.05)


@attack("data dribble")
def data_dribble(target):
    """Windows are opened byte by byte."""
    store_big(target)
    with target.peer() as peer, suppress(Closed):
        peer.apply((INITIAL_WINDOW_SIZE, 0))
        peer.send(*gets_of_big(peer, 20))
        stream_id, deadline = peer.last_stream_id, time.monotonic() + BAR_S
        while time.monotonic() < deadline:
            taken = len(peer.answers[stream_id].body)
            peer.send(window_update(stream_id, 1))
            peer.receive_until(lambda: len(peer.answers[stream_id].body) > taken,  # noqa: B023
                               "a byte", BAR_S)
            time.sleep(0.05)
        raise AssertionError("still connected")


# ---- slow senders ----

def dribble(sockets, text):
    """A byte now and then, to each, until all are closed."""
    deadline = time.monotonic() + BAR_S
    left = list(sockets)
    for byte in text:
        left = [each for each in left if sends(each, bytes([byte]))]
        if not left:
            return
        assert time.monotonic() < deadline, "still connected"
        time.sleep(0.05)
    expect_sockets_end(left)


@attack("half-open connections")
def half_open(target):
    with ExitStack() as stack:
        expect_sockets_end(raw_sockets(target, stack, 100))


@attack("slowloris in the preface")
def slow_preface(target):
    with ExitStack() as stack:
        sockets = raw_sockets(target, stack, 20)
        if target.tls:
            sockets = [stack.enter_context(target.tls.wrap_socket(each,
                                                                  server_hostname="localhost"))
                       for each in sockets]
        dribble(sockets, PREFACE + bytes(1000))


@attack("slowloris in a header block")
def slow_header_block(target):
    with target.peer() as peer:
        peer.send(headers(1, b"\x82", end_headers=False))
        dribble([peer.socket], continuation(1, b"\x84" * 10000, end_headers=False))


@attack("slowloris in a message")
def slow_message(target):
    """Neither call is there after its time; that of others on the connection is."""
    body = prefixed(set_message(b"app:slow", bytes(100_000)))
    with target.calls() as connection:
        streams = [connection.open(SET) for _ in range(100)]
        deadline = time.monotonic() + BAR_S
        for sent in range(len(body)):
            open_ones = [each for each in streams if not connection.answers[each].ended]
            if not open_ones:
                break
            assert time.monotonic() < deadline, "the calls are still there"
            for each in open_ones:
                connection.send(each, body[sent:sent + 1])
            with suppress(socket.timeout):
                connection.receive(time.monotonic() + 0.05)
        for each in streams:
            expect_status(connection.answers[each], DEADLINE_EXCEEDED)
        connection.call(SET, set_message(b"app:slow", b"v")).message()


def client_hello():
    """The first bytes of a handshake, as OpenSSL makes them."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2"])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    handshake = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        handshake.do_handshake()
    return outgoing.read()


@attack("slowloris in the TLS handshake", transport="TLS")
def slow_handshake(target):
    hello = client_hello()
    with ExitStack() as stack:
        dribble(raw_sockets(target, stack, 20), hello)  # ends before it is whole
    with ExitStack() as stack:
        whole = raw_sockets(target, stack, 20)  # never answers the server's part
        for each in whole:
            each.sendall(hello)
        expect_sockets_end(whole)


@attack("many connections from one address")
def many_connections(target):
    """Most are turned away; those that are taken say nothing, and do not last."""
    count = 20_000 if target.ground.is_long else 2 * CONNECTIONS_PER_ADDRESS
    host, port = target.address.split(":")
    for _ in range(0, count, 1000):
        with ExitStack() as stack:
            sockets = []
            for _ in range(min(count, 1000)):
                with suppress(*GONE):
                    sockets.append(stack.enter_context(socket.create_connection(
                        (host, int(port)), BAR_S, source_address=(ATTACKER, 0))))
            expect_sockets_end(sockets)


# ---- messages ----

@attack("oversized length prefix")
def oversized_prefix(target):
    with target.calls() as connection:
        for path in (SET, PIPELINE):
            for length in (2**32 - 1, 2**31, MAX_VALUE + 2 * MIB):
                stream_id = connection.open(path)
                connection.send(stream_id, prefixed(b"0123456789", length=length))
                expect_status(connection.wait(stream_id, BAR_S), RESOURCE_EXHAUSTED)


@functools.cache
def bomb():
    return bomb_of(256 * MIB)


@functools.cache
def dense_bomb():
    """As much as a message may be, and as small as that is accepted."""
    message = bytearray(bytes(MAX_VALUE))
    dice = random.Random(1)
    for at in range(0, len(message), 200):
        message[at] = dice.randrange(256)
    return gzip.compress(set_message(b"app:bomb", bytes(message)))


@attack("compression bomb")
def compression_bomb(target):
    with target.calls() as connection:
        lying = bomb()[:-4] + (1000).to_bytes(4, "little")
        for member in (bomb(), lying):
            stream_id = connection.open(SET, headers=GZIP)
            connection.send(stream_id, prefixed(member, 1), end=True)
            answer = connection.wait(stream_id, BAR_S)
            assert answer.grpc_status not in (0, None), answer
    with ExitStack() as stack:
        started = []
        for _ in range(10):
            connection = stack.enter_context(target.calls())
            stream_id = connection.open(SET, headers=GZIP)
            connection.send(stream_id, prefixed(dense_bomb(), 1), end=True)
            started.append((connection, stream_id))
        for connection, stream_id in started:
            expect_status(connection.wait(stream_id, BAR_S), 0, RESOURCE_EXHAUSTED,
                          DEADLINE_EXCEEDED)


def nested(depth, field=2):
    """So many messages in one another."""
    message = b""
    for _ in range(depth):
        message = bytes([field << 3 | 2]) + varint(len(message)) + message
    return message


def varint(number):
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes(encoded) + bytes([number])


@attack("deep nesting")
def deep_nesting(target):
    """Of groups, which protobuf still allows in unknown fields, and of messages. They are refused, or
    skipped as unknown."""
    groups = bytes([99 << 3 & 127 | 128 | 3, 99 >> 4]) * 100_000
    with target.calls() as connection:
        for path in (SET, TXN, MSET, PIPELINE):
            for message in (groups, nested(20_000), nested(20_000, field=1)):
                expect_status(connection.call(path, message), 0, INVALID_ARGUMENT,
                              RESOURCE_EXHAUSTED, INTERNAL)


@attack("256 Ki inner messages")
def inner_messages(target):
    """As many as there may be, and more; small ones that unfold into large ones."""
    get = pb.TxnRequest(success=[pb.Op(get=pb.Key(key=b"k"))]).SerializeToString()
    op = pb.OpBatch(ops=[pb.Op(get=pb.Key(key=b"k"))]).SerializeToString()
    entry = pb.KeyValues(entries=[pb.KeyValue(key=b"app:k")]).SerializeToString()
    with target.calls() as connection:
        for path, message in ((MSET, b"\x0a\0"), (TXN, b"\x12\0"), (PIPELINE, b"\x0a\0"),
                              (MSET, entry), (TXN, get), (PIPELINE, op)):
            for count in (INNER, INNER + 1, MAX_VALUE // len(message)):
                answer = connection.call(path, message * count)
                if count > INNER or len(message) == 2:
                    assert answer.grpc_status not in (0, None), f"{path} {count}: {answer}"
                else:
                    expect_status(answer, 0, RESOURCE_EXHAUSTED)
    with ExitStack() as stack:  # side by side, and nobody reads
        for path, message in ((TXN, get), (PIPELINE, op)) * 4:
            connection = stack.enter_context(target.calls(initial_window=0))
            connection.send(connection.open(path), prefixed(message * INNER), end=True)
            stack.callback(functools.partial(expect_gone_or_refused, connection))


def expect_gone_or_refused(connection):
    """All of its calls have ended, if only with the connection."""
    with suppress(Closed):
        connection.receive_until(lambda: all(each.ended for each in connection.answers.values()),
                                 BAR_S)


# ---- calls that wait ----

@attack("deadline storm")
def deadline_storm(target):
    message = pb.PopRequest(keys=[b"app:never"], wait_ms=-1).SerializeToString()
    with target.calls() as connection:
        connection.ping()
        for _ in range(5):
            with connection.held():
                streams = [connection.start(POP, message, headers=[("grpc-timeout", "1m")])
                           for _ in range(500)]
            for each in streams:
                expect_status(connection.wait(each, BAR_S), DEADLINE_EXCEEDED)


def calls_until_refused(target, stack, path, message, count):
    """Calls without their answers being read, on one connection; returns it."""
    connection = stack.enter_context(target.calls(initial_window=0))
    connection.ping()
    with suppress(Closed):
        for _ in range(count):
            connection.start(path, message)
        connection.ping()
    return connection


def expect_bounded(target, path, large, small):
    """Calls that stay: few that hold much, and many that hold little. They are refused, or may stay
    as long as they hold little; the memory is judged by the ground."""
    connections = 10 if target.ground.is_long else 2
    with ExitStack() as stack:
        for message, count in ((large, 200), (small, 1000)):
            for _ in range(connections):
                calls_until_refused(target, stack, path, message, count)


@attack("very many watches")
def many_watches(target):
    """The innocent client writes what they watch; nobody reads it."""
    selectors = [pb.WatchRequest.Selector(prefix=b"%d" % number) for number in range(9_999)]
    selectors.append(pb.WatchRequest.Selector(prefix=b"app:"))
    expect_bounded(target, WATCH, pb.WatchRequest(selectors=selectors).SerializeToString(),
                   pb.WatchRequest(selectors=selectors[-1:]).SerializeToString())


@attack("very many blocked waiters")
def many_waiters(target):
    keys = [b"app:waits:%050d" % number for number in range(1000)]
    expect_bounded(target, POP, pb.PopRequest(keys=keys, wait_ms=-1).SerializeToString(),
                   pb.PopRequest(keys=keys[:1], wait_ms=-1).SerializeToString())


@attack("subscribers that never read")
def unread_subscriptions(target):
    subscribe = pb.SubscribeRequest(channels=[b"app:news"]).SerializeToString()
    publish = pb.Message(channel=b"app:news", payload=bytes(100_000)).SerializeToString()
    with ExitStack() as stack, target.calls() as publisher:
        subscribers = [calls_until_refused(target, stack, SUBSCRIBE, subscribe, 100)
                       for _ in range(3)]
        for _ in range(100):
            publisher.call(PUBLISH, publish).message()
        for each in subscribers:
            expect_gone_or_refused(each)


# ---- the store ----

@attack("hash flooding")
def hash_flooding(target):
    """Keys that collide under hashes of the kind h * 33 + c, where "Ez" and "FY" are the same."""
    bits = 14 if target.ground.is_long else 11
    keys = ["app:flood:" + format(number, f"0{bits}b").replace("0", "Ez").replace("1", "FY")
            for number in range(1 << bits)]
    with target.calls() as connection:
        for start in range(0, len(keys), 1024):
            part = [pb.KeyValue(key=key.encode(), value=b"v") for key in keys[start:start + 1024]]
            connection.call(MSET, pb.KeyValues(entries=part).SerializeToString()).message()
        exists = connection.call(PACKAGE_PATH + "Exists",
                                 pb.Keys(keys=[key.encode() for key in keys]).SerializeToString())
        assert pb.Status.FromString(exists.message()).count == len(keys)


# ---- TLS ----

@attack("TLS renegotiation", transport="TLS")
def renegotiation(target):
    """With TLS 1.2 it is refused; new keys with TLS 1.3 are given, however often they are asked
    for."""
    said = s_client(target, "-tls1_2", *H2, command=("sh", "-c", "echo R; sleep 1"))
    assert "no renegotiation" in said, said
    said = s_client(target, "-tls1_3", *H2, command=("sh", "-c", "yes K | head -n 2000"))
    assert "KEYUPDATE" in said, said


# ---- users ----

def refused(target, path, message, name, *codes):
    with target.calls() as connection:
        answer = connection.call(path, message, headers=credentials_of(token_of(name)))
        expect_status(answer, *codes)


def credentials_of(token):
    return [("authorization", f"Bearer {token}")]


@attack("token guessing", guarded=True)
def token_guessing(target):
    real, dice = token_of("boss"), random.Random(1)
    near = [real[:-1], real + "x", real.upper(), real[1:], "", real * 200,
            real.replace("boss", "app\x01")]
    with target.calls() as connection:
        get = pb.Key(key=b"app:k").SerializeToString()
        connection.ping()
        for guess in near:
            answer = connection.call(GET, get, headers=credentials_of(guess))
            assert answer.reset or answer.grpc_status in (UNAUTHENTICATED, RESOURCE_EXHAUSTED), (
                guess, str(answer))
        for _ in range(10):
            with connection.held():
                streams = [connection.start(GET, get, headers=credentials_of(
                    f"kst_{dice.getrandbits(256):064x}")) for _ in range(100)]
            for each in streams:
                expect_status(connection.wait(each, BAR_S), UNAUTHENTICATED)


OUTSIDE = [b"secret", b"", b"app", b"app;1", b"App:1", b"APP:1", b" app:1", b"\0app:1", b"app\0:1",
           b"../app:1", b"./app:1", b"/app:1", b"{app:}1", b"{x}app:1", b"x{app:}", b"*", b"app?1",
           b"a*", b"[a]pp:1", b"\\app:1", b"\xef\xbb\xbfapp:1", b"app%3a1", b"\xc1\xa1pp:1"]
# Keys of their own, whatever they look like.
INSIDE = [b"app:", b"app:../secret", b"app:\0", b"app:\0secret", b"app:{secret}", b"app:*",
          b"app:/../../secret", b"app:secret\0"]


def calls_of(key):
    """(path, message) of each way to name a key."""
    other = b"app:other"
    op = pb.Op(get=pb.Key(key=key))
    yield GET, pb.Key(key=key)
    yield SET, pb.KeyValue(key=key, value=b"taken")
    yield PACKAGE_PATH + "Rename", pb.CopyRequest(source=other, target=key)
    yield PACKAGE_PATH + "Copy", pb.CopyRequest(source=key, target=other)
    yield PACKAGE_PATH + "MGet", pb.Keys(keys=[other, key])
    yield MSET, pb.KeyValues(entries=[pb.KeyValue(key=other, value=b"v"),
                                      pb.KeyValue(key=key, value=b"taken")])
    yield TXN, pb.TxnRequest(success=[op])
    yield TXN, pb.TxnRequest(failure=[op])
    yield TXN, pb.TxnRequest(compares=[pb.TxnRequest.Compare(
        key=key, condition=pb.Condition(existence=pb.EXISTENCE_PRESENT))])
    yield PACKAGE_PATH + "StreamList", pb.ListRange(key=key, stop=-1)
    yield POP, pb.PopRequest(keys=[other, key])
    yield PACKAGE_PATH + "LMove", pb.MoveRequest(source=other, target=key)


@attack("escapes from a key prefix", guarded=True)
def key_escapes(target):
    app, boss = (credentials_of(token_of(name)) for name in ("app", "boss"))
    secret = set_message(b"secret", b"untouched")
    with target.calls() as connection:
        connection.ping()
        connection.call(SET, secret, headers=boss).message()
        for key in OUTSIDE:
            for path, message in calls_of(key):
                answer = connection.call(path, message.SerializeToString(), headers=app)
                expect_status(answer, PERMISSION_DENIED, *([] if key else [INVALID_ARGUMENT]))
        for key in INSIDE:
            connection.call(SET, set_message(key, b"mine"), headers=app).message()
        for path, message in ((PACKAGE_PATH + "Scan", pb.ScanRequest(pattern=b"*")),
                              (PACKAGE_PATH + "Scan", pb.ScanRequest(pattern=b"[a-z]*"))):
            answer = connection.call(path, message.SerializeToString(), headers=app)
            expect_status(answer, 0)
            assert b"app:../secret" in answer.body, "a key of its own is not shown"
            assert b"\x06secret" not in answer.body, "a key of others is shown"
        got = connection.call(GET, pb.Key(key=b"secret").SerializeToString(), headers=boss)
        assert pb.Value.FromString(got.message()).value == b"untouched"


PATHS = ["//keystore.v1.KeyStore/Get", "/keystore.v1.KeyStore//Get", "/keystore.v1.KeyStore/Get/",
         "/./keystore.v1.KeyStore/Get", "/x/../keystore.v1.KeyStore/Get",
         "/keystore.v1.KeyStore/%47et", "/keystore%2ev1.KeyStore/Get", "/keystore.v1.KeyStore%2fGet",
         "/KEYSTORE.V1.KEYSTORE/GET", "/keystore.v1.KeyStore/get", "/keystore.v1.keystore/Get",
         "/keystore.v1.KeyStore/Get?x=1", "/keystore.v1.KeyStore/Get#x", "/keystore.v1.KeyStore/Get ",
         "/keystore.v1.KeyStore/Get;x", "/keystore.v1.KeyStore\\Get", "keystore.v1.KeyStore/Get",
         "http://127.0.0.1/keystore.v1.KeyStore/Get", "*", "/", "", "/grpc.health.v1.Health/../"
         "keystore.v1.KeyStore/Get", "/grpc.health.v1.Health/Check/../../keystore.v1.KeyStore/Get",
         ADMIN_PATH.lower() + "Info", ADMIN_PATH + "info", ADMIN_PATH + "%49nfo",
         "/" + ADMIN_PATH + "Info", ADMIN_PATH + "/Info", "/keystore.v1.KeyStore/Info",
         "/keystore.v1.KeyStore/../keystore.v1.KeyStoreAdmin/Info", "/keystore.v1.KeyStore/" + "G" * 9000]


@attack("path tricks", guarded=True)
def path_tricks(target):
    """Neither does such a path lead to a method, nor past the users."""
    get = pb.Key(key=b"secret").SerializeToString()
    with target.calls() as connection:
        connection.ping()
        for name in ("nobody", "boss", None):
            headers_ = credentials_of(token_of(name)) if name else []
            for path in PATHS:
                answer = connection.call(path, get, headers=headers_)
                assert answer.reset or answer.grpc_status in (
                    UNIMPLEMENTED, UNAUTHENTICATED, INVALID_ARGUMENT) or (
                        answer.http_status != 200), (path, str(answer))
        for path in (GET, ADMIN_PATH + "Info"):
            expect_status(connection.call(path, get), UNAUTHENTICATED)
            expect_status(connection.call(path, get, headers=credentials_of(token_of("nobody"))),
                          PERMISSION_DENIED)


@attack("huge users file", guarded=True, transport="plaintext")
def huge_users_file(target):
    """One that is too large changes nothing; the largest one is loaded, and calls go on meanwhile."""
    users, server = target.ground.users, target.ground.server
    try:
        for line in ("[user u{}]\n", "token = t{} {:064x} created=2026-01-01T00:00:00Z\n",
                     "unix = {}\n", "allow = read keys=k{}\n", "certificate = dns:c{}\n"):
            users.write(RULES, lines_of(line, USERS_FILE_MOST + 1000))
            reload_users(server, "is no file of at most 2 MiB")
            users.write(RULES, lines_of(line, USERS_FILE_MOST - 1000))
            reload_users(server)
            refused(target, GET, pb.Key(key=b"k").SerializeToString(), "nobody", PERMISSION_DENIED)
    finally:
        users.write(RULES)
        reload_users(server)


def lines_of(line, size):
    """So many bytes of them, each with a number of its own."""
    lines, length, number = [], 0, 0
    while length < size - 200:
        lines.append(line.format(number, number))
        length += len(lines[-1])
        number += 1
    return "".join(lines)
