"""Durable Sets compared with redis and etcd and the disk's limit, and Gets during writes.

Every server runs on core 0, the load on core 1, the data are on one disk. Durable means that a Set
is answered when a sync of the disk made it safe: `--durability always`, `appendfsync always`, etcd
as it is. In each round every server is measured in every shape, in an order that moves on by one
from round to round. The shapes are connections x calls in flight on each.
"""
import statistics

from harness import disk, loads, options, process, report
from harness.disk import ETCD
from harness.loads import KEYSTORE, REDIS
from harness.process import TICKS_PER_S, say

# 1,000 in flight; etcd's own benchmark spreads 1,000 clients over 100 connections.
OURS, PEERS = ["50 x 20", "10 x 100"], {REDIS: "50 x 20", ETCD: "100 x 10"}
AIMS = {REDIS: 2, ETCD: 10}
# Where the disk is the limit and not the processor.
LAW_SHAPES = ["1 x 1", "8 x 1", "64 x 1"]
LAW_AIM = 0.9
# This disk may be so fast that a sync is over before the processor has answered anybody. So the same
# again on one that is slowed down, to about what a network volume or a disk without a cache takes.
SLOWED, SLOW_US = "KeyStore, slowed disk", 4000
WRITERS = 8
READERS = 50
ALONE, UNLOGGED, DURABLE = "alone", "with 8 writers, without a log", "with 8 durable writers"
BESIDE_AIM = 1.2


def numbers(shape):
    return [int(word) for word in shape.split(" x ")]


def in_flight(shape):
    connections, streams = numbers(shape)
    return connections * streams


class Contender:
    """A server under one load: `call(calls)` makes so many durable writes."""

    def __init__(self, server, shape, call, name=None):
        self.server = server
        self.name = name or server.name
        self.shape = shape
        self.call = call
        self.calls = 0
        self.rates = []       # calls/s; the lists have an element per round
        self.usages = []
        self.disk_bytes = []  # per call
        self.sync_us = []     # of the disk, just before

    def calibrate(self, seconds):
        """Warms up, and finds how many calls take so long."""
        calls = in_flight(self.shape)
        while True:
            rate, usage = self.call(calls)
            if usage.wall_s > seconds / 4:
                break
            calls *= 4
        self.calls = max(1000, round(rate * seconds / 1000) * 1000)

    def measure(self, sync_us):
        disk.settle()
        bytes_before = self.server.disk_bytes()
        rate, usage = self.call(self.calls)
        self.rates.append(rate)
        self.usages.append(usage)
        self.disk_bytes.append((self.server.disk_bytes() - bytes_before) / self.calls)
        self.sync_us.append(sync_us)

    def rate(self):
        return statistics.median(self.rates)

    def cpu_us(self):
        return statistics.median(usage.server_cpu_s * 1e6 / self.calls for usage in self.usages)

    def shares(self):
        """Of calls in flight / sync time."""
        return [rate * sync_us / 1e6 / in_flight(self.shape)
                for rate, sync_us in zip(self.rates, self.sync_us)]


def grpc_contender(server, shape, keys, op, name=None):
    def call(calls):
        row, usage = loads.call_grpc(server, keys, *numbers(shape), calls, "--op", op)
        return float(row["calls_per_s"]), usage
    return Contender(server, shape, call, name)


def redis_contender(server, shape, keys):
    def call(calls):
        connections, pipeline = numbers(shape)
        row, usage = loads.call_redis(server, connections, pipeline, calls, "-t", "set", "-r", keys,
                                      "-d", loads.VALUE_BYTES)
        return float(row["rps"]), usage
    return Contender(server, shape, call)


