"""Watchers against a model: writers use every operation, also in transactions, with keys that expire
and are evicted; watchers start, disconnect, go on and use initial. Each sees every event once and in
order, and what it reconstructs is what the store holds, also when the server is killed meanwhile."""

import random
import threading
import time

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel, open_ready_channel
from keystore_env import SEED
from server_process import Server, own_loopback
from times import wait_until
from watching import name_of, prefix_of

WRITERS = 8
WATCHERS = 6
STRINGS = [b"s%d" % i for i in range(30)]
LISTS = [b"l%d" % i for i in range(12)]
DATABASES = (0, 1)
UNKNOWN = object()  # the value of a key that was copied or renamed to: it has to be read


# What is written.

def string_op(rng, key, db):
    value = b"%d" % rng.randrange(1000)
    return rng.choice([
        lambda: pb.Op(set=pb.KeyValue(key=key, value=value, db=db)),
        lambda: pb.Op(set=pb.KeyValue(key=key, value=value, db=db, ttl_ms=rng.randrange(1, 300))),
        lambda: pb.Op(set=pb.KeyValue(key=key, value=value, db=db, keep_ttl=True)),
        lambda: pb.Op(set=pb.KeyValue(key=key, value=bytes(rng.randrange(30_000)), db=db)),
        lambda: pb.Op(append=pb.KeyValue(key=key, value=b"x", db=db)),
        lambda: pb.Op(set_range=pb.ByteRange(key=key, start=rng.randrange(9), value=value, db=db)),
        lambda: pb.Op(incr=pb.Increment(key=key, by=rng.randrange(-5, 5), db=db)),
        lambda: pb.Op(incr=pb.Increment(key=key, by_float=0.5, db=db)),
        lambda: pb.Op(expire=pb.ExpireRequest(key=key, ttl_ms=rng.randrange(1, 300), db=db)),
        lambda: pb.Op(expire=pb.ExpireRequest(key=key, expire_at_ms=1, db=db)),
        lambda: pb.Op(expire=pb.ExpireRequest(key=key, persist=True, db=db)),
        lambda: pb.Op(delete=pb.Key(key=key, db=db)),
        lambda: pb.Op(get_del=pb.Key(key=key, db=db)),
        lambda: pb.Op(set_bit=pb.BitRequest(key=key, offset=rng.randrange(70), bit=True, db=db)),
        lambda: pb.Op(copy=pb.CopyRequest(source=key, target=rng.choice(STRINGS), replace=True, db=db,
                                          target_db=rng.choice(DATABASES))),
        lambda: pb.Op(rename=pb.CopyRequest(source=key, target=rng.choice(STRINGS), replace=True,
                                            db=db, target_db=rng.choice(DATABASES))),
        lambda: pb.Op(m_set=pb.KeyValues(db=db, entries=[
            pb.KeyValue(key=each, value=value) for each in rng.sample(STRINGS, 3)])),
        lambda: pb.Op(delete_many=pb.Keys(keys=rng.sample(STRINGS, 3), db=db)),
    ])()


def list_op(rng, key, db):
    values = [b"%d" % rng.randrange(5) for _ in range(rng.randrange(1, 4))]
    return rng.choice([
        lambda: pb.Op(l_push=pb.ListInsert(key=key, values=values, db=db)),
        lambda: pb.Op(r_push=pb.ListInsert(key=key, values=values, db=db)),
        lambda: pb.Op(r_push=pb.ListInsert(key=key, values=values, db=db, max_length=3)),
        lambda: pb.Op(l_push=pb.ListInsert(key=key, values=values, db=db, ttl_ms=rng.randrange(1, 300))),
        lambda: pb.Op(l_pop=pb.Key(key=key, db=db)),
        lambda: pb.Op(r_pop=pb.Key(key=key, db=db)),
        lambda: pb.Op(list_pop=pb.PopRequest(keys=[key], count=rng.randrange(1, 4), db=db,
                                             end=rng.choice([1, 2]))),
        lambda: pb.Op(l_move=pb.MoveRequest(source=key, target=rng.choice(LISTS), db=db,
                                            source_end=rng.choice([1, 2]),
                                            target_end=rng.choice([1, 2]))),
        lambda: pb.Op(l_set=pb.ListItem(key=key, index=rng.choice([0, -1]), value=values[0], db=db)),
        lambda: pb.Op(l_insert=pb.ListItem(key=key, pivot=values[0], value=b"i", db=db,
                                           after=rng.random() < 0.5)),
        lambda: pb.Op(l_rem=pb.ListFind(key=key, value=values[0], count=rng.randrange(-2, 3), db=db)),
        lambda: pb.Op(l_trim=pb.ListRange(key=key, start=rng.randrange(2), stop=rng.randrange(4), db=db)),
        lambda: pb.Op(delete=pb.Key(key=key, db=db)),
        lambda: pb.Op(expire=pb.ExpireRequest(key=key, ttl_ms=rng.randrange(1, 300), db=db)),
    ])()


