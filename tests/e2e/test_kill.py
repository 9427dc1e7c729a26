"""kill -9 at random instants, time and again on one data directory, while clients write: what was
acknowledged is there afterwards, nothing is there by halves, and every start succeeds."""

import os
import random as random_module
import signal
import subprocess
import threading
import time

import grpc

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from keystore_env import SANITIZE, SERVER
from server_process import Server

ROUNDS = 10 if SANITIZE else 100
LANES_OF_A_KIND = 20  # each of which has one call in flight
KEPT = 20             # elements of a list
CHANNELS = 3
# The snapshot takes some time to write and to load, and is due all the time.
FILLER_BYTES = 6_000_000
ARGUMENTS = ["--log-rewrite-percent", "1", "--log-rewrite-min-size", "30KiB", "--log-level",
             "warning"]


class Lane:
    """Writes number 1, 2, 3 and so on, each when the one before was acknowledged."""

    def __init__(self, number):
        self.name = f"{type(self).__name__}:{number}".encode()
        self.acknowledged = 0
        self.sent = 0
        self.acknowledgements = 0

    def send(self, stub):
        """Sends the next number: the call's future."""
        self.sent = self.acknowledged + 1
        return self.write(stub, self.sent)

    def on_acknowledged(self):
        self.acknowledged = self.sent
        self.acknowledgements += 1

    def check(self, stub):
        """What is there is what was acknowledged or, if it was not answered, sent."""
        found = self.read(stub)
        assert found in (self.acknowledged, self.sent), \
            f"{self.name} is at {found}, acknowledged was {self.acknowledged}, sent {self.sent}"
        self.acknowledged = self.sent = found


class Strings(Lane):
    def write(self, stub, number):
        value = b"%d:" % number + b"x" * (number * 7919 % 700)
        return stub.Set.future(pb.KeyValue(key=self.name, value=value))

    def read(self, stub):
        value = stub.Get(pb.Key(key=self.name)).value
        number = int(value.split(b":")[0] or b"0")
        assert number == 0 or value == b"%d:" % number + b"x" * (number * 7919 % 700)
        return number


class Counters(Lane):
    def write(self, stub, number):
        return stub.Incr.future(pb.Increment(key=self.name, by=1))

    def read(self, stub):
        return int(stub.Get(pb.Key(key=self.name)).value or b"0")


class Comings(Lane):
    """A key that comes and goes."""

    def write(self, stub, number):
        if number % 2 == 0:
            return stub.Delete.future(pb.Key(key=self.name))
        return stub.Set.future(pb.KeyValue(key=self.name, value=b"%d" % number))

    def read(self, stub):
        found = stub.Get(pb.Key(key=self.name))
        if found.found:
            return int(found.value)
        return next(number for number in (self.acknowledged, self.sent, -1) if number % 2 == 0)


class Lists(Lane):
    def write(self, stub, number):
        return stub.RPush.future(
            pb.ListInsert(key=self.name, values=[b"%d" % number], max_length=KEPT))

    def read(self, stub):
        return last_of_sequence(stub, self.name)


class Pairs(Lane):
    """Two keys that are always written together."""

    def write(self, stub, number):
        return stub.MSet.future(pb.KeyValues(entries=[
            pb.KeyValue(key=self.name + end, value=b"%d" % number) for end in (b"a", b"b")]))

    def read(self, stub):
        values = {int(stub.Get(pb.Key(key=self.name + end)).value or b"0") for end in (b"a", b"b")}
        assert len(values) == 1, f"{self.name} was written by halves: {values}"
        return values.pop()


class Txns(Lane):
    """Three keys that are always written together, two of them in other databases."""

    def write(self, stub, number):
        return stub.Txn.future(pb.TxnRequest(success=[
            pb.Op(incr=pb.Increment(key=self.name, by=1)),
            pb.Op(r_push=pb.ListInsert(key=self.name, db=1, values=[b"%d" % number],
                                       max_length=KEPT)),
            pb.Op(set=pb.KeyValue(key=self.name, db=2, value=b"%d" % number))]))

    def read(self, stub):
        values = {int(stub.Get(pb.Key(key=self.name, db=db)).value or b"0") for db in (0, 2)}
        values.add(last_of_sequence(stub, self.name, db=1))
        assert len(values) == 1, f"{self.name} was written by halves: {values}"
        return values.pop()


