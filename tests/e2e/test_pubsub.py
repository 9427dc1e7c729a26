"""Publish and Subscribe: who gets what, in which order, what is counted, missed and refused."""

import fnmatch
import random
import threading

import grpc
import pytest

import mini_redis_pb2 as pb
import mini_redis_pb2_grpc as rpc
from clients import Stub, admin_stub, open_channel
from errors import reason_of
from h2conn import H2Conn
from redis_process import Redis
from times import wait_until
from waiting import wait_for_numbers


class Subscriber:
    """A stream that is in effect, and what it delivers."""

    def __init__(self, channel, *channels, patterns=(), timeout=60):
        request = pb.SubscribeRequest(channels=channels, patterns=patterns)
        self.call = rpc.KeyStoreStub(channel).Subscribe(request, timeout=timeout)
        self.call.initial_metadata()

    def next(self):
        return next(self.call)

    def take(self, count):
        return [next(self.call) for _ in range(count)]

    def cancel(self):
        self.call.cancel()
        with pytest.raises(grpc.RpcError):
            while True:
                next(self.call)


@pytest.fixture(name="subscribe")
def subscribe_fixture(channel):
    subscribers = []

    def start(*channels, patterns=()):
        subscribers.append(Subscriber(channel, *channels, patterns=patterns))
        return subscribers[-1]

    yield start
    for subscriber in subscribers:
        subscriber.call.cancel()


def publish(stub, channel, payload=b""):
    return stub.Publish(pb.Message(channel=channel, payload=payload))


def test_a_message_reaches_who_subscribes(stub, subscribe, key):
    other = subscribe(b"other" + key)
    one, two = subscribe(key), subscribe(b"else" + key, key)
    answer = publish(stub, key, b"hello")
    assert answer.ok and answer.count == 2 and answer.version == 0
    for subscriber in (one, two):
        message = subscriber.next()
        assert (message.channel, message.payload, message.missed) == (key, b"hello", 0)
    publish(stub, b"other" + key, b"to the other")
    assert other.next().payload == b"to the other"


def test_nobody_subscribes(stub, key):
    answer = publish(stub, key, b"lost")
    assert not answer.ok and answer.count == 0


def test_messages_come_in_order_and_numbered(stub, subscribe, key):
    subscribers = [subscribe(key) for _ in range(3)]
    for i in range(500):
        assert publish(stub, key, b"%d" % i).count == 3
    expected = [b"%d" % i for i in range(500)]
    for subscriber in subscribers:
        messages = subscriber.take(500)
        assert [message.payload for message in messages] == expected
        first = messages[0].sequence
        assert first > 0
        assert [message.sequence for message in messages] == list(range(first, first + 500))


def test_a_pattern_selects_channels(stub, subscribe, key):
    subscriber = subscribe(patterns=[key + b":[ab]?*"])
    for name in (b":a", b":c1", b":a1", b":b22", b""):
        assert publish(stub, key + name, name).count == (name in (b":a1", b":b22"))
    first, second = subscriber.take(2)
    assert (first.payload, second.payload) == (b":a1", b":b22")
    assert second.sequence > first.sequence


def test_numbers_ascend_with_any_subscribers(stub, subscribe, key):
    """By name or by pattern, with pauses in which nobody does."""
    watcher = subscribe(patterns=[b"seq" + key + b"*"])
    name, numbers = b"seq" + key, []
    for _ in range(3):
        publish(stub, name)
        subscriber = subscribe(name)
        publish(stub, name)
        publish(stub, name)
        first, second = subscriber.take(2)
        assert second.sequence == first.sequence + 1
        subscriber.cancel()
    numbers = [message.sequence for message in watcher.take(9)]
    assert numbers == sorted(set(numbers))


def test_what_several_select_comes_once(stub, subscribe, key):
    one = subscribe(key, key, patterns=[key + b"*", b"*" + key, key + b"*"])
    two = subscribe(patterns=[key + b"*"])
    three = subscribe(key)
    for i in range(3):
        assert publish(stub, key, b"%d" % i).count == 3
    for subscriber in (one, two, three):
        assert [message.payload for message in subscriber.take(3)] == [b"0", b"1", b"2"]


