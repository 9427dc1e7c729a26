"""Request ids: a write that is repeated with its id is carried out once, and each call gets the first
reply, across lost replies, broken connections, kills, restarts and snapshots."""

import contextlib
import itertools
import operator
import os
import shutil
import subprocess
import threading

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from errors import BAD_ARGUMENT, NOT_A_NUMBER, NOT_SERVED, check_fails
from keystore_env import BIN, seeded
from place import Place
from redis_process import Redis
from times import wait_until
from watching import Watcher, prefix_of

REUSED = (grpc.StatusCode.ALREADY_EXISTS, "ERROR_REASON_REQUEST_ID_REUSED")
ALREADY_DONE = (grpc.StatusCode.ALREADY_EXISTS, "ERROR_REASON_ALREADY_DONE")


def with_id(name):
    """The metadata of a call with that id: text, or bytes."""
    field = "keystore-request-id" if isinstance(name, str) else "keystore-request-id-bin"
    return {"metadata": ((field, name),)}


class OwnPlace(Place):
    """One whose channels are closed with it."""

    def __init__(self, directory, *arguments):
        self.channels = []
        super().__init__(directory, *arguments)

    def stub(self, kind=Stub):
        self.channels.append(open_channel(self.listen))
        stub = kind(self.channels[-1])
        stub.admin = admin_stub(self.channels[-1])
        return stub

    def info(self):
        return dict(self.stub(admin_stub).Info(pb.InfoRequest()).fields)

    def save(self):
        self.stub(admin_stub).Save(pb.SaveRequest(wait=True))

    def logs(self):
        folder = self.directory / "appendonlydir"
        return b"".join(path.read_bytes() for path in sorted(folder.glob("*.incr.aof")))

    def bases(self):
        folder = self.directory / "appendonlydir"
        return b"".join(path.read_bytes() for path in sorted(folder.glob("*.base.rdb")))

    def close(self):
        for channel in self.channels:
            channel.close()
        super().close()


@pytest.fixture
def place(tmp_path):
    with contextlib.closing(OwnPlace(tmp_path)) as opened:
        yield opened


@pytest.fixture
def make_place(tmp_path):
    with contextlib.ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(
            contextlib.closing(OwnPlace(tmp_path, *arguments)))


# ---- one call, repeated ----

BIG = b"x" * (5 << 20)
LONG = [b"%d" % number for number in range(200000)]


def long_txn():
    return pb.TxnRequest(success=[pb.Op(set=pb.KeyValue(key=b"t%d" % number, value=b"v" * 200))
                                  for number in range(1000)]
                         + [pb.Op(incr=pb.Increment(key=b"t", by=1))])


# name: (what is there before, method, request, what it has done)
WRITES = {
    "incr": (None, "Incr", pb.Increment(key=b"n", by=5), ("n", b"5")),
    "set": (("Set", pb.KeyValue(key=b"s", value=b"old")), "Set",
            pb.KeyValue(key=b"s", value=b"new", return_previous=True), ("s", b"new")),
    "append": (None, "Append", pb.KeyValue(key=b"s", value=b"ab"), ("s", b"ab")),
    "push": (None, "RPush", pb.ListInsert(key=b"l", values=[b"a", b"b"]), ("l", [b"a", b"b"])),
    "pop": (("RPush", pb.ListInsert(key=b"l", values=[b"a", b"b", b"c"])), "LPop",
            pb.Key(key=b"l"), ("l", [b"b", b"c"])),
    "pops": (("RPush", pb.ListInsert(key=b"l", values=[b"a", b"b", b"c"])), "ListPop",
             pb.PopRequest(keys=[b"k", b"l"], count=2), ("l", [b"c"])),
    "getdel": (("Set", pb.KeyValue(key=b"s", value=b"old")), "GetDel", pb.Key(key=b"s"),
               ("s", None)),
    "txn": (None, "Txn", pb.TxnRequest(success=[
        pb.Op(incr=pb.Increment(key=b"n", by=1)), pb.Op(l_push=pb.ListInsert(key=b"l", values=[b"a"])),
        pb.Op(incr=pb.Increment(key=b"n", by=1))]), ("n", b"2")),
    "flush": (("Set", pb.KeyValue(key=b"s", value=b"old")), "admin.FlushDb", pb.DbRequest(), ("s", None)),
    "empty": (("Set", pb.KeyValue(key=b"s", value=b"")), "GetDel", pb.Key(key=b"s"), ("s", None)),
    # Decoded and carried out on another thread:
    "big": (None, "Append", pb.KeyValue(key=b"s", value=BIG), ("s", BIG)),
    "many": (None, "Txn", long_txn(), ("t", b"1")),
    "long": (("RPush", pb.ListInsert(key=b"l", values=LONG)), "LRem",
             pb.ListFind(key=b"l", value=LONG[-1], count=1), ("l", LONG[:-1])),
}