class Durable:
    def __init__(self, chosen, folder):
        self.options = chosen
        self.folder = folder
        self.probe_folder = folder("probe")
        self.servers = []
        self.contenders = []
        self.syncs_us = []
        self.latencies = {state: [] for state in (ALONE, UNLOGGED, DURABLE)}
        self.writer_rates = []
        self.latency_usages = []

    def start(self, server, fill=None):
        self.servers.append(server)
        if fill is not None:
            say(f"{server.name}: putting in {self.options.keys:,} keys")
            fill(server, self.options.keys)
        return server

    def start_servers(self):
        keys = self.options.keys
        self.ours = self.start(disk.start_keystore(self.folder("keystore"), "always"),
                               loads.fill_grpc)
        self.unlogged = self.start(disk.start_keystore(self.folder("unlogged"), "none"),
                                   loads.fill_grpc)
        redis = self.start(disk.start_redis(self.folder("redis"), "--appendonly", "yes",
                                            "--appendfsync", "always"), loads.fill_redis)
        # A put of etcd is as new as any other: it keeps them all.
        etcd = self.start(disk.start_etcd(self.folder("etcd")))
        self.contenders = [grpc_contender(self.ours, shape, keys, "set")
                           for shape in OURS + LAW_SHAPES]
        slow = self.start(disk.start_keystore(self.folder("slow"), "always", slow_us=SLOW_US),
                          loads.fill_grpc)
        self.contenders += [grpc_contender(slow, shape, keys, "set", SLOWED)
                            for shape in LAW_SHAPES + OURS]
        self.contenders += [redis_contender(redis, PEERS[REDIS], keys),
                            grpc_contender(etcd, PEERS[ETCD], keys, "etcdput")]

    def stop(self):
        for server in self.servers:
            server.stop()

    def find(self, name, shape):
        return next(contender for contender in self.contenders
                    if (contender.name, contender.shape) == (name, shape))

    def measure(self):
        say("warming up")
        for contender in self.contenders:
            contender.calibrate(self.options.seconds)
        for i in range(self.options.rounds):
            say(f"round {i + 1} of {self.options.rounds}")
            first = i % len(self.contenders)
            for contender in self.contenders[first:] + self.contenders[:first]:
                contender.measure(self.probe_slowed() if contender.name == SLOWED
                                  else self.probe())
            self.measure_beside(i)

    def probe(self):
        disk.settle()
        sync_us = disk.sync_us(self.probe_folder)
        self.syncs_us.append(sync_us)
        return sync_us

    def probe_slowed(self):
        disk.settle()
        return disk.slowed_sync_us(self.probe_folder, SLOW_US)

    # Gets during writes.

    def measure_beside(self, i):
        states = [ALONE, DURABLE, UNLOGGED]
        # The writers without a log are as fast as the durable ones of the same round.
        if i % 2 == 1:
            states = [DURABLE, UNLOGGED, ALONE]
        for state in states:
            disk.settle()
            self.measure_gets(state)

    def measure_gets(self, state):
        server = self.unlogged if state == UNLOGGED else self.ours
        seconds = self.options.latency_seconds
        timing = ["-t", seconds, "--warmup", seconds / 10]
        commands = [loads.keystore_bench(server, self.options.keys, READERS, 100, "--op", "get",
                                         "--rate", self.options.rate, *timing)]
        if state != ALONE:
            pace = ["--rate", round(self.writer_rates[-1])] if state == UNLOGGED else []
            commands.append(loads.keystore_bench(server, self.options.keys, WRITERS, 1, "--op",
                                                 "set", "--seed", 2, *pace, *timing))
        outputs, usage = process.run_loads(server, commands)
        rows = [loads.only_row(output, "keystore-bench") for output in outputs]
        for row in rows:
            loads.check_grpc(server, row)
        if state == DURABLE:
            self.writer_rates.append(float(rows[1]["calls_per_s"]))
        self.latencies[state].append(loads.latencies(rows[0]))
        self.latency_usages.append(usage)

    # Reporting.

    def ratio_table(self):
        rows = []
        for peer, aim in AIMS.items():
            theirs = self.find(peer, PEERS[peer])
            for shape in OURS:
                ours = self.find(KEYSTORE, shape)
                ratios = [our / their for our, their in zip(ours.rates, theirs.rates)]
                ratio = ours.rate() / theirs.rate()
                rows.append([shape, f"{peer}, {theirs.shape}", f"{ratio:.2f}x",
                             f"{min(ratios):.2f} to {max(ratios):.2f}",
                             f"{theirs.cpu_us() / ours.cpu_us():.2f}x", f"{aim}x",
                             report.verdict(ratio >= aim)])
        return report.table(["KeyStore at", "compared with", " durable Sets/s, times", " in single rounds",
                             " CPU per Set cheaper by", " aim, Sets/s", "reached"], rows)

    def rate_table(self):
        rows = []
        for one in self.contenders:
            busy = statistics.median(usage.load_busy for usage in one.usages)
            server_busy = statistics.median(usage.server_cpu_s / usage.wall_s
                                            for usage in one.usages)
            rows.append([one.shape, one.name, report.number(one.rate()), report.spread(one.rates),
                         f"{one.cpu_us():.2f}", f"{server_busy:.0%}", f"{busy:.0%}",
                         f"{statistics.median(one.disk_bytes):,.0f}"])
        return report.table(["in flight", "server", " Sets/s", " spread", " CPU µs per Set",
                             " server busy", " load busy", " bytes to disk per Set"], rows)

    def law_table(self):
        rows = []
        for one in self.contenders:
            if one.name not in (KEYSTORE, SLOWED):
                continue
            share = statistics.median(one.shares())
            limit = in_flight(one.shape) * 1e6 / statistics.median(one.sync_us)
            aimed = one.shape in LAW_SHAPES
            rows.append([one.shape, one.name, report.number(statistics.median(one.sync_us)),
                         report.number(limit), report.number(one.rate()),
                         f"{share:.0%}", f"{min(one.shares()):.0%} to {max(one.shares()):.0%}",
                         f"{LAW_AIM:.0%}" if aimed else "",
                         report.verdict(share >= LAW_AIM) if aimed else ""])
        return report.table(["in flight", "server", " sync µs", " in flight / sync time", " Sets/s",
                             " share", " in single rounds", " aim", "reached"], rows)

    def latency_table(self):
        medians = {state: median_latencies(rounds) for state, rounds in self.latencies.items()}
        rows = [[state, *(report.number(values[key]) for key in loads.LATENCIES)]
                for state, values in medians.items()]
        for label, base in (("durable writers over none", ALONE),
                            ("durable writers over those without a log", UNLOGGED)):
            rows.append([label, *(f"{medians[DURABLE][key] / medians[base][key]:.2f}x"
                                  for key in loads.LATENCIES)])
        ratio = medians[DURABLE]["p99"] / medians[ALONE]["p99"]
        rows.append(["aim", *(f"{BESIDE_AIM}x: {report.verdict(ratio <= BESIDE_AIM)}" if key == "p99"
                              else "" for key in loads.LATENCIES)])
        return report.table(["Gets", *(f" {key} µs" for key in loads.LATENCIES)], rows)

    def rounds_table(self):
        rows = [[one.shape, one.name, f"{one.calls:,}",
                 " ".join(f"{rate:.0f}" for rate in one.rates),
                 " ".join(f"{sync_us:.0f}" for sync_us in one.sync_us)]
                for one in self.contenders]
        return report.table(["in flight", "server", " Sets per round", "Sets/s, by round",
                             "sync µs before it, by round"], rows)

    def latency_rounds_table(self):
        rows = [[state, *(" ".join(report.number(values[key]) for values in rounds)
                          for key in loads.LATENCIES)]
                for state, rounds in self.latencies.items()]
        return report.table(["Gets", *(f"{key} µs, by round" for key in loads.LATENCIES)], rows)

    def machine_table(self):
        rows = report.machine_rows(f"{loads.BIN}/keystore-server")
        rows += [["redis", report.first_line(["redis-server", "--version"])],
                 ["etcd", report.package_version("etcd-server")],
                 ["disk", f"{disk.file_system(self.probe_folder)}; appending "
                          f"{disk.PROBE_BYTES:,} bytes and a sync: median "
                          f"{statistics.median(self.syncs_us):.0f} µs, in single rounds "
                          f"{min(self.syncs_us):.0f} to {max(self.syncs_us):.0f}"]]
        return report.table(["machine", ""], rows)

    def summary(self):
        usages = [usage for one in self.contenders for usage in one.usages]
        return "\n".join([
            "## Durable Sets, 1,000 in flight, server of one thread\n", self.ratio_table(),
            self.rate_table(),
            "## The share of what the disk allows\n", LAW, self.law_table(),
            f"## Gets during writes, {self.options.rate:,} Gets/s on {READERS} connections, open "
            "loop\n", BESIDE.format(median=report.number(statistics.median(self.writer_rates))),
            self.latency_table(), report.disturbance(usages + self.latency_usages), ""])

    def details(self):
        return "\n".join(["## How\n", __doc__.partition("\n\n")[2],
                          HOW.format(o=self.options, tick_ms=1000 // TICKS_PER_S),
                          "## Each round\n", self.rounds_table(), self.latency_rounds_table()])


LAW = """A client that waits for each answer makes at most one durable write per sync, so calls in
flight / sync time is an upper bound. The sync time is measured just before each measurement. With
1,000 in flight the processor is the bottleneck, not the disk; and if a sync takes no longer than
the round trip of a call, both count. So the measurement was repeated on a disk slowed down by
`peers/slow_sync.c`, with syncs of 4 ms.
"""

BESIDE = """Eight more connections call Set without pause, {median} Sets/s in the median; without a
log they call Set at the same rate, which shows the cost of sharing core 1 among the loads and core
0 among the server's threads.
"""

HOW = """`script/bench durable` with {o.rounds} rounds; {o.keys:,} keys of 16 bytes with values of 32.
A measurement of Sets takes about {o.seconds:g} s, one of latency {o.latency_seconds} s after a warm-up
of a tenth of that. CPU time is user + system time of the server's process, in steps of {tick_ms} ms.
The load of KeyStore and etcd is `keystore-bench`, that of redis `redis-benchmark`. All servers have
the keys in advance, except etcd, which keeps every version of a key anyway. No server rewrites its
log during a measurement, and pending writes of the machine are synced before each.
"""


def median_latencies(rounds):
    return {key: statistics.median(values[key] for values in rounds) for key in loads.LATENCIES}


def main(arguments):
    parser = options.parser("durable", __doc__)
    parser.add_argument("--seconds", type=float, metavar="S",
                        help="per measurement of Sets (default 5; with --quick 0.5)")
    parser.add_argument("--latency-seconds", type=options.whole_number, metavar="S",
                        help="per measurement of latency (default 10; with --quick 1)")
    parser.add_argument("--rate", type=options.whole_number, metavar="N", default=20000,
                        help="Gets per second during writes (default 20000)")
    chosen = options.parse(parser, arguments)
    chosen.seconds = chosen.seconds or (0.5 if chosen.quick else 5)
    chosen.latency_seconds = chosen.latency_seconds or (1 if chosen.quick else 10)

    with disk.folders() as folder:
        durable = Durable(chosen, folder)
        try:
            durable.start_servers()
            durable.measure()
        finally:
            durable.stop()
        summary = durable.summary()
        print(summary)
        report.write(report.results_path(chosen.results, "durable", "md"), "\n".join([
            "# Durable Sets compared with redis and etcd\n", durable.machine_table(), summary,
            durable.details()]))


if __name__ == "__main__":
    options.run(main)
