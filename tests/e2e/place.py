"""A data directory whose server is killed and started again at the same address."""

import signal

from server_process import Server, own_loopback


class Place:
    """A data directory, and the server on it, which keeps its address."""

    def __init__(self, directory, *arguments):
        self.directory = directory
        self.arguments = arguments
        self.listen = f"{own_loopback()}:0"
        self.server = None
        self.start()

    def start(self):
        self.server = Server(*self.arguments, listen=(self.listen,), directory=self.directory)
        self.listen = self.server.address

    def kill(self):
        """As a crash of the process: what it has not written is lost."""
        self.server.send_signal(signal.SIGKILL)
        self.server.process.wait()

    def crash(self):
        self.kill()
        self.start()

    def restart(self):
        self.server.stop()
        self.start()

    def close(self):
        if self.server.running:
            self.server.stop()