def any_op(rng):
    db = rng.choice(DATABASES)
    return list_op(rng, rng.choice(LISTS), db) if rng.random() < 0.4 else \
        string_op(rng, rng.choice(STRINGS), db)


def write_some(rng, address, count):
    with open_channel(address) as channel:
        stub, admin = Stub(channel), admin_stub(channel)
        for _ in range(count):
            try:
                if rng.random() < 0.002:
                    admin.FlushDb(pb.DbRequest(db=rng.choice(DATABASES)))
                else:
                    several = rng.randrange(2, 6) if rng.random() < 0.2 else 1
                    stub.Txn(pb.TxnRequest(success=[any_op(rng) for _ in range(several)]))
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.UNAVAILABLE:
                    time.sleep(0.01)  # the server is gone for a moment


# What it means.

class State:
    """What a watcher knows of two databases."""

    def __init__(self):
        self.data = {}

    def apply(self, event):
        kind, where = name_of(event), (event.db, event.key)
        if kind == "FLUSH":
            self.data = {place: value for place, value in self.data.items() if place[0] != event.db}
        elif kind != "WRITE":
            self.data.pop(where, None)
        elif event.change.WhichOneof("op") is None:
            self.data[where] = UNKNOWN
        else:
            self.change(where, event.change)

    def change(self, where, op):
        name = op.WhichOneof("op")
        request = getattr(op, name)
        value = self.data.get(where)
        if name == "set":
            self.data[where] = request.value
        elif value is UNKNOWN or name == "expire":
            assert where in self.data
        elif name in ("append", "set_range", "incr"):
            self.data[where] = self.changed_string(name, request, value or b"")
        else:
            items = list(value or ())
            self.change_list(name, request, items)
            if items:
                self.data[where] = items
            else:
                self.data.pop(where, None)

    @staticmethod
    def changed_string(name, request, value):
        if name == "append":
            return value + request.value
        if name == "incr":
            return b"%d" % (int(value or b"0") + request.by)
        value = value.ljust(request.start, b"\0")
        return value[:request.start] + request.value + value[request.start + len(request.value):]

    @staticmethod
    def change_list(name, request, items):
        if name == "r_push":
            items.extend(request.values)
        elif name == "l_push":
            items[:0] = reversed(request.values)
        elif name == "list_pop":
            head = request.end == pb.LIST_END_HEAD
            count = request.count or 1
            items[:] = items[count:] if head else items[:len(items) - min(count, len(items))]
        elif name == "l_move":
            item = items.pop(0 if request.source_end == pb.LIST_END_HEAD else -1)
            items.insert(0 if request.target_end == pb.LIST_END_HEAD else len(items), item)
        elif name == "l_set":
            items[request.index] = request.value
        elif name == "l_insert":
            items.insert(items.index(request.pivot) + request.after, request.value)
        elif name == "l_rem":
            State.remove_equal(items, request.value, request.count)
        else:
            assert name == "l_trim", name
            stop = request.stop + 1 or len(items)
            start = request.start if request.start >= 0 else max(0, len(items) + request.start)
            items[:] = items[start:stop]

    @staticmethod
    def remove_equal(items, value, count):
        places = [i for i, item in enumerate(items) if item == value]
        places = places[:count] if count > 0 else places[count:] if count < 0 else places
        for place in reversed(places):
            del items[place]


