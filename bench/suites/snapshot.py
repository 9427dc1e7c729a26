"""Snapshots: saving and loading compared with redis, and latency in the meantime.

Every server runs on core 0, snapshots included, the load on core 1, the data are on one disk. Save
is redis' SAVE, which does nothing else meanwhile (and its BGSAVE, a process of its own), and ours,
which serves on. Load is the time from the start of the program until it says that it serves; the
file is in memory by then. In each round ours and redis are measured, and who comes first changes.

Then Gets and Sets run on a schedule against ours, without snapshots and with one after the other.
"""
import statistics
import subprocess
import time

from harness import disk, loads, options, process, report
from harness.loads import KEYSTORE, REDIS
from harness.process import Failure, MachineTimes, TICKS_PER_S, Usage, say

SAVE, BGSAVE, LOAD = "save", "BGSAVE", "load"
AIMS = {SAVE: 3, LOAD: 4}
BEFORE, DURING = "before", "during snapshots"
AIM_STALL_US, AIM_P99, AIM_RSS = 1000, 1.2, 1.1
CONNECTIONS = 50
LOADING_S = 600
POLL_S = 0.01
# Values are the digits of the key and letters, as keystore-bench makes them: none shrinks much when
# redis packs it.
LETTERS = "qwzrtplkjhgfdsaxcvbnmyuio"


def measured(server, work):
    """What `work()` cost the server."""
    machine_before, cpu_before, began = MachineTimes(), server.cpu_s(), time.monotonic()
    work()
    return usage_since(machine_before, server.cpu_s() - cpu_before, time.monotonic() - began)


def usage_since(machine_before, server_cpu_s, wall_s):
    machine = MachineTimes()
    others_s = max(0.0, machine.busy_s - machine_before.busy_s - server_cpu_s)
    return Usage(wall_s, server_cpu_s, 0.0, others_s, machine.stolen_s - machine_before.stolen_s)


class Contender:
    """One server after the other on one folder."""

    def __init__(self, name, folder, keys):
        self.name = name
        self.folder = folder
        self.keys = keys
        self.server = None
        self.usages = {SAVE: [], BGSAVE: [], LOAD: []}

    def measure_save(self):
        disk.settle()
        self.usages[SAVE].append(measured(self.server, self.save))

    def measure_load(self):
        """Ends the server and starts it again."""
        self.server.stop()
        disk.settle()
        machine_before = MachineTimes()
        self.start()
        self.usages[LOAD].append(usage_since(machine_before, self.server.cpu_s(),
                                             self.server.ready_s))
        if self.count() != self.keys:
            raise Failure(f"{self.name} loaded {self.count()} of {self.keys} keys")

    def stop(self):
        if self.server is not None:
            self.server.stop()

    def wall_s(self, what):
        return [usage.wall_s for usage in self.usages[what]]

    def cpu_s(self, what):
        return [usage.server_cpu_s for usage in self.usages[what]]


class KeyStore(Contender):
    def __init__(self, folder, keys):
        super().__init__(KEYSTORE, folder, keys)

    def start(self):
        self.server = disk.start_keystore(self.folder, "everysec", LOADING_S)

    def cli(self, *words):
        command = process.on_core(process.LOAD_CORE, [
            f"{loads.BIN}/keystore-cli", "-p", self.server.port, "--timeout", 1000 * LOADING_S,
            *words])
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True)
        if result.returncode != 0:
            raise Failure(f"keystore-cli {' '.join(words)}: {result.stdout.strip()}")
        return result.stdout.strip()

    def fill(self):
        loads.fill_grpc(self.server, self.keys)

    def save(self):
        self.cli("SAVE")

    def save_again_and_again(self):
        """A process that asks for one snapshot after the other until it is ended."""
        command = process.on_core(process.LOAD_CORE, [
            f"{loads.BIN}/keystore-cli", "-p", self.server.port, "--timeout", 1000 * LOADING_S])
        asking = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        asking.stdin.write(b"SAVE\n" * 1000)
        asking.stdin.flush()
        return asking

    def count(self):
        return int(self.cli("DBSIZE"))


