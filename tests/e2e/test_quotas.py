"""Limits on calls: in flight of all and of a user, and per second; what is refused, what is not, and
that no call leaves a count behind, however it ends."""

import queue
import re
import time
import urllib.request

import grpc
import health_pb2
import health_pb2_grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from rpc_status import check_rpc_error
from server_process import Server
from times import wait_until
from users import As, UsersFile, reload_users, token_line
from waiting import numbers_of, wait_for_numbers

LIMITED = (grpc.StatusCode.RESOURCE_EXHAUSTED, "ERROR_REASON_TOO_MANY_CALLS")
RULES = {"app": ["all"], "other": ["all"], "boss": ["all"]}
GET = pb.Key(key=b"key")


class Limited:
    """A server with users, of whom some have limits: user -> the rest of its line `limit`."""

    def __init__(self, folder, *arguments, limits=None, threads=2):
        self.users = UsersFile(folder, {})
        self.write(limits or {})
        self.server = Server("--users-file", self.users.path, *arguments, threads=threads)

    def write(self, limits):
        lines = []
        for name, allowed in RULES.items():
            lines += [f"[user {name}]", token_line(name), *(f"allow = {rule}" for rule in allowed)]
            lines += [f"limit = {limits[name]}"] if name in limits else []
        self.users.write_text("\n".join(lines) + "\n")

    def reload(self, limits):
        self.write(limits)
        reload_users(self.server)

    def channel(self):
        return open_channel(self.server.address)


@pytest.fixture(name="limited")
def _limited(tmp_path):
    started = []

    def start(*arguments, **options):
        started.append(Limited(tmp_path, *arguments, **options))
        return started[-1]

    yield start
    for one in started:
        one.server.stop()  # which checks that no call is counted any longer


def refusal(call, request=GET, **options):
    """The error of a call that is refused for a limit, and its details; None: it was not refused."""
    try:
        call(request, **options)
    except grpc.RpcError as error:
        return error, check_rpc_error(error, *LIMITED)
    return None


class Waiting:
    """Calls of a user that wait: pops of lists that nobody fills. They end with this object, since
    grpcio cancels calls that nobody refers to."""

    def __init__(self, *stubs):
        self.stubs, self.calls = stubs, []

    def add(self, count):
        for i in range(count):
            request = pb.PopRequest(keys=[f"list-{len(self.calls)}".encode()], wait_ms=600000)
            stub = self.stubs[i % len(self.stubs)]
            self.calls.append(stub.ListPop.future(request, timeout=600))
        return self

    def refill(self, count):
        """As many calls again as were refused, for instance because a thread had not yet taken a new
        limit over."""
        self.calls = [call for call in self.calls if not call.done()]
        return self.add(count - len(self.calls))

    def end(self, count):
        for _ in range(count):
            self.calls.pop().cancel()


def set_limit(admin, name, value):
    admin.SetConfig(pb.SetConfigRequest(name=name, value=str(value)))


def is_limited(call):
    return refusal(call) is not None


# ---- calls in flight of a user ----

def test_calls_in_flight_of_a_user(limited):
    """Over all connections, and so over all threads."""
    one = limited(limits={"app": "calls=4"})
    with one.channel() as a, one.channel() as b, one.channel() as c, one.channel() as d:
        waiting = Waiting(*(As(channel, "app") for channel in (a, b, c, d))).add(4)
        wait_for_numbers(As(a, "boss", admin=True), {"blocked_clients": 4})
        for channel in (a, b, c, d):
            error, details = refusal(As(channel, "app").Get)
            assert details.subject == "max-calls-per-user"
            assert "the user app has 4 calls" in error.details()
            assert "limit` in the users file" in error.details()
            assert refusal(As(channel, "other").Get) is None
        waiting.end(1)
        wait_until(lambda: not is_limited(As(a, "app").Get))
        for _ in range(10):
            assert not is_limited(As(b, "app").Get)  # one after the other


