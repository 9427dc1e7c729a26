"""A keystore-server of a test's own, on a port that the system chose."""

import os
import queue
import re
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, List, Optional

START_TIMEOUT_S = 60


def program() -> str:
    """The server to test: $KEYSTORE_SERVER, or the one built in the checkout."""
    built = Path(__file__).resolve().parents[3] / "build" / "bin" / "keystore-server"
    return os.environ.get("KEYSTORE_SERVER") or str(built)


def cli(*arguments: str, stdin: str = "") -> str:
    """What keystore-cli, which is beside the server, prints."""
    command = [str(Path(program()).with_name("keystore-cli")), *arguments]
    return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, text=True, check=True).stdout


class Server:
    """Ready when the constructor returns. `stop()` and `kill()` leave the data for `start()`."""

    def __init__(
        self, *options: str, directory: Optional[str] = None, listen: str = "--listen"
    ) -> None:
        self.listen = listen
        self._own = tempfile.TemporaryDirectory(prefix="keystore-client-")
        self.directory = directory or self._own.name
        self.options = options
        self.port = 0
        self.start()

    def start(self) -> None:
        """Again on the port of the first time, so that clients find it."""
        command = [program(), "--dir", self.directory, "--threads", "2", "--log-level", "warning"]
        command += [self.listen, f"127.0.0.1:{self.port}", *self.options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(self.process, lines), daemon=True).start()
        said: List[str] = []
        while True:
            line = lines.get(timeout=START_TIMEOUT_S)
            said.append(line)
            match = re.match(r"Server started on port (\d+)", line)
            if match:
                self.port = int(match[1])
                return
            assert line, f"{command} did not start: {said}"

    @staticmethod
    def _read(process: Any, lines: "queue.SimpleQueue[str]") -> None:
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Returns when all of its threads have stopped; SIGCONT lets them go on."""
        self.process.send_signal(signal.SIGSTOP)
        tasks = Path(f"/proc/{self.process.pid}/task")

        def states() -> List[str]:
            stats = [(task / "stat").read_text() for task in tasks.iterdir()]
            return [stat.rpartition(")")[2].split()[0] for stat in stats]

        while set(states()) != {"T"}:
            time.sleep(0.001)

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(timeout=60) == 0

    def close(self) -> None:
        self.kill()
        self._own.cleanup()
