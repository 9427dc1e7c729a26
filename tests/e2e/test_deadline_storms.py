"""Clients that give up, by the hundred: they keep their connection, and so do the calls beside them.
What only looks like that, an attack, does not.
"""

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from rawframes import (ENHANCE_YOUR_CALM, data, get_body, headers,
                       peer_fixture, request, rst_stream, settings, stored_fixture,
                       window_update)  # noqa: F401
from slow_disk import start_on_slow_disk


@pytest.mark.parametrize("count", [201, 1000])
@pytest.mark.parametrize("complete", [False, True], ids=["half a request", "a request"])
def test_a_storm_of_cancels(peer, count, complete):
    """All that may be open at once, cancelled at once: the call beside them is answered."""
    neighbour = peer.open()
    stream_ids = [peer.new_stream() for _ in range(count - 1)]
    block = peer.block(request())
    body = get_body() if complete else b""
    peer.send(*[headers(each, block) + (data(each, body) if complete else b"")
                for each in stream_ids])
    peer.expect_pong()
    peer.send(*[rst_stream(each) for each in stream_ids])
    peer.send(data(neighbour, get_body(), end=True))
    peer.expect_value(neighbour)
    peer.expect_pong()
    assert peer.goaway is None


def test_late_resets(peer):
    """1,000 calls that the client gives up when they have just been answered."""
    peer.send(window_update(0, 1 << 20))
    for _ in range(2):
        calls = [peer.new_stream() for _ in range(500)]
        peer.send(*[peer.call_frames(each) for each in calls])
        for each in calls:
            peer.expect_value(each)
    peer.send(*[rst_stream(each) for each in range(1, 2001, 2)], settings())
    peer.expect_call()
    assert peer.goaway is None


def hasty(peer, count):
    """Requests that are cancelled as soon as they are sent."""
    block = peer.block(request())
    stream_ids = [peer.new_stream() for _ in range(count)]
    return b"".join(headers(each, block) + rst_stream(each) for each in stream_ids)


def test_an_attack_costs_no_other_call(peer):
    """The call that was under way is answered, and then the connection ends."""
    neighbour = peer.open()
    peer.send(hasty(peer, 1300))
    peer.receive_until(lambda: peer.goaways, "GOAWAY")
    assert neighbour <= peer.goaways[0].last_stream_id < peer.last_stream_id
    assert b"cancelled" in peer.goaways[0].additional_data
    peer.send(data(neighbour, get_body(), end=True))
    peer.expect_value(neighbour)
    peer.expect_goaway(ENHANCE_YOUR_CALM)


def test_an_attack_without_a_pause_is_cut_off(peer):
    """Though a call is under way, which would keep the connection."""
    peer.open()
    for _ in range(50):
        peer.send(hasty(peer, 100))
    peer.expect_goaway(ENHANCE_YOUR_CALM)
    assert len({each.last_stream_id for each in peer.goaways}) == 1


@pytest.fixture(name="slow_server")
def slow_server_fixture(tmp_path, monkeypatch):
    """A server whose disk takes 1.5 s for each sync."""
    started = start_on_slow_disk(tmp_path, monkeypatch, 1_500_000)
    yield started
    started.stop()


def test_deadlines_while_the_disk_is_slow(slow_server):
    """100 callers with short deadlines on one connection: the 60 beside them, who wait, are
    answered."""
    with open_channel(slow_server.address) as channel:
        stub, admin = Stub(channel), admin_stub(channel)
        patient = [stub.Set.future(pb.KeyValue(key=b"patient %d" % number, value=b"v"))
                   for number in range(60)]

        def call(number):
            codes = []
            for attempt in range(10):
                try:
                    stub.Set(pb.KeyValue(key=b"%d %d" % (number, attempt), value=b"v"), timeout=0.1)
                except grpc.RpcError as error:
                    codes.append(error.code())
            return codes

        with ThreadPoolExecutor(100) as callers:
            codes = [code for given_up in callers.map(call, range(100)) for code in given_up]
        for future in patient:
            assert future.exception() is None, f"{future.exception()}\n{slow_server.stderr}"
            assert future.result().ok
        fields = admin.Info(pb.InfoRequest(sections=["stats"])).fields
        assert len(codes) > 300, "the disk was not slow"
        assert set(codes) == {grpc.StatusCode.DEADLINE_EXCEEDED}
        assert fields["total_connections_received"] == "1"
        assert fields["connections_closed_flood"] == "0"
