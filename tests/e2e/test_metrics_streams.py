"""What the metrics say about streams: how many of which kind, and what they lose."""

import grpc
import pytest

import health_pb2
import health_pb2_grpc
import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from errors import reason_of
from exposition import Monitor
from h2conn import H2Conn
from test_pubsub import Subscriber, publish, read_all
from times import wait_until
from watching import Watcher, key_of, prefix_of

LISTEN = ("--metrics-listen", "127.0.0.1:0")


def labelled(monitor, name):
    """label value -> value, of those that are not 0."""
    samples = monitor.families()[name].samples
    return {labels[0][1]: value for (_, labels), value in samples.items() if value}


def wait_for(monitor, name, expected):
    found = lambda: labelled(monitor, name) if isinstance(expected, dict) else monitor.values()[name]
    wait_until(lambda: found() == expected, lambda: (name, found()))


def test_open_streams_by_kind(fresh_server):
    server = fresh_server(*LISTEN)
    monitor = Monitor(server)
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        health = Stub(channel, health_pb2_grpc.HealthStub)
        calls = [health.Watch(health_pb2.HealthCheckRequest()) for _ in range(2)]
        for call in calls:
            next(call)
        subscribers = [Subscriber(channel, b"c") for _ in range(3)]
        with Watcher(stub, key_of(b"a")):
            wait_for(monitor, "keystore_streams", {"Health/Watch": 2, "Subscribe": 3, "Watch": 1})
            assert monitor.values()["keystore_subscriptions"] == 3
            fields = admin_stub(channel).Info(pb.InfoRequest()).fields
            assert fields["streams_open"] == "6"
        for call in calls + [subscriber.call for subscriber in subscribers]:
            call.cancel()
        wait_for(monitor, "keystore_streams", {})


def test_events_of_watchers(fresh_server):
    """Each counts for each watcher that gets it; so do the keys of `initial`."""
    server = fresh_server(*LISTEN, "--durability", "none")
    monitor = Monitor(server)
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        for i in range(10):
            stub.Set(pb.KeyValue(key=b"a%d" % i))
        with Watcher(stub, prefix_of(b"a")) as one, Watcher(stub, prefix_of(b"a")) as same:
            with Watcher(stub, key_of(b"a1"), initial=True) as other:
                assert len(other.events(1)) == 1
                for i in range(10):
                    stub.Set(pb.KeyValue(key=b"a%d" % i))
                    stub.Set(pb.KeyValue(key=b"b"))
                assert len(one.events(10)) == len(same.events(10)) == 10
                assert len(other.events(1)) == 1
                wait_for(monitor, "keystore_watch_events_total", 22)
                wait_for(monitor, "keystore_watch_lag_revisions", 0)
    wait_for(monitor, "keystore_streams", {})


def test_a_watcher_that_lags_and_is_lost(fresh_server):
    server = fresh_server(*LISTEN, "--durability", "none", "--watch-history", "4mb")
    monitor = Monitor(server)
    with open_channel(server.address) as channel, H2Conn(server.address, credit=False) as slow:
        stub = Stub(channel)
        request = pb.WatchRequest(selectors=[prefix_of(b"")], with_changes=True)
        stream = slow.start("/keystore.v1.KeyStore/Watch", request.SerializeToString())
        slow.receive_until(lambda: slow.answers[stream].body)
        assert monitor.values()["keystore_watch_lag_revisions"] == 0
        for i in range(20):  # more than a window, less than the history
            stub.Set(pb.KeyValue(key=b"%d" % i, value=bytes(100_000)))
        wait_until(lambda: 10 < monitor.values()["keystore_watch_lag_revisions"] <= 20)
        assert labelled(monitor, "keystore_watch_dropped_total") == {}
        for i in range(100):
            stub.Set(pb.KeyValue(key=b"%d" % i, value=bytes(100_000)))
        wait_until(lambda: 110 < monitor.values()["keystore_watch_lag_revisions"] <= 120)
        answer = slow.answers[stream]
        while not answer.ended:
            slow.grant(0, 1 << 20)
            slow.grant(stream, 1 << 20)
            slow.ping()
        assert answer.trailers["keystore-reason"] == "ERROR_REASON_HISTORY_LOST"
        wait_for(monitor, "keystore_watch_dropped_total", {"behind": 1})
        wait_for(monitor, "keystore_watch_lag_revisions", 0)


def test_watches_that_cannot_start(fresh_server):
    server = fresh_server(*LISTEN)
    monitor = Monitor(server)
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        old = stub.Set(pb.KeyValue(key=b"a")).version
        stub.Set(pb.KeyValue(key=b"a"))
        admin_stub(channel).Save(pb.SaveRequest(wait=True))
        newest = stub.Set(pb.KeyValue(key=b"a")).version
        for version, lost in ((old, {"too_old": 1}), (newest + 1, {"too_old": 1, "too_new": 1})):
            error = Watcher(stub, key_of(b"a"), start_version=version, wait=False).error()
            assert reason_of(error) == "ERROR_REASON_HISTORY_LOST"
            wait_for(monitor, "keystore_watch_dropped_total", lost)
        with pytest.raises(grpc.RpcError):  # what is refused loses nothing
            next(stub.Watch(pb.WatchRequest(selectors=[key_of(b"a", db=99)])))
        wait_for(monitor, "keystore_watch_dropped_total", {"too_old": 1, "too_new": 1})


def test_messages_that_subscribers_miss(fresh_server):
    server = fresh_server(*LISTEN)
    monitor = Monitor(server)
    count = 3000
    with open_channel(server.address) as channel, H2Conn(server.address, credit=False) as slow:
        stub = Stub(channel)
        request = pb.SubscribeRequest(channels=[b"c"]).SerializeToString()
        stream = slow.start("/keystore.v1.KeyStore/Subscribe", request)
        slow.receive_until(lambda: slow.answers[stream].blocks)
        assert labelled(monitor, "keystore_missed_messages_total") == {}
        for i in range(count):
            publish(stub, b"c", b"%05d" % i + b"x" * 1000)
        messages = read_all(slow, stream,
                            lambda found: found and found[-1].payload[:5] == b"%05d" % (count - 1))
        missed = sum(message.missed for message in messages)
        assert missed > 0
        wait_until(lambda: sum(labelled(monitor, "keystore_missed_messages_total").values()) == missed,
                   lambda: (labelled(monitor, "keystore_missed_messages_total"), missed))
