"""Header blocks that do not decode: the cases of h2spec's part `hpack`, one by one.

Each must end the connection with COMPRESSION_ERROR (RFC 9113, 4.3), as the two ends no longer agree
on the dynamic table.
"""

import pytest

from rawframes import (COMPRESSION_ERROR, DEFAULT_TABLE_SIZE, EOS, FIRST_DYNAMIC, HEADER_TABLE_SIZE,
                       INCREMENTAL, INDEXED, SIZE_UPDATE, WITHOUT_INDEXING, Cases, headers, huffman,
                       integer, literal, peer_fixture, plain_block, request,
                       stored_fixture)  # noqa: F401

case = Cases("hpack")


@pytest.mark.parametrize("run", case.params)
def test(peer, run):
    run(peer)


def check_refused(peer, before=b"", after=b""):
    """A request that would be fine without these bytes before or after its fields, which leave
    the dynamic table empty."""
    peer.send(headers(1, before + plain_block(request()) + after, end_stream=True))
    peer.expect_connection_error(COMPRESSION_ERROR)


@case("2.3.3/1 indexed field with an index beyond both tables")
def indexed_beyond(peer):
    check_refused(peer, after=integer(INDEXED, FIRST_DYNAMIC))


@case("2.3.3/2 literal with a name's index beyond both tables")
def name_beyond(peer):
    check_refused(peer, after=literal(INCREMENTAL, FIRST_DYNAMIC, b""))


@case("4.2/1 dynamic table size update at the end of a block")
def late_size_update(peer):
    check_refused(peer, after=integer(SIZE_UPDATE, 1))


def check_string(peer, coded):
    check_refused(peer, after=integer(WITHOUT_INDEXING, 0) + huffman(b"x-test") + coded)


@case("5.2/1 Huffman padding longer than 7 bits")
def long_padding(peer):
    check_string(peer, huffman(b"test", extra=b"\xff"))


@case("5.2/2 Huffman padding of zeros")
def zero_padding(peer):
    check_string(peer, huffman(b"test", pad="0"))


@case("5.2/3 Huffman-coded EOS")
def end_of_string(peer):
    check_string(peer, huffman([*b"tes", EOS, *b"t"]))


@case("6.1/1 indexed field with index 0")
def index_0(peer):
    check_refused(peer, after=integer(INDEXED, 0))


@case("6.3/1 dynamic table size update above SETTINGS_HEADER_TABLE_SIZE")
def large_size_update(peer):
    limit = peer.server_settings.get(HEADER_TABLE_SIZE, DEFAULT_TABLE_SIZE)
    check_refused(peer, before=integer(SIZE_UPDATE, limit + 1))