def method_of(stub, name):
    """A method of the stub, or of its .admin."""
    return operator.attrgetter(name)(stub)


def value_of(stub, key):
    told = stub.Describe(pb.Key(key=key))
    if not told.found:
        return None
    if told.type == pb.VALUE_TYPE_LIST:
        return list(stub.LRange(pb.ListRange(key=key, start=0, stop=-1)).values)
    return stub.Get(pb.Key(key=key)).value


@pytest.mark.parametrize("name", WRITES)
def test_the_first_reply_comes_again(place, name):
    before, method, request, (key, value) = WRITES[name]
    stub = place.stub()
    if before is not None:
        getattr(stub, before[0])(before[1])
    first = method_of(stub, method)(request, **with_id("the id"))
    assert value_of(stub, key.encode()) == value
    assert method_of(stub, method)(request, **with_id("the id")) == first
    assert method_of(place.stub(), method)(request, **with_id("the id")) == first
    place.crash()
    stub = place.stub()
    assert method_of(stub, method)(request, **with_id("the id")) == first
    assert value_of(stub, key.encode()) == value
    place.save()
    assert b"#KSN" not in place.logs() and b"ks-receipt" in place.bases()
    place.crash()
    stub = place.stub()
    assert method_of(stub, method)(request, **with_id("the id")) == first
    place.restart()
    stub = place.stub()
    assert method_of(stub, method)(request, **with_id("the id")) == first
    assert value_of(stub, key.encode()) == value
    # The control: another id, or none, carries it out again.
    second = method_of(stub, method)(request, **with_id("another"))
    assert second != first or name in ("flush", "empty")
    assert place.info()["request_ids"] == "2"


def test_an_id_may_be_bytes(place):
    stub, name = place.stub(), bytes(range(16))
    assert stub.Incr(pb.Increment(key=b"n", by=1), **with_id(name)).integer == 1
    place.crash()
    stub = place.stub()
    assert stub.Incr(pb.Increment(key=b"n", by=1), **with_id(name)).integer == 1
    assert stub.Incr(pb.Increment(key=b"n", by=1), **with_id(name[::-1])).integer == 2


def test_a_large_reply_is_not_kept(place):
    stub = place.stub()
    for size, fails in ((64 * 1024 - 40, False), (64 * 1024, True)):
        key = b"key of %d" % size
        stub.Set(pb.KeyValue(key=key, value=b"x" * size))
        first = stub.GetDel(pb.Key(key=key), **with_id(f"id {size}"))
        assert len(first.value) == size
        for _ in range(2):
            if fails:
                check_fails(ALREADY_DONE, stub.GetDel, pb.Key(key=key), "took effect",
                            **with_id(f"id {size}"))
            else:
                assert stub.GetDel(pb.Key(key=key), **with_id(f"id {size}")) == first
            place.crash()
            stub = place.stub()
    check_fails(ALREADY_DONE, stub.GetDel, pb.Key(key=b"key of 65536"), **with_id("id 65536"))


def test_an_id_belongs_to_one_request(place):
    stub = place.stub()
    stub.Incr(pb.Increment(key=b"n", by=1), **with_id("a"))
    for _ in range(2):
        check_fails(REUSED, stub.Incr, pb.Increment(key=b"n", by=2), "new id", **with_id("a"))
        check_fails(REUSED, stub.LPop, pb.Key(key=b"n"), "new id", **with_id("a"))
        assert stub.Get(pb.Key(key=b"n")).value == b"1"
        place.crash()
        stub = place.stub()


def test_what_changed_nothing_is_remembered_while_the_server_runs(place):
    """A first call that was delayed on its way must not delete what was written since its retry."""
    stub = place.stub()
    assert not stub.Delete(pb.Key(key=b"k"), **with_id("a")).ok
    stub.Set(pb.KeyValue(key=b"k", value=b"v"))
    assert not stub.Delete(pb.Key(key=b"k"), **with_id("a")).ok
    assert stub.Get(pb.Key(key=b"k")).value == b"v"
    assert b"#KSN" not in place.logs()


def test_errors_are_not_remembered(place):
    stub = place.stub()
    stub.Set(pb.KeyValue(key=b"k", value=b"v"))
    check_fails(NOT_A_NUMBER, stub.Incr, pb.Increment(key=b"k", by=1), **with_id("a"))
    stub.Set(pb.KeyValue(key=b"k", value=b"1"))
    assert stub.Incr(pb.Increment(key=b"k", by=1), **with_id("a")).integer == 2
    assert stub.Incr(pb.Increment(key=b"k", by=1), **with_id("a")).integer == 2


