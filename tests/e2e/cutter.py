"""A proxy that cuts connections now and then, so that replies are lost after the server has made them."""

import contextlib
import selectors
import socket
import threading

from keystore_env import seeded
from server_process import own_loopback


class Cutter:
    """Carries bytes between clients and the server at `upstream`. Instead of passing on what comes
    from the server it closes the connection, once in `one_in` times."""

    def __init__(self, upstream, one_in, name):
        host, port = upstream.rsplit(":", 1)
        self._upstream = (host, int(port))
        self._one_in = one_in
        self._random = seeded(f"cutter {name}")
        self._listener = socket.create_server((own_loopback(), 0))
        self.host, self.port = self._listener.getsockname()
        self.cut = 0
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def _accept(self):
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                client, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._carry, args=(client,), daemon=True))
                self._threads[-1].start()

    def _carry(self, client):
        with contextlib.suppress(OSError), client, socket.create_connection(self._upstream) as server:
            with selectors.DefaultSelector() as selector:
                selector.register(client, selectors.EVENT_READ, server)
                selector.register(server, selectors.EVENT_READ, client)
                while True:
                    for key, _ in selector.select():
                        data = key.fileobj.recv(65536)
                        if not data or self._is_cut(key.fileobj is server):
                            return
                        key.data.sendall(data)

    def _is_cut(self, from_server):
        cut = from_server and self._random.randrange(self._one_in) == 0
        self.cut += cut
        return cut

    def close(self):
        with contextlib.suppress(OSError):  # it may be closed already
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
