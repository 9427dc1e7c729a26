"""Values of 1 B to 16 MiB compared with redis and a raw copy: bytes/s and CPU time per KiB.

Get, Set, LPush, and LRange of one element, for values of each size, with 4 connections x 4 calls in
flight; the server runs on core 0, the load on core 1. Every measurement has a fresh server, so that
what LPush has left behind is gone. In each round the servers take turns, and who comes first moves
on. The raw copy (`peers/raw_copy.c`) moves the same bytes through one connection without any
protocol, and keeps nothing.
"""
import statistics

from harness import loads, options, process, report
from harness.loads import KEYSTORE, REDIS
from harness.process import Failure, Server, say

RAW = "raw copy"
SIZES = [1, 64, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20]
QUICK_SIZES = [64, 64 << 10, 1 << 20]
GET, SET, PUSH, RANGE = "Get", "Set", "LPush", "LRange"
CONNECTIONS, IN_FLIGHT = 4, 4
KEYS = 16
PUSHED_BYTES = 1 << 30  # that a run of LPush leaves in memory, at most
MOST_CALLS, QUICK_CALLS = 2000000, 100000
REDIS_AIM = 1.0                       # CPU time over that of redis, at most
RAW_AIM, RAW_AIM_FROM = 0.8, 64 << 10  # bytes/s over those of the raw copy, at least


def size_name(size):
    if size >= 1 << 20:
        return f"{size >> 20} MiB"
    return f"{size >> 10} KiB" if size >= 1 << 10 else f"{size} B"


class Case:
    """An operation on values of one size, `calls` times in a run."""

    def __init__(self, operation, size, run_bytes, most_calls):
        self.operation = operation
        self.size = size
        if operation == PUSH:
            run_bytes = min(run_bytes, PUSHED_BYTES)
        self.calls = max(CONNECTIONS * IN_FLIGHT, min(most_calls, run_bytes // size))
        self.name = f"{operation}, {size_name(size)}"

    def run_keystore(self, server):
        """Calls/s and Usage, as from the two below."""
        op = ["--op", self.operation.lower(), "-d", self.size]
        if self.operation == RANGE:
            op += ["--range", "0:0", "--elements", 1]
        if self.operation in (GET, RANGE):
            process.run_load(server, loads.keystore_bench(server, KEYS, 1, 1, "--fill", "-n", 0,
                                                          *op))
        row, usage = loads.call_grpc(server, KEYS, CONNECTIONS, IN_FLIGHT, self.calls, *op)
        return float(row["calls_per_s"]), usage

    def run_redis(self, server):
        if self.operation == GET:
            loads.fill_redis(server, KEYS, self.size)
        if self.operation == RANGE:
            loads.fill_redis_list(server, 1, "x" * self.size)
        command = {GET: ["-t", "get", "-r", KEYS], RANGE: ["LRANGE", loads.REDIS_LIST, "0", "0"],
                   SET: ["-t", "set", "-r", KEYS], PUSH: ["-t", "lpush"]}[self.operation]
        row, usage = loads.call_redis(server, CONNECTIONS, IN_FLIGHT, self.calls, "-d", self.size,
                                      *command)
        if loads.redis_misses(server) > 0:
            raise Failure(f"redis missed keys in: {self.name}")
        return float(row["rps"]), usage

    def run_raw(self, server):
        verb = "get" if self.operation in (GET, RANGE) else "set"
        output, usage = process.run_load(server, [f"{loads.PEERS}/raw-copy", "--load", server.port,
                                                  verb, self.size, self.calls])
        return float(loads.only_row(output, "raw-copy")["calls_per_s"]), usage


def start_raw():
    return Server(RAW, [f"{loads.PEERS}/raw-copy"], loads.KEYSTORE_READY)


CONTENDERS = [(KEYSTORE, loads.start_keystore, Case.run_keystore),
              (REDIS, loads.start_redis, Case.run_redis), (RAW, start_raw, Case.run_raw)]


class Values:
    def __init__(self, sizes, rounds, run_bytes, most_calls):
        self.cases = [Case(operation, size, run_bytes, most_calls)
                      for operation in (GET, SET, PUSH, RANGE) for size in sizes]
        self.rounds = rounds
        self.bandwidths = {}  # (case, server) -> bytes/s, one per round
        self.costs = {}       # the same -> CPU time in us per KiB
        self.usages = []

    def run(self):
        for i in range(self.rounds):
            first = i % len(CONTENDERS)
            for case in self.cases:
                say(f"round {i + 1} of {self.rounds}: {case.name}")
                for name, start, run in CONTENDERS[first:] + CONTENDERS[:first]:
                    with start() as server:
                        calls_per_s, usage = run(case, server)
                    self.bandwidths.setdefault((case, name), []).append(calls_per_s * case.size)
                    kib = case.calls * case.size / 1024
                    self.costs.setdefault((case, name), []).append(usage.server_cpu_s * 1e6 / kib)
                    self.usages.append(usage)

    def table(self):
        rows = []
        for case in self.cases:
            cost, bandwidth = ({name: statistics.median(numbers[case, name])
                                for name, _, _ in CONTENDERS}
                               for numbers in (self.costs, self.bandwidths))
            costs_as_much = cost[KEYSTORE] <= REDIS_AIM * cost[REDIS]
            share = bandwidth[KEYSTORE] / bandwidth[RAW]
            fast = report.verdict(share >= RAW_AIM) if case.size >= RAW_AIM_FROM else ""
            rows.append([case.name, *(f"{cost[name]:.3f}" for name in cost),
                         report.verdict(costs_as_much),
                         *(f"{bandwidth[name] / 1e6:.1f}" for name in bandwidth), f"{share:.2f}x",
                         fast])
        names = [name for name, _, _ in CONTENDERS]
        return report.table(["what", *(f" {name}, µs/KiB" for name in names), "at most redis'",
                             *(f" {name}, MB/s" for name in names), " of raw copy",
                             f"at least {RAW_AIM}x"], rows)

    def rounds_table(self):
        rows = [[case.name, name, f"{case.calls:,}", " ".join(f"{cost:.3f}" for cost in costs),
                 " ".join(f"{rate / 1e6:.1f}" for rate in self.bandwidths[case, name])]
                for (case, name), costs in self.costs.items()]
        return report.table(["what", "server", " calls", "CPU µs per KiB, by round",
                             "MB/s, by round"], rows)


def main(arguments):
    parser = options.parser("values", __doc__)
    chosen = options.parse(parser, arguments)
    values = Values(QUICK_SIZES if chosen.quick else SIZES, chosen.rounds,
                    (64 << 20) if chosen.quick else (4 << 30),
                    QUICK_CALLS if chosen.quick else MOST_CALLS)
    values.run()
    summary = "\n".join(["## Bytes of values: CPU time and bandwidth, server of one thread\n",
                         values.table(), report.disturbance(values.usages)])
    print(summary)
    machine = report.machine_rows(f"{loads.BIN}/keystore-server")
    machine.append(["redis", report.first_line(["redis-server", "--version"])])
    report.write(report.results_path(chosen.results, "values", "md"), "\n".join([
        "# Large values compared with redis and a raw copy\n", report.table(["machine", ""], machine),
        summary, "## How\n", __doc__.partition("\n\n")[2],
        f"`script/bench values` with {chosen.rounds} rounds, medians of them.\n",
        "## Each round\n", values.rounds_table()]))


if __name__ == "__main__":
    options.run(main)
