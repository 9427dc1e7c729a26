"""What tests of Watch share: a watcher that reads on a thread of its own, and what it has seen."""

import queue
import threading

import grpc

import mini_redis_pb2 as pb

TIMEOUT_S = 60


def key_of(name, db=0):
    return pb.WatchRequest.Selector(key=name, db=db)


def prefix_of(text, db=0):
    return pb.WatchRequest.Selector(prefix=text, db=db)


def pattern_of(text, db=0):
    return pb.WatchRequest.Selector(pattern=text, db=db)


class Watcher:
    """Reads batches until the call ends. Entered when the watch is in effect."""

    def __init__(self, stub, *selectors, wait=True, **options):
        self.call = stub.Watch(pb.WatchRequest(selectors=selectors, **options))
        self.batches = queue.Queue()
        self.version = 0
        self._left = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        if wait and not options.get("initial"):
            self._left.extend(self.next_batch().events)

    def _read(self):
        try:
            for batch in self.call:
                self.batches.put(batch)
            self.batches.put(None)
        except grpc.RpcError as error:
            self.batches.put(error)

    def next_batch(self):
        """The next one, even if it has no events; raises the error that ended the call."""
        batch = self.batches.get(timeout=TIMEOUT_S)
        if isinstance(batch, grpc.RpcError):
            raise batch
        assert batch is not None, "the call has ended"
        assert batch.version == 0 or batch.version >= self.version
        self.version = batch.version or self.version
        return batch

    def events(self, count):
        """The next `count` events, when all of them have arrived."""
        while len(self._left) < count:
            self._left.extend(self.next_batch().events)
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def seen(self, count):
        """As (type, key), such as ("WRITE", b"key")."""
        return [(name_of(event), event.key) for event in self.events(count)]

    def error(self):
        """The error that ends the call."""
        try:
            while True:
                self.next_batch()
        except grpc.RpcError as error:
            return error

    def cancel(self):
        self.call.cancel()
        self._thread.join(TIMEOUT_S)
        assert not self._thread.is_alive()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cancel()


def name_of(event):
    return pb.EventType.Name(event.type).removeprefix("EVENT_TYPE_")