class Redis(Contender):
    def __init__(self, folder, keys):
        super().__init__(REDIS, folder, keys)

    def start(self):
        self.server = disk.start_redis(self.folder, "--appendonly", "no", timeout_s=LOADING_S)

    def fill(self):
        command = loads.redis_template("SET", "key:" + loads.KEY_NUMBER, "%07d" + LETTERS)
        command = command.replace(f"${4 + len(LETTERS)}\r\n", f"${loads.VALUE_BYTES}\r\n")
        blocks = ("".join(command % (key, key % 10**7)
                          for key in range(start, min(start + 1000, self.keys)))
                  for start in range(0, self.keys, 1000))
        loads.pipe_redis(self.server, blocks, self.keys)

    def save(self):
        loads.redis_command(self.server, "SAVE")

    def measure_bgsave(self):
        """The CPU time is not known: it is the child's."""
        disk.settle()
        self.usages[BGSAVE].append(measured(self.server, self.bgsave))

    def bgsave(self):
        loads.redis_command(self.server, "BGSAVE")
        while "rdb_bgsave_in_progress:1" in loads.redis_command(self.server, "INFO", "persistence"):
            time.sleep(POLL_S)

    def count(self):
        return int(loads.redis_command(self.server, "DBSIZE"))


class Snapshot:
    def __init__(self, chosen, folder):
        self.options = chosen
        self.folder = folder
        self.ours = KeyStore(folder("keystore"), chosen.keys)
        self.redis = Redis(folder("redis"), chosen.keys)
        self.latencies = {BEFORE: [], DURING: []}
        self.peaks = {BEFORE: [], DURING: []}  # bytes of RSS
        self.saves = []                        # during each measurement
        self.latency_usages = []

    def fill(self):
        for one in (self.ours, self.redis):
            one.start()
            say(f"{one.name}: putting in {self.options.keys:,} keys")
            one.fill()

    def stop(self):
        for one in (self.ours, self.redis):
            one.stop()

    def measure(self):
        for i in range(self.options.rounds):
            say(f"round {i + 1} of {self.options.rounds}")
            for one in (self.ours, self.redis)[::1 if i % 2 == 0 else -1]:
                one.measure_save()
                one.measure_load()
            self.redis.measure_bgsave()
            self.measure_calls(BEFORE)
            self.measure_calls(DURING)

    # Calls during snapshots.

    def measure_calls(self, state):
        disk.settle()
        server = self.ours.server
        saving = self.ours.save_again_and_again() if state == DURING else None
        saves_before = self.count_saves()
        server.forget_peak()
        seconds = self.options.latency_seconds
        output, usage = process.run_load(server, loads.keystore_bench(
            server, self.options.keys, CONNECTIONS, 100, "--mix", "1:1", "--rate",
            self.options.rate, "-t", seconds, "--warmup", seconds / 10))
        self.peaks[state].append(server.peak_rss_bytes())
        if saving is not None:
            self.saves.append(self.count_saves() - saves_before)
            self.end_saving(saving)
        row = loads.only_row(output, "keystore-bench")
        loads.check_grpc(server, row)
        self.latencies[state].append(loads.latencies(row))
        self.latency_usages.append(usage)

    def count_saves(self):
        """The number of the newest log, which each snapshot begins."""
        return disk.newest_log(self.ours.folder)

    def end_saving(self, saving):
        if saving.poll() is not None:
            raise Failure("keystore-cli ended where it should ask for snapshots")
        saving.kill()
        saving.wait()
        # The one under way ends before anything else is measured.
        self.ours.save()

    # Reporting.

    def ratio_table(self):
        rows = []
        for what, theirs in ((SAVE, SAVE), (SAVE, BGSAVE), (LOAD, LOAD)):
            ours_s, redis_s = self.ours.wall_s(what), self.redis.wall_s(theirs)
            ratios = [redis / our for our, redis in zip(ours_s, redis_s)]
            ratio = statistics.median(redis_s) / statistics.median(ours_s)
            cpu = (f"{statistics.median(self.redis.cpu_s(theirs)):.2f}" if theirs != BGSAVE
                   else "")
            aim = AIMS[what] if theirs != BGSAVE else None
            rows.append([what if theirs != BGSAVE else "save, compared with BGSAVE",
                         f"{statistics.median(ours_s):.2f}", f"{statistics.median(redis_s):.2f}",
                         f"{statistics.median(self.ours.cpu_s(what)):.2f}", cpu, f"{ratio:.2f}x",
                         f"{min(ratios):.2f} to {max(ratios):.2f}", f"{aim}x" if aim else "",
                         report.verdict(ratio >= aim) if aim else ""])
        return report.table(["", " KeyStore, s", " redis, s", " KeyStore, CPU s", " redis, CPU s",
                             " as fast", " in single rounds", " aim", "reached"], rows)

    def latency_table(self):
        medians = {state: median_latencies(rounds) for state, rounds in self.latencies.items()}
        before, during = medians[BEFORE], medians[DURING]
        rows = [[state, *(report.number(values[key]) for key in loads.LATENCIES)]
                for state, values in medians.items()]
        rows.append(["during over before", *(f"{during[key] / before[key]:.2f}x"
                                             for key in loads.LATENCIES)])
        aims = {"p99": f"{AIM_P99}x: {report.verdict(during['p99'] <= AIM_P99 * before['p99'])}",
                "max": f"{AIM_STALL_US:,} µs: {report.verdict(during['max'] <= AIM_STALL_US)}"}
        rows.append(["aim, at most", *(aims.get(key, "") for key in loads.LATENCIES)])
        return report.table(["Gets and Sets", *(f" {key} µs" for key in loads.LATENCIES)], rows)

    def memory_table(self):
        before, during = (statistics.median(self.peaks[state]) for state in (BEFORE, DURING))
        rows = [[f"{before / 2**20:,.1f}", f"{during / 2**20:,.1f}", f"{during / before:.3f}x",
                 f"{AIM_RSS}x", report.verdict(during <= AIM_RSS * before)]]
        return report.table([" highest RSS before, MiB", " during snapshots, MiB", " ratio",
                             " aim, at most", "reached"], rows)

    def rounds_table(self):
        rows = [[one.name, what, " ".join(f"{value:.2f}" for value in one.wall_s(what)),
                 " ".join(f"{value:.2f}" for value in one.cpu_s(what)) if what != BGSAVE else ""]
                for one in (self.ours, self.redis) for what in one.usages if one.usages[what]]
        return report.table(["server", "what", "s, by round", "CPU s, by round"], rows)

    def latency_rounds_table(self):
        rows = [[state, *(" ".join(report.number(values[key]) for values in rounds)
                          for key in loads.LATENCIES),
                 " ".join(f"{peak / 2**20:.1f}" for peak in self.peaks[state])]
                for state, rounds in self.latencies.items()]
        return report.table(["Gets and Sets",
                             *(f"{key} µs, by round" for key in loads.LATENCIES),
                             "highest RSS in MiB, by round"], rows)

    def machine_table(self):
        rows = report.machine_rows(f"{loads.BIN}/keystore-server")
        rows += [["redis", report.first_line(["redis-server", "--version"])],
                 ["disk", disk.file_system(self.ours.folder)]]
        return report.table(["machine", ""], rows)

    def summary(self):
        usages = [usage for one in (self.ours, self.redis) for what in one.usages
                  for usage in one.usages[what] if what != BGSAVE]
        return "\n".join([
            f"## {self.options.keys:,} keys of 16 bytes with values of 32, server of one thread\n",
            self.ratio_table(),
            f"## {self.options.rate:,} calls/s on {CONNECTIONS} connections, half Gets, half Sets, "
            "open loop\n",
            f"{min(self.saves)} to {max(self.saves)} snapshots began in the time of a "
            "measurement.\n", self.latency_table(), self.memory_table(),
            report.disturbance(usages + self.latency_usages), ""])

    def details(self):
        return "\n".join(["## How\n", __doc__.partition("\n\n")[2],
                          HOW.format(o=self.options, tick_ms=1000 // TICKS_PER_S),
                          "## Each round\n", self.rounds_table(), self.latency_rounds_table()])


HOW = """`script/bench snapshot` with {o.rounds} rounds. Values are digits and letters that redis
cannot pack, and different in each key. CPU time is user + system time of the server's process, in
steps of {tick_ms} ms. KeyStore runs with `--durability everysec`, redis without its log. Latency:
{o.latency_seconds} s by `keystore-bench --rate` after a tenth of that to warm up. Before each
measurement all that is on its way to the disk is synced.
"""


def median_latencies(rounds):
    return {key: statistics.median(values[key] for values in rounds) for key in loads.LATENCIES}


def main(arguments):
    parser = options.parser("snapshot", __doc__, keys=5000000)
    parser.add_argument("--latency-seconds", type=options.whole_number, metavar="S",
                        help="per measurement of latency (default 10; with --quick 2)")
    parser.add_argument("--rate", type=options.whole_number, metavar="N", default=20000,
                        help="calls per second during snapshots (default 20000)")
    chosen = options.parse(parser, arguments)
    chosen.latency_seconds = chosen.latency_seconds or (2 if chosen.quick else 10)

    with disk.folders() as folder:
        snapshot = Snapshot(chosen, folder)
        try:
            snapshot.fill()
            snapshot.measure()
        finally:
            snapshot.stop()
        summary = snapshot.summary()
        print(summary)
        report.write(report.results_path(chosen.results, "snapshot", "md"), "\n".join([
            "# Snapshots compared with redis\n", snapshot.machine_table(), summary, snapshot.details()]))


if __name__ == "__main__":
    options.run(main)
