"""Unary Get compared with redis, gRPC C++ and nghttp2's session: CPU time and latency.

Every server runs on core 0, the load on core 1. In each round every server is measured in every
shape, in an order that moves on by one from round to round. The shapes are connections x calls in
flight on each. Latency is measured open-loop at half of what redis reaches without pipelining.
"""
import os
import statistics

from harness import loads, options, plot, report
from harness.contender import Contender, measure_in_turn
from harness.loads import KEYSTORE
from harness.process import TICKS_PER_S, say

SHAPES = ["10 x 100", "1 x 100", "50 x 1"]
NGHTTP2, GRPC = "nghttp2's session", "gRPC C++"
# (shape, peer): how many times cheaper a call should be than the peer's.
AIMS = {("10 x 100", GRPC): 25, ("10 x 100", NGHTTP2): 2.5, ("10 x 100", "redis -P 16"): 1.8,
        ("50 x 1", "redis -P 1"): 1.0}
# Our latency over that of redis, at most.
LATENCY_AIMS = {"p50": 1.05, "p99": 0.8}
LATENCY_CONNECTIONS = 50


def grpc_contenders(server, keys):
    for shape in SHAPES:
        connections, streams = shape.split(" x ")
        yield Contender(server.name, shape, server,
                        lambda calls, c=connections, m=streams:
                        loads.get_grpc(server, keys, c, m, calls))


def redis_contenders(server, keys):
    for pipeline, shape in ((16, "10 x 100"), (100, "10 x 100"), (1, "50 x 1")):
        yield Contender(f"redis -P {pipeline}", shape, server,
                        lambda calls, p=pipeline: loads.get_redis(server, keys, 50, p, calls))