def test_streams_count_while_they_last(limited):
    one = limited(limits={"app": "calls=2"})
    with one.channel() as channel:
        stub = As(channel, "app")
        watch = stub.Watch(pb.WatchRequest(selectors=[pb.WatchRequest.Selector(prefix=b"")],
                                           initial=True), timeout=600)
        next(watch)
        requests = queue.Queue()
        pipeline = stub.Pipeline(iter(requests.get, None), timeout=600)
        requests.put(pb.OpBatch())
        next(pipeline)
        assert is_limited(stub.Get)
        requests.put(None)
        assert list(pipeline) == []
        wait_until(lambda: not is_limited(stub.Get))
        watch.cancel()
        with pytest.raises(grpc.RpcError) as error:  # a stream is refused like any call
            both = [stub.Watch(pb.WatchRequest(selectors=[pb.WatchRequest.Selector(prefix=b"")],
                                               initial=True), timeout=600) for _ in range(3)]
            for each in both:
                next(each)
        check_rpc_error(error.value, *LIMITED)


def test_the_limit_is_a_setting(limited):
    """Calls under way count when it is set, and are forgotten by nobody when it is not."""
    one = limited()
    with one.channel() as channel:
        stub, boss = As(channel, "app"), As(channel, "boss", admin=True)
        waiting = Waiting(stub).add(3)
        wait_for_numbers(boss, {"blocked_clients": 3})
        assert not is_limited(stub.Get)
        set_limit(boss, "max-calls-per-user", 3)
        wait_until(lambda: is_limited(stub.Get))
        assert "--max-calls-per-user" in refusal(stub.Get)[0].details()
        set_limit(boss, "max-calls-per-user", 0)
        wait_until(lambda: not is_limited(stub.Get))
        waiting.end(1)
        waiting.add(3)
        wait_for_numbers(boss, {"blocked_clients": 5})
        set_limit(boss, "max-calls-per-user", 5)
        wait_until(lambda: is_limited(stub.Get))
        waiting.end(1)
        wait_until(lambda: not is_limited(stub.Get))


def test_a_reload_of_the_users_file(limited):
    """What is in flight goes on to count for its user, and limits that appear count it."""
    one = limited()
    with one.channel() as channel:
        stub, boss = As(channel, "app"), As(channel, "boss", admin=True)
        waiting = Waiting(stub).add(3)
        wait_for_numbers(boss, {"blocked_clients": 3})
        one.reload({"app": "calls=3"})
        wait_until(lambda: is_limited(stub.Get))
        one.reload({"app": "calls=none rate=none"})
        wait_until(lambda: not is_limited(stub.Get))
        one.reload({"app": "calls=4", "other": "calls=1"})
        wait_until(lambda: not is_limited(stub.Get))
        waiting.add(1)
        wait_for_numbers(boss, {"blocked_clients": 4})
        assert is_limited(stub.Get)
        one.reload({"app": "calls=5"})
        wait_until(lambda: not is_limited(stub.Get))
        waiting.end(4)
        wait_for_numbers(boss, {"blocked_clients": 0})
        one.reload({"app": "calls=1"})
        wait_until(lambda: not is_limited(stub.Get))


def test_the_own_limit_comes_first(limited):
    """Of the users file and the settings."""
    one = limited("--max-calls-per-user", 1, limits={"app": "calls=2", "boss": "calls=none"})
    with one.channel() as channel:
        boss = As(channel, "boss", admin=True)
        waiting = [Waiting(As(channel, "other")).add(1), Waiting(As(channel, "app")).add(2),
                   Waiting(As(channel, "boss")).add(3)]
        wait_for_numbers(boss, {"blocked_clients": 6})
        assert is_limited(As(channel, "other").Get) and is_limited(As(channel, "app").Get)
        assert not is_limited(As(channel, "boss").Get)
        waiting[0].end(1)
        wait_until(lambda: not is_limited(As(channel, "other").Get))


# ---- calls in flight of all ----

def test_calls_in_flight_of_all(fresh_server):
    """No users are needed. Health checks and administrators are served all the same."""
    server = fresh_server("--max-calls", "4")
    with open_channel(server.address) as a, open_channel(server.address) as b:
        waiting = Waiting(Stub(a), Stub(b)).add(4)
        admin = admin_stub(b)
        wait_for_numbers(admin, {"blocked_clients": 4})
        for channel in (a, b):
            error, details = refusal(Stub(channel).Get)
            assert details.subject == "max-calls" and "--max-calls" in error.details()
            check = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
            assert check.status == health_pb2.HealthCheckResponse.SERVING
        waiting.end(1)
        wait_until(lambda: not is_limited(Stub(a).Get))
        set_limit(admin, "max-calls", 3)
        wait_until(lambda: is_limited(Stub(a).Get))
        set_limit(admin, "max-calls", 0)
        wait_until(lambda: not is_limited(Stub(a).Get))


