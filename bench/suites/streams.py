"""Streams compared with redis and etcd: Scan, StreamList, Pipeline, Watch, blocking pops, Consume.

A Scan of all keys beside a loop of SCAN COUNT 1000, and a StreamList of a whole list beside
LRANGE 0 -1, of the same keys and elements of equal size. The server runs on core 0, the reader
(`harness/read_stream.py`) on core 1; it takes what comes and decodes nothing, and what it took is
compared with what there must be. In each round the servers take turns. Memory is the highest RSS
during a read over the one before it.

Batches of 100 operations, of `keystore-bench` and `redis-benchmark`, on servers of a thread. Watchers
of a prefix are those of `harness/watch_load.py`, for KeyStore (without a log) and etcd (with its own)
alike; an event counts when the client has it. Those who wait for an element are `peers/waiters.c`:
one element at a time is pushed, and timed until one of a thousand has it. A queue is 10 consumers with
100 elements in flight each; in redis, 50 connections that push, move and remove one at a time.
"""
import statistics
import sys

from harness import loads, options, process, pushing, report
from harness.loads import KEYSTORE, REDIS
from harness.process import Failure, say

READER = "bench/harness/read_stream.py"
SCAN_COUNT = 1000
ELEMENT_BYTES = 20
ELEMENTS, QUICK_ELEMENTS = 10000000, 100000
CPU_S, QUICK_CPU_S = 1.0, 0.05  # of a measurement, at least: the clock is coarse
MIB = 1 << 20


class Reading:
    """One row: what is read, from both servers. `commands` and `items` are by server."""

    def __init__(self, name, unit, items, cpu_s, aim, memory_aim=None):
        self.name = name
        self.cpu_s = cpu_s
        self.unit = unit
        self.items = items
        self.aim = aim                # CPU time over that of redis, at most
        self.memory_aim = memory_aim  # bytes of KeyStore, at most
        self.times = {}
        self.costs = {KEYSTORE: [], REDIS: []}   # ns of CPU time per item, one per round
        self.memory = {KEYSTORE: [], REDIS: []}  # bytes
        self.usages = []

    def read(self, server, words, is_right):
        """The Usage of a reading, in which all must be there."""
        output, usage = process.run_load(server, [sys.executable, READER, words[0], server.port,
                                                  *words[1:]])
        row = loads.only_row(output, "read_stream.py")
        if not is_right(int(row["bytes"]), int(row["messages"])):
            raise Failure(f"{self.name} of {server.name}: {row['bytes']} bytes in "
                          f"{row['messages']} messages are not {self.items} {self.unit}")
        return usage

    def measure(self, server, words, is_right):
        server.forget_peak()
        before = server.rss_bytes()
        cpu_s = reads = 0
        while reads < self.times.setdefault(server.name, 1000) and cpu_s < self.cpu_s:
            usage = self.read(server, words, is_right)
            self.usages.append(usage)
            cpu_s += usage.server_cpu_s
            reads += 1
        self.times[server.name] = reads
        self.costs[server.name].append(cpu_s * 1e9 / reads / self.items)
        self.memory[server.name].append(max(0, server.peak_rss_bytes() - before))

    def row(self):
        cost = {name: statistics.median(costs) for name, costs in self.costs.items()}
        memory = {name: max(sizes) for name, sizes in self.memory.items()}
        share = cost[KEYSTORE] / cost[REDIS]
        reached = share <= self.aim
        if self.memory_aim is not None:
            reached = reached and memory[KEYSTORE] <= self.memory_aim
        aim = f"{self.aim}x" + (f", {self.memory_aim // MIB} MiB" if self.memory_aim else "")
        return [self.name, *(f"{cost[name]:.1f}" for name in (KEYSTORE, REDIS)), f"{share:.2f}x",
                *(f"{memory[name] / MIB:.1f}" for name in (KEYSTORE, REDIS)), aim,
                report.verdict(reached)]


def scan_is_right(keys):
    """Each Entry has 6 bytes beside its key; each page but the last a cursor of 44 bytes."""
    return lambda size, pages: size == keys * (loads.KEY_BYTES + 6) + (pages - 1) * 44


def redis_scan_is_right(keys):
    """A key may come twice while redis rehashes."""
    return lambda size, _: keys * 22 <= size < keys * 24


def list_is_right(elements):
    """Each page has some numbers beside its elements."""
    return lambda size, pages: 0 < size - elements * (ELEMENT_BYTES + 2) <= pages * 30


