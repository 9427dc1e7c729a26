"""Idle connections: the memory of each, and the cost of calls with many of them.

Every round has a fresh server of one thread on core 0. Its memory (RSS) is read before and after so
many connections have exchanged SETTINGS, and again when each has made one Get. Then 50 other
connections call Get, one call in flight on each, with the idle ones and without them. The
kernel's own memory for sockets is not in the RSS.
"""
import statistics
import time

from harness import loads, options, report
from harness.idle import IdleConnections
from harness.process import Failure, raise_file_limit, say

AIM_BYTES = 8192
AIM_THROUGHPUT = 0.9
ACTIVE = 50
ALONE, BESIDE = "alone", "beside"
CLOSING_S = 30


class Round:
    """What one fresh server cost."""

    def __init__(self, chosen, beside_first):
        self.options = chosen
        self.throughput = {}
        self.usage = {}
        with loads.start_keystore() as server:
            self.server = server
            self.files = server.open_files()
            self.measure_memory()
            loads.fill_grpc(server, chosen.keys)
            self.measure_calls(beside_first)

    def idle(self, count):
        return IdleConnections(self.server.port, count)

    def wait_until_closed(self):
        deadline = time.monotonic() + CLOSING_S
        while self.server.open_files() > self.files:
            if time.monotonic() > deadline:
                raise Failure(f"{CLOSING_S} s after all connections were closed, the server still "
                              f"has {self.server.open_files() - self.files} of them open")
            time.sleep(0.01)

    def measure_memory(self):
        # What the first connection of all brings, such as tables of libraries, is nobody's.
        with self.idle(1) as first:
            first.get_once()
        self.wait_until_closed()
        count = self.options.connections
        before = self.server.rss_bytes()
        with self.idle(count) as idle:
            self.greeted_bytes = (self.server.rss_bytes() - before) / count
            idle.get_once()
            self.used_bytes = (self.server.rss_bytes() - before) / count
        self.wait_until_closed()

    def measure_calls(self, beside_first):
        for state in (BESIDE, ALONE) if beside_first else (ALONE, BESIDE):
            with self.idle(self.options.connections if state == BESIDE else 0):
                self.throughput[state], self.usage[state] = loads.get_grpc(
                    self.server, self.options.keys, ACTIVE, 1, self.options.calls)
            self.wait_until_closed()

    def cpu_us(self, state):
        return self.usage[state].server_cpu_s * 1e6 / self.options.calls


def median(rounds, value):
    return statistics.median(value(one) for one in rounds)


def result_table(rounds):
    greeted = median(rounds, lambda one: one.greeted_bytes)
    used = median(rounds, lambda one: one.used_bytes)
    rows = [["memory per idle connection after the greeting", f"{greeted:,.0f} B",
             f"{AIM_BYTES:,} B", report.verdict(greeted <= AIM_BYTES)],
            ["memory per idle connection after one Get", f"{used:,.0f} B", f"{AIM_BYTES:,} B",
             report.verdict(used <= AIM_BYTES)]]
    for state, label in ((ALONE, "without idle ones"), (BESIDE, "with the idle ones")):
        rows.append([f"Get on {ACTIVE} connections {label}: calls/s",
                     report.number(median(rounds, lambda one: one.throughput[state])), "", ""])
        rows.append([f"Get on {ACTIVE} connections {label}: CPU µs per call",
                     f"{median(rounds, lambda one: one.cpu_us(state)):.2f}", "", ""])
    ratio = median(rounds, lambda one: one.throughput[BESIDE] / one.throughput[ALONE])
    cpu = median(rounds, lambda one: one.cpu_us(ALONE) / one.cpu_us(BESIDE))
    rows.append(["calls/s with over without", f"{ratio:.2f}x", f"{AIM_THROUGHPUT}x",
                 report.verdict(ratio >= AIM_THROUGHPUT)])
    rows.append(["calls per CPU second with over without", f"{cpu:.2f}x", f"{AIM_THROUGHPUT}x",
                 report.verdict(cpu >= AIM_THROUGHPUT)])
    return report.table(["", " value", " aim", "reached"], rows)


def rounds_table(rounds):
    rows = [[i + 1, f"{one.greeted_bytes:,.0f}", f"{one.used_bytes:,.0f}",
             f"{one.throughput[ALONE]:.0f}", f"{one.cpu_us(ALONE):.3f}",
             f"{one.throughput[BESIDE]:.0f}", f"{one.cpu_us(BESIDE):.3f}"]
            for i, one in enumerate(rounds)]
    return report.table([" round", " B after greeting", " B after one Get", " calls/s without",
                         " CPU µs without", " calls/s with", " CPU µs with"], rows)


def main(arguments):
    parser = options.parser("connections", __doc__)
    parser.add_argument("--connections", type=options.whole_number, metavar="N",
                        help="idle connections (default 10000; with --quick 1000)")
    parser.add_argument("--calls", type=options.whole_number, metavar="N",
                        help="Gets per measurement (default 200000; with --quick 20000)")
    chosen = options.parse(parser, arguments)
    chosen.connections = chosen.connections or (1000 if chosen.quick else 10000)
    chosen.calls = chosen.calls or (20000 if chosen.quick else 200000)
    # On either side of each connection; the rest is what programs have open anyway.
    raise_file_limit(chosen.connections + ACTIVE + 200)

    rounds = []
    for i in range(chosen.rounds):
        say(f"round {i + 1} of {chosen.rounds}")
        rounds.append(Round(chosen, beside_first=i % 2 == 1))
    usages = [usage for one in rounds for usage in one.usage.values()]
    summary = "\n".join([
        f"## {chosen.connections:,} idle connections, server of one thread\n", result_table(rounds),
        report.disturbance(usages)])
    print(summary)
    path = report.results_path(chosen.results, "connections", "md")
    report.write(path, "\n".join([
        "# Idle connections\n",
        report.table(["machine", ""], report.machine_rows(f"{loads.BIN}/keystore-server")), summary,
        "", "## How\n", __doc__.partition("\n\n")[2],
        f"`script/bench connections` with {chosen.rounds} rounds, medians of them; "
        f"{chosen.keys:,} keys of 16 bytes with values of 32, "
        f"{chosen.calls:,} calls a measurement.\n",
        "## Each round\n", rounds_table(rounds)]))


if __name__ == "__main__":
    options.run(main)
