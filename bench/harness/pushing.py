"""What the suite `streams` measures besides reading: batches of operations, events that reach watchers,
and elements that reach those who wait. batches(), watchers(), elements() and queues() return tables.
"""
import json
import statistics
import subprocess
import sys
import tempfile

from harness import disk, loads, process, report
from harness.loads import KEYSTORE, REDIS
from harness.process import Failure, say

WATCH_LOAD = "bench/harness/watch_load.py"
BATCH = 100
WATCHERS, EVENTS, PACED_EVENTS, PACE = 1000, 1000, 3000, 1000
WAITERS = 1000


def alternating(rounds, name, contenders):
    """Calls each `rounds` times, in an order that moves on by one; lists of results by name."""
    results = {each: [] for each in contenders}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}: {name}")
        names = list(contenders)
        for each in names[number % len(names):] + names[:number % len(names)]:
            results[each].append(contenders[each]())
    return results


def medians(results):
    return {name: statistics.median(values) for name, values in results.items()}


# Batches.

def batches(rounds, keys, calls):
    pipeline, unary, redis_name = "Pipeline, 50 x 100", "calls, 10 x 100", "redis -P 100, 50"
    rows = []
    with loads.start_keystore() as keystore, loads.start_redis() as redis:
        loads.fill_grpc(keystore, keys)
        loads.fill_redis(redis, keys)
        for op, aims in (("get", (5, 1.8)), ("set", (5, 1.8))):
            def cost(usage):
                return usage.server_cpu_s * 1e6 / calls

            costs = medians(alternating(rounds, f"{op} in batches", {
                pipeline: lambda op=op: cost(loads.call_grpc(
                    keystore, keys, 50, 1, calls // BATCH, "--op", op, "--batch", BATCH)[1]),
                unary: lambda op=op: cost(loads.call_grpc(keystore, keys, 10, 100, calls, "--op",
                                                          op)[1]),
                redis_name: lambda op=op: cost(loads.call_redis(
                    redis, 50, BATCH, calls, "-t", op, "-r", keys, "-d", loads.VALUE_BYTES)[1]),
            }))
            against_redis = costs[redis_name] / costs[pipeline]
            against_unary = costs[unary] / costs[pipeline]
            rows.append([op, *(f"{costs[name]:.3f}" for name in (pipeline, unary, redis_name)),
                         f"{against_redis:.1f}x", f"{against_unary:.2f}x",
                         report.verdict(against_redis >= aims[0] and against_unary >= aims[1])])
    return report.table(["operation", *(f" {name}, CPU µs" for name in (pipeline, unary, redis_name)),
                         " cheaper than redis", " than calls", "at least 5x and 1.8x"], rows)


# Watchers.

class Watchers:
    """Watches that are open; `finish()` has the keys written and says what the load measured."""

    def __init__(self, server, watchers, events, rate=0):
        name = "keystore" if server.name == KEYSTORE else "etcd"
        self.server = server
        self.load = subprocess.Popen(process.on_core(process.LOAD_CORE, [
            sys.executable, WATCH_LOAD, name, server.port, "--watchers", watchers, "--events", events,
            "--rate", rate]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.load.stdout.readline() != "ready\n":
            raise Failure(f"the watches of {server.name} could not be opened")

    def finish(self):
        before = self.server.cpu_s()
        output, _ = self.load.communicate("\n")
        if self.load.returncode != 0:
            raise Failure(f"the watchers of {self.server.name} ended with {self.load.returncode}")
        row = json.loads(output)
        row["cpu_s"] = self.server.cpu_s() - before
        return row


def fan_out(server):
    """Events delivered per second of CPU time, the writes included."""
    row = Watchers(server, WATCHERS, EVENTS).finish()
    return row["deliveries"] / max(row["cpu_s"], 1 / process.TICKS_PER_S)


def latency(server):
    """The 99th percentile, in µs."""
    return Watchers(server, 1, PACED_EVENTS, PACE).finish()["p99_us"]


def set_cost(server, calls, watchers):
    """CPU time of a Set of other keys, in µs, while that many watches are open."""
    idle = Watchers(server, watchers, 0) if watchers > 0 else None
    _, usage = loads.call_grpc(server, 10000, 10, 100, calls, "--op", "set")
    if idle is not None:
        idle.finish()
    return usage.server_cpu_s * 1e6 / calls


def watchers(rounds, calls):
    rows = []
    with tempfile.TemporaryDirectory(prefix="keystore-bench-") as folder, \
            loads.start_keystore() as keystore, disk.start_etcd(folder) as etcd:
        for name, measure, aim, better in (
                (f"{WATCHERS} watchers of a prefix, events per CPU-second", fan_out, 10, 1),
                (f"one watcher, {PACE} writes/s, p99 µs", latency, 2, -1)):
            found = medians(alternating(rounds, name, {
                KEYSTORE: lambda measure=measure: measure(keystore),
                "etcd": lambda measure=measure: measure(etcd)}))
            ratio = (found[KEYSTORE] / found["etcd"]) ** better
            rows.append([name, report.number(found[KEYSTORE]), report.number(found["etcd"]),
                         f"{ratio:.1f}x better", report.verdict(ratio >= aim)])
        # The history is kept for a minute after the last watcher, so those without one have a server
        # of their own.
        with loads.start_keystore() as alone:
            costs = medians(alternating(rounds, "Sets beside idle watchers", {
                "beside": lambda: set_cost(keystore, calls, WATCHERS),
                "alone": lambda: set_cost(alone, calls, 0)}))
    ratio = costs["beside"] / costs["alone"]
    rows.append([f"a Set beside {WATCHERS} idle watchers, CPU µs", f"{costs['beside']:.3f}",
                 f"{costs['alone']:.3f} without", f"{ratio:.2f}x dearer", report.verdict(ratio <= 1.02)])
    return report.table(["what", f" {KEYSTORE}", " compared with", " ratio", "reached"], rows)


# Elements.

def wait_for_elements(server, pushes):
    """The 99th percentile from push to delivery and the CPU time of both, in µs."""
    name = "keystore" if server.name == KEYSTORE else "redis"
    output, usage = process.run_load(server, [f"{loads.PEERS}/waiters", name, server.port, WAITERS,
                                              pushes])
    return json.loads(output)["p99_us"], usage.server_cpu_s * 1e6 / pushes


def elements(rounds, pushes):
    with loads.start_keystore() as keystore, loads.start_redis() as redis:
        results = alternating(rounds, "elements for those who wait", {
            KEYSTORE: lambda: wait_for_elements(keystore, pushes),
            REDIS: lambda: wait_for_elements(redis, pushes)})
    rows = []
    for index, name in enumerate((f"push to delivery, {WAITERS} waiters, p99 µs",
                                  "push and delivery, CPU µs")):
        found = {each: statistics.median(one[index] for one in values)
                 for each, values in results.items()}
        ratio = found[KEYSTORE] / found[REDIS]
        rows.append([name, f"{found[KEYSTORE]:.1f}", f"{found[REDIS]:.1f}", f"{ratio:.2f}x",
                     report.verdict(ratio <= 1)])
    return report.table(["what", f" {KEYSTORE}, ListPop", f" {REDIS}, BLPOP", " ratio", "at most 1x"],
                        rows)


# Queues.

def consume(server, elements):
    """CPU time in µs of an element that is pushed, delivered and acknowledged."""
    _, usage = loads.call_grpc(server, elements, 10, 10, elements, "--op", "consume", "--consumers",
                               10, "--in-flight", 100)
    return usage.server_cpu_s * 1e6 / elements


def redis_queue(server, elements):
    """The same by RPUSH, LMOVE and LREM, which 50 connections call one at a time."""
    loads.redis_command(server, "FLUSHALL")
    value = "x" * loads.VALUE_BYTES
    steps = (["RPUSH", "jobs", value], ["LMOVE", "jobs", "pending", "LEFT", "RIGHT"],
             ["LREM", "pending", "1", value])
    return sum(loads.call_redis(server, 50, 1, elements, *step)[1].server_cpu_s
               for step in steps) * 1e6 / elements


def queues(rounds, elements):
    with loads.start_keystore() as keystore, loads.start_redis() as redis:
        costs = medians(alternating(rounds, "a queue with acknowledgements", {
            KEYSTORE: lambda: consume(keystore, elements),
            REDIS: lambda: redis_queue(redis, elements)}))
    ratio = costs[REDIS] / costs[KEYSTORE]
    return report.table(["what", f" {KEYSTORE}, RPush and Consume", f" {REDIS}, RPUSH, LMOVE, LREM",
                         " cheaper", "at least 5x"],
                        [["an element, CPU µs", f"{costs[KEYSTORE]:.2f}", f"{costs[REDIS]:.2f}",
                          f"{ratio:.1f}x", report.verdict(ratio >= 5)]])