def test_reads_ignore_ids(place):
    stub = place.stub()
    for value in (b"1", b"2"):
        stub.Set(pb.KeyValue(key=b"k", value=value))
        assert stub.Get(pb.Key(key=b"k"), **with_id("a")).value == value
    assert place.info()["request_ids"] == "0"


def test_what_is_not_served_says_so(place):
    stub = place.stub()
    check_fails(NOT_SERVED, stub.Publish, pb.Message(channel=b"c", payload=b"m"), "Publish",
                **with_id("a"))
    for call in (stub.Pipeline, stub.Consume):
        with pytest.raises(grpc.RpcError) as caught:
            list(call(iter(()), **with_id("a")))
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    check_fails(BAD_ARGUMENT, stub.Incr, pb.Increment(key=b"k", by=1), "64", **with_id("a" * 65))
    check_fails(BAD_ARGUMENT, stub.Incr, pb.Increment(key=b"k", by=1), "64", **with_id(b"a" * 65))
    check_fails(BAD_ARGUMENT, stub.Incr, pb.Increment(key=b"k", by=1), "several",
                metadata=(("keystore-request-id", "a"), ("keystore-request-id", "b")))


def test_request_ids_can_be_turned_off(make_place):
    place = make_place("--request-ids", "0")
    stub = place.stub()
    check_fails(NOT_SERVED, stub.Incr, pb.Increment(key=b"n", by=1), "turned off", **with_id("a"))
    assert not stub.Get(pb.Key(key=b"n"), **with_id("a")).found
    assert stub.Incr(pb.Increment(key=b"n", by=1)).integer == 1


# ---- limits ----

def test_request_ids_are_bounded(make_place):
    place = make_place("--request-ids", "1000", "--durability", "everysec")
    stub = place.stub()
    for start in range(0, 20000, 500):
        calls = [stub.Incr.future(pb.Increment(key=b"n", by=1), **with_id(f"id {number}"))
                 for number in range(start, start + 500)]
        for call in calls:
            call.result()
    info = place.info()
    assert info["request_ids"] == "1000"
    assert info["request_ids_dropped"] == "19000"
    assert int(info["mem_request_ids"]) < 1000 * 400
    assert stub.Incr(pb.Increment(key=b"n", by=1), **with_id("id 19999")).integer <= 20000
    assert stub.Incr(pb.Increment(key=b"n", by=1), **with_id("id 1")).integer == 20001


def test_request_id_memory_is_bounded(make_place):
    place = make_place("--request-id-memory", "1mb", "--durability", "everysec")
    stub = place.stub()
    for number in range(100):
        stub.Set(pb.KeyValue(key=b"k", value=b"x" * 50000))
        stub.GetDel(pb.Key(key=b"k"), **with_id(f"id {number}"))
    info = place.info()
    assert int(info["mem_request_ids"]) <= 1 << 20
    assert 10 <= int(info["request_ids"]) <= 20
    assert int(info["request_ids"]) + int(info["request_ids_dropped"]) == 100


def test_request_id_age(make_place):
    place = make_place("--request-id-age", "1")
    stub = place.stub()
    assert stub.Incr(pb.Increment(key=b"n", by=1), **with_id("a")).integer == 1
    wait_until(lambda: place.info()["request_ids"] == "0")
    assert stub.Incr(pb.Increment(key=b"n", by=1), **with_id("a")).integer == 2


# ---- calls at the same time ----

def test_a_repeated_pop_waits_for_the_first_one(place):
    stub = place.stub()
    request = pb.PopRequest(keys=[b"l"], wait_ms=-1)
    first = stub.ListPop.future(request, **with_id("a"))
    wait_until(lambda: place.info()["blocked_clients"] == "1")
    others = [place.stub().ListPop.future(request, **with_id("a")) for _ in range(5)]
    control = stub.ListPop.future(request, **with_id("b"))
    wait_until(lambda: place.info()["blocked_clients"] == "2")
    stub.RPush(pb.ListInsert(key=b"l", values=[b"1", b"2", b"3"]))
    assert [list(each.result().values) for each in [first] + others] == [[b"1"]] * 6
    assert control.result().values == [b"2"]
    assert value_of(stub, b"l") == [b"3"]
    place.crash()
    assert place.stub().ListPop(request, **with_id("a")).values == [b"1"]
    assert value_of(place.stub(), b"l") == [b"3"]


