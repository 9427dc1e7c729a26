"""A million keys that expire at one moment: the latency of requests then, and before.

Each round has a fresh server of each kind with keys that stay and keys that all expire at the same
moment. Gets of those that stay arrive open-loop at a fixed rate on a fixed number of connections:
once before the moment, which shows what the machine itself delays, and once from shortly before it
until the expired keys are gone. Server on core 0, load on core 1. Nobody reads an expired key, so
each is found and removed by the server itself.
"""
import statistics
import threading
import time

from harness import idle, loads, options, report
from harness.process import Failure, say

BEFORE, DURING = "before", "during"
STAYING_KEYS = 100000
CONNECTIONS, RATE = 50, 20000
AIM_US = 1000
LEAD_S = 0.5            # how long before the moment the second load begins to be measured
KEYS_PER_S = 100000     # more than so many a second are stored, even on a small machine
GIVE_UP_S = 120
PERCENTILES = ("p50", "p99", "p99.9", "max")


class KeyStore:
    name = loads.KEYSTORE
    start = staticmethod(loads.start_keystore)
    rate = staticmethod(loads.rate_grpc)

    @staticmethod
    def fill(server, expiring, ttl_s):
        loads.fill_grpc(server, STAYING_KEYS)
        moment = time.time() + ttl_s
        # A longer key is another key. The moment is ttl_s after keystore-bench began.
        loads.fill_grpc(server, expiring, "-k", loads.KEY_BYTES + 1, "--ttl", ttl_s)
        return moment

    @staticmethod
    def expired(server):
        return int(idle.info(server.port)["expired_keys"])


class Redis:
    name = loads.REDIS
    start = staticmethod(loads.start_redis)
    rate = staticmethod(loads.rate_redis)

    @staticmethod
    def fill(server, expiring, ttl_s):
        loads.fill_redis(server, STAYING_KEYS)
        moment = time.time() + ttl_s
        loads.fill_redis(server, expiring, expire_at_ms=round(moment * 1000), prefix="exp:")
        return moment

    @staticmethod
    def expired(server):
        return int(loads.redis_info(server, "stats")["expired_keys"])


class Removal(threading.Thread):
    """Notes how long after the moment all keys were gone. It asks from the beginning, so that both
    loads are disturbed alike."""

    def __init__(self, kind, server, expiring, moment):
        super().__init__(daemon=True)
        self.kind, self.server, self.expiring, self.moment = kind, server, expiring, moment
        self.seconds = None

    def run(self):
        while time.time() < self.moment + GIVE_UP_S:
            if self.kind.expired(self.server) >= self.expiring:
                self.seconds = time.time() - self.moment
                return
            time.sleep(0.1)


class Round:
    """Both loads on a fresh server."""

    def __init__(self, kind, chosen):
        self.latencies, self.usages = {}, []
        lasting_s = chosen.seconds
        # For the keys, and for the first load with its warm-up.
        ttl_s = 2 + round(chosen.keys / KEYS_PER_S + 1.3 * lasting_s)
        with kind.start() as server:
            moment = kind.fill(server, chosen.keys, ttl_s)
            removal = Removal(kind, server, chosen.keys, moment)
            removal.start()
            self.load(kind, server, BEFORE, lasting_s)
            begin = moment - LEAD_S - lasting_s / 10
            if time.time() > begin or kind.expired(server) > 0:
                raise Failure(f"{kind.name} was not filled and measured within {ttl_s} s; choose "
                              "fewer --keys")
            time.sleep(begin - time.time())
            self.load(kind, server, DURING, lasting_s)
            removal.join()
        self.removed_s = removal.seconds
        if self.removed_s is None:
            raise Failure(f"{kind.name} did not remove {chosen.keys:,} expired keys within "
                          f"{GIVE_UP_S} s")

    def load(self, kind, server, when, seconds):
        self.latencies[when], usage = kind.rate(server, STAYING_KEYS, CONNECTIONS, RATE, seconds)
        self.usages.append(usage)


def median(rounds, when, name):
    return statistics.median(one.latencies[when][name] for one in rounds)


def result_table(results):
    rows = []
    for name, rounds in results.items():
        for when in (BEFORE, DURING):
            rows.append([name, when, *(report.number(median(rounds, when, each))
                                       for each in PERCENTILES),
                         "" if when == BEFORE
                         else f"{statistics.median(one.removed_s for one in rounds):.1f}"])
    return report.table(["server", "Gets", *(f" {each} µs" for each in PERCENTILES),
                         " keys gone after s"], rows)


def verdict_sentence(rounds):
    longest = [median(rounds, when, "max") for when in (BEFORE, DURING)]
    delay_us = max(0.0, longest[1] - longest[0])
    return (f"Aim: nobody waits for the removal by more than {AIM_US:,} µs. KeyStore's longest Get "
            f"was {report.number(longest[0])} µs before and {report.number(longest[1])} µs "
            f"during, {delay_us:,.0f} µs more; its p99.9 {median(rounds, BEFORE, 'p99.9'):,.0f} and "
            f"{median(rounds, DURING, 'p99.9'):,.0f} µs. Reached: "
            f"{report.verdict(delay_us <= AIM_US)}.\n")


def rounds_table(results):
    rows = [[name, when, *(" ".join(report.number(one.latencies[when][each]) for one in rounds)
                           for each in PERCENTILES),
             " ".join(f"{one.removed_s:.1f}" for one in rounds) if when == DURING else ""]
            for name, rounds in results.items() for when in (BEFORE, DURING)]
    return report.table(["server", "Gets", *(f"{each} µs, by round" for each in PERCENTILES),
                         "keys gone after s"], rows)


def main(arguments):
    parser = options.parser("expiry", __doc__)
    parser.add_argument("--seconds", type=options.whole_number, metavar="S",
                        help="how long each load is measured (default 6; with --quick 3)")
    chosen = options.parse(parser, arguments)
    chosen.seconds = chosen.seconds or (3 if chosen.quick else 6)
    results = {KeyStore.name: [], Redis.name: []}
    for i in range(chosen.rounds):
        for kind in (KeyStore, Redis)[::1 if i % 2 == 0 else -1]:
            say(f"round {i + 1} of {chosen.rounds}: {kind.name}")
            results[kind.name].append(Round(kind, chosen))
    usages = [usage for rounds in results.values() for one in rounds for usage in one.usages]
    summary = "\n".join([
        f"## {chosen.keys:,} keys expire at one moment, {RATE:,} Gets/s of others in the meantime\n",
        result_table(results), verdict_sentence(results[loads.KEYSTORE]),
        report.disturbance(usages), ""])
    print(summary)
    path = report.results_path(chosen.results, "expiry", "md")
    machine = report.machine_rows(f"{loads.BIN}/keystore-server")
    machine.append(["redis", report.first_line(["redis-server", "--version"])])
    report.write(path, "\n".join([
        "# Many keys expire at once\n", report.table(["machine", ""], machine), summary,
        "## How\n", __doc__.partition("\n\n")[2],
        f"`script/bench expiry` with {chosen.rounds} rounds, medians of them; {STAYING_KEYS:,} keys "
        f"stay, {CONNECTIONS} connections, {chosen.seconds} s a measurement. Redis removes expired "
        "keys with its default `hz 10`.\n",
        "## Each round\n", rounds_table(results)]))


if __name__ == "__main__":
    options.run(main)
