"""A keystore-server of our own, from its first line to its exit code."""

import queue
import random
import re
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from keystore_env import SERVER
from times import wait_until

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 60
SANITIZER_REPORT = re.compile(
    r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|: runtime error:")


def run_server(*arguments, timeout_s=START_TIMEOUT_S, wrapper=()):
    """Runs the program to its end, for starts that must fail or only print something."""
    try:
        return subprocess.run([*wrapper, str(SERVER), *map(str, arguments)], capture_output=True,
                              text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as ran:
        raise AssertionError(f"runs on with the arguments {arguments}: {ran.stdout}") from None


def own_loopback():
    """An address of this machine that no other test has: a port there stays free from one start of a
    server to the next, however many sockets others open meanwhile."""
    return "127." + ".".join(str(random.randint(1, 254)) for _ in range(3))


class Server:
    """Starts on a port that the system chose; ready once it says so on standard output.

    The data go to `directory`, or to one that goes with the server. `limits` = options of
    prlimit(1), such as "--nofile=60". Clients may send any number of PINGs unless an argument says
    otherwise: to the tests they are round trips."""

    def __init__(self, *arguments, listen=("127.0.0.1:0",), threads=2, directory=None, limits=()):
        self._directory = None
        if directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="keystore-e2e-")
            directory = self._directory.name
        command = ["prlimit", *limits, "--"] if limits else []
        command += [str(SERVER), "--dir", str(directory)]
        if "--min-ping-interval" not in arguments:
            command += ["--min-ping-interval", "0"]
        for address in listen:
            command += ["--listen", str(address)]
        if threads is not None:
            command += ["--threads", str(threads)]
        self._stderr = tempfile.TemporaryFile()
        self._lines = queue.Queue()
        self.stdout = []
        self.process = subprocess.Popen([*command, *map(str, arguments)], stderr=self._stderr,
                                        stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read_stdout, daemon=True)
        self._reader.start()
        hosts = [str(address).rpartition(":")[0] for address in listen]
        self.host = next((host for host in hosts if host.startswith("127.")), "127.0.0.1")
        self.port = int(self.wait_for_line(r"Server started on port (\d+)( with TLS)?$").group(1))

    def _read_stdout(self):
        for line in self.process.stdout:
            self.stdout.append(line.rstrip("\n"))
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def wait_for_line(self, pattern):
        """The match of the next line of standard output that has the pattern."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                line = self._lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                self.kill()
                raise AssertionError(f"no line like {pattern!r} on standard output; it said: "
                                     f"{self.stdout}; standard error: {self.stderr}")
            match = re.search(pattern, line)
            if match:
                return match

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    @property
    def stderr(self):
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace")

    @property
    def running(self):
        return self.process.poll() is None

    def resident_bytes(self):
        return self._status_bytes("VmRSS")

    def peak_resident_bytes(self):
        return self._status_bytes("VmHWM")

    def _status_bytes(self, field):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))

    def send_signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, timeout_s=STOP_TIMEOUT_S):
        """Waits for an exit that must be clean: code 0 and nothing found by a sanitizer."""
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running {timeout_s} s after it was told to stop; "
                                 f"standard error: {self.stderr}") from None
        self._forget()
        report = SANITIZER_REPORT.search(self.stderr)
        assert code == 0 and not report, f"exit code {code}, standard error:\n{self.stderr}"

    def stop(self, number=signal.SIGTERM):
        self.send_signal(number)
        self.wait()

    def freeze(self):
        """Stops all of its threads, and returns when they have stopped, until SIGCONT."""
        self.send_signal(signal.SIGSTOP)
        tasks = Path(f"/proc/{self.pid}/task")
        wait_until(lambda: all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T"
                               for task in tasks.iterdir()))

    def kill(self):
        if self.running:
            self.process.kill()
            self.process.wait()
        self._forget()

    def _forget(self):
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None
