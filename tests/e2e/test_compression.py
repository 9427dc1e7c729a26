"""Compressed messages: gRPC's cases of interoperability with grpcio, and on the wire what grpcio
does not show.
"""

import gzip
import json
import zlib

import grpc
import pytest

import mini_redis_pb2 as pb
import mini_redis_pb2_grpc as rpc
from clients import PACKAGE_PATH, Stub, open_channel
from errors import BAD_ARGUMENT, BAD_MESSAGE, NOT_SERVED, TOO_LARGE
from h2conn import H2Conn, prefixed
from rpc_status import check_error, check_rpc_error
from times import wait_until
from waiting import numbers_of, wait_for_numbers

SET, GET = PACKAGE_PATH + "Set", PACKAGE_PATH + "Get"
PIPELINE, SCAN = PACKAGE_PATH + "Pipeline", PACKAGE_PATH + "Scan"
MIB = 1 << 20
GZIP = [("grpc-encoding", "gzip")]
ACCEPTS = [("grpc-accept-encoding", "identity, deflate, gzip")]
COUNTS = ["compressed_requests", "compressed_request_bytes", "uncompressed_request_bytes",
          "compressed_replies", "compressed_reply_bytes", "uncompressed_reply_bytes"]


def text_of(size, seed=1):
    """JSON, which shrinks to about a fifth."""
    lines = []
    length = 0
    while length < size:
        seed = seed * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        lines.append(json.dumps({"id": seed >> 40, "name": f"user {seed >> 50}", "active": True}))
        length += len(lines[-1])
    return "".join(lines).encode()[:size]


class Counted:
    """What the counters have grown by since it was made, or asked."""

    def __init__(self, admin):
        self._admin = admin
        self._before = numbers_of(admin, COUNTS)

    def __call__(self):
        now = numbers_of(self._admin, COUNTS)
        grown = [now[name] - self._before[name] for name in COUNTS]
        self._before = now
        return grown


@pytest.fixture
def counted(admin):
    return Counted(admin)


@pytest.fixture
def connection(server):
    """A connection that must still serve after whatever the test did."""
    with H2Conn(server.address) as opened:
        yield opened
        answer = opened.call(GET, pb.Key(key=b"compression: no such key").SerializeToString())
        assert not pb.Value.FromString(answer.message()).found
        assert not opened.goaways


def set_request(key, value):
    return pb.KeyValue(key=key, value=value).SerializeToString()


def raw_call(connection, path, body, headers=()):
    stream_id = connection.open(path, headers=headers)
    connection.send(stream_id, body, end=True)
    return connection.wait(stream_id)


def check(answer, expected, *words):
    code, reason = expected
    check_error(code.value[0], reason, got_code=answer.grpc_status, sentence=answer.sentence,
                trailers=answer.plain_trailers)
    assert answer.headers["grpc-accept-encoding"] == "identity,gzip"
    for word in words:
        assert word in answer.sentence


def messages_of(answer):
    """The messages of an answer, inflated, and whether each was compressed."""
    found, at = [], 0
    while at < len(answer.body):
        size = int.from_bytes(answer.body[at + 1:at + 5], "big")
        message = bytes(answer.body[at + 5:at + 5 + size])
        assert len(message) == size
        flag = answer.body[at]
        found.append((gzip.decompress(message) if flag else message, bool(flag)))
        at += 5 + size
    return found


# gRPC's cases of interoperability, with grpcio.

@pytest.mark.parametrize("size", [0, 27182, 31415, 45904, 92653, 271828, 314159, 3 * MIB])
def test_client_and_server_compressed_unary(stub, key, counted, size):
    value = text_of(size)
    stub.Set(pb.KeyValue(key=key, value=value))
    assert counted() == [0] * len(COUNTS)
    stub.Set(pb.KeyValue(key=key, value=value), compression=grpc.Compression.Gzip)
    requests, arrived, inflated, *_ = counted()
    assert requests == (size > 0)
    assert (arrived < inflated / 2) == (size > 0)
    assert stub.Get(pb.Key(key=key)).value == value
    assert counted()[3] == 0  # nobody has asked
    assert stub.Get(pb.Key(key=key), compression=grpc.Compression.Gzip).value == value
    _, _, _, replies, sent, plain = counted()
    assert replies == (size > 0)
    assert (sent < plain / 2) == (size > 0)


def test_compression_of_a_channel(server, key, counted):
    options = [("grpc.use_local_subchannel_pool", 1)]
    value = text_of(50000)
    with grpc.insecure_channel(server.address, options=options,
                               compression=grpc.Compression.Gzip) as channel:
        stub = Stub(channel)
        stub.Set(pb.KeyValue(key=key, value=value))
        assert stub.Get(pb.Key(key=key)).value == value
        assert counted()[0::3] == [1, 1]