def last_of_sequence(stub, key, db=0):
    """The last element of a list of numbers, each one above the former."""
    values = [int(value) for value in
              stub.LRange(pb.ListRange(key=key, db=db, start=0, stop=-1)).values]
    if not values:
        return 0
    assert values == list(range(max(1, values[-1] - KEPT + 1), values[-1] + 1))
    return values[-1]


class Load:
    """All lanes write at once, until the server is gone."""

    def __init__(self, lanes, stubs):
        self._stubs = stubs
        self._changed = threading.Condition()
        self._in_flight = 0
        self.errors = []
        self.answered = 0
        for number, lane in enumerate(lanes):
            self._send(lane, stubs[number % len(stubs)])

    def _send(self, lane, stub):
        with self._changed:
            self._in_flight += 1
        future = lane.send(stub)
        future.add_done_callback(lambda done: self._on_done(lane, stub, done))

    def _on_done(self, lane, stub, future):
        code = future.code()
        if code == grpc.StatusCode.OK:
            lane.on_acknowledged()
            self._send(lane, stub)
        elif code != grpc.StatusCode.UNAVAILABLE:
            self.errors.append(f"{lane.name}: {code} {future.details()}")
        with self._changed:
            self.answered += code == grpc.StatusCode.OK
            self._in_flight -= 1
            self._changed.notify_all()

    def wait_for_answers(self, count):
        with self._changed:
            assert self._changed.wait_for(lambda: self.answered >= count or self.errors, 60)

    def wait_for_end(self):
        with self._changed:
            assert self._changed.wait_for(lambda: self._in_flight == 0, 60)
        assert not self.errors


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def kill_while_starting(directory, random):
    """A start that does not come far; True if it was still loading."""
    with subprocess.Popen([SERVER, "--dir", directory, "--listen", "127.0.0.1:0", *ARGUMENTS],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        time.sleep(random.uniform(0, 0.04))
        kill(process)
        return b"started" not in process.stdout.read()


def is_within_rewrite(directory):
    """The files are those of a snapshot that was not complete."""
    names = os.listdir(directory / "appendonlydir")
    return any(name.startswith("temp-") for name in names) or len(names) > 3


def load_and_kill(server, lanes, random):
    channels = [open_channel(server.address) for _ in range(CHANNELS)]
    load = Load(lanes, [Stub(channel) for channel in channels])
    load.wait_for_answers(random.choice((0, 1, len(lanes))))
    time.sleep(random.uniform(0, 0.15))
    kill(server.process)
    load.wait_for_end()
    for channel in channels:
        channel.close()


def fill(directory):
    with open_channel((server := Server(*ARGUMENTS, directory=directory)).address) as channel:
        stub = Stub(channel)
        for number in range(60):
            stub.Set(pb.KeyValue(key=b"filler:%d" % number,
                                 value=random_module.randbytes(FILLER_BYTES // 60)))
    server.stop()


def test_kills_at_random_instants(tmp_path, random_of_test, counts):
    kinds = (Strings, Counters, Comings, Lists, Pairs, Txns)
    lanes = [kind(number) for number in range(LANES_OF_A_KIND) for kind in kinds]
    loading = rewriting = 0
    fill(tmp_path)
    for _ in range(ROUNDS):
        server = Server(*ARGUMENTS, directory=tmp_path)
        try:
            with open_channel(server.address) as channel:
                stub = Stub(channel)
                for lane in lanes:
                    lane.check(stub)
            load_and_kill(server, lanes, random_of_test)
        finally:
            server.kill()
        rewriting += is_within_rewrite(tmp_path)
        while random_of_test.random() < 0.4:
            loading += kill_while_starting(tmp_path, random_of_test)
    acknowledged = sum(lane.acknowledgements for lane in lanes)
    counts(f"{ROUNDS} kills under load, {rewriting} of them within a rewrite, {loading} while "
           f"loading, {acknowledged} acknowledged writes")
    assert acknowledged > ROUNDS * len(lanes) // 2
    assert SANITIZE or (rewriting > 5 and loading > 5)