def test_a_repeated_pop_takes_over_when_the_first_one_has_gone(place):
    request = pb.PopRequest(keys=[b"l"], wait_ms=-1)
    channel = open_channel(place.listen)
    first = Stub(channel).ListPop.future(request, **with_id("a"))
    wait_until(lambda: place.info()["blocked_clients"] == "1")
    second, third = (place.stub().ListPop.future(request, **with_id("a")) for _ in range(2))
    first.cancel()
    channel.close()
    stub = place.stub()
    # One of the others is in line now; the last one waits for it.
    wait_until(lambda: place.info()["blocked_clients"] == "1")
    stub.RPush(pb.ListInsert(key=b"l", values=[b"1", b"2"]))
    assert second.result().values == third.result().values == [b"1"]
    assert value_of(stub, b"l") == [b"2"]


def test_repeated_calls_at_the_same_time(place):
    stubs = [place.stub() for _ in range(8)]
    for number in range(50):
        calls = [stub.Incr.future(pb.Increment(key=b"n", by=1), **with_id(f"id {number}"))
                 for stub in stubs for _ in range(4)]
        assert {call.result().integer for call in calls} == {number + 1}
    txn = long_txn()
    calls = [stub.Txn.future(txn, **with_id("long")) for stub in stubs]
    assert len({call.result().SerializeToString() for call in calls}) == 1
    assert stubs[0].Get(pb.Key(key=b"t")).value == b"1"


# ---- clients that retry at random ----

class Client(threading.Thread):
    """Makes writes to keys of its own and to shared ones until it has made so many, and repeats each
    until it has a reply that it accepts: some replies it takes for lost. It knows what its keys must
    hold if each write is carried out once."""

    def __init__(self, place, number, writes, protected):
        super().__init__(daemon=True)
        self.random = seeded(f"client {number} of {place.directory.name} {protected}")
        self.place, self.number, self.writes, self.protected = place, number, writes, protected
        self.counter, self.list = b"n%d" % number, b"l%d" % number
        self.count, self.shared, self.items, self.pops = 0, 0, [], []
        self.done, self.repeated, self.error = 0, 0, None
        self.ids = (f"{number}-{each}" for each in itertools.count())

    def run(self):
        try:
            self.stub = self.place.stub()
            while self.done < self.writes:
                self.write()
                self.done += 1
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def call(self, method, request):
        """Until a reply is accepted. All of them must be the same."""
        name, replies = next(self.ids), []
        lost = self.random.randrange(3) == 0
        options = with_id(name) if self.protected else {}
        while True:
            call = getattr(self.stub, method).future(request, wait_for_ready=True, **options)
            if self.random.randrange(20) == 0:
                call.cancel()
            if self.random.randrange(50) == 0:
                self.stub = self.place.stub()
            try:
                replies.append(call.result())
            except grpc.FutureCancelledError:
                continue
            except grpc.RpcError as error:
                assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED), error
                continue
            if lost:
                lost = False
                self.repeated += 1
                continue
            assert not self.protected or all(each == replies[0] for each in replies)
            return replies[-1]

    def write(self):
        kind, item = self.random.randrange(6), b"%d-%d" % (self.number, self.done)
        if kind == 0:
            reply = self.call("Incr", pb.Increment(key=self.counter, by=1))
            self.count += 1
            assert not self.protected or reply.integer == self.count
        elif kind == 1:
            self.call("Incr", pb.Increment(key=b"shared", by=1))
            self.shared += 1
        elif kind == 2:
            reply = self.call("RPush", pb.ListInsert(key=self.list, values=[item]))
            self.items.append(item)
            assert not self.protected or reply.count == len(self.items)
        elif kind == 3:
            reply = self.call("LPop", pb.Key(key=self.list))
            expected = self.items.pop(0) if self.items else b""
            assert not self.protected or reply.value == expected
        elif kind == 4:
            self.call("Append", pb.KeyValue(key=b"text", value=b"%d," % self.number))
            self.pops.append(b"%d" % self.number)
        else:
            self.call("Txn", pb.TxnRequest(success=[
                pb.Op(incr=pb.Increment(key=self.counter, by=1)),
                pb.Op(incr=pb.Increment(key=b"shared", by=1)),
                pb.Op(r_push=pb.ListInsert(key=self.list, values=[item]))]))
            self.count += 1
            self.shared += 1
            self.items.append(item)


CLIENTS = 6
WRITES_EACH = 150
EVENTS = ("crash", "crash", "crash", "restart", "save", "save and crash")