def batches(key, sizes):
    return [pb.OpBatch(ops=[
        pb.Op(id=number, set=pb.KeyValue(key=key, value=text_of(size, number))),
        pb.Op(id=number, get=pb.Key(key=key)),
    ]) for number, size in enumerate(sizes)]


def test_client_and_server_compressed_streaming(channel, key, counted):
    """Messages that do not shrink are sent as they are, by either side: a mixed stream."""
    sizes = [31415, 0, 27182, 3, 500000, 8, 45904, 1800000, 1, 92653]
    pipeline = rpc.KeyStoreStub(channel).Pipeline
    replies = []
    for batch in pipeline(iter(batches(key, sizes)), timeout=60,
                          compression=grpc.Compression.Gzip):
        replies += batch.replies
    assert [reply.id for reply in replies] == [number for number in range(len(sizes))
                                               for _ in range(2)]
    assert [reply.value.value for reply in replies[1::2]] == [
        text_of(size, number) for number, size in enumerate(sizes)]
    grown = counted()
    assert grown[0] >= 6
    assert grown[1] < grown[2] / 2
    assert grown[3] >= 1


def test_client_compressed_streaming(connection, key, counted):
    """One message that is compressed and one that is not; the last reply has the sum of both."""
    parts = [pb.OpBatch(ops=[pb.Op(append=pb.KeyValue(key=key, value=text_of(size)))])
             .SerializeToString() for size in (27182, 45904)]
    body = prefixed(gzip.compress(parts[0]), 1) + prefixed(parts[1])
    answer = raw_call(connection, PIPELINE, body, headers=GZIP)
    assert answer.grpc_status == 0
    counts = [reply.status.count for message, _ in messages_of(answer)
              for reply in pb.ReplyBatch.FromString(message).replies]
    assert counts == [27182, 73086]
    assert counted()[0] == 1


def test_server_compressed_streaming_of_each_message(connection, key, random_of_test):
    """One reply that is compressed and one that is not, as it would not shrink."""
    values = [text_of(31415), random_of_test.randbytes(92653)]
    body = b""
    for number, value in enumerate(values):
        name = key + b"%d" % number
        connection.call(SET, set_request(name, value))
        body += prefixed(pb.OpBatch(ops=[pb.Op(get=pb.Key(key=name))]).SerializeToString())
    answer = raw_call(connection, PIPELINE, body, headers=GZIP + ACCEPTS)
    assert answer.grpc_status == 0
    assert [flag for _, flag in messages_of(answer)] == [True, False]
    assert [reply.value.value for message, _ in messages_of(answer)
            for reply in pb.ReplyBatch.FromString(message).replies] == values


def test_server_compressed_streaming(channel, keys, counted):
    stub = Stub(channel)
    value = text_of(2000)
    written = {next(keys): value for _ in range(200)}
    stub.MSet(pb.KeyValues(entries=[pb.KeyValue(key=key, value=value) for key in written]))
    prefix = next(iter(written)).rsplit(b":", 1)[0]
    request = pb.ScanRequest(pattern=prefix + b"*", with_values=True)
    scan = rpc.KeyStoreStub(channel).Scan
    for metadata, compresses in (((), False), ((("keystore-compress", "gzip"),), True)):
        found = {}
        for page in scan(request, timeout=60, metadata=metadata):
            found.update({entry.key: entry.value.value for entry in page.entries})
        assert found == written
        grown = counted()
        assert (grown[3] > 0) == compresses
        assert grown[4] <= grown[5] / 2


def test_who_gets_compressed_replies(fresh_server, key):
    value = text_of(20000)
    wishes = {"": 0, "gzip": 0, "identity": 0}
    expected = {"asked": {"gzip"}, "always": {"", "gzip"}, "never": set()}
    for option, compressed in expected.items():
        server = fresh_server("--compress-replies", option)
        with H2Conn(server.address) as connection:
            connection.call(SET, set_request(key, value))
            for wish in wishes:
                wanted = [("keystore-compress", wish)] if wish else []
                for accepts in (ACCEPTS, [("grpc-accept-encoding", "gzip")], [],
                                [("grpc-accept-encoding", "deflate,gzipped")]):
                    answer = raw_call(connection, GET, prefixed(pb.Key(key=key).SerializeToString()),
                                      headers=wanted + accepts)
                    (message, flag), = messages_of(answer)
                    assert pb.Value.FromString(message).value == value
                    is_able = any(each.strip() == "gzip" for _, listed in accepts
                                  for each in listed.split(","))
                    assert flag == (wish in compressed and is_able)
                    assert answer.headers.get("grpc-encoding") == ("gzip" if flag else None)
                    assert answer.headers["grpc-accept-encoding"] == "identity,gzip"


