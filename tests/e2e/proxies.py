"""nginx and haproxy in front of servers, each with the configuration that docs/proxies.md gives."""

import re
import socket
import subprocess
from pathlib import Path

from keystore_env import ROOT
from server_process import own_loopback
from times import wait_until

GUIDE = ROOT / "docs" / "proxies.md"


def documented(name, listen, servers):
    """The configuration in the guide, whose addresses are replaced by others."""
    text = re.search(rf"```{name}\n(.*?)```", GUIDE.read_text(), re.DOTALL).group(1)
    replaced = text
    for documented_address, address in [("127.0.0.1:50050", listen), *zip(
            ("10.0.0.1:50051", "10.0.0.2:50051"), servers)]:
        assert documented_address in replaced
        replaced = replaced.replace(documented_address, address)
    return replaced


def nginx_files(directory, listen, servers):
    temporary = "".join(f"    {kind}_temp_path {directory}/{kind};\n" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return (f"daemon off;\nmaster_process off;\npid {directory}/pid;\nerror_log stderr info;\n"
            "events {}\nhttp {\n    access_log off;\n" + temporary +
            documented("nginx", listen, servers) + "}\n")


def haproxy_files(_, listen, servers):
    return documented("haproxy", listen, servers)


PROXIES = {
    "nginx": (nginx_files, lambda path: ["/usr/sbin/nginx", "-e", "stderr", "-c", str(path)]),
    "haproxy": (haproxy_files, lambda path: ["/usr/sbin/haproxy", "-db", "-f", str(path)]),
}


class Proxy:
    """A proxy of our own, in the foreground, in front of servers at those addresses."""

    def __init__(self, name, directory, servers):
        host = own_loopback()
        with socket.create_server((host, 0)) as free:  # nobody else has the address
            self.address = f"{host}:{free.getsockname()[1]}"
        write, command = PROXIES[name]
        path = Path(directory) / f"{name}.conf"
        path.write_text(write(directory, self.address, servers))
        self._log = open(Path(directory) / f"{name}.log", "w+", encoding="utf-8")
        self._process = subprocess.Popen(command(path), stdout=self._log, stderr=self._log)
        wait_until(self._listens, lambda: f"{name} does not listen: {self.log}")

    def _listens(self):
        assert self._process.poll() is None, self.log
        host, port = self.address.split(":")
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) == 0

    @property
    def log(self):
        return Path(self._log.name).read_text(encoding="utf-8")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(60)
        self._log.close()
