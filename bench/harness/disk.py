"""Servers with durable data, and their disk."""
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from harness import loads, process, report
from harness.loads import KEYSTORE, REDIS
from harness.process import Failure, Server

ETCD = "etcd"
# Next to the programs, so that all servers use the same disk; never in memory.
FOLDER = "build/bench"
PROBE_BYTES = 4096
PROBE_SYNCS = 200


@contextlib.contextmanager
def folders():
    """Creates empty data folders, which are removed at the end."""
    os.makedirs(FOLDER, exist_ok=True)
    top = tempfile.mkdtemp(dir=FOLDER, prefix="data-")
    try:
        if file_system(top).startswith(("tmpfs", "ramfs")):
            raise Failure(f"{FOLDER} is kept in memory; durability needs a disk")
        yield lambda name: tempfile.mkdtemp(dir=top, prefix=f"{name}-")
    finally:
        shutil.rmtree(top)


def file_system(folder):
    """Its type, device and options."""
    return report.first_line(["findmnt", "--noheadings", "--raw", "--output",
                              "FSTYPE,SOURCE,OPTIONS", "--target", folder])


def slowed(sync_us):
    """The environment of a program whose syncs take at least that long; None: no minimum."""
    if sync_us is None:
        return {}
    return {"LD_PRELOAD": os.path.abspath(f"{loads.PEERS}/slow-sync.so"),
            "SLOW_SYNC_US": str(sync_us)}


def slowed_sync_us(folder, least_us):
    """Like sync_us(), in a program slowed by slowed()."""
    return float(subprocess.run(
        [sys.executable, "-c", "import sys; from harness import disk; "
         "print(disk.sync_us(sys.argv[1]))", folder],
        env={**os.environ, **slowed(least_us)}, check=True, stdout=subprocess.PIPE).stdout)


def sync_us(folder):
    """The time to append 4 KiB to a file and sync it: the median of many times."""
    block = os.urandom(PROBE_BYTES)
    path = os.path.join(folder, "probe")
    times_us = []
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    try:
        for _ in range(PROBE_SYNCS):
            began_ns = time.perf_counter_ns()
            os.write(file, block)
            os.fdatasync(file)
            times_us.append((time.perf_counter_ns() - began_ns) / 1000)
    finally:
        os.close(file)
        os.unlink(path)
    return statistics.median(times_us)


def settle():
    """Waits for pending writes to reach the disk, so that they are not charged to a server."""
    os.sync()


def start_keystore(folder, durability, timeout_s=10, slow_us=None):
    """Without automatic snapshots; a sync takes at least `slow_us`."""
    return Server(KEYSTORE, [
        f"{loads.BIN}/keystore-server", "--listen", "127.0.0.1:0", "--threads", 1, "--log-level",
        "error", "--dir", folder, "--durability", durability, "--log-rewrite-percent", 0, "--save",
        ""], loads.KEYSTORE_READY, timeout_s=timeout_s, more_env=slowed(slow_us))


def start_redis(folder, *more, timeout_s=10):
    """Without automatic snapshots."""
    port = process.free_port()
    return Server(REDIS, [
        "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--daemonize", "no",
        "--dir", folder, "--auto-aof-rewrite-percentage", 0, *more],
        r"Ready to accept connections", port, timeout_s)


def start_etcd(folder):
    port = process.free_port()
    url = f"http://127.0.0.1:{port}"
    return Server(ETCD, [
        "etcd", "--data-dir", folder, "--listen-client-urls", url, "--advertise-client-urls", url,
        "--listen-peer-urls", "http://127.0.0.1:0", "--initial-advertise-peer-urls", url,
        "--initial-cluster", f"default={url}", "--logger", "zap", "--log-outputs", "stdout"],
        r"serving client traffic insecurely", port)


def newest_log(folder):
    """The number of the newest log of KeyStore: each snapshot starts another one."""
    names = os.listdir(os.path.join(folder, "appendonlydir"))
    return max(int(name.split(".")[2]) for name in names if name.endswith(".incr.aof"))