@pytest.mark.parametrize("size", [0, 1, 1000, 16 * 1024, 16 * 1024 + 1, 100_000, 5_000_000])
def test_payloads_of_any_size(stub, subscribe, key, size):
    payload = random.Random(size).randbytes(size)
    subscribers = [subscribe(key), subscribe(patterns=[key])]
    publish(stub, key, payload)
    publish(stub, key, b"next")
    for subscriber in subscribers:
        assert subscriber.next().payload == payload
        assert subscriber.next().payload == b"next"


def test_channels_of_any_bytes(stub, subscribe):
    names = [b"\x00", b"\xff\xfe", b"c" * 65536]
    subscriber = subscribe(*names)
    for name in names:
        assert publish(stub, name).count == 1
        assert subscriber.next().channel == name


@pytest.mark.parametrize("request_, reason, words", [
    (pb.SubscribeRequest(), "BAD_ARGUMENT", "nothing to subscribe to"),
    (pb.SubscribeRequest(channels=[b"a", b""]), "BAD_ARGUMENT", "channels[1]: it is empty"),
    (pb.SubscribeRequest(patterns=[b""]), "BAD_ARGUMENT", "patterns[0]: it is empty"),
    (pb.SubscribeRequest(channels=[b"c" * 65537]), "TOO_LARGE", "65537 bytes"),
    (pb.SubscribeRequest(patterns=[b"*" * 1025]), "TOO_LARGE", "1 byte to 1 KiB"),
    (pb.SubscribeRequest(channels=[b"c"] * 10001), "TOO_LARGE", "at most 10000"),
])
def test_subscriptions_that_are_refused(channel, request_, reason, words):
    call = rpc.KeyStoreStub(channel).Subscribe(request_, timeout=60)
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    assert reason_of(caught.value) == "ERROR_REASON_" + reason
    assert words in caught.value.details()


@pytest.mark.parametrize("message, reason, words", [
    (pb.Message(payload=b"p"), "BAD_ARGUMENT", "channel: it is empty"),
    (pb.Message(channel=b"c" * 65537), "TOO_LARGE", "65537 bytes"),
    (pb.Message(channel=b"c", sequence=1), "BAD_ARGUMENT", "sequence: it means nothing"),
    (pb.Message(channel=b"c", missed=1), "BAD_ARGUMENT", "missed: it means nothing"),
])
def test_messages_that_are_refused(stub, message, reason, words):
    with pytest.raises(grpc.RpcError) as caught:
        stub.Publish(message)
    assert reason_of(caught.value) == "ERROR_REASON_" + reason
    assert words in caught.value.details()


