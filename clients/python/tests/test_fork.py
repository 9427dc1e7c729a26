"""After a fork, a client that was used raises, and one that was not works."""

import os
import subprocess
import sys
import textwrap

import pytest
from servers import Server

PROLOGUE = """
import os, sys
import keystore
address = sys.argv[1]

def in_child(function):
    pid = os.fork()
    if pid == 0:
        try:
            function()
        except BaseException as error:
            print(type(error).__name__, flush=True)
        else:
            print("fine", flush=True)
        os._exit(0)
    os.waitpid(pid, 0)

"""


def run(code: str, server: Server, **environment: str) -> str:
    import keystore

    assert keystore.__file__ is not None
    paths = {"PYTHONPATH": os.path.dirname(os.path.dirname(keystore.__file__))}
    done = subprocess.run(
        [sys.executable, "-c", PROLOGUE + textwrap.dedent(code), server.address],
        env={**os.environ, **paths, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("which", ["client", "other"])
def test_a_child_of_a_process_that_used_it_raises(shared_server: Server, which: str) -> None:
    said = run(
        f"""
        client = keystore.Client(address)
        other = keystore.Client(address)
        client.set("k", "v")
        in_child(lambda: {which}.get("k"))
        assert client.get("k") == b"v"
        """,
        shared_server,
    )
    assert said == "ForkError\n"


def test_asyncio_raises_too(shared_server: Server) -> None:
    said = run(
        """
        import asyncio
        client = keystore.AsyncClient(address)
        async def main():
            await client.set("k", "v")  # not closed: then gRPC 1.51 may abort in the fork
        asyncio.run(main())
        other = keystore.AsyncClient(address)
        async def again():
            await other.get("k")
        in_child(lambda: asyncio.run(again()))
        """,
        shared_server,
    )
    assert said == "ForkError\n"


def test_a_client_that_was_not_used_works_in_children(shared_server: Server) -> None:
    said = run(
        """
        client = keystore.Client(address)
        in_child(lambda: client.set("k", "v"))
        in_child(lambda: client.get("k"))
        """,
        shared_server,
    )
    assert said == "fine\nfine\n"


def test_with_grpcs_fork_support_it_connects_again(shared_server: Server) -> None:
    said = run(
        """
        client = keystore.Client(address)
        client.set("k", "v")
        in_child(lambda: client.get("k"))
        assert client.get("k") == b"v"
        """,
        shared_server,
        GRPC_ENABLE_FORK_SUPPORT="1",
    )
    assert said == "fine\n"
