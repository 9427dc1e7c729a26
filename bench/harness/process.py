"""Servers under measurement: started on a core of their own, read through /proc, ended again."""
import os
import re
import resource
import select
import socket
import subprocess
import sys
import time

SERVER_CORE = 0
LOAD_CORE = 1
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Failure(Exception):
    """Ends the suite with this sentence."""


def say(sentence):
    print(f"bench: {sentence}", file=sys.stderr, flush=True)


def on_core(core, command):
    return ["taskset", "-c", str(core), *map(str, command)]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def raise_file_limit(wanted):
    """For this process and the servers that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise Failure(f"{wanted} open files are needed, but the limit is {hard}; raise it with "
                      f"`ulimit -Hn {wanted}` as root, or ask for fewer connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


class Server:
    """A running server. `ready` is a pattern for the line that it prints when it listens, with the
    port as its first group if the system chose that."""

    def __init__(self, name, command, ready, port=None):
        self.name = name
        self.port = port
        self.process = subprocess.Popen(on_core(SERVER_CORE, command), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE)
        try:
            self._wait_until_ready(ready)
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self, ready, timeout_s=10):
        deadline = time.monotonic() + timeout_s
        output = b""
        while not (match := re.search(ready, output.decode(errors="replace"))):
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not select.select([self.process.stdout], [], [], left_s)[0]:
                raise Failure(f"{self.name} did not say within {timeout_s} s that it started")
            chunk = os.read(self.process.stdout.fileno(), 4096)
            if not chunk:
                raise Failure(f"{self.name} ended before it listened: "
                              f"{output.decode(errors='replace').strip()[-300:]}")
            output += chunk
        if match.groups():
            self.port = int(match[1])

    @property
    def pid(self):
        return self.process.pid

    def cpu_s(self):
        """User and system time of all its threads so far."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as file:
            # The name before the last ")" may hold anything.
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def rss_bytes(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * PAGE_BYTES

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class MachineTimes:
    """Seconds of CPU time that the whole machine has used, and that its host has taken away."""

    def __init__(self):
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [int(field) for field in file.readline().split()[1:9]]
        user, nice, system, _idle, _iowait, irq, softirq, steal = ticks
        self.busy_s = (user + nice + system + irq + softirq) / TICKS_PER_S
        self.stolen_s = steal / TICKS_PER_S


class Usage:
    """What one run of a load cost."""

    def __init__(self, wall_s, server_cpu_s, load_cpu_s, others_cpu_s, stolen_s):
        self.wall_s = wall_s
        self.server_cpu_s = server_cpu_s
        self.load_busy = load_cpu_s / wall_s  # share of its core
        self.others = others_cpu_s / wall_s   # share of one core that nobody here asked for
        self.stolen = stolen_s / wall_s


def children_cpu_s():
    """Of the children that have ended and were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_load(server, command):
    """Runs a load to its end; returns its standard output and its Usage."""
    machine_before, children_before = MachineTimes(), children_cpu_s()
    server_before, began = server.cpu_s(), time.monotonic()
    result = subprocess.run(on_core(LOAD_CORE, command), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wall_s = time.monotonic() - began
    server_cpu_s, load_cpu_s = server.cpu_s() - server_before, children_cpu_s() - children_before
    machine = MachineTimes()
    if result.returncode != 0:
        raise Failure(f"{os.path.basename(command[0])} against {server.name} ended with "
                      f"{result.returncode}: {result.stderr.strip()[-500:]}")
    others_s = machine.busy_s - machine_before.busy_s - server_cpu_s - load_cpu_s
    return result.stdout, Usage(wall_s, server_cpu_s, load_cpu_s, max(0.0, others_s),
                                machine.stolen_s - machine_before.stolen_s)
