"""How tests know what a server is doing with calls and streams: Info says so."""

import mini_redis_pb2 as pb
from clients import admin_stub
from times import wait_until


def numbers_of(admin, names):
    """These fields of Info."""
    fields = admin.Info(pb.InfoRequest(sections=["clients", "stats"])).fields
    return {name: int(fields[name]) for name in names}


def wait_for_numbers(admin, wanted):
    """Waits until these fields of Info are as wanted."""
    wait_until(lambda: numbers_of(admin, wanted) == wanted, lambda: numbers_of(admin, wanted))


def blocked_clients(channel):
    """How many calls wait for a list."""
    return numbers_of(admin_stub(channel), ["blocked_clients"])["blocked_clients"]


def wait_until_blocked(channel, count):
    wait_for_numbers(admin_stub(channel), {"blocked_clients": count})
