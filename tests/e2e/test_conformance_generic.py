"""What every HTTP/2 server must accept: the cases of h2spec's part `generic`, one by one.

The names and numbers are h2spec's, the requests are gRPC calls. h2spec follows RFC 7540, these
follow RFC 9113 where the two differ: priorities are deprecated, so PRIORITY must be taken and may
be ignored.
"""

import pytest

from h2conn import PREFACE, frames
from rawframes import (ENABLE_PUSH, FIRST_DYNAMIC, HEADER_TABLE_SIZE, INCREMENTAL, INDEXED,
                       INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE,
                       MAX_HEADER_LIST_SIZE, NEVER_INDEXED, SIZE_UPDATE, USER_AGENT,
                       WITHOUT_INDEXING, Cases, Peer, continuation, data, get_body, goaway,
                       headers, huffman, integer, literal, peer_fixture, plain_block, priority,
                       request, rst_stream, settings, stored_fixture, string,
                       window_update)  # noqa: F401

case = Cases("generic")


@pytest.mark.parametrize("run", case.params)
def test(peer, run):
    run(peer)


@case("1/1 client connection preface")
def preface(peer):
    check_preface(peer)


def check_preface(peer):
    """The first frame from the server is SETTINGS and not an acknowledgement."""
    with Peer(peer.address, handshake=False) as fresh:
        fresh.send(PREFACE, settings((INITIAL_WINDOW_SIZE, 65535)))
        fresh.receive_until(lambda: fresh.first, "frame")
        assert isinstance(fresh.first, frames.SettingsFrame) and "ACK" not in fresh.first.flags


@case("2/1 PRIORITY on an idle stream")
def priority_on_idle(peer):
    peer.send(priority(1, weight=256))
    peer.expect_pong()


@case("2/2 WINDOW_UPDATE on a half-closed (remote) stream")
def window_update_on_half_closed(peer):
    stream_id = peer.blocked_call()
    peer.expect_body_of(stream_id, 0)
    peer.send(window_update(stream_id, 1))
    peer.expect_body_of(stream_id, 1)


@case("2/3 PRIORITY on a half-closed (remote) stream")
def priority_on_half_closed(peer):
    stream_id = peer.blocked_call()
    peer.send(priority(stream_id, weight=256), window_update(stream_id, 1))
    peer.expect_body_of(stream_id, 1)


@case("2/4 RST_STREAM on a half-closed (remote) stream")
def reset_on_half_closed(peer):
    stream_id = peer.blocked_call()
    peer.send(rst_stream(stream_id))
    peer.expect_pong()
    peer.apply((INITIAL_WINDOW_SIZE, 65535))
    peer.expect_body_of(stream_id, 0)


@case("2/5 PRIORITY on a closed stream")
def priority_on_closed(peer):
    peer.expect_call(1)
    peer.send(priority(1, weight=256))
    peer.expect_pong()


@case("3.1/1 DATA")
def one_data_frame(peer):
    peer.expect_call()


@case("3.1/2 several DATA frames")
def two_data_frames(peer):
    body = get_body()
    stream_id = peer.open()
    peer.send(data(stream_id, body[:7]), data(stream_id, body[7:], end=True))
    peer.expect_value(stream_id)


@case("3.1/3 DATA with padding")
def padded_data(peer):
    stream_id = peer.open()
    peer.send(data(stream_id, get_body(), end=True, pad=5))
    peer.expect_value(stream_id)


def check_headers(peer, **options):
    """A HEADERS frame with these options begins a call that succeeds."""
    stream_id = peer.new_stream()
    peer.send(headers(stream_id, peer.block(request()), **options),
              data(stream_id, get_body(), end=True))
    peer.expect_value(stream_id)


@case("3.2/1 HEADERS")
def plain_headers(peer):
    """Alone: a request without a message is answered, too, though not with a value."""
    peer.send(headers(1, peer.block(request()), end_stream=True))
    answer = peer.expect_end_of(1)
    assert answer.http_status == 200 and answer.grpc_status > 0
    peer.expect_call(3)


@case("3.2/2 HEADERS with padding")
def padded_headers(peer):
    check_headers(peer, pad=8)


@case("3.2/3 HEADERS with priority")
def headers_with_priority(peer):
    check_headers(peer, depends_on=0)


@case("3.3/1 PRIORITY with weight 1")
def least_weight(peer):
    peer.send(priority(1, weight=1))
    peer.expect_call(1)


@case("3.3/2 PRIORITY with weight 256")
def most_weight(peer):
    peer.send(priority(1, weight=256))
    peer.expect_call(1)


@case("3.3/3 PRIORITY with a dependency")
def dependency_on_another(peer):
    peer.send(priority(3, depends_on=1, weight=1))
    peer.expect_call(1)


@case("3.3/4 PRIORITY, exclusive")
def exclusive_dependency(peer):
    peer.send(priority(1, weight=1, exclusive=True))
    peer.expect_call(1)


@case("3.3/5 PRIORITY for an idle stream, then HEADERS for a lower one")
def priority_does_not_open(peer):
    peer.send(priority(3, weight=256))
    peer.expect_call(1)


