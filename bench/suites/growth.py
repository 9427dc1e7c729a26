"""Growing data: Get and Set, push and pop, LRange in the middle, the longest single Set.

CPU time of the server per call, on core 0; the load is on core 1. Every server is filled before the
rounds, in each of which everything is measured once, in an order that moves on by one. The longest
Set is measured inside the store (bench/micro/store.c), for the machine's own pauses are longer.
"""
import csv
import statistics
import subprocess

from harness import loads, options, process, report
from harness.contender import Contender, measure_in_turn
from harness.process import Failure, say

LEAST_KEYS = 1000
KEYS_AIM, LIST_AIM, RANGE_AIM, LONGEST_AIM_US = 1.2, 1.05, 100, 1000
ELEMENT_BYTES = 32
# Connections, calls in flight on each; with many the kernel's part of a call counts little.
RANGE_SHAPES = {"one call at a time": (1, 1, 1), "many in flight": (10, 100, 16)}
ENDS = ["lpush,lpop", "rpush,lpop"]


def powers_of_ten(least, most):
    while least < most:
        yield least
        least *= 10
    yield most


class Growth:
    def __init__(self, chosen):
        self.options = chosen
        self.servers = []
        self.key_counts = list(powers_of_ten(LEAST_KEYS, chosen.keys))
        self.list_lengths = [1, 1000, chosen.keys // 10, chosen.keys]
        self.keys = {}    # (op, keys) -> Contender
        self.lists = {}   # (ops, length) -> Contender
        self.ranges = {}  # (server name, shape) -> Contender
        self.latencies = {}  # the same -> p50 of each round
        self.longest = None

    # Filling.

    def start(self, starter):
        self.servers.append(starter())
        return self.servers[-1]

    def start_strings(self):
        for count in self.key_counts:
            say(f"putting in {count:,} keys")
            server = self.start(loads.start_keystore)
            loads.fill_grpc(server, count)
            for op in ("get", "set"):
                self.keys[op, count] = Contender(
                    server.name, op, server, lambda calls, s=server, k=count, o=op:
                    self.call(s, k, 10, calls, "--op", o))

    def start_lists(self):
        server = self.start(loads.start_keystore)
        for i, length in enumerate(self.list_lengths):
            say(f"putting in a list of {length:,} elements")
            # Keys of different lengths are different lists.
            common = ("-d", ELEMENT_BYTES, "-k", loads.KEY_BYTES + i)
            loads.fill_grpc_lists(server, 1, length, *common)
            for ops in ENDS:
                # One connection: its calls are worked off in order, so the length stays.
                self.lists[ops, length] = Contender(
                    server.name, ops, server, lambda calls, o=ops, c=common:
                    self.call(server, 1, 1, calls, "--op", o, *c))
        self.start_ranges(server, common)

    def start_ranges(self, server, common):
        """Of ten elements in the middle of the longest list."""
        length = self.list_lengths[-1]
        first, last = length // 2, length // 2 + 9
        redis = self.start(loads.start_redis)
        loads.fill_redis_list(redis, length, "x" * ELEMENT_BYTES)
        for shape in RANGE_SHAPES:
            self.ranges[server.name, shape] = Contender(
                server.name, shape, server, lambda calls, s=shape: self.range_grpc(
                    server, s, calls, "--op", "lrange", "--range", f"{first}:{last}", *common))
            self.ranges[redis.name, shape] = Contender(
                redis.name, shape, redis, lambda calls, s=shape: self.range_redis(
                    redis, s, calls, "LRANGE", loads.REDIS_LIST, str(first), str(last)))

    # Measuring.

    def call(self, server, keys, connections, calls, *more):
        row, usage = loads.call_grpc(server, keys, connections, 100, calls, *more)
        return float(row["calls_per_s"]), usage

    def range_grpc(self, server, shape, calls, *more):
        connections, streams, _ = RANGE_SHAPES[shape]
        row, usage = loads.call_grpc(server, 1, connections, streams, calls, *more)
        self.latencies.setdefault((server.name, shape), []).append(float(row["p50_us"]))
        return float(row["calls_per_s"]), usage

    def range_redis(self, server, shape, calls, *command):
        connections, _, pipeline = RANGE_SHAPES[shape]
        row, usage = loads.call_redis(server, 50 if connections > 1 else 1, pipeline, calls,
                                      *command)
        self.latencies.setdefault((server.name, shape), []).append(
            float(row["p50_latency_ms"]) * 1000)
        return float(row["rps"]), usage

    def contenders(self):
        return [*self.keys.values(), *self.lists.values(), *self.ranges.values()]

    def measure(self):
        say("warming up")
        for contender in self.contenders():
            contender.calibrate(self.options.cpu_seconds)
        for values in self.latencies.values():
            values.clear()
        measure_in_turn(self.contenders(), self.options.rounds)

    def measure_longest(self):
        say(f"the longest of {self.options.keys:,} Sets")
        result = subprocess.run(process.on_core(process.LOAD_CORE, [f"{loads.MICRO}/micro_store",
                                                                    self.options.keys]),
                                stdout=subprocess.PIPE, text=True)
        if result.returncode != 0:
            raise Failure(f"{loads.MICRO}/micro_store ended with {result.returncode}")
        self.longest = next(csv.DictReader(result.stdout.splitlines()))

    def stop(self):
        for server in self.servers:
            server.stop()
        self.servers = []

    # Reporting.

    def cost_rows(self, costs, sizes, unit, aim):
        """Rows of one operation, from the smallest size to the largest."""
        first = costs[sizes[0]].cpu_us_median()
        for size in sizes:
            ratio = costs[size].cpu_us_median() / first
            is_last = size == sizes[-1]
            yield [costs[size].shape, f"{size:,} {unit}", f"{costs[size].cpu_us_median():.3f}",
                   report.spread(costs[size].cpu_us()), f"{ratio:.2f}x",
                   f"{aim:g}x" if is_last else "",
                   report.verdict(ratio <= aim) if is_last else ""]

    def cost_table(self):
        rows = []
        for op in ("get", "set"):
            rows += self.cost_rows({count: self.keys[op, count] for count in self.key_counts},
                                   self.key_counts, "keys", KEYS_AIM)
        for ops in ENDS:
            rows += self.cost_rows({length: self.lists[ops, length]
                                    for length in self.list_lengths},
                                   self.list_lengths, "elements", LIST_AIM)
        return report.table(["calls", "data", " CPU µs per call", " spread", " over the smallest",
                             " aim, at most", "reached"], rows)

    def range_table(self):
        rows = []
        cpu = {name: contender.cpu_us_median() for name, contender in self.ranges.items()}
        p50 = {name: statistics.median(values) for name, values in self.latencies.items()}
        for shape in RANGE_SHAPES:
            for name in (loads.KEYSTORE, loads.REDIS):
                rows.append([shape, name, report.number(cpu[name, shape]),
                             report.number(p50[name, shape]), "", ""])
            ratios = [values[loads.REDIS, shape] / values[loads.KEYSTORE, shape]
                      for values in (cpu, p50)]
            rows.append([shape, "redis over KeyStore", *(f"{ratio:.1f}x" for ratio in ratios),
                         f"{RANGE_AIM}x", report.verdict(max(ratios) >= RANGE_AIM)])
        return report.table(["calls", "server", " CPU µs per call", " p50 µs", " aim", "reached"],
                            rows)

    def longest_table(self):
        longest_us = float(self.longest["longest_us"])
        return report.table(
            ["Sets of new keys", " mean µs", " p99.99 µs", " longest µs", " aim, below", "reached"],
            [[f"{int(self.longest['keys']):,}", self.longest["mean_us"], self.longest["p9999_us"],
              self.longest["longest_us"], f"{LONGEST_AIM_US:,}",
              report.verdict(longest_us < LONGEST_AIM_US)]])

    def summary(self):
        usages = [usage for contender in self.contenders() for usage in contender.usages]
        return "\n".join([
            "## CPU time per call as data grows\n", self.cost_table(),
            f"## LRange of ten in the middle of {self.list_lengths[-1]:,} elements\n",
            "Many in flight are 10 connections x 100 calls, or redis-benchmark -c 50 -P 16.\n",
            self.range_table(),
            "## The longest single Set\n", self.longest_table(), report.disturbance(usages), ""])

    def rounds_table(self):
        cases = ([(f"{op}, {count:,} keys", one) for (op, count), one in self.keys.items()] +
                 [(f"{ops}, {length:,} elements", one)
                  for (ops, length), one in self.lists.items()] +
                 [(f"lrange, {name}, {shape}", one)
                  for (name, shape), one in self.ranges.items()])
        rows = [[name, f"{one.calls:,}", " ".join(f"{value:.3f}" for value in one.cpu_us())]
                for name, one in cases]
        return report.table(["calls", " in a round", "CPU µs per call, by round"], rows)


HOW = """`script/bench growth` with {o.rounds} rounds, medians of them. Get and Set: keys of 16 bytes with
values of 32, uniformly at random among those there are, on 10 connections x 100 calls in flight.
Push and pop take turns on one connection with 100 calls in flight, so that the list keeps its
length; elements of {element} bytes. A measurement takes {o.cpu_seconds:g} s of the server's CPU time.
"""


def main(arguments):
    parser = options.parser("growth", __doc__, keys=10000000)
    parser.add_argument("--cpu-seconds", type=float, metavar="S",
                        help="server CPU time per measurement (default 1.5; with --quick 0.3)")
    chosen = options.parse(parser, arguments)
    chosen.cpu_seconds = chosen.cpu_seconds or (0.3 if chosen.quick else 1.5)
    if chosen.keys < 10 * LEAST_KEYS:
        raise Failure(f"growth needs --keys {10 * LEAST_KEYS} at least")
    growth = Growth(chosen)
    try:
        growth.start_strings()
        growth.start_lists()
        growth.measure()
    finally:
        growth.stop()
    growth.measure_longest()
    summary = growth.summary()
    print(summary)
    path = report.results_path(chosen.results, "growth", "md")
    machine = report.machine_rows(f"{loads.BIN}/keystore-server")
    machine.append(["redis", report.first_line(["redis-server", "--version"])])
    report.write(path, "\n".join([
        "# What growth costs\n", report.table(["machine", ""], machine), summary, "## How\n",
        __doc__.partition("\n\n")[2], HOW.format(o=chosen, element=ELEMENT_BYTES),
        "## Each round\n", growth.rounds_table()]))


if __name__ == "__main__":
    options.run(main)