def redis_list_is_right(elements):
    return lambda size, _: size == len(f"*{elements}\r\n") + elements * (ELEMENT_BYTES + 7)


def only_key(server):
    """Of a server that has one."""
    output, _ = process.run_load(server, [sys.executable, READER, "scan", server.port])
    first = bytes.fromhex(loads.only_row(output, "read_stream.py")["first"])
    return first[4:4 + first[3]].decode()


def run_scan(rounds, keys, cpu_s):
    reading = Reading(f"Scan of {keys:,} keys / SCAN COUNT {SCAN_COUNT}", "keys", keys, cpu_s,
                      0.3)
    with loads.start_keystore() as keystore, loads.start_redis() as redis:
        loads.fill_grpc(keystore, keys)
        loads.fill_redis(redis, keys)
        for i in range(rounds):
            say(f"round {i + 1} of {rounds}: {reading.name}")
            turns = [(keystore, ["scan"], scan_is_right(keys)),
                     (redis, ["redis-scan", SCAN_COUNT], redis_scan_is_right(keys))]
            for turn in turns[i % 2:] + turns[:i % 2]:
                reading.measure(*turn)
    return reading


def run_list(rounds, elements, cpu_s):
    reading = Reading(f"StreamList of {elements:,} elements / LRANGE 0 -1", "elements", elements,
                      cpu_s, 0.5, memory_aim=16 * MIB)
    with loads.start_keystore() as keystore, loads.start_redis() as redis:
        loads.fill_grpc_lists(keystore, 1, elements, "-d", ELEMENT_BYTES)
        loads.fill_redis_list(redis, elements, "x" * ELEMENT_BYTES)
        key = only_key(keystore)
        for i in range(rounds):
            say(f"round {i + 1} of {rounds}: {reading.name}")
            turns = [(keystore, ["list", key], list_is_right(elements)),
                     (redis, ["redis-list", loads.REDIS_LIST], redis_list_is_right(elements))]
            for turn in turns[i % 2:] + turns[:i % 2]:
                reading.measure(*turn)
    return reading


def rounds_table(readings):
    rows = [[reading.name, name, " ".join(f"{cost:.1f}" for cost in costs)]
            for reading in readings for name, costs in reading.costs.items()]
    return report.table(["what", "server", "CPU ns per item, by round"], rows)


def main(arguments):
    parser = options.parser("streams", __doc__, keys=10000000)
    chosen = options.parse(parser, arguments)
    cpu_s = QUICK_CPU_S if chosen.quick else CPU_S
    readings = [run_scan(chosen.rounds, chosen.keys, cpu_s),
                run_list(chosen.rounds, QUICK_ELEMENTS if chosen.quick else ELEMENTS, cpu_s)]
    usages = [usage for reading in readings for usage in reading.usages]
    calls, keys = (100000, 10000) if chosen.quick else (4000000, 1000000)
    pushed = ["## Batches of operations, server of one thread\n",
              pushing.batches(chosen.rounds, keys, calls),
              "## Watchers, server of one thread\n",
              pushing.watchers(chosen.rounds, calls // 4),
              "## Waiting for elements\n",
              pushing.elements(chosen.rounds, 2000 if chosen.quick else 50000),
              "## A queue with acknowledgements, server of one thread\n",
              pushing.queues(chosen.rounds, 20000 if chosen.quick else 300000)]
    summary = "\n".join([
        "## Reading all keys, or a whole list, server of one thread\n",
        report.table(["what", f" {KEYSTORE}, CPU ns per item", f" {REDIS}, CPU ns per item", " share",
                      f" {KEYSTORE}, MiB more", f" {REDIS}, MiB more", "at most", "reached"],
                     [reading.row() for reading in readings]),
        report.disturbance(usages), *pushed])
    print(summary)
    machine = report.machine_rows(f"{loads.BIN}/keystore-server")
    machine.append(["redis", report.first_line(["redis-server", "--version"])])
    report.write(report.results_path(chosen.results, "streams", "md"), "\n".join([
        "# Streams compared with redis and etcd\n", report.table(["machine", ""], machine), summary,
        "## How\n", __doc__.partition("\n\n")[2],
        f"`script/bench streams` with {chosen.rounds} rounds, medians of them.\n",
        "## Each round\n", rounds_table(readings)]))


if __name__ == "__main__":
    options.run(main)
