from typing import Any, Callable, Iterator, List

import bridge
import pytest
from servers import Server


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server]:
    server = Server("--durability", "everysec")
    yield server
    server.close()


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that the test may kill."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
def start_server() -> Iterator[Callable[..., Server]]:
    servers: List[Server] = []

    def start(*options: str, **named: str) -> Server:
        servers.append(Server(*options, **named))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(params=["sync", "async"])
def variant(request: Any) -> Any:
    return request.param


@pytest.fixture
def connect(variant: str) -> Iterator[Callable[..., Any]]:
    """Makes clients of both variants, one after the other, that return str."""
    loop, clients = bridge.Loop(), []

    def make(server: Server, **options: Any) -> Any:
        client = bridge.make(variant, loop, server.address, **{"decode": True, **options})
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()
    loop.close()


@pytest.fixture
def client(connect: Callable[..., Any], shared_server: Server) -> Any:
    made = connect(shared_server)
    made.flush_db()
    return made