@case("3.4/1 RST_STREAM")
def reset(peer):
    """h2spec would also accept the end of the connection; no rule allows that."""
    stream_id = peer.open()
    peer.send(rst_stream(stream_id))
    peer.expect_pong()


@case("3.5/1 SETTINGS")
def all_settings(peer):
    peer.apply((HEADER_TABLE_SIZE, 4096), (ENABLE_PUSH, 1), (MAX_CONCURRENT_STREAMS, 100),
               (INITIAL_WINDOW_SIZE, 65535), (MAX_FRAME_SIZE, 16384), (MAX_HEADER_LIST_SIZE, 100))


@case("3.7/1 PING")
def a_ping(peer):
    peer.expect_pong()


@case("3.8/1 GOAWAY")
def client_goes_away(peer):
    """There is no stream to finish, so the server may close at once."""
    peer.send(goaway(debug=b"good bye"))
    peer.expect_pong_or_end()


@case("3.9/1 WINDOW_UPDATE on stream 0")
def connection_window_update(peer):
    peer.send(window_update(0, 1))
    peer.expect_pong()


@case("3.9/2 WINDOW_UPDATE on stream 1")
def stream_window_update(peer):
    peer.send(headers(1, peer.block(request())), window_update(1, 1),
              data(1, get_body(), end=True), window_update(1, 1))
    peer.expect_value(1)


def check_in_pieces(peer, *cuts):
    """A header block cut at these places, the first piece in HEADERS."""
    block = peer.block(request())
    ends = [*cuts, len(block)]
    peer.send(headers(1, block[:cuts[0]], end_headers=False),
              *[continuation(1, block[start:end], end_headers=end == len(block))
                for start, end in zip(cuts, ends[1:])],
              data(1, get_body(), end=True))
    peer.expect_value(1)


@case("3.10/1 CONTINUATION")
def one_continuation(peer):
    check_in_pieces(peer, 5)


@case("3.10/2 several CONTINUATION frames")
def two_continuations(peer):
    check_in_pieces(peer, 5, 10)


@case("4/1 GET request")
def get_request(peer):
    check_method(peer, "GET")


@case("4/2 HEAD request")
def head_request(peer):
    check_method(peer, "HEAD")
    assert not peer.answers[1].body


def check_method(peer, method):
    """gRPC knows only POST: the answer to another method is 405 (Method Not Allowed)."""
    peer.send(headers(1, peer.block(request(method=method)), end_stream=True))
    answer = peer.expect_end_of(1)
    assert answer.http_status == 405 and answer.reset in (None, 0)


@case("4/3 POST request")
def post_request(peer):
    peer.expect_call(1)


@case("4/4 POST request with trailers")
def request_trailers(peer):
    peer.send(headers(1, peer.block(request(("trailer", "x-test")))), data(1, get_body()),
              headers(1, peer.block([("x-test", "ok")]), end_stream=True))
    peer.expect_value(1)


# A field added to a request, in each of HPACK's representations. With incremental indexing, a
# second request has it from the dynamic table.

ADDED_FIELDS = {
    "5/2 literal with incremental indexing, indexed name": (INCREMENTAL, USER_AGENT, string),
    "5/3 literal with incremental indexing, indexed name, Huffman": (
        INCREMENTAL, USER_AGENT, huffman),
    "5/4 literal with incremental indexing, new name": (INCREMENTAL, b"x-test", string),
    "5/5 literal with incremental indexing, new name, Huffman": (INCREMENTAL, b"x-test", huffman),
    "5/6 literal without indexing, indexed name": (WITHOUT_INDEXING, USER_AGENT, string),
    "5/7 literal without indexing, indexed name, Huffman": (WITHOUT_INDEXING, USER_AGENT, huffman),
    "5/8 literal without indexing, new name": (WITHOUT_INDEXING, b"x-test", string),
    "5/9 literal without indexing, new name, Huffman": (WITHOUT_INDEXING, b"x-test", huffman),
    "5/10 literal never indexed, indexed name": (NEVER_INDEXED, USER_AGENT, string),
    "5/11 literal never indexed, indexed name, Huffman": (NEVER_INDEXED, USER_AGENT, huffman),
    "5/12 literal never indexed, new name": (NEVER_INDEXED, b"x-test", string),
    "5/13 literal never indexed, new name, Huffman": (NEVER_INDEXED, b"x-test", huffman),
}


@case("5/1 indexed field")
def indexed_field(peer):
    peer.expect_call(block=plain_block(request()) + integer(INDEXED, USER_AGENT))


def check_added_field(representation, name, coded):
    def run(peer):
        added = literal(representation, name, b"rawframes", coded=coded)
        peer.expect_call(block=plain_block(request()) + added)
        if representation == INCREMENTAL:
            added = integer(INDEXED, FIRST_DYNAMIC)
        peer.expect_call(block=plain_block(request()) + added)
    return run


for name, field in ADDED_FIELDS.items():
    case.add(name, check_added_field(*field))


@case("5/14 dynamic table size update")
def size_update(peer):
    peer.expect_call(block=integer(SIZE_UPDATE, 128) + plain_block(request()))


@case("5/15 two dynamic table size updates")
def two_size_updates(peer):
    updates = integer(SIZE_UPDATE, 128) + integer(SIZE_UPDATE, 4096)
    peer.expect_call(block=updates + plain_block(request()))
