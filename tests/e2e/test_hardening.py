"""The compiler's defences in what is built for use, read from the files (cmake/Flags.cmake)."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from keystore_env import BIN, ROOT
from test_programs import PROGRAMS

LIBRARY = BIN.parent / "lib" / "libkeystore.so"
FILES = {**{name: BIN / name for name in PROGRAMS}, "libkeystore": LIBRARY}


def cached():
    """The settings of the build."""
    build = Path(os.environ.get("KEYSTORE_BUILD") or ROOT / "build" / "release")
    lines = (build / "CMakeCache.txt").read_text().splitlines()
    return dict(re.match(r"(\w+):\w+=(.*)", line).groups() for line in lines
                if re.match(r"\w+:\w+=", line))


def is_hardened():
    settings = cached()
    return (settings["KEYSTORE_HARDENED"] == "ON" and not settings["KEYSTORE_SANITIZE"]
            and settings["CMAKE_BUILD_TYPE"] == "Release")


pytestmark = pytest.mark.skipif(not is_hardened(), reason="not a hardened build")


@pytest.fixture(name="read", params=FILES)
def _read(request):
    """readelf's answer about a file."""
    def read(*options):
        ran = subprocess.run(["readelf", "--wide", *options, FILES[request.param]],
                             capture_output=True, text=True, check=True, timeout=60)
        return ran.stdout
    read.name = request.param
    return read


def test_its_place_is_random(read):
    """A PIE, or a library."""
    assert re.search(r"Type: +DYN", read("--file-header"))
    assert read.name == "libkeystore" or re.search(r"FLAGS_1.* PIE", read("--dynamic"))


def test_its_tables_are_read_only(read):
    """Full RELRO: all functions of libraries are found at the start, and their addresses protected."""
    assert re.search(r"BIND_NOW|FLAGS_1.* NOW", read("--dynamic"))
    assert "GNU_RELRO" in read("--program-headers")


def test_its_stack_is_not_executable(read):
    [flags] = re.findall(r"GNU_STACK +(?:0x\w+ +){5}([RWE ]+?) +0x", read("--program-headers"))
    assert flags == "RW"
    segments = re.findall(r"LOAD +(?:0x\w+ +){5}([RWE ]+?) +0x", read("--program-headers"))
    assert segments and not any("W" in flags and "E" in flags for flags in segments)


def test_its_functions_check_their_stack_and_buffers(read):
    symbols = read("--dyn-syms")
    assert "__stack_chk_fail" in symbols
    assert re.search(r" __\w+_chk@", symbols)
