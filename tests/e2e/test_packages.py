"""Real input: every record of the package lists, stored under its name by several clients at once
and read back by several."""

import multiprocessing
import subprocess
import time
from collections import deque

import mini_redis_pb2 as pb
from clients import Stub, open_channel

PROCESSES = 4
IN_FLIGHT = 128


def read_records():
    """The records of `apt-cache dumpavail` by key. The key is the name of the package; a name that
    comes again, in another version or architecture, has those behind it."""
    dump = subprocess.run(["apt-cache", "dumpavail"], stdout=subprocess.PIPE, check=True).stdout
    records = {}
    for record in dump.split(b"\n\n"):
        fields = dict(line.split(b": ", 1) for line in record.split(b"\n")
                      if line.startswith((b"Package: ", b"Version: ", b"Architecture: ")))
        if b"Package" not in fields:
            continue
        key = fields[b"Package"]
        if key in records:
            key = b" ".join(fields[name] for name in (b"Package", b"Version", b"Architecture"))
        records[key] = record
    return records


def pipelined(calls):
    """The answers of an iterable of started calls, with so many in flight."""
    flight = deque()
    for call in calls:
        flight.append(call)
        if len(flight) == IN_FLIGHT:
            yield flight.popleft().result()
    while flight:
        yield flight.popleft().result()


def write(job):
    address, items = job
    with open_channel(address) as channel:
        stub = Stub(channel)
        calls = (stub.Set.future(pb.KeyValue(key=key, value=value)) for key, value in items)
        return sum(status.ok for status in pipelined(calls))


def read(job):
    """How many were read back, and the keys of those that were not equal."""
    address, items = job
    with open_channel(address) as channel:
        stub = Stub(channel)
        answers = pipelined(stub.Get.future(pb.Key(key=key)) for key, _ in items)
        wrong = [key for (key, value), answer in zip(items, answers)
                 if not answer.found or answer.value != value]
        return len(items), wrong


def test_every_package_record(server, counts):
    records = read_records()
    assert records, "`apt-cache dumpavail` has no records: run `apt-get update` first"
    items = list(records.items())
    began = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        # Neighbours are written by different clients and read by one, which wrote a part of them.
        written = pool.map(write, [(server.address, items[n::PROCESSES]) for n in range(PROCESSES)])
        size = -(-len(items) // PROCESSES)
        results = pool.map(read, [(server.address, items[n:n + size])
                                  for n in range(0, len(items), size)])
    assert sum(written) == len(items)
    wrong = [key for _, each in results for key in each]
    assert not wrong, f"{len(wrong)} records are not equal, such as {wrong[:5]}"
    assert sum(count for count, _ in results) == len(items)
    counts(f"{len(items)} records ({sum(map(len, records.values()))} bytes) written and read back "
           f"by {PROCESSES} clients in {time.monotonic() - began:.1f} s")
