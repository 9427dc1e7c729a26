"""A client that goes on writing while its server is stopped, or killed, and started again on the
same port: after each start it finds what the durability setting promised, and goes on from there.
"""

import signal
import threading
import time

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub
from server_process import Server, own_loopback
from times import wait_until

KEPT = 1000
LOSS_S = 2  # of --durability everysec


def open_patient_channel(address):
    """One that finds its server again soon."""
    return grpc.insecure_channel(address, options=[
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.initial_reconnect_backoff_ms", 50),
        ("grpc.min_reconnect_backoff_ms", 50),
        ("grpc.max_reconnect_backoff_ms", 100)])


class Client:
    """Writes 1, 2, 3 and so on, each when the one before was answered: the newest to one key, the
    last of them all to another, in one transaction."""

    def __init__(self, address):
        self.channel = open_patient_channel(address)
        self.stub = Stub(self.channel)
        self.acknowledged = [(0, 0.0)]  # number, and when by the monotonic clock
        self.sent = 0
        self._thread = None
        self._ending = False
        self._error = None

    def start(self):
        self._ending = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._ending:
            try:
                self._write(self.sent + 1)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE:
                    self._error = error
                return

    def _write(self, number):
        self.sent = number
        value = b"%d" % number
        self.stub.Txn(pb.TxnRequest(success=[
            pb.Op(set=pb.KeyValue(key=b"newest", value=value)),
            pb.Op(r_push=pb.ListInsert(key=b"all", db=1, values=[value], max_length=KEPT))]))
        self.acknowledged.append((number, time.monotonic()))

    def join(self, end=False):
        """Until the server is gone, or at once; an answer with an error is none."""
        self._ending = end
        self._thread.join(60)
        assert not self._thread.is_alive() and self._error is None, self._error

    @property
    def newest(self):
        return self.acknowledged[-1][0]

    def read(self):
        """The newest number that is there, with all before it."""
        newest = int(self.stub.Get(pb.Key(key=b"newest"), wait_for_ready=True).value or b"0")
        numbers = [int(value) for value in
                   self.stub.LRange(pb.ListRange(key=b"all", db=1, start=0, stop=-1)).values]
        assert numbers == list(range(max(1, newest - KEPT + 1), newest + 1))
        return newest

    def go_on_from(self, number):
        self.sent = number
        self.acknowledged = [(number, 0.0)]
        self.start()

    def write_for(self, seconds):
        """That long at least, and so that something was written."""
        first, end = self.newest, time.monotonic() + seconds
        wait_until(lambda: time.monotonic() >= end and self.newest > first + 20)


class Reboots:
    """A server on one port and directory, however often it is started."""

    def __init__(self, directory, *arguments):
        self._directory, self._arguments = directory, arguments
        self.server = Server(*arguments, directory=directory, listen=[f"{own_loopback()}:0"])
        self._address = self.server.address

    def reboot(self, number, client):
        """Ends it by that signal while the client writes, and starts it again; when the end began.
        """
        began = time.monotonic()
        self.server.send_signal(number)
        self.server.process.wait(60)
        client.join()
        self.server = Server(*self._arguments, directory=self._directory, listen=[self._address])
        return began


@pytest.fixture
def reboots(tmp_path):
    started = []

    def start(*arguments):
        started.append(Reboots(tmp_path, *arguments))
        return started[-1], Client(started[-1].server.address)

    yield start
    for each in started:
        if each.server.running:
            each.server.stop()


def test_always(reboots):
    server, client = reboots("--durability", "always")
    client.start()
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGKILL) * 4:
        client.write_for(0.1)
        server.reboot(number, client)
        found = client.read()
        assert found in (client.newest, client.sent)
        client.go_on_from(found)
    client.join(end=True)
    assert client.read() == client.newest


def test_everysec(reboots):
    server, client = reboots("--durability", "everysec")
    client.start()
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        client.write_for(LOSS_S + 0.3)
        ended = server.reboot(number, client)
        kept = max(written for written, at in client.acknowledged if at < ended - LOSS_S)
        found = client.read()
        assert kept <= found <= client.sent
        if number == signal.SIGTERM:
            assert found in (client.newest, client.sent)
        client.go_on_from(found)
    client.join(end=True)


def test_none(reboots):
    """What the last snapshot holds, and nothing that was written after it."""
    server, client = reboots("--durability", "none", "--save", "")
    admin = admin_stub(client.channel)
    client.start()
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        client.write_for(0.1)
        before = client.newest
        assert admin.Save(pb.SaveRequest(wait=True)).ok
        after = client.sent
        client.write_for(0.1)
        assert client.newest > after
        server.reboot(number, client)
        found = client.read()
        assert before <= found <= after
        client.go_on_from(found)
    client.join(end=True)


def test_none_with_rules_saves_at_the_end(reboots):
    server, client = reboots("--durability", "none", "--save", "3600 1000000")
    client.start()
    client.write_for(0.1)
    server.reboot(signal.SIGTERM, client)
    found = client.read()
    assert found in (client.newest, client.sent) and found > 0
    client.go_on_from(found)
    client.write_for(0.1)
    server.reboot(signal.SIGKILL, client)
    assert client.read() == found
