"""Eviction: hit ratios on traces, compared with redis, exact LRU and Belady's optimum.

`cache-trace` (bench/traces) generates a trace and replays it against a server that is used as a
cache: missing keys are stored. The first two fifths of the requests fill the memory and do not
count. The number of keys (bytes of keys, if their sizes differ) that KeyStore then holds is the
capacity of all contenders: the two policies are simulated with it, and redis gets the memory limit
with which it holds as much. So hit ratios compare the choice of keys, not their memory. A trace,
and so the simulation for a capacity, is the same on every machine; KeyStore's ratios are
reproducible to within 0.002.

Redis' allkeys-lru has maxmemory-samples 10. Its clock has steps of a second, which is long compared
with these replays of some seconds: the slower the machine, the closer it comes to exact LRU.

The cost of an eviction is measured separately, by the usual loads: Sets of new keys without a
limit, and in a full server, where each evicts another key.
"""
import csv
import os
import statistics
import subprocess

from harness import idle, loads, options, plot, process, report
from harness.loads import KEYSTORE
from harness.process import Failure, say

REDIS_LRU, REDIS_LFU = "redis allkeys-lru", "redis allkeys-lfu"
LRU, BELADY = "exact LRU", "Belady"
CONTENDERS = [KEYSTORE, LRU, BELADY, REDIS_LRU, REDIS_LFU]
REDIS_OPTIONS = {REDIS_LRU: ["--maxmemory-policy", "allkeys-lru", "--maxmemory-samples", "10"],
                 REDIS_LFU: ["--maxmemory-policy", "allkeys-lfu"]}
GOAL_SHARE = 0.2  # of the gap between exact LRU and Belady
# Redis may hold that much more or less than KeyStore, and has so many tries to get there.
CAPACITY_ERROR, CALIBRATIONS = 0.003, 6
# A server that holds so much more at the end was not full after the warm-up.
FULL_ERROR = 0.1
REDIS_EMPTY_BYTES = 1 << 20  # roughly what it takes without keys

VALUE_BYTES = 400
EVICTION_LIMIT = 20 << 20
FILLING_CALLS = 100000  # more than fit
NEW_KEYS = 10**9        # so many that a random one is new