def disturb(place, clients, random):
    """Something happens each time that the clients have made some more writes."""
    def made():
        return sum(client.done for client in clients)

    def is_over(amount):
        return made() >= amount or not any(client.is_alive() for client in clients)

    events = 0
    for amount in range(40, CLIENTS * WRITES_EACH - 100, 60):
        wait_until(lambda: is_over(amount))  # pylint: disable=cell-var-from-loop
        event = random.choice(EVENTS)
        if "save" in event:
            place.save()
        if "crash" in event:
            place.crash()
        if "restart" in event:
            place.restart()
        events += 1
    return events


def run_clients(place, protected, random):
    clients = [Client(place, number, WRITES_EACH, protected) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    events = disturb(place, clients, random)
    for client in clients:
        client.join()
        if client.error is not None:
            raise client.error
    return clients, events


def found_wrong(place, clients):
    """What is not as if each write had been carried out once."""
    stub, wrong = place.stub(), []
    for client in clients:
        if int(stub.Get(pb.Key(key=client.counter)).value or 0) != client.count:
            wrong.append(client.counter)
        if (value_of(stub, client.list) or []) != client.items:
            wrong.append(client.list)
    if int(stub.Get(pb.Key(key=b"shared")).value) != sum(client.shared for client in clients):
        wrong.append(b"shared")
    words = stub.Get(pb.Key(key=b"text")).value.split(b",")[:-1]
    if sorted(words) != sorted(word for client in clients for word in client.pops):
        wrong.append(b"text")
    return wrong


@pytest.mark.parametrize("watched", [False, True], ids=["", "watched"])
def test_clients_that_retry_write_once(make_place, random_of_test, counts, watched):
    place = make_place("--log-rewrite-min-size", "20kb")
    if watched:  # the commits pass through the history
        Watcher(place.stub(), prefix_of(b""))
    clients, events = run_clients(place, True, random_of_test)
    assert not found_wrong(place, clients)
    place.crash()
    assert not found_wrong(place, clients)
    place.kill()
    with Redis(place.directory, "--appendonly", "yes") as redis:
        assert redis.call("GET", "shared") == b"%d" % sum(each.shared for each in clients)
        for client in clients:
            assert redis.call("LRANGE", client.list, 0, -1) == client.items
    repeated = sum(client.repeated for client in clients)
    counts(f"{CLIENTS * WRITES_EACH} writes, {repeated} replies taken for lost, {events} events")


def test_the_control_writes_more_than_once(make_place, random_of_test):
    """Without ids the same clients cannot know: the test above can fail."""
    place = make_place("--log-rewrite-min-size", "20kb")
    clients, _ = run_clients(place, False, random_of_test)
    assert sum(client.repeated for client in clients) > 100
    wrong = found_wrong(place, clients)
    assert b"shared" in wrong and b"text" in wrong


def test_a_torn_log_loses_both_or_neither(place, tmp_path_factory):
    """The receipt is in the record of its write."""
    stub = place.stub()
    stub.Incr(pb.Increment(key=b"n", by=1), **with_id("a"))
    stub.Incr(pb.Increment(key=b"n", by=1), **with_id("b"))
    place.kill()
    log = next((place.directory / "appendonlydir").glob("*.incr.aof"))
    whole = log.read_bytes()
    second = whole.rindex(b"#KS1 seq=")
    assert whole[second:].count(b"#KSN") == 1
    for size in (second, second + 20, whole.index(b"#KSN", second), len(whole) - 1, len(whole)):
        copy = tmp_path_factory.mktemp("torn") / "data"
        shutil.copytree(place.directory, copy)
        os.truncate(copy / "appendonlydir" / log.name, size)
        with contextlib.closing(OwnPlace(copy)) as torn:
            stub = torn.stub()
            assert stub.Get(pb.Key(key=b"n")).value == (b"2" if size == len(whole) else b"1")
            assert stub.Incr(pb.Increment(key=b"n", by=1), **with_id("a")).integer == 1
            assert stub.Incr(pb.Increment(key=b"n", by=1), **with_id("b")).integer == 2
            assert stub.Get(pb.Key(key=b"n")).value == b"2"


def test_keystore_check_counts_them(place):
    stub = place.stub()
    for number in range(3):
        stub.Incr(pb.Increment(key=b"n", by=1), **with_id(f"id {number}"))
    place.save()
    stub.Incr(pb.Increment(key=b"n", by=1), **with_id("the last one"))
    place.server.stop()
    checked = subprocess.run([BIN / "keystore-check", place.directory], capture_output=True,
                             text=True, check=True)
    assert "replies to 3 request ids" in checked.stdout
    assert "replies to 1 request id\n" in checked.stdout
