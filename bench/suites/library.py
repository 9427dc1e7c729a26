"""The C library compared with hiredis: calls/s and the client's CPU time on one connection.

One thread, one connection, one Get of 32 bytes at a time (`peers/client_rate.c`), by libkeystore
from keystore-server and by hiredis from redis-server. Both servers run on core 0 and the client on
core 1; each round has a part for each library, in turn. Calls per second contain the servers and
the kernel's wake-ups on both sides; CPU time is the client's alone.
"""
import csv

from harness import loads, options, process, report
from harness.process import Failure

KEYSTORE, REDIS = "libkeystore", "hiredis"
AIM = 1.0  # calls/s over those of hiredis, at least


def measure(rounds, seconds):
    """The rows of client-rate by library, and the Usage."""
    with loads.start_keystore() as keystore, loads.start_redis() as redis:
        output, usage = process.run_load(keystore, [
            f"{loads.PEERS}/client-rate", f"127.0.0.1:{keystore.port}", redis.port, rounds,
            seconds])
        usage.others = max(0.0, usage.others - redis.cpu_s() / usage.wall_s)
    rows = {row["library"]: row for row in csv.DictReader(output.splitlines())}
    if set(rows) != {KEYSTORE, REDIS}:
        raise Failure(f"client-rate should print a line for each library, not: {output[:300]}")
    return rows, usage


def main(arguments):
    parser = options.parser("library", __doc__, rounds=31)
    chosen = options.parse(parser, arguments)
    seconds = 0.1 if chosen.quick else 0.5
    rows, usage = measure(chosen.rounds, seconds)
    table = report.table(
        ["library", " calls/s, median", " calls/s, best round", " client's CPU µs per call"],
        [[name, report.number(float(row["calls_per_s"])),
          report.number(float(row["best_calls_per_s"])), row["client_cpu_us"]]
         for name, row in rows.items()])
    share = float(rows[KEYSTORE]["calls_per_s"]) / float(rows[REDIS]["calls_per_s"])
    summary = "\n".join([
        "## The C library on one connection\n", table,
        f"{share:.2f} of hiredis' calls/s; at least {AIM}: {report.verdict(share >= AIM)}\n",
        report.disturbance([usage])])
    print(summary)
    machine = report.machine_rows(f"{loads.BIN}/keystore-server")
    machine.append(["hiredis", report.package_version("libhiredis0.14")])
    report.write(report.results_path(chosen.results, "library", "md"), "\n".join([
        "# The C library compared with hiredis\n", report.table(["machine", ""], machine), summary,
        "## How\n", __doc__.partition("\n\n")[2],
        f"`script/bench library` with {chosen.rounds} rounds of {seconds} s, medians of them.\n"]))


if __name__ == "__main__":
    options.run(main)
