"""Clients and KillClients of KeyStoreAdmin, and CLIENT of keystore-cli: the connections of all workers."""

import socket
import subprocess

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from h2conn import Closed, H2Conn
from keystore_env import BIN
from times import wait_until

CLI = str(BIN / "keystore-cli")
TIMEOUT_S = 60
THREADS = 3
CLOSED = "connections_closed_killed"


@pytest.fixture(name="own")
def own_fixture(fresh_server):
    return fresh_server("--durability", "none", threads=THREADS)


def clients(admin, **request):
    return [client for page in admin.Clients(pb.ClientsRequest(**request))
            for client in page.clients]


def own_client(admin):
    (client,) = clients(admin, own=True)
    return client


def stats(admin):
    return admin.Info(pb.InfoRequest(sections=["stats"])).fields


def cli(server, *words, code=0):
    done = subprocess.run([CLI, "-p", str(server.port), *map(str, words)], capture_output=True,
                          text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def fields_of(line):
    """The fields of a line; the last one, user-agent, may have spaces."""
    head, _, agent = line.partition(" user-agent=")
    return {**dict(word.split("=", 1) for word in head.split(" ")), "user-agent": agent}


def test_what_is_known_of_a_connection(own):
    with open_channel(own.address) as channel, open_channel(own.address) as other:
        stub, admin = Stub(channel), admin_stub(other)
        for i in range(10):
            stub.Set(pb.KeyValue(key=b"key:%d" % i, value=b"v" * 10_000))
        for i in range(10):
            stub.Get(pb.Key(key=b"key:%d" % i))
        own_id = own_client(admin).id
        (client,) = [client for client in clients(admin) if client.id != own_id]
        assert client.address.startswith("127.0.0.1:") and client.listener == own.address
        assert client.calls_so_far == 20 and client.calls == 0 and client.streams == 0
        assert 100_000 < client.bytes_in < 110_000 and 100_000 < client.bytes_out < 110_000
        assert client.queued_bytes == 0
        assert "grpc-python/" in client.user_agent and not client.own
        assert 0 <= client.idle_ms <= client.age_ms < TIMEOUT_S * 1000
        (found,) = clients(admin, id=client.id)
        assert found.address == client.address
        assert clients(admin, id=client.id + 1000) == []
        subscription = stub.Subscribe(pb.SubscribeRequest(channels=[b"news"]))
        subscription.initial_metadata()
        (found,) = clients(admin, id=client.id)
        assert (found.calls, found.streams, found.calls_so_far) == (1, 1, 21)
        mine = own_client(admin)
        assert mine.own and mine.id == own_id and mine.streams == 1  # this call itself
        subscription.cancel()


def test_ids_ascend_and_are_not_used_again(own):
    seen = []
    for _ in range(5):
        with open_channel(own.address) as channel:
            seen.append(own_client(admin_stub(channel)).id)
    assert seen == sorted(set(seen))


def test_a_unix_socket(fresh_server, tmp_path):
    path = f"unix:{tmp_path}/socket"
    server = fresh_server("--durability", "none", listen=("127.0.0.1:0", path))
    with open_channel(path) as channel:
        client = own_client(admin_stub(channel))
        assert client.address == "unix" and client.listener == path
        assert client.bytes_in == 0 and client.bytes_out > 0
    with open_channel(server.address) as channel:
        assert own_client(admin_stub(channel)).listener == server.address


def test_a_reader_that_is_slow(own):
    """What waits for it is seen; and it can be killed."""
    with open_channel(own.address) as channel, H2Conn(own.address, credit=False) as slow:
        admin = admin_stub(channel)
        Stub(channel).RPush(pb.ListInsert(key=b"list", values=[b"x" * 1_000_000] * 10))
        own_id = own_client(admin).id
        stream = slow.start("/keystore.v1.KeyStore/StreamList",
                            pb.ListRange(key=b"list", stop=-1).SerializeToString())
        slow.receive_until(lambda: slow.answers[stream].body)
        (client,) = [client for client in clients(admin) if client.id != own_id]
        assert client.streams == 1
        assert client.queued_bytes > 0
        assert admin.KillClients(pb.KillClientsRequest(id=client.id)).count == 1
        with pytest.raises(Closed):
            slow.wait(stream)
        assert slow.goaways
        wait_until(lambda: client.id not in [left.id for left in clients(admin)])


def test_kill_while_streams_run(own):
    with open_channel(own.address) as channel, open_channel(own.address) as other:
        admin, stub = admin_stub(channel), Stub(other)
        stub.RPush(pb.ListInsert(key=b"jobs", values=[b"1", b"2"]))
        consumer = other.stream_stream("/keystore.v1.KeyStore/Consume",
                                       request_serializer=pb.ConsumeRequest.SerializeToString,
                                       response_deserializer=pb.ConsumeReply.FromString)
        start = pb.ConsumeRequest(start=pb.ConsumeRequest.Start(keys=[b"jobs"], max_in_flight=2))

        def requests():
            yield start
            wait_until(lambda: ended)
        ended = []
        replies = consumer(requests())
        next(replies)
        assert stub.LRange(pb.ListRange(key=b"jobs", stop=-1)).length == 0
        own_id = own_client(admin).id
        (client,) = [client for client in clients(admin) if client.id != own_id]
        status = admin.KillClients(pb.KillClientsRequest(address=client.address))
        assert status.ok and status.count == 1
        with pytest.raises(grpc.RpcError) as error:
            next(replies)
        ended.append(True)
        assert error.value.code() == grpc.StatusCode.UNAVAILABLE
        assert stats(admin)[CLOSED] == "1"
        # What it had in flight has returned, and the next call connects again.
        wait_until(lambda: stub.LRange(pb.ListRange(key=b"jobs", stop=-1)).length == 2)
        (again,) = [found for found in clients(admin) if found.id != own_id]
        assert again.id > client.id
    own.stop()
    assert "was closed: killed by an administrator" in own.stderr


def test_a_killed_client_reads_why(own):
    """GOAWAY with NO_ERROR and the text, then the end of the stream."""
    with open_channel(own.address) as channel, \
            socket.create_connection((own.host, own.port), timeout=TIMEOUT_S) as raw:
        raw.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        admin = admin_stub(channel)
        address = "%s:%d" % raw.getsockname()
        wait_until(lambda: address in [client.address for client in clients(admin)])
        assert admin.KillClients(pb.KillClientsRequest(address=address)).count == 1
        received = b""
        while more := raw.recv(65536):
            received += more
    assert received.endswith(b"\0\0\0\0" + b"killed by an administrator")


def test_ones_own_connection(own):
    with open_channel(own.address) as channel, open_channel(own.address) as other:
        admin = admin_stub(channel)
        mine = own_client(admin)
        request = pb.KillClientsRequest(id=mine.id)
        assert admin.KillClients(request).count == 0
        assert own_client(admin).id == mine.id
        request.include_own = True
        assert admin.KillClients(request).count == 1  # after its reply
        wait_until(lambda: stats(admin_stub(other))[CLOSED] == "1")
        wait_until(lambda: mine.id not in [left.id for left in clients(admin_stub(other))])


def test_all_of_a_host(own):
    with open_channel(own.address) as channel:
        admin = admin_stub(channel)
        own_id = own_client(admin).id
        others = [open_channel(own.address) for _ in range(7)]
        for other in others:
            Stub(other).Get(pb.Key(key=b"k"))
        assert admin.KillClients(pb.KillClientsRequest(address="127.0.0.2")).count == 0
        assert admin.KillClients(pb.KillClientsRequest(address="127.0.0.1", listener="x")).count == 0
        status = admin.KillClients(pb.KillClientsRequest(address="127.0.0.1", listener=own.address))
        assert status.count == 7
        assert own_client(admin).id == own_id
        for other in others:
            other.close()


def test_wrong_input(server):
    with open_channel(server.address) as channel:
        admin = admin_stub(channel)
        with pytest.raises(grpc.RpcError) as error:
            admin.KillClients(pb.KillClientsRequest(include_own=True))
        assert ("keystore-reason", "ERROR_REASON_BAD_ARGUMENT") in error.value.trailing_metadata()
        assert "id, address or listener" in error.value.details()
        status = admin.KillClients(pb.KillClientsRequest(id=2**63))
        assert not status.ok and status.count == 0


def test_many_connections_and_calls_meanwhile(own):
    """2,000 connections are listed, each once, while other calls go on as before."""
    count = 2000
    sockets = [socket.create_connection((own.host, own.port), timeout=TIMEOUT_S)
               for _ in range(count)]
    for one in sockets:
        one.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
    try:
        with open_channel(own.address) as channel, open_channel(own.address) as other:
            admin, stub = admin_stub(channel), Stub(other)
            wait_until(lambda: int(admin.Info(pb.InfoRequest()).fields["connected_clients"])
                       >= count + 1)
            listed, answered = [], 0
            for page in admin.Clients(pb.ClientsRequest()):
                listed += page.clients
                stub.Get(pb.Key(key=b"k"))
                answered += 1
            ids = [client.id for client in listed]
            assert len(ids) == len(set(ids))
            addresses = {"%s:%d" % one.getsockname() for one in sockets}
            assert addresses <= {client.address for client in listed}
            assert answered > count / THREADS / 100, "pages are bounded"
            cancelled = admin.Clients(pb.ClientsRequest())
            next(cancelled)
            cancelled.cancel()  # with a visit begun at some worker
            killed = admin.KillClients(pb.KillClientsRequest(listener=own.address)).count
            assert killed == count + 1
            wait_until(lambda: len(clients(admin)) <= 2)
    finally:
        for one in sockets:
            one.close()


def test_a_shutdown_meanwhile(own):
    sockets = [socket.create_connection((own.host, own.port), timeout=TIMEOUT_S)
               for _ in range(500)]
    with open_channel(own.address) as channel:
        pages = admin_stub(channel).Clients(pb.ClientsRequest())
        next(pages)
        own.send_signal()
        for one in sockets:
            one.close()
        try:
            for _ in pages:
                pass
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE
    own.wait()


# keystore-cli.

def test_client_list(own):
    with open_channel(own.address) as channel:
        Stub(channel).Get(pb.Key(key=b"k"))
        lines = cli(own, "CLIENT", "LIST").stdout.splitlines()
        assert len(lines) == 2
        (fields,) = [fields for fields in map(fields_of, lines)
                     if "grpc-python" in fields["user-agent"]]
        assert fields["addr"].startswith("127.0.0.1:") and fields["laddr"] == own.address
        assert fields["calls"] == "0" and fields["tot-cmds"] == "1"
        (line,) = cli(own, "client", "list", "id", fields["id"]).stdout.splitlines()
        assert fields_of(line)["addr"] == fields["addr"]
        assert cli(own, "CLIENT", "KILL", fields["addr"]).stdout == "OK\n"
        refused = cli(own, "CLIENT", "KILL", fields["addr"], code=1)
        assert "no connection has this address" in refused.stderr
        assert cli(own, "CLIENT", "KILL", "ID", fields["id"]).stdout == "0\n"
    with open_channel(own.address) as channel:
        Stub(channel).Get(pb.Key(key=b"k"))
        assert cli(own, "CLIENT", "KILL", "ADDR", "127.0.0.1").stdout == "1\n"


def test_client_id_and_info(own):
    first = int(cli(own, "CLIENT", "ID").stdout)
    assert int(cli(own, "CLIENT", "ID").stdout) == first + 1
    fields = fields_of(cli(own, "CLIENT", "INFO").stdout.strip())
    assert int(fields["id"]) == first + 2 and fields["streams"] == "1"
    assert cli(own, "--no-raw", "CLIENT", "ID").stdout == f"(integer) {first + 3}\n"


@pytest.mark.parametrize("words, complaint", [
    (["NAMES"], "CLIENT has no 'NAMES'"),
    (["KILL"], "say which connections"),
    (["KILL", "ID", "x"], "'x' is not a valid id"),
    (["KILL", "ID", "0"], "'0' is not a valid id"),
    (["KILL", "ADDR"], "no connection has this address"),
    (["KILL", "TYPE", "normal"], "CLIENT has no option 'TYPE' there"),
    (["KILL", "ID", "1", "SKIPME", "maybe"], "SKIPME of CLIENT KILL is YES or NO"),
    (["LIST", "TYPE", "replica"], "all connections are of type normal"),
])
def test_wrong_commands(server, words, complaint):
    assert complaint in cli(server, "CLIENT", *words, code=1).stderr
