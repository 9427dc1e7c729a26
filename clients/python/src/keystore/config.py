"""How a client behaves, and where it connects to."""

import ipaddress
import json
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union
from urllib.parse import parse_qsl, unquote, urlsplit

import grpc

DEFAULT_PORT = 50051
TOKEN_PREFIX = "kst_"
DATABASES = 16
MIB = 1 << 20

Token = Union[str, Callable[[], str], None]
Password = Union[str, Callable[[], str]]
PemSource = Union[str, Path, bytes, None]


@dataclass(frozen=True)
class Config:
    """Times are in seconds. What a preset contains does not change between versions.

    `timeout` is the deadline of a unary call, with all of its attempts; streams that wait for
    something have none. `max_attempts` counts the first one: 1 turns retries off. The n-th pause is
    random, up to `backoff * 2 ** n` and at most `backoff_max`, unless the server says how long to
    wait. With `request_ids` each write has an id, so that a repeated one takes effect once; without
    them, only reads and writes with `if_version` are repeated. `channels` is the number of
    connections.
    """

    timeout: float = 5.0
    max_attempts: int = 8
    backoff: float = 0.025
    backoff_max: float = 1.0
    request_ids: bool = True
    keepalive: float = 30.0
    keepalive_timeout: float = 10.0
    max_message_bytes: int = 65 * MIB
    channels: int = 1

    def __post_init__(self) -> None:
        for name in ("timeout", "backoff", "backoff_max", "keepalive", "keepalive_timeout"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0 seconds")
        for name in ("max_attempts", "channels", "max_message_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")

    @classmethod
    def laptop(cls) -> "Config":
        """For development: time enough to stop in a debugger."""
        return cls(timeout=60.0, max_attempts=4)

    @classmethod
    def in_region(cls) -> "Config":
        """For servers in the same region: a restart of the server is waited for."""
        return cls(timeout=2.0, max_attempts=8)

    @classmethod
    def low_latency(cls) -> "Config":
        """For callers that rather go without an answer than wait for it."""
        return cls(timeout=0.25, max_attempts=3, backoff=0.005, backoff_max=0.05)


@dataclass(frozen=True)
class Target:
    """Where to connect to, and as whom."""

    addresses: Tuple[str, ...]
    tls: bool = False
    ca: PemSource = None
    cert: PemSource = None
    key: PemSource = field(default=None, repr=False)
    server_name: Optional[str] = None
    token: Token = field(default=None, repr=False)
    user: Optional[str] = None
    password: Optional[Password] = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.addresses:
            raise ValueError('no address is given; it would be one like "127.0.0.1:50051"')
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key belong together; give both, or none")
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together; give both, or none")
        if self.password is not None and self.token is not None:
            raise ValueError("a password and a token contradict each other; give one of them")
        if not self.tls and (self.ca or self.cert or self.server_name):
            raise ValueError("ca, cert, key and server_name need TLS; they contradict tls=False")

    def credentials(self) -> Optional[grpc.ChannelCredentials]:
        if not self.tls:
            return None
        return grpc.ssl_channel_credentials(
            root_certificates=read_pem(self.ca),
            private_key=read_pem(self.key),
            certificate_chain=read_pem(self.cert),
        )

    def uri(self) -> str:
        """For gRPC, which takes several addresses only as numbers."""
        if len(self.addresses) == 1:
            (address,) = self.addresses
            return address if address.startswith(("unix:", "unix-abstract:")) else f"dns:{address}"
        resolved = [pair for address in self.addresses for pair in resolve(address)]
        family = resolved[0][0]
        return f"{family}:" + ",".join(each for kind, each in resolved if kind == family)

    def options(self, config: Config) -> List[Tuple[str, Any]]:
        service: Dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
        if len(self.addresses) > 1:
            service["healthCheckConfig"] = {"serviceName": ""}
        options: List[Tuple[str, Any]] = [
            ("grpc.service_config", json.dumps(service)),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.keepalive_time_ms", int(config.keepalive * 1000)),
            ("grpc.keepalive_timeout_ms", int(config.keepalive_timeout * 1000)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.max_receive_message_length", config.max_message_bytes),
            ("grpc.max_send_message_length", -1),  # the server knows its own limit
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2000),
            ("grpc.primary_user_agent", "keystore-python"),
        ]
        name = self.server_name
        if self.tls and name is None and len(self.addresses) > 1:
            name = split_address(self.addresses[0])[0]  # the URI has numbers only
        if name is not None:
            options += [("grpc.ssl_target_name_override", name), ("grpc.default_authority", name)]
        return options


def read_pem(source: PemSource) -> Optional[bytes]:
    """The text itself as bytes, or the file of that name."""
    if source is None or isinstance(source, bytes):
        return source
    return Path(source).read_bytes()


def split_address(address: str) -> Tuple[str, int]:
    """HOST, HOST:PORT, [IPV6] or [IPV6]:PORT."""
    parts = urlsplit(f"//{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"the address {address!r} is not HOST:PORT: {error}") from None
    if not host or parts.path or parts.query or parts.username is not None:
        raise ValueError(f'the address {address!r} is not HOST:PORT, as in "127.0.0.1:50051"')
    return host, DEFAULT_PORT if port is None else port


def normalize_address(address: str) -> str:
    if address.startswith(("unix:", "unix-abstract:")):
        return address
    host, port = split_address(address)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def resolve(address: str) -> List[Tuple[str, str]]:
    """("ipv4" or "ipv6", HOST:PORT) of all that the name stands for."""
    host, port = split_address(address)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    numbers = dict.fromkeys(str(entry[4][0]) for entry in found)
    return [
        ("ipv6", f"[{each}]:{port}")
        if ipaddress.ip_address(each).version == 6
        else ("ipv4", f"{each}:{port}")
        for each in numbers
    ]


def make_target(address: Union[str, Sequence[str]], **fields: Any) -> Target:
    addresses = address.split(",") if isinstance(address, str) else list(address)
    if fields.get("tls") is None:
        fields["tls"] = any(fields.get(name) for name in ("ca", "cert", "key", "server_name"))
    return Target(tuple(normalize_address(each) for each in addresses), **fields)


BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
TEXTS = ("ca", "cert", "key", "server_name")


def parse_boolean(name: str, value: str) -> bool:
    if value.lower() not in BOOLEANS:
        raise ValueError(f"{name}={value} in the URL; it must be 1 or 0")
    return BOOLEANS[value.lower()]


def parse_url(url: str) -> Dict[str, Any]:
    """The arguments for Client that the URL stands for."""
    parts = urlsplit(url)
    if parts.scheme != "keystore" or not parts.netloc:
        raise ValueError(
            f"{parts.scheme or 'this'}: is not a URL of KeyStore, which is "
            "keystore://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?tls=1"
        )
    user, _, hosts = parts.netloc.rpartition("@")
    arguments: Dict[str, Any] = {"address": hosts}
    name, _, secret = (unquote(part) for part in user.partition(":"))
    token = secret or name
    if token.startswith(TOKEN_PREFIX):
        arguments["token"] = token  # it alone says who it is; a name before it is for people
    elif name:
        arguments["user"] = name
        if secret:
            arguments["password"] = secret
    database = parts.path.strip("/")
    if database:
        if not database.isdigit():
            raise ValueError(f"/{database} in the URL; a database is a number from 0 to 15")
        arguments["db"] = int(database)
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name in ("tls", "decode"):
            arguments[name] = parse_boolean(name, value)
        elif name in TEXTS:
            arguments[name] = value
        elif name == "timeout":
            arguments["config"] = replace(Config(), timeout=float(value))
        else:
            known = ", ".join(("tls", "decode", "timeout", *TEXTS))
            raise ValueError(f"unknown option {name} in the URL; there are {known}")
    return arguments