def test_small_and_incompressible_replies(connection, key, random_of_test):
    for value, expected in ((text_of(900), False), (text_of(1100), True), (b"", False),
                            (random_of_test.randbytes(5000), False),
                            (random_of_test.randbytes(500000), False)):
        connection.call(SET, set_request(key, value))
        for _ in range(2):
            answer = raw_call(connection, GET, prefixed(pb.Key(key=key).SerializeToString()),
                              headers=GZIP + ACCEPTS)
            (message, flag), = messages_of(answer)
            assert pb.Value.FromString(message).value == value
            assert flag == expected
            assert answer.headers.get("grpc-encoding") == ("gzip" if flag else None)


def test_large_replies(stub, admin, key, keys, counted):
    """Of a value that is shared, and of many that another thread collects and encodes."""
    gzipped = {"compression": grpc.Compression.Gzip}
    value = text_of(20 * MIB)
    stub.Set(pb.KeyValue(key=key, value=value))
    assert stub.Get(pb.Key(key=key), **gzipped).value == value
    assert counted()[3] == 1
    names = [next(keys) for _ in range(5000)]
    pairs = [pb.KeyValue(key=name, value=text_of(100, number))
             for number, name in enumerate(names)]
    stub.MSet(pb.KeyValues(entries=pairs), **gzipped)
    assert counted()[0] == 1
    values = stub.MGet(pb.Keys(keys=names), **gzipped).values
    assert [each.value for each in values] == [pair.value for pair in pairs]
    assert counted()[0::3] == [1, 1]
    fields = admin.Info(pb.InfoRequest(), **gzipped).fields
    assert fields["uncompressed_reply_bytes"]
    assert counted()[3] == 1


# On the wire.

def test_a_mixed_stream(connection, key):
    """Each message says for itself whether it is compressed."""
    sizes = [100, 2000, 300000, 5000, 400000, 0, 60000]
    stream_id = connection.open(PIPELINE, headers=GZIP + ACCEPTS)
    for number, batch in enumerate(batches(key, sizes)):
        message = batch.SerializeToString()
        connection.send(stream_id, prefixed(gzip.compress(message), 1) if number % 2 == 0
                        else prefixed(message), piece_size=10000)
    connection.send(stream_id, b"", end=True)
    answer = connection.wait(stream_id)
    assert answer.grpc_status == 0
    assert answer.headers["grpc-encoding"] == "gzip"
    replies = [reply for message, _ in messages_of(answer)
               for reply in pb.ReplyBatch.FromString(message).replies]
    assert [reply.value.value for reply in replies[1::2]] == [
        text_of(size, number) for number, size in enumerate(sizes)]
    assert any(flag for _, flag in messages_of(answer))


@pytest.mark.parametrize("size", [50, 300000])
def test_byte_by_byte(connection, key, size):
    value = text_of(size)
    body = prefixed(gzip.compress(set_request(key, value)), 1)
    stream_id = connection.open(SET, headers=GZIP)
    pieces = min(len(body), 3000)
    with connection.held():
        connection.send(stream_id, body[:pieces], piece_size=1)
        connection.send(stream_id, body[pieces:], end=True)
    assert connection.wait(stream_id).grpc_status == 0
    answer = connection.call(GET, pb.Key(key=key).SerializeToString())
    assert pb.Value.FromString(answer.message()).value == value


def assert_refused(connection, member, expected, *words):
    """In a unary call and in a stream."""
    check(raw_call(connection, SET, prefixed(member, 1), headers=GZIP), expected, *words)
    answer = raw_call(connection, PIPELINE, prefixed(member, 1), headers=GZIP)
    assert answer.grpc_status == expected[0].value[0]
    for word in words:
        assert word in answer.sentence


def test_every_truncation(connection, key):
    member = gzip.compress(set_request(key, text_of(300)))
    for length in range(len(member)):
        assert_refused(connection, member[:length], BAD_MESSAGE, "not valid gzip")
    body = prefixed(member, 1)
    for length in range(1, len(body)):
        check(raw_call(connection, SET, body[:length], headers=GZIP), BAD_MESSAGE)


