"""Certificates for tests, made by script/dev-certs, and channels that use them."""

import subprocess

import grpc

from keystore_env import ROOT

LISTEN = "127.0.0.1:0"


class Certs:
    """A folder of script/dev-certs."""

    def __init__(self, folder, *names):
        self.folder = folder
        self.make(*names)

    def make(self, *names):
        """The first time all, later a new certificate for the server and for the client."""
        done = subprocess.run([ROOT / "script" / "dev-certs", self.folder, *names],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def path(self, name):
        return self.folder / name

    def read(self, name):
        return self.path(name).read_bytes()

    def server_options(self, *more):
        return ["--tls-listen", LISTEN, "--tls-cert", self.path("server.pem"), "--tls-key",
                self.path("server.key"), *more]

    def credentials(self, pair=None):
        """`pair`: "client", to show that certificate."""
        key, cert = (self.read(f"{pair}.key"), self.read(f"{pair}.pem")) if pair else (None, None)
        return grpc.ssl_channel_credentials(self.read("ca.pem"), key, cert)

    def channel(self, address, pair=None, **options):
        return grpc.secure_channel(address, self.credentials(pair), options=[
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_retries", 0),
            *options.items()])


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def sign_client(certs, name, subject, alternatives=None, days=2):
    """NAME.pem and NAME.key for a client, by the CA of the folder. `alternatives`: its names as
    OpenSSL's subjectAltName has them. `days`: until it expires; negative: it has expired."""
    request, extensions = certs.path(f"{name}.csr"), certs.path(f"{name}.ext")
    extensions.write_text("extendedKeyUsage=clientAuth\n" +
                          (f"subjectAltName={alternatives}\n" if alternatives else ""))
    _openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", certs.path(f"{name}.key"), "-out", request, "-subj", subject)
    _openssl("x509", "-req", "-in", request, "-CA", certs.path("ca.pem"), "-CAkey",
             certs.path("ca.key"), "-out", certs.path(f"{name}.pem"), "-extfile", extensions, "-days", days)
