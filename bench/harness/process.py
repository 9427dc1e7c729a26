"""Servers under measurement: started on a core of their own, measured through /proc, stopped."""
import os
import re
import resource
import select
import socket
import subprocess
import sys
import threading
import time

SERVER_CORE = 0
LOAD_CORE = 1
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Failure(Exception):
    """Ends the suite with this error message."""


def say(message):
    print(f"bench: {message}", file=sys.stderr, flush=True)


def on_core(core, command):
    """On any core if `core` is None."""
    words = [str(word) for word in command]
    return words if core is None else ["taskset", "-c", str(core), *words]


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
    port as its first group if the system chose that. `ready_s` is how long that took. `more_env`
    is set in addition to the environment."""

    def __init__(self, name, command, ready, port=None, timeout_s=10, more_env=None,
                 core=SERVER_CORE):
        self.name = name
        self.port = port
        began = time.monotonic()
        self.process = subprocess.Popen(on_core(core, command), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE,
                                        env={**os.environ, **(more_env or {})})
        try:
            self._wait_until_ready(ready, timeout_s)
            self.ready_s = time.monotonic() - began
            # Discards further output, since a full pipe would block the server.
            threading.Thread(target=self._drain, daemon=True).start()
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self, ready, timeout_s):
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

    def _drain(self):
        # Reads until stop() or the server closes the pipe.
        with self.process.stdout as output:
            while output.read1(65536):
                pass

    @property
    def pid(self):
        return self.process.pid

    def cpu_s(self):
        """User and system time of all its threads so far."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as file:
            # The name before the last ")" may contain anything.
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def rss_bytes(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * PAGE_BYTES

    def forget_peak(self):
        """Makes peak_rss_bytes() start from this moment."""
        with open(f"/proc/{self.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")

    def peak_rss_bytes(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as file:
            return 1024 * int(file.read().partition("VmHWM:")[2].split()[0])

    def disk_bytes(self):
        """Bytes that it has written so far to files on the disk."""
        with open(f"/proc/{self.pid}/io", encoding="ascii") as file:
            return int(file.read().partition("\nwrite_bytes:")[2].split()[0])

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

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class MachineTimes:
    """Seconds of CPU time used by the whole machine, and stolen by its host."""

    def __init__(self):
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [int(field) for field in file.readline().split()[1:9]]
        user, nice, system, _idle, _iowait, irq, softirq, steal = ticks
        self.busy_s = (user + nice + system + irq + softirq) / TICKS_PER_S
        self.stolen_s = steal / TICKS_PER_S


class Usage:
    """The resources used by a run of a load."""

    def __init__(self, wall_s, server_cpu_s, load_cpu_s, others_cpu_s, stolen_s):
        self.wall_s = wall_s
        self.server_cpu_s = server_cpu_s
        self.load_busy = load_cpu_s / wall_s  # share of its core
        self.others = others_cpu_s / wall_s   # other programs' share of one core
        self.stolen = stolen_s / wall_s


def children_cpu_s():
    """CPU time of children that have ended and were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def start_load(command):
    return subprocess.Popen(on_core(LOAD_CORE, command), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish_load(server, load):
    """Waits for it to end; returns its standard output."""
    output, complaint = load.communicate()
    if load.returncode != 0:
        raise Failure(f"{os.path.basename(load.args[3])} against {server.name} ended with "
                      f"{load.returncode}: {complaint.strip()[-500:]}")
    return output


def run_loads(server, commands):
    """Runs loads in parallel to their end; returns their standard outputs and the Usage of all."""
    machine_before, children_before = MachineTimes(), children_cpu_s()
    server_before, began = server.cpu_s(), time.monotonic()
    loads = [start_load(command) for command in commands]
    outputs = [finish_load(server, load) for load in loads]
    wall_s = time.monotonic() - began
    server_cpu_s, load_cpu_s = server.cpu_s() - server_before, children_cpu_s() - children_before
    machine = MachineTimes()
    others_s = machine.busy_s - machine_before.busy_s - server_cpu_s - load_cpu_s
    return outputs, Usage(wall_s, server_cpu_s, load_cpu_s, max(0.0, others_s),
                          machine.stolen_s - machine_before.stolen_s)


def run_load(server, command):
    """Runs a load to its end; returns its standard output and its Usage."""
    (output,), usage = run_loads(server, [command])
    return output, usage