def test_what_is_no_gzip(connection, key):
    message = set_request(key, text_of(300))
    member = gzip.compress(message)
    assert_refused(connection, member + b"x" * 8, BAD_MESSAGE)
    assert_refused(connection, member + member, BAD_MESSAGE, "bytes follow its end")
    assert_refused(connection, zlib.compress(message), BAD_MESSAGE, "1f 8b")
    assert_refused(connection, message, BAD_MESSAGE, "1f 8b")
    assert_refused(connection, b"", BAD_MESSAGE, "truncated")
    for headers in ((), [("grpc-encoding", "identity")]):
        for path in (SET, PIPELINE):
            check(raw_call(connection, path, prefixed(member, 1), headers=headers), BAD_MESSAGE,
                  "grpc-encoding: gzip")
    answer = raw_call(connection, GET, prefixed(b""), headers=[("keystore-compress", "br")])
    check(answer, BAD_ARGUMENT, "gzip or identity")
    check(raw_call(connection, PIPELINE, b"", headers=[("grpc-encoding", "deflate")]), NOT_SERVED)


def test_random_damage(connection, key, random_of_test):
    """What is damaged is refused, or says the same."""
    for size in (200, 300000):
        message = set_request(key, text_of(size))
        member = gzip.compress(message)
        for _ in range(200 if size < 1000 else 30):
            damaged = bytearray(member)
            for _ in range(random_of_test.randrange(1, 4)):
                damaged[random_of_test.randrange(len(damaged))] ^= random_of_test.randrange(1, 256)
            answer = raw_call(connection, SET, prefixed(bytes(damaged), 1), headers=GZIP)
            codes = {expected[0].value[0] for expected in (BAD_MESSAGE, TOO_LARGE)}
            assert answer.grpc_status in codes | {0}
            if answer.grpc_status == 0:
                got = connection.call(GET, pb.Key(key=key).SerializeToString())
                assert pb.Value.FromString(got.message()).value == text_of(size)


def bomb_of(size):
    """Zeros, in a thousandth of their size."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = bytes(16 * MIB)
    parts = [deflater.compress(piece) for _ in range(size // len(piece))]
    return b"".join(parts) + deflater.flush()


def test_bombs(connection, server):
    """1 GiB in 1 MiB, and what fits in a message, but shrinks as no honest one does."""
    before = server.resident_bytes()
    bomb = bomb_of(1024 * MIB)
    assert len(bomb) < 1.1 * MIB
    assert_refused(connection, bomb, TOO_LARGE, "inflates to 1073741824 bytes", "accepts 68157440")
    small = bomb_of(16 * MIB)
    assert_refused(connection, small, TOO_LARGE, str(len(small)), "16777216", "100 times")
    # Those that lie about their size.
    lying = bomb[:-4] + (1000).to_bytes(4, "little")
    assert_refused(connection, lying, BAD_MESSAGE, "inflates to more than it says")
    assert server.resident_bytes() - before < 64 * MIB


def test_cancelled_while_it_is_inflated(server, admin, key):
    """By the end of its stream or its connection; nothing of it is left."""
    body = prefixed(gzip.compress(set_request(key, text_of(8 * MIB)), 1), 1)
    wait_for_numbers(admin, {"streams_open": 0})
    for _ in range(5):
        with H2Conn(server.address) as connection:
            for path in (SET, PIPELINE):
                stream_id = connection.open(path, headers=GZIP)
                connection.send(stream_id, body)
                if path == SET:
                    connection.reset(stream_id)
    wait_for_numbers(admin, {"streams_open": 0})

    def memory():
        fields = admin.Info(pb.InfoRequest(sections=["memory"])).fields
        return int(fields["mem_clients_normal"])

    wait_until(lambda: memory() < MIB, memory)


def test_a_drain_waits_for_it(fresh_server, key):
    server = fresh_server()
    value = text_of(5 * MIB)
    with open_channel(server.address) as channel:
        call = Stub(channel).Set.future(pb.KeyValue(key=key, value=value),
                                        compression=grpc.Compression.Gzip)
        assert call.result().ok
        again = Stub(channel).Get.future(pb.Key(key=key), compression=grpc.Compression.Gzip)
        server.send_signal()
        try:
            assert again.result().value == value
        except grpc.RpcError as error:  # it came after the signal
            assert error.code() == grpc.StatusCode.UNAVAILABLE
    server.wait()


def test_deflate_is_refused(stub, key):
    large = pb.KeyValue(key=key, value=text_of(10000))
    with pytest.raises(grpc.RpcError) as raised:
        stub.Set(large, compression=grpc.Compression.Deflate)
    check_rpc_error(raised.value, *NOT_SERVED)