# ---- calls per second ----

def test_the_wait_is_the_true_one(limited):
    """A call at the time that the error gives is not refused, as nobody else calls."""
    one = limited(limits={"app": "rate=2/s burst=1"})
    with one.channel() as channel:
        stub = As(channel, "app")
        for _ in range(3):
            wait_until(lambda: is_limited(stub.Get))
            error, details = refusal(stub.Get) or (None, None)
            if error is None:
                continue
            assert details.subject == "calls-per-second-per-user"
            assert 0 < details.retry_ms <= 500
            time.sleep(details.retry_ms / 1000)
            assert not is_limited(stub.Get)


def test_no_more_calls_than_the_rate(limited):
    rate, burst = 50, 20
    one = limited(limits={"app": f"rate={rate}/s burst={burst}"})
    with one.channel() as a, one.channel() as b:
        begin, admitted = time.monotonic(), 0
        for i in range(500):
            admitted += not is_limited(As((a, b)[i % 2], "app").Get)
        most = burst + rate * (time.monotonic() - begin)
        assert burst <= admitted <= most
        assert not is_limited(As(a, "other").Get)


def test_the_rate_is_a_setting(limited):
    one = limited()
    with one.channel() as channel:
        stub, boss = As(channel, "app"), As(channel, "boss", admin=True)
        assert not any(is_limited(stub.Get) for _ in range(20))
        set_limit(boss, "calls-per-second-per-user", 1)
        wait_until(lambda: is_limited(stub.Get))
        assert "--calls-per-second-per-user" in [
            each[0].details() for each in (refusal(stub.Get) for _ in range(50)) if each][0]
        one.reload({"boss": "rate=none"})
        set_limit(boss, "calls-per-second-per-user", 0)
        wait_until(lambda: not any(is_limited(stub.Get) for _ in range(20)))


def test_operations_of_a_pipeline_count(limited):
    """The stream is held up until its next batch may come; no batch is refused."""
    rate, size, count = 20, 10, 4
    one = limited(limits={"app": f"rate={rate}/s burst=1"})
    with one.channel() as channel:
        ops = [pb.Op(get=GET)] * size
        begin = time.monotonic()
        replies = list(As(channel, "app").Pipeline(iter([pb.OpBatch(ops=ops)] * count),
                                                   timeout=600))
        took = time.monotonic() - begin
        assert [len(each.replies) for each in replies] == [size] * count
        assert took >= (1 + size * (count - 1)) / rate  # of what came before the last batch
        assert is_limited(As(channel, "app").Get)  # the last one is not paid for yet
        empty = list(As(channel, "other").Pipeline(iter([pb.OpBatch()] * 3)))
        assert len(empty) == 3


# ---- what is counted and logged ----

def test_refusals_are_counted_and_logged(limited):
    one = limited("--metrics-listen", "127.0.0.1:0", limits={"app": "calls=1"})
    with one.channel() as channel:
        stub, boss = As(channel, "app"), As(channel, "boss", admin=True)
        waiting = Waiting(stub).add(1)
        wait_for_numbers(boss, {"blocked_clients": 1})
        begin = time.monotonic()
        for _ in range(50):
            assert is_limited(stub.Get)
        fields = boss.Info(pb.InfoRequest()).fields
        assert fields["limit_hits_max_calls_per_user"] == "50"
        assert fields["errorstat_TOO_MANY_CALLS"] == "50"
        assert fields["limit_hits_max_calls"] == "0"
        port = next(re.fullmatch(r"Metrics on port (\d+)", line).group(1)
                    for line in one.server.stdout if line.startswith("Metrics"))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
            assert b'keystore_limit_hits_total{limit="max_calls_per_user"} 50' in page.read()
        wait_until(lambda: "calls were refused because of --max-calls-per-user" in one.server.stderr)
        lines = one.server.stderr.count("because of --max-calls-per-user")
        assert lines <= 1 + (time.monotonic() - begin) / 10
        assert "the user app has 1 calls" in one.server.stderr
        waiting.end(1)


def test_settings_without_users(fresh_server):
    server = fresh_server("--max-calls-per-user", "5")
    wait_until(lambda: "--max-calls-per-user has no effect without --users-file" in server.stderr)


# ---- every end gives the count back ----

