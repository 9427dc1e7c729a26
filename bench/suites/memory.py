"""Memory per key and list element, compared with redis: strings, deadlines, lists.

Each measurement has a fresh server, whose memory (RSS) is read before it was filled and again when
it holds still afterwards; the difference is divided by the keys, or by the elements of lists. The
same keys and values go into redis. Ours and redis take turns, and who comes first changes from
round to round.
"""
import statistics
import time

from harness import loads, options, report
from harness.loads import KEYSTORE, REDIS
from harness.process import Failure, say

# Far enough that nothing expires.
TTL_S = 100000
TEXT_BYTES, NUMBER_DIGITS = 8, 7
STILL_S, SETTLING_S = 0.5, 30


class Strings:
    """Keys of 16 bytes with strings."""

    def __init__(self, value_bytes, ttl_s, aim):
        self.value_bytes = value_bytes
        self.ttl_s = ttl_s
        self.aim = aim
        self.unit = "key"
        self.name = (f"16 B keys, {value_bytes} B values" + (", with TTL" if ttl_s else ""))

    def fill_keystore(self, server, keys):
        loads.fill_grpc(server, keys, "-d", self.value_bytes, "--ttl", self.ttl_s)

    def fill_redis(self, server, keys):
        expire_at_ms = round((time.time() + self.ttl_s) * 1000) if self.ttl_s else 0
        loads.fill_redis(server, keys, self.value_bytes, expire_at_ms)


class Lists:
    """Lists of `elements` equal elements, as many as make so many elements in all."""

    def __init__(self, elements, numbers, aim):
        self.elements = elements
        self.numbers = numbers
        self.aim = aim
        self.unit = "element"
        kind = f"numbers of {NUMBER_DIGITS} digits" if numbers else f"text of {TEXT_BYTES} bytes"
        self.name = f"lists of {elements:,}: {kind}"

    def fill_keystore(self, server, count):
        size = ("-d", NUMBER_DIGITS, "--numbers") if self.numbers else ("-d", TEXT_BYTES)
        loads.fill_grpc_lists(server, count // self.elements, self.elements, *size)

    def fill_redis(self, server, count):
        element = "1234567"[:NUMBER_DIGITS] if self.numbers else "x" * TEXT_BYTES
        loads.fill_redis_lists(server, count // self.elements, self.elements, element)


CASES = [Strings(32, 0, 0.55), Strings(32, TTL_S, 0.45), Strings(8, 0, None),
         *(Lists(elements, numbers, 1.0) for elements in (10, 1000) for numbers in (False, True))]


def settled_rss(server):
    """The server's memory once it stays the same."""
    deadline = time.monotonic() + SETTLING_S
    before = server.rss_bytes()
    while time.monotonic() < deadline:
        time.sleep(STILL_S)
        now = server.rss_bytes()
        if now == before:
            return now
        before = now
    raise Failure(f"the memory of {server.name} did not hold still for {SETTLING_S} s")


def measure(case, count, name):
    """Bytes per key or element."""
    start, fill = ((loads.start_keystore, case.fill_keystore) if name == KEYSTORE
                   else (loads.start_redis, case.fill_redis))
    with start() as server:
        before = settled_rss(server)
        fill(server, count)
        return (settled_rss(server) - before) / count


class Memory:
    def __init__(self, sizes, rounds):
        self.sizes = sizes
        self.rounds = rounds
        self.bytes = {}  # (case, size, server) -> one number per round

    def run(self):
        for i in range(self.rounds):
            for size in self.sizes:
                for case in CASES:
                    say(f"round {i + 1} of {self.rounds}: {size:,}, {case.name}")
                    for name in (KEYSTORE, REDIS)[::1 if i % 2 == 0 else -1]:
                        value = measure(case, size, name)
                        self.bytes.setdefault((case, size, name), []).append(value)

    def table(self):
        rows = []
        for size in self.sizes:
            for case in CASES:
                ours = statistics.median(self.bytes[case, size, KEYSTORE])
                redis = statistics.median(self.bytes[case, size, REDIS])
                rows.append([f"{size:,} {case.unit}s", case.name, f"{ours:.1f}", f"{redis:.1f}",
                             f"{ours / redis:.2f}x", *self.aim(case, size, ours / redis)])
        return report.table(["in all", "what", " KeyStore, B each", " redis, B each", " ratio",
                             " aim, at most", "reached"], rows)

    def aim(self, case, size, ratio):
        """Goals apply to many keys: with few, fixed costs of a server dominate."""
        if case.aim is None or size != self.sizes[-1]:
            return "", ""
        return f"{case.aim:.2f}x", report.verdict(ratio <= case.aim)

    def rounds_table(self):
        rows = [[f"{size:,}", case.name, name, " ".join(f"{value:.2f}" for value in values)]
                for (case, size, name), values in self.bytes.items()]
        return report.table([" in all", "what", "server", "B each, by round"], rows)


def main(arguments):
    parser = options.parser("memory", __doc__, rounds=3)
    chosen = options.parse(parser, arguments)
    memory = Memory([chosen.keys, 10 * chosen.keys], chosen.rounds)
    memory.run()
    summary = "## Bytes of memory for each key or element\n\n" + memory.table()
    print(summary)
    path = report.results_path(chosen.results, "memory", "md")
    machine = report.machine_rows(f"{loads.BIN}/keystore-server")
    machine.append(["redis", report.first_line(["redis-server", "--version"])])
    report.write(path, "\n".join([
        "# Memory compared with redis\n", report.table(["machine", ""], machine), summary,
        "## How\n", __doc__.partition("\n\n")[2],
        f"`script/bench memory` with {chosen.rounds} rounds, medians of them. The bytes of a list's "
        "element have its share of the list and its key.\n",
        "## Each round\n", memory.rounds_table()]))


if __name__ == "__main__":
    options.run(main)