class Unary:
    def __init__(self, chosen):
        self.options = chosen
        self.servers = []
        self.contenders = []
        self.latencies = {}       # server name -> one {percentile: us} per round
        self.latency_usages = []
        self.remarks = []
        self.rate = 0

    def start(self, server, fill):
        self.servers.append(server)
        say(f"{server.name}: putting in {self.options.keys:,} keys")
        fill(server, self.options.keys)
        return server

    def start_servers(self):
        grpc = [self.start(loads.start_keystore(), loads.fill_grpc)]
        if os.access(f"{loads.BIN}/keystore-server-nghttp2", os.X_OK):
            grpc.append(self.start(loads.start_keystore(NGHTTP2, "keystore-server-nghttp2"),
                                   loads.fill_grpc))
        else:
            self.remark(f"There is no {loads.BIN}/keystore-server-nghttp2, so nghttp2's session "
                        "was left out.")
        grpc.append(self.start(loads.start_grpc_cpp(), loads.fill_grpc))
        redis = self.start(loads.start_redis(), loads.fill_redis)
        for server in grpc:
            self.contenders += grpc_contenders(server, self.options.keys)
        self.contenders += redis_contenders(redis, self.options.keys)

    def remark(self, sentence):
        self.remarks.append(sentence)
        say(sentence)

    def stop(self):
        for server in self.servers:
            server.stop()

    def find(self, name, shape):
        return next((contender for contender in self.contenders
                     if (contender.name, contender.shape) == (name, shape)), None)

    # Measuring.

    def measure_throughput(self):
        say("warming up")
        for contender in self.contenders:
            contender.calibrate(self.options.cpu_seconds)
        measure_in_turn(self.contenders, self.options.rounds)

    def measure_latency(self):
        redis_max = statistics.median(self.find("redis -P 1", "50 x 1").throughputs)
        self.rate = round(redis_max / 2)
        say(f"latency at {self.rate:,} calls/s")
        for i in range(self.options.rounds):
            say(f"latency: round {i + 1} of {self.options.rounds}")
            shift = i % len(self.servers)
            for server in self.servers[shift:] + self.servers[:shift]:
                if server.name != GRPC:
                    self.measure_latency_of(server)

    def measure_latency_of(self, server):
        get = loads.rate_redis if server.name == "redis" else loads.rate_grpc
        values, usage = get(server, self.options.keys, LATENCY_CONNECTIONS, self.rate,
                            self.options.latency_seconds)
        self.latencies.setdefault(server.name, []).append(values)
        self.latency_usages.append(usage)

    # Reporting.

    def throughput_table(self):
        rows = []
        for shape in SHAPES:
            for contender in self.contenders:
                if contender.shape == shape:
                    cpu_us = contender.cpu_us_median()
                    rows.append([
                        in_flight(contender), contender.name, f"{cpu_us:.2f}",
                        report.number(1e6 / cpu_us), report.spread(contender.cpu_us()),
                        report.number(statistics.median(contender.throughputs)),
                        f"{statistics.median(u.load_busy for u in contender.usages):.0%}"])
        return report.table(["in flight", "server", " CPU µs per call", " calls per CPU second",
                             " spread", " calls/s", " load busy"], rows)

    def ratio_table(self):
        rows = []
        for contender in self.contenders:
            if contender.name == KEYSTORE:
                continue
            ours = self.find(KEYSTORE, contender.shape)
            ratio = contender.cpu_us_median() / ours.cpu_us_median()
            rounds = [theirs / our for theirs, our in zip(contender.cpu_us(), ours.cpu_us())]
            aim = AIMS.get((contender.shape, contender.name))
            rows.append([contender.shape, f"{contender.name}{redis_shape(contender)}",
                         f"{ratio:.2f}x", f"{min(rounds):.2f} to {max(rounds):.2f}",
                         f"{aim:g}x" if aim else "", verdict(ratio, aim)])
        rows.sort(key=lambda row: SHAPES.index(row[0]))
        return report.table(["KeyStore at", "compared with", " CPU per call cheaper by",
                             " in single rounds", " aim", "reached"], rows)

    def latency_table(self):
        rows = []
        for name, rounds in self.latencies.items():
            medians = median_latencies(rounds)
            rows.append([name, *(report.number(medians[key]) for key in loads.LATENCIES)])
        ours = median_latencies(self.latencies[KEYSTORE])
        redis = median_latencies(self.latencies["redis"])
        rows.append(["KeyStore over redis", *(f"{ours[key] / redis[key]:.2f}x"
                                              for key in loads.LATENCIES)])
        rows.append(["aim", *(f"at most {LATENCY_AIMS[key]:g}x" if key in LATENCY_AIMS else ""
                              for key in loads.LATENCIES)])
        return report.table(["server", *(f" {key} µs" for key in loads.LATENCIES)], rows)

    def rounds_table(self):
        rows = []
        for shape in SHAPES:
            for contender in self.contenders:
                if contender.shape == shape:
                    rows.append([in_flight(contender), contender.name, f"{contender.calls:,}",
                                 " ".join(f"{value:.3f}" for value in contender.cpu_us()),
                                 " ".join(f"{value:.0f}" for value in contender.throughputs)])
        return report.table(["in flight", "server", " calls per round", "CPU µs per call, by round",
                             "calls/s, by round"], rows)

    def latency_rounds_table(self):
        rows = [[name, *(" ".join(report.number(values[key]) for values in rounds)
                         for key in loads.LATENCIES)]
                for name, rounds in self.latencies.items()]
        return report.table(["server", *(f"{key} µs, by round" for key in loads.LATENCIES)], rows)

    def machine_table(self):
        rows = report.machine_rows(f"{loads.BIN}/keystore-server")
        rows += [["redis", report.first_line(["redis-server", "--version"])],
                 ["gRPC C++", report.package_version("libgrpc++1.51")],
                 ["nghttp2", report.package_version("libnghttp2-14")]]
        return report.table(["machine", ""], rows)

    def summary(self):
        usages = [usage for contender in self.contenders for usage in contender.usages]
        parts = [
            "## CPU time per call, server of one thread",
            self.ratio_table(), self.throughput_table(),
            f"## Latency at {self.rate:,} calls/s on {LATENCY_CONNECTIONS} connections, open loop",
            "Half of what redis -P 1 reached. From the scheduled moment of sending to the answer.",
            self.latency_table(), report.disturbance(usages + self.latency_usages), *self.remarks]
        return "\n".join(part if part.endswith("\n") else part + "\n" for part in parts)

    def details(self):
        return "\n".join([
            "## How\n", HOW.format(o=self.options, tick_ms=1000 // TICKS_PER_S),
            "## Each round\n", self.rounds_table(), self.latency_rounds_table()])

    def bars(self, title):
        groups = []
        for shape in SHAPES:
            ours = self.find(KEYSTORE, shape).cpu_us_median()
            bars = [plot.Bar(contender.name + redis_shape(contender),
                             1e6 / contender.cpu_us_median(), contender.name == KEYSTORE,
                             "" if contender.name == KEYSTORE
                             else f"{contender.cpu_us_median() / ours:.2f}x")
                    for contender in self.contenders if contender.shape == shape]
            connections, streams = shape.split(" x ")
            groups.append((f"{connections} connection{'s' * (connections != '1')}, {streams} "
                           f"call{'s' * (streams != '1')} in flight on each", bars))
        return plot.bars("Unary Get: calls per second of server CPU time", title, groups)


HOW = """`script/bench unary` with {o.rounds} rounds; {o.keys:,} keys of 16 bytes with values of 32.
CPU time is user + system time of the server's process over a whole run of the load, counted in
steps of {tick_ms} ms; a run is as long as {o.cpu_seconds:g} s of it take. Where the load is more
than 90 % busy, calls/s say how fast the load is, not the server. The gRPC servers are loaded by
`keystore-bench`, redis by `redis-benchmark` on 50 connections. Ratios are those of the medians;
"in single rounds" has the lowest and highest ratio of measurements from the same round.
Latency: {o.latency_seconds} s by `keystore-bench --rate`, and by `bench/peers/redis_rate.c` for
redis, after a tenth of that to warm up.
"""


def redis_shape(contender):
    return ", 50 connections" if contender.name.startswith("redis") else ""


def in_flight(contender):
    if contender.name.startswith("redis"):
        return f"50 x {contender.name.split()[-1]}"
    return contender.shape


def median_latencies(rounds):
    return {key: statistics.median(values[key] for values in rounds) for key in loads.LATENCIES}


def verdict(ratio, aim):
    if aim is None:
        return ""
    return report.verdict(ratio >= aim)


def main(arguments):
    parser = options.parser("unary", __doc__)
    parser.add_argument("--cpu-seconds", type=float, metavar="S",
                        help="server CPU time per measurement (default 1.5; with --quick 0.3)")
    parser.add_argument("--latency-seconds", type=options.whole_number, metavar="S",
                        help="seconds per latency measurement (default 5; with --quick 1)")
    chosen = options.parse(parser, arguments)
    chosen.cpu_seconds = chosen.cpu_seconds or (0.3 if chosen.quick else 1.5)
    chosen.latency_seconds = chosen.latency_seconds or (1 if chosen.quick else 5)

    unary = Unary(chosen)
    try:
        unary.start_servers()
        unary.measure_throughput()
        unary.measure_latency()
    finally:
        unary.stop()
    summary = unary.summary()
    print(summary)
    text_path = report.results_path(chosen.results, "unary", "md")
    plot_path = report.results_path(chosen.results, "unary", "svg")
    title = f"{report.cpu_model()}, one server thread, medians of {chosen.rounds} rounds"
    report.write(plot_path, unary.bars(title))
    report.write(text_path, "\n".join([
        "# Unary Get compared with its peers\n", unary.machine_table(),
        f"![calls per second of server CPU time]({os.path.basename(plot_path)})\n", summary,
        unary.details()]))


if __name__ == "__main__":
    options.run(main)