def run_trace(*arguments):
    """The rows of CSV that cache-trace prints."""
    result = subprocess.run([f"{loads.MICRO}/cache-trace", *map(str, arguments)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if result.returncode != 0:
        raise Failure(f"cache-trace ended with {result.returncode}: {result.stderr.strip()[-500:]}")
    return list(csv.DictReader(result.stdout.splitlines()))


def start(name, limit, core=None):
    """A server of a contender's name. Hits need no core of their own, and among other programs it
    would make many small exchanges slow."""
    if name == KEYSTORE:
        return loads.start_keystore(more=["--max-memory", limit, "--max-memory-policy",
                                          "allkeys-lru"], core=core)
    return loads.start_redis(name, ["--maxmemory", limit, *REDIS_OPTIONS[name]], core)


class Trace:
    """A trace, and the hit ratios on it by contender."""

    def __init__(self, row, chosen):
        self.name, self.note, self.unit = row["name"], row["note"], row["unit"]
        self.limit = int(row["memory_per_request"]) * chosen.requests
        self.trace = [self.name, chosen.requests, chosen.seed]
        self.ratios, self.limits, self.held = {}, {}, {}

    def run(self):
        self.replay(KEYSTORE, "keystore", self.limit)
        for name, policy in ((LRU, "lru"), (BELADY, "belady")):
            row, = run_trace("simulate", policy, self.capacity(), *self.trace)
            self.ratios[name] = int(row["hits"]) / int(row["requests"])
        limit = REDIS_EMPTY_BYTES + self.limit
        for name in (REDIS_LRU, REDIS_LFU):
            limit = self.calibrate(name, limit)
            self.replay(name, "redis", limit)

    def capacity(self):
        return self.held[KEYSTORE]

    def replay(self, name, kind, limit):
        say(f"{self.name}: {name}")
        with start(name, limit) as server:
            row, = run_trace("replay", kind, server.port, *self.trace)
        held, held_at_end = int(row["held"]), int(row["held_at_end"])
        if held_at_end > (1 + FULL_ERROR) * held:
            raise Failure(f"{name} held {held:,} {self.unit} of {self.name} after the warm-up and "
                          f"{held_at_end:,} at the end: it was not full; it takes more --requests")
        self.limits[name], self.held[name] = limit, held
        self.ratios[name] = int(row["hits"]) / int(row["requests"])

    def calibrate(self, name, limit):
        """The maxmemory with which redis holds as much as KeyStore; `limit` is a first guess."""
        for _ in range(CALIBRATIONS):
            with start(name, limit) as server:
                row, = run_trace("warm", "redis", server.port, *self.trace)
            share = int(row["held"]) / self.capacity()
            if abs(share - 1) <= CAPACITY_ERROR:
                return limit
            limit = round(REDIS_EMPTY_BYTES + (limit - REDIS_EMPTY_BYTES) / share)
        say(f"{self.name}: {name} holds {share:.3f} times what KeyStore does")
        return limit

    def goal(self):
        return self.ratios[LRU] + GOAL_SHARE * (self.ratios[BELADY] - self.ratios[LRU])

    def better_redis(self):
        return max(self.ratios[REDIS_LRU], self.ratios[REDIS_LFU])

    def row(self):
        ours = self.ratios[KEYSTORE]
        return [self.note, *(f"{self.ratios[name]:.4f}" for name in CONTENDERS),
                f"{self.goal():.4f}", report.verdict(ours >= self.goal()),
                report.verdict(ours >= self.better_redis())]

    def memory_row(self):
        cells = [self.name, self.unit]
        for name in (KEYSTORE, REDIS_LRU, REDIS_LFU):
            cells += [f"{self.limits[name]:,}", f"{self.held[name]:,}"]
        return cells

    def bars(self):
        """A factor over nothing is none."""
        ours = self.ratios[KEYSTORE]
        return [plot.Bar(name, 100 * value, name == KEYSTORE,
                         "" if name == KEYSTORE or value == 0 else f"{ours / value:.2f}x")
                for name, value in self.ratios.items()]


class Evictions:
    """CPU time of Sets of new keys, in us, by server and by whether each evicts a key."""

    def __init__(self, rounds, calls):
        self.rounds, self.calls = rounds, calls
        self.costs, self.usages = {}, []

    def run(self):
        names = [KEYSTORE, REDIS_LRU, REDIS_LFU]
        for i in range(self.rounds):
            say(f"evictions: round {i + 1} of {self.rounds}")
            for name in names[i % 3:] + names[:i % 3]:
                for limit in (0, EVICTION_LIMIT):
                    self.measure(name, limit)

    def measure(self, name, limit):
        ours = name == KEYSTORE
        with start(name, limit, process.SERVER_CORE) as server:
            set_new = self.set_keystore if ours else self.set_redis
            set_new(server, FILLING_CALLS, 1)
            before = evicted_keys(server, ours)
            usage = set_new(server, self.calls, 2)
            evicted = evicted_keys(server, ours) - before
        if limit and evicted < 0.99 * self.calls or not limit and evicted:
            raise Failure(f"{name} evicted {evicted:,} keys in {self.calls:,} Sets")
        self.costs.setdefault((name, limit > 0), []).append(usage.server_cpu_s * 1e6 / self.calls)
        self.usages.append(usage)

    @staticmethod
    def set_keystore(server, calls, seed):
        return loads.call_grpc(server, NEW_KEYS, 10, 100, calls, "--op", "set", "-d", VALUE_BYTES,
                               "--seed", seed)[1]

    @staticmethod
    def set_redis(server, calls, _seed):
        """redis-benchmark chooses a seed itself, by its process and the time."""
        return loads.call_redis(server, 50, 16, calls, "-t", "set", "-r", NEW_KEYS,
                                "-d", VALUE_BYTES)[1]

    def table(self):
        rows = []
        for name in (KEYSTORE, REDIS_LRU, REDIS_LFU):
            free, evicting = (statistics.median(self.costs[name, limited])
                              for limited in (False, True))
            rows.append([name, f"{free:.2f}", f"{evicting:.2f}", f"{evicting - free:+.2f}"])
        return report.table(["server", " Set of a new key, CPU µs", " one that evicts a key",
                             " difference"], rows)

    def rounds_table(self):
        rows = [[name, "evicts a key" if limited else "no limit",
                 " ".join(f"{cost:.3f}" for cost in costs)]
                for (name, limited), costs in self.costs.items()]
        return report.table(["server", "Sets", "CPU µs per Set, by round"], rows)


def evicted_keys(server, ours):
    info = idle.info(server.port) if ours else loads.redis_info(server, "stats")
    return int(info["evicted_keys"])


def ratio_table(traces):
    return report.table(["trace", *(f" {name}" for name in CONTENDERS), " goal", "reached",
                         "at least redis'"], [trace.row() for trace in traces])


def memory_table(traces):
    header = ["trace", "unit"]
    for name in (KEYSTORE, REDIS_LRU, REDIS_LFU):
        header += [f" limit of {name}, bytes", " holds"]
    return report.table(header, [trace.memory_row() for trace in traces])


def main(arguments):
    parser = options.parser("eviction", __doc__)
    parser.add_argument("--requests", type=options.whole_number, metavar="N",
                        help="requests of each trace; keys and memory grow with it "
                             "(default 600000; with --quick 100000)")
    parser.add_argument("--seed", type=options.whole_number, default=1, metavar="N",
                        help="of the traces (default 1)")
    chosen = options.parse(parser, arguments)
    chosen.requests = chosen.requests or (100000 if chosen.quick else 600000)
    traces = [Trace(row, chosen) for row in run_trace("list")]
    for trace in traces:
        trace.run()
    evictions = Evictions(chosen.rounds, 100000 if chosen.quick else 1000000)
    evictions.run()
    summary = "\n".join([
        "## Hit ratios\n",
        f"The goal is exact LRU and {GOAL_SHARE:.0%} of its gap to Belady. KeyStore has "
        "allkeys-lru.\n",
        ratio_table(traces), "## The price of an eviction, server of one thread\n",
        evictions.table(), report.disturbance(evictions.usages), ""])
    print(summary)
    machine = report.machine_rows(f"{loads.BIN}/keystore-server")
    machine.append(["redis", report.first_line(["redis-server", "--version"])])
    text_path = report.results_path(chosen.results, "eviction", "md")
    plot_path = report.results_path(chosen.results, "eviction", "svg")
    report.write(plot_path, plot.bars(
        "Hits per hundred requests", f"{chosen.requests:,} requests a trace, seed {chosen.seed}",
        [(trace.note, trace.bars()) for trace in traces]))
    report.write(text_path, "\n".join([
        "# What eviction keeps\n", report.table(["machine", ""], machine),
        f"![hits per hundred requests]({os.path.basename(plot_path)})\n", summary, "## How\n",
        __doc__.partition("\n\n")[2],
        f"`script/bench eviction`: traces of {chosen.requests:,} requests with seed {chosen.seed}, "
        f"keys of 16 bytes with values of {VALUE_BYTES} where nothing else is said. The price of "
        f"an eviction: medians of {chosen.rounds} rounds of {evictions.calls:,} Sets, with "
        f"{EVICTION_LIMIT >> 20} MiB of memory.\n",
        "## Memory\n", memory_table(traces), "## Each round\n", evictions.rounds_table()]))


if __name__ == "__main__":
    options.run(main)
