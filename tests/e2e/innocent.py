"""An innocent client, as a process of its own: while others attack the server, it makes calls without
a pause, over each of its addresses in turn, and checks every answer.

Its arguments are a JSON object: `plain` and `tls`, the addresses, `ca`, the file of the CA, and
`token`. For each line of its standard input it prints one of JSON: what has happened since the line
before. It ends with its standard input.
"""

import json
import queue
import subprocess
import sys
import threading
import time

import grpc

import keystore_env  # noqa: F401  (puts the stubs on the path)
import mini_redis_pb2 as pb
from clients import CALL_TIMEOUT_S, Stub, open_channel

KEYS = 100
# Calls that a sample for its percentiles needs.
ENOUGH = 20


class Client:
    """Makes calls on a thread of its own."""

    def __init__(self, plain, tls, ca, token):
        with open(ca, "rb") as file:
            credentials = grpc.ssl_channel_credentials(file.read())
        channels = [open_channel(plain), grpc.secure_channel(
            tls, credentials, [("grpc.ssl_target_name_override", "localhost"),
                               ("grpc.enable_retries", 0)])]
        self._stubs = [Stub(channel) for channel in channels]
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._lock = threading.Lock()
        self._latencies, self._failures = [], []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        number = 0
        while True:
            number += 1
            stub, key = self._stubs[number % 2], b"app:innocent:%d" % (number % KEYS)
            value = b"%d" % number * 20
            self._call(stub.Set, pb.KeyValue(key=key, value=value), lambda reply: reply.ok)
            self._call(stub.Get, pb.Key(key=key), lambda reply: reply.value == value)

    def _call(self, method, request, is_right):
        began = time.monotonic()
        try:
            reply = method(request, metadata=self._metadata)
            failure = None if is_right(reply) else f"a wrong answer: {reply}"
        except grpc.RpcError as error:
            failure = f"{error.code()}: {error.details()}"
        with self._lock:
            self._latencies.append(time.monotonic() - began)
            if failure:
                self._failures.append(failure)

    def _enough(self):
        with self._lock:
            return len(self._latencies) >= ENOUGH

    def take(self):
        """What has happened since the last time, once it is something."""
        while not self._enough():
            time.sleep(0.005)
        with self._lock:
            latencies, failures = sorted(self._latencies), self._failures
            self._latencies, self._failures = [], []
        return {"calls": len(latencies), "failures": failures[:5], "failed": len(failures),
                "p50_s": latencies[len(latencies) // 2],
                "p99_s": latencies[len(latencies) * 99 // 100]}


class Innocent:
    """The process, as the tests see it."""

    def __init__(self, **arguments):
        self._process = subprocess.Popen([sys.executable, __file__, json.dumps(arguments)],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def take(self):
        self._process.stdin.write("take\n")
        self._process.stdin.flush()
        # A call that hangs until its deadline is a failure that is reported.
        taken = self._lines.get(timeout=2 * CALL_TIMEOUT_S)
        assert taken is not None, "the innocent client has ended"
        return taken

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


def main():
    client = Client(**json.loads(sys.argv[1]))
    for _ in sys.stdin:
        print(json.dumps(client.take()), flush=True)


if __name__ == "__main__":
    main()
