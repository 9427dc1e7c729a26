"""A load of watchers, for KeyStore and etcd alike: `watch_load.py NAME PORT --watchers N ...` opens
the watches of one prefix, prints "ready", waits for a line of input, writes keys and ends when every
watcher has got every event. Prints one JSON object. By hand it needs PYTHONPATH=bench.

Requests and replies are raw bytes, since both are few and simple, and so the cost of the client,
which is the same for both, stays small.
"""
import argparse
import asyncio
import json
import os
import sys
import time

import grpc

from harness.messages import count_fields, field

PREFIX = b"watched:"
STREAMS_PER_CONNECTION = 100
# Replies: the number of the field that holds an event.
KEYSTORE_EVENTS, ETCD_EVENTS = 1, 11


class KeyStore:
    events = KEYSTORE_EVENTS

    def __init__(self, channel):
        self._watch = channel.unary_stream("/keystore.v1.KeyStore/Watch")
        self._set = channel.unary_unary("/keystore.v1.KeyStore/Set")

    async def watch(self):
        """The stream, once the watch is in effect."""
        stream = self._watch(field(1, field(2, PREFIX)))
        await stream.initial_metadata()
        return stream

    def write(self, key, value):
        return self._set(field(1, key) + field(2, value))


class Etcd:
    events = ETCD_EVENTS

    def __init__(self, channel):
        self._watch = channel.stream_stream("/etcdserverpb.Watch/Watch")
        self._put = channel.unary_unary("/etcdserverpb.KV/Put")

    async def watch(self):
        stream = self._watch()
        end = PREFIX[:-1] + bytes([PREFIX[-1] + 1])
        await stream.write(field(1, field(1, PREFIX) + field(2, end)))
        await stream.read()
        return stream

    def write(self, key, value):
        return self._put(field(1, key) + field(2, value))


class Load:
    def __init__(self, options):
        self.options = options
        self.kind = {"keystore": KeyStore, "etcd": Etcd}[options.name]
        self.channels = []
        self.sent = []  # when each write began
        self.delays = []

    def connect(self):
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.options.port}", options=[
            ("grpc.use_local_subchannel_pool", 1)])
        self.channels.append(channel)
        return self.kind(channel)

    async def open_watches(self):
        streams = []
        while len(streams) < self.options.watchers:
            peer = self.connect()
            left = self.options.watchers - len(streams)
            streams += await asyncio.gather(*[peer.watch() for _ in
                                              range(min(left, STREAMS_PER_CONNECTION))])
        return streams

    async def receive(self, stream, first):
        got = 0
        while got < self.options.events:
            message = await stream.read()
            if message is grpc.aio.EOF:
                raise SystemExit(f"a stream ended: {await stream.code()} {await stream.details()}")
            now = time.monotonic()
            more = count_fields(message, self.kind.events)
            if first:
                self.delays += [now - sent for sent in self.sent[got:got + more]]
            got += more

    async def write(self):
        peer = self.connect()
        began = time.monotonic()
        calls = []
        for i in range(self.options.events):
            if self.options.rate:
                await asyncio.sleep(max(0.0, began + i / self.options.rate - time.monotonic()))
            self.sent.append(time.monotonic())
            calls.append(peer.write(PREFIX + b"%08d" % i, b"v" * 32))
            if not self.options.rate and len(calls) == 16:
                await asyncio.gather(*calls)
                calls = []
        await asyncio.gather(*calls)

    async def run(self):
        streams = await self.open_watches()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        began = time.monotonic()
        if self.options.events:
            await asyncio.gather(self.write(), *[self.receive(stream, i == 0)
                                                 for i, stream in enumerate(streams)])
        wall_s = time.monotonic() - began
        self.delays.sort()
        print(json.dumps({"wall_s": wall_s, "deliveries": self.options.events * len(streams),
                          "p50_us": self.percentile(50), "p99_us": self.percentile(99)}),
              flush=True)
        os._exit(0)  # grpcio takes long to close hundreds of streams in order

    def percentile(self, percent):
        return self.delays[len(self.delays) * percent // 100] * 1e6 if self.delays else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=("keystore", "etcd"))
    parser.add_argument("port", type=int)
    parser.add_argument("--watchers", type=int, default=1000)
    parser.add_argument("--events", type=int, default=200, help="0: only holds the watches open")
    parser.add_argument("--rate", type=int, default=0, help="writes per second; 0: 16 in flight")
    asyncio.run(Load(parser.parse_args()).run())


if __name__ == "__main__":
    main()