MOST, STEPS, CHANNELS = 12, 250, 3
LARGE = pb.KeyValues(entries=[pb.KeyValue(key=f"k{i}".encode(), value=b"v" * 100)
                              for i in range(2000)])


def begin_any(stub, rng):
    """A call of a random kind."""
    key = f"any-{rng.randrange(50)}".encode()
    kind = rng.randrange(8)
    timeout = rng.choice([0.001, 0.05, 600])
    selector = pb.WatchRequest.Selector(prefix=b"any")
    if kind == 0:
        return stub.ListPop.future(pb.PopRequest(keys=[key], wait_ms=rng.choice([-1, 5, 5000])),
                                   timeout=timeout)
    if kind == 1:
        return stub.Watch(pb.WatchRequest(selectors=[selector], initial=True), timeout=timeout)
    if kind == 2:
        return stub.Pipeline(iter([pb.OpBatch(ops=[pb.Op(get=pb.Key(key=key))] * 20)] * 5),
                             timeout=timeout)
    if kind == 3:
        return stub.Subscribe(pb.SubscribeRequest(channels=[key]), timeout=timeout)
    if kind == 4:
        return stub.MSet.future(LARGE, timeout=timeout)  # another thread carries it out
    if kind == 5:
        return stub.RPush.future(pb.ListInsert(key=key, values=[b"v"]), timeout=timeout)
    if kind == 6:
        return stub.Set.future(pb.KeyValue(key=b"", value=b"v"), timeout=timeout)  # fails
    return stub.Scan(pb.ScanRequest(), timeout=timeout)


class Chaos:
    """Random calls of a user over several connections, with random ends."""

    def __init__(self, one, rng):
        self._one, self._rng = one, rng
        self._channels = [one.channel() for _ in range(CHANNELS)]
        self._calls = []

    def step(self, boss):
        rng = self._rng
        channel = rng.choice(self._channels)
        what = rng.randrange(20)
        if what < 14:
            self._calls.append(begin_any(As(channel, "app"), rng))
        elif what < 18 and self._calls:
            self._calls.pop(rng.randrange(len(self._calls))).cancel()
        elif what == 18:  # the client is gone
            channel.close()
            self._channels[self._channels.index(channel)] = self._one.channel()
        else:  # all connections of this address but the administrator's
            boss.KillClients(pb.KillClientsRequest(address="127.0.0.1"))

    def end(self):
        for channel in self._channels:
            channel.close()

    def is_over(self, boss):
        """A channel that was closed while it connected may leave a connection, which ends here."""
        boss.KillClients(pb.KillClientsRequest(address="127.0.0.1"))
        return numbers_of(boss, ["connected_clients"]) == {"connected_clients": 1}


@pytest.mark.parametrize("changes", [False, True])
def test_no_end_leaves_a_count(limited, random_of_test, changes):
    """Calls, streams and long calls that succeed, fail, are refused, cancelled, time out, or lose
    their connection, while limits come and go: then exactly as many as the limit fit."""
    rng = random_of_test
    one = limited("--max-calls", 2 * MOST, "--reset-burst", 1000000,
                  limits={"app": f"calls={MOST}"}, threads=3)
    with one.channel() as channel:
        boss = As(channel, "boss", admin=True)
        chaos = Chaos(one, rng)
        for step in range(STEPS):
            chaos.step(boss)
            if changes and step % 25 == 0:
                set_limit(boss, "max-calls", rng.choice([0, 3, 2 * MOST]))
                one.reload(rng.choice([{}, {"app": f"calls={rng.randrange(1, MOST)}"},
                                       {"app": "rate=1000/s"}]))
        chaos.end()
        if changes:
            set_limit(boss, "max-calls", 2 * MOST)
            one.reload({"app": f"calls={MOST}"})
        wait_until(lambda: chaos.is_over(boss))
        stub = As(channel, "app")
        wait_until(lambda: not is_limited(stub.Get))
        waiting, others = Waiting(stub), Waiting(As(channel, "other"))
        for each, blocked in ((waiting, MOST), (others, 2 * MOST)):
            wait_until(lambda each=each, blocked=blocked: each.refill(MOST) and numbers_of(
                boss, {"blocked_clients"}) == {"blocked_clients": blocked})
            assert is_limited(stub.Get)
        wait_until(lambda: is_limited(As(channel, "other").Get))
        assert refusal(As(channel, "other").Get)[1].subject == "max-calls"