class Observer(threading.Thread):
    """A watcher that comes and goes until it is stopped."""

    def __init__(self, address, rng, constant=False):
        super().__init__(daemon=True)
        self.address, self.rng, self.constant = address, rng, constant
        self.state, self.seen, self.version = None, [], 0
        self.stopping, self.failure, self.call = False, None, None
        self.initials = self.resumptions = 0
        self.start()

    def run(self):
        try:
            while not self.stopping:
                self.watch()
        except BaseException as failure:  # pylint: disable=broad-except
            self.failure = failure

    def watch(self):
        again = self.version != 0 and (self.constant or self.rng.random() < 0.7)
        if not again:
            self.state, self.seen, self.version = State(), [], 0
            self.initials += 1
        else:
            self.resumptions += 1
        most = 10**9 if self.constant else self.rng.randrange(1, 60)
        with open_channel(self.address) as channel:
            self.call = Stub(channel).Watch(pb.WatchRequest(
                selectors=[prefix_of(b"", db=db) for db in DATABASES], with_changes=True,
                initial=not again, start_version=self.version))
            try:
                for batch in self.call:
                    self.take(batch)
                    most -= 1
                    if self.stopping or (most <= 0 and self.version != 0 and not batch.partial):
                        self.call.cancel()
                        return
            except grpc.RpcError as error:
                # The initial part may take longer than a small history lasts.
                allowed = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED,
                           grpc.StatusCode.DEADLINE_EXCEEDED) + \
                    ((grpc.StatusCode.OUT_OF_RANGE,) if self.version == 0 else ())
                if error.code() not in allowed:
                    raise
                if self.version == 0:  # the initial part was cut off
                    self.state, self.seen = State(), []
                time.sleep(0.01)

    def take(self, batch):
        done = self.version != 0
        for event in batch.events:
            if done:
                assert event.version > self.version
                self.seen.append((event.version, event.db, event.key))
            self.state.apply(event)
        if batch.initial_done or done:
            assert batch.version >= self.version and not batch.partial
            self.version = batch.version


# The comparison.

def held_by(stub):
    """What the store holds: of each key the string, or the list, that it has."""
    found = {}
    for db in DATABASES:
        for key in STRINGS:
            value = stub.Get(pb.Key(key=key, db=db))
            if value.found:
                found[db, key] = value.value
        for key in LISTS:
            values = list(stub.LRange(pb.ListRange(key=key, stop=-1, db=db)).values)
            if values:
                found[db, key] = values
    return found


def differences(truth, state):
    """Where the state is not what the store holds."""
    return {place for place in truth.keys() | state.keys()
            if state.get(place) is not UNKNOWN and truth.get(place) != state.get(place)}


def assert_all_saw_the_same(observers):
    """An event is a version and a key, so none is missing, repeated or out of order if each saw a
    tail of what the one that has watched for longest saw."""
    longest = max(observers, key=lambda each: len(each.seen)).seen
    for observer in observers:
        count = len(observer.seen)
        assert observer.seen == longest[len(longest) - count:] if count else True


def finish(observers, address):
    with open_ready_channel(address) as channel:
        stub = Stub(channel)
        last = [stub.Set(pb.KeyValue(key=b"end", value=b"1", db=db)).version for db in DATABASES][-1]

        def settled():
            assert all(each.failure is None for each in observers), [each.failure for each in observers]
            if any(each.version < last for each in observers):
                return False
            truth = held_by(stub)
            states = [{place: value for place, value in each.state.data.items() if place[1] != b"end"}
                      for each in observers]
            return all(not differences(truth, state) for state in states)
        wait_until(settled)
    for observer in observers:
        observer.stopping = True
        observer.call.cancel()
    for observer in observers:
        observer.join(60)
        assert not observer.is_alive() and observer.failure is None
    assert_all_saw_the_same(observers)


def run_writers(rng, address, count):
    writers = [threading.Thread(target=write_some, args=(random.Random(rng.random()), address, count))
               for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    return writers


def observe(rng, address):
    return [Observer(address, random.Random(rng.random()), constant=i == 0) for i in range(WATCHERS)]


@pytest.mark.parametrize("options", [
    ("--durability", "always"),
    ("--durability", "none"),
    ("--durability", "everysec", "--watch-history", "64kb"),
], ids=["always", "none", "everysec"])
def test_watchers_see_everything_once(fresh_server, random_of_test, counts, options):
    server = fresh_server(*options)
    observers = observe(random_of_test, server.address)
    for writer in run_writers(random_of_test, server.address, 400):
        writer.join()
    finish(observers, server.address)
    counts(f"{len(observers[0].seen)} events, {sum(each.initials for each in observers)} initials, "
           f"{sum(each.resumptions for each in observers)} resumptions, seed {SEED}")


def test_watchers_see_everything_once_over_kills(random_of_test, tmp_path, counts):
    rng = random_of_test
    host = own_loopback()
    server = Server("--durability", "always", directory=tmp_path, listen=[f"{host}:0"])
    address = server.address
    observers = observe(rng, address)
    try:
        writers = run_writers(rng, address, 500)
        for _ in range(3):
            time.sleep(rng.random())  # at any moment
            server.kill()
            server = Server("--durability", "always", directory=tmp_path, listen=[address])
        for writer in writers:
            writer.join()
        finish(observers, address)
    finally:
        server.stop()
    counts(f"{len(observers[0].seen)} events, {sum(each.resumptions for each in observers)} "
           f"resumptions, seed {SEED}")
