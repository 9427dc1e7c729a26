"""Delays by one heavy call: the longest Get of another key while it runs, and without it.

A server with two threads on the whole machine, fresh for each call. Gets of a few keys arrive
open-loop at a fixed rate on a few connections, so latency counts from when a Get was due, whatever
delayed it: once with nothing else, and once while `peers/heavy_call.c` makes one call that
asks for much. Such a call may be refused; then the table says so.
"""
import statistics
import subprocess

from harness import loads, options, process, report
from harness.process import Failure, say

KEYS, CONNECTIONS, RATE = 8, 8, 2000  # so few keys seldom share a shard with that of the call
AIM_MS = 10
LEAD_S = 0.5   # of Gets before the heavy call begins

NOTES = {
    "exists": "Exists of one key 6 million times",
    "rpush": "RPush of 5 M empty values",
    "lpos": "Txn of 20 LPos over a list of 4.5 M",
    "save": "Save with a list of 4.5 M elements",
    "lranges": "Txn of 100,000 LRange of 10",
    "lrem": "LRem of 2.25 M elements",
    "gets": "Txn of 100,000 Gets",
    "sets": "Txn of 100,000 Sets",
    "mget": "MGet of 500,000 keys",
    "lrange": "LRange of 4.5 M elements",
    "deletemany": "DeleteMany of 500,000 keys",
    "set": "Set of 60 MiB",
    "copy": "Copy of a list of 4.5 M",
    "delete": "Delete of a list of 4.5 M",
}


class HeavyCall:
    """The program that makes one; it has prepared what the call needs."""

    def __init__(self, server, name):
        self.process = subprocess.Popen(
            [f"{loads.PEERS}/heavy-call", f"127.0.0.1:{server.port}", name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise Failure(f"heavy-call {name} could not prepare its call")

    def run(self):
        """How long it took in ms, and "ok" or why it was refused."""
        output, _ = self.process.communicate("\n")
        if self.process.returncode != 0 or not output:
            raise Failure(f"heavy-call ended with {self.process.returncode}")
        took, _, answer = output.strip().partition(" ")
        return float(took), answer


class Result:
    """One call in one round; latencies are in µs by name."""

    def __init__(self, name, seconds):
        with loads.start_keystore(more=["--threads", 2, "--max-value", 64 << 20], core=None) as server:
            loads.fill_grpc(server, KEYS)
            heavy = HeavyCall(server, name)
            self.before = loads.latencies(loads.only_row(self.load(server, seconds), "bench"))
            load = process.start_load(self.command(server, seconds))
            try:
                load.wait(LEAD_S)
                raise Failure("keystore-bench ended before the heavy call began")
            except subprocess.TimeoutExpired:
                self.took_ms, self.answer = heavy.run()
            row = loads.only_row(process.finish_load(server, load), "keystore-bench")
            loads.check_grpc(server, row)
            self.during = loads.latencies(row)

    @staticmethod
    def command(server, seconds):
        return loads.keystore_bench(server, KEYS, CONNECTIONS, 100, "--op", "get", "--rate", RATE,
                                    "-t", seconds)

    def load(self, server, seconds):
        return process.run_load(server, self.command(server, seconds))[0]

    def excess_ms(self, name):
        return (self.during[name] - self.before[name]) / 1000


def median(results, name):
    return statistics.median(result.excess_ms(name) for result in results)


def table_of(measured):
    rows = []
    for name, results in measured.items():
        worst = median(results, "max")
        refused = next((one.answer for one in results if one.answer != "ok"), "")
        rows.append([NOTES[name], report.number(statistics.median(one.took_ms for one in results)),
                     *(f"{median(results, each):.1f}" for each in ("p99", "p99.9", "max")),
                     report.verdict(worst <= AIM_MS), refused[:60]])
    return report.table(["call", " takes ms", " p99 +ms", " p99.9 +ms", " longest +ms",
                         f"at most {AIM_MS} ms", "refused"], rows)


def main(arguments):
    parser = options.parser("stalls", __doc__, rounds=3)
    parser.add_argument("--calls", metavar="NAME", nargs="+", choices=NOTES, default=list(NOTES),
                        help=f"only these: {', '.join(NOTES)}")
    chosen = options.parse(parser, arguments)
    seconds = 2 if chosen.quick else 4
    measured = {name: [] for name in chosen.calls}
    for number in range(chosen.rounds):
        for name in chosen.calls:
            measured[name].append(Result(name, seconds))
            last = measured[name][-1]
            say(f"round {number + 1}: {name} took {last.took_ms:.0f} ms and delayed the longest Get by "
                f"{last.excess_ms('max'):.1f} ms")
    table = table_of(measured)
    print(table)
    report.write(report.results_path(chosen.results, "stalls", "md"), "\n".join([
        "# What one heavy call delays\n",
        report.table(["machine", ""], report.machine_rows(f"{loads.BIN}/keystore-server")),
        "How much longer Gets of other keys took than in the same load without the call: medians "
        "of the rounds.\n", table, "## How\n", __doc__.partition("\n\n")[2],
        f"`script/bench stalls`: {RATE:,} Gets per second for {seconds} s on {CONNECTIONS} "
        f"connections, {chosen.rounds} rounds.\n"]))


if __name__ == "__main__":
    options.run(main)