def test_a_payload_over_the_limit(fresh_server):
    server = fresh_server("--max-value", "1mb")
    with open_channel(server.address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            publish(Stub(channel), b"c", b"p" * 1_048_577)
        assert reason_of(caught.value) == "ERROR_REASON_TOO_LARGE"
        assert "--max-value" in caught.value.details()


def test_info_counts(fresh_server):
    server = fresh_server()
    nothing = {"pubsub_channels": 0, "pubsub_patterns": 0, "pubsub_clients": 0, "streams_open": 0}
    with open_channel(server.address) as channel, open_channel(server.address) as other:
        admin = admin_stub(other)
        wait_for_numbers(admin, nothing)
        subscribers = [Subscriber(channel, b"a", b"b"), Subscriber(channel, b"b"),
                       Subscriber(channel, patterns=[b"a*", b"b*"]), Subscriber(other, b"c", b"c")]
        wait_for_numbers(admin, {"pubsub_channels": 3, "pubsub_patterns": 2, "pubsub_clients": 4,
                             "streams_open": 4})
        subscribers[0].cancel()
        wait_for_numbers(admin, {"pubsub_channels": 2, "pubsub_clients": 3})
        channel.close()
        wait_for_numbers(admin, {"pubsub_channels": 1, "pubsub_patterns": 0, "pubsub_clients": 1})
        subscribers[3].cancel()
        wait_for_numbers(admin, nothing)


def test_a_shutdown_ends_subscriptions(fresh_server):
    server = fresh_server()
    with open_channel(server.address) as channel:
        subscriber = Subscriber(channel, b"c")
        server.send_signal()
        with pytest.raises(grpc.RpcError) as caught:
            subscriber.next()
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert reason_of(caught.value) == "ERROR_REASON_STOPPING"
        server.wait()


def test_an_idle_subscription_keeps_its_connection(fresh_server):
    """Beyond all timeouts of connections that do nothing or do not read."""
    server = fresh_server("--idle-timeout", "1", "--write-timeout", "1")
    with open_channel(server.address) as channel, open_channel(server.address) as other:
        subscriber = Subscriber(channel, b"c")
        admin = admin_stub(other)
        # An idle connection beside it is ended: so it would have been.
        with H2Conn(server.address):
            wait_until(lambda: admin.Info(pb.InfoRequest()).fields["idle_connections_ended"] != "0")
        publish(Stub(other), b"c", b"still there")
        assert subscriber.next().payload == b"still there"


def test_who_does_not_read_misses_messages(server, key):
    """The oldest are dropped; the next one says how many, and others get all of them."""
    with open_channel(server.address) as fast_channel, H2Conn(
            server.address, credit=False) as slow:
        stub = Stub(fast_channel)
        request = pb.SubscribeRequest(channels=[key]).SerializeToString()
        stream = slow.start("/keystore.v1.KeyStore/Subscribe", request)
        slow.receive_until(lambda: slow.answers[stream].blocks)
        fast = Subscriber(fast_channel, key)
        count = 3000
        received = []
        reader = threading.Thread(target=lambda: received.extend(fast.take(count)))
        reader.start()
        for i in range(count):
            assert publish(stub, key, b"%05d" % i + b"x" * 1000).count == 2
        reader.join()
        assert [int(message.payload[:5]) for message in received] == list(range(count))
        assert not any(message.missed for message in received)
        messages = read_all(slow, stream, lambda found: found and found[-1].payload[:5] == b"%05d" % (count - 1))
        expected = 0
        for message in messages:
            expected += message.missed
            assert int(message.payload[:5]) == expected
            expected += 1
        assert sum(message.missed for message in messages) == count - len(messages) > 0
        # What waited was bounded: a window, a page, and 1 MiB.
        assert sum(len(message.payload) for message in messages) < 1_400_000


def test_a_stream_that_is_not_read_ends_alone(fresh_server):
    """Its connection and the connection's other calls go on."""
    server = fresh_server("--write-timeout", "1")
    with open_channel(server.address) as channel, H2Conn(server.address, credit=False) as slow:
        stub, admin = Stub(channel), admin_stub(channel)
        request = pb.SubscribeRequest(channels=[b"c"]).SerializeToString()
        unread = slow.start("/keystore.v1.KeyStore/Subscribe", request)
        slow.grant(0, 10_000_000)
        idle = slow.start("/keystore.v1.KeyStore/Subscribe",
                          pb.SubscribeRequest(channels=[b"quiet"]).SerializeToString())
        slow.receive_until(lambda: slow.answers[unread].blocks and slow.answers[idle].blocks)
        for _ in range(100):
            publish(stub, b"c", b"x" * 1000)
        answer = slow.wait(unread)
        assert answer.grpc_status == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
        assert answer.trailers["keystore-reason"] == "ERROR_REASON_NOT_READ"
        assert "--write-timeout" in answer.sentence
        wait_for_numbers(admin, {"streams_open": 1, "pubsub_clients": 1})
        assert slow.call("/keystore.v1.KeyStore/Get", pb.Key(key=b"k").SerializeToString()).grpc_status == 0
        publish(stub, b"quiet", b"hello")
        slow.receive_until(lambda: slow.answers[idle].body)
        fields = admin.Info(pb.InfoRequest()).fields
        assert fields["unread_streams_ended"] == "1"
        assert fields["connections_closed_write_timeout"] == "0"


def read_all(connection, stream_id, is_complete):
    """Opens the windows until what has come is complete."""
    stream = connection.answers[stream_id]
    while True:
        messages, body = [], bytes(stream.body)
        while len(body) >= 5 and len(body) >= 5 + int.from_bytes(body[1:5], "big"):
            size = int.from_bytes(body[1:5], "big")
            messages.append(pb.Message.FromString(body[5:5 + size]))
            body = body[5 + size:]
        if is_complete(messages):
            return messages
        before = len(stream.body)
        connection.grant(0, 65536)
        connection.grant(stream_id, 65536)
        connection.receive_until(lambda: len(stream.body) > before)


@pytest.mark.parametrize("threads", [1, 4])
def test_against_a_model(fresh_server, random_of_test, threads):
    """Publishers on several connections; subscribers that come and go. Each publisher's messages
    come in its order, numbers ascend within a channel, and counts are exact while nobody comes."""
    server = fresh_server(threads=threads)
    names = [b"c%d" % i for i in range(5)]
    channels = [open_channel(server.address) for _ in range(6)]
    choices = [([names[0]], []), (names[1:3], []), ([], [b"c*"]), ([names[3]], [b"c[34]"]),
               (names, [b"*"]), ([], [b"c0", b"?1", b"c2"])]
    stay = [Subscriber(channels[i % 3], *choice[0], patterns=choice[1])
            for i, choice in enumerate(choices * 2)]
    counts = {names[0]: 8, names[1]: 8, names[2]: 8, names[3]: 6, names[4]: 6}
    per_publisher, publishers = 300, 3
    problems, sent = [], {}

    def run(number, seed):
        chooser = random.Random(seed)
        stub = Stub(channels[3 + number])
        for i in range(per_publisher):
            name = chooser.choice(names)
            sent[number, i] = name
            if publish(stub, name, b"%d %d" % (number, i)).count < counts[name]:
                problems.append((number, i))
        for name in names:
            publish(stub, name, b"%d end" % number)

    def come_and_go(seed):
        chooser = random.Random(seed)
        for _ in range(50):
            choice = chooser.choice(choices)
            subscriber = Subscriber(channels[0], *choice[0], patterns=choice[1])
            if chooser.random() < 0.5:
                subscriber.next()
            subscriber.call.cancel()

    threads_ = [threading.Thread(target=run, args=(i, random_of_test.random())) for i in range(publishers)]
    threads_.append(threading.Thread(target=come_and_go, args=(random_of_test.random(),)))
    for thread in threads_:
        thread.start()
    received = []
    for (wanted, patterns), subscriber in zip(choices * 2, stay):
        selected = set(wanted) | {name for name in names for pattern in patterns
                                  if fnmatch.fnmatchcase(name.decode(), pattern.decode())}
        messages, ends = [], 0
        while ends < publishers * len(selected):
            messages.append(subscriber.next())
            ends += messages[-1].payload.endswith(b"end")
        received.append((selected, messages))
    for thread in threads_:
        thread.join()
    assert not problems
    for selected, messages in received:
        assert not any(message.missed for message in messages)
        for name in selected:
            numbers = [message.sequence for message in messages if message.channel == name]
            assert numbers == sorted(set(numbers))
        for number in range(publishers):
            got = [int(message.payload.split()[1]) for message in messages
                   if message.payload.startswith(b"%d " % number) and not message.payload.endswith(b"end")]
            assert got == [i for i in range(per_publisher) if sent[number, i] in selected]
    for channel in channels:
        channel.close()


def test_as_redis_counts_and_matches(stub, channel, random_of_test, key, tmp_path):
    """Patterns select the same channels as in Redis, and as many subscribers with one of them."""
    alphabet = "ab*?[]^-\\\\"
    patterns = ["".join(random_of_test.choice(alphabet) for _ in range(random_of_test.randint(1, 6)))
                for _ in range(60)]
    names = ["".join(random_of_test.choice("ab-]") for _ in range(random_of_test.randint(1, 4)))
             for _ in range(40)]
    with Redis(tmp_path) as redis:
        prefix = key.decode().replace("[", "").replace("]", "")
        subscriber = Subscriber(channel, patterns=[(prefix + pattern).encode() for pattern in patterns])
        for name in names:
            redis.call("SET", name, "")
        expected = [name for name in names if any(
            name.encode() in redis.call("KEYS", pattern) for pattern in patterns)]
        got = [name for name in names if publish(stub, (prefix + name).encode(), name.encode()).count]
        assert got == expected
        assert [message.payload.decode() for message in subscriber.take(len(got))] == got
        subscriber.cancel()
