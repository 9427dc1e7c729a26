"""What others link: the installed library, its header and its pkg-config file."""

import os
import shlex
import subprocess
from pathlib import Path

from keystore_env import BIN, ROOT, SANITIZE

BUILD = os.environ.get("KEYSTORE_BUILD") or str(ROOT / "build" / "release")
TIMEOUT_S = 120

PROGRAM = r"""
#include <keystore/client.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct keystore_error error;
    struct keystore_client *client = keystore_connect(argc > 1 ? argv[1] : "", NULL, &error);
    if (client == NULL) {
        fprintf(stderr, "%s: %s\n", keystore_code_name(error.code), error.message);
        return 1;
    }
    struct keystore_key_value set = {.key = keystore_text("installed"),
                                     .value = keystore_text("it works")};
    struct keystore_key get = {.key = keystore_text("installed")};
    struct keystore_status status;
    struct keystore_value value;
    if (keystore_set(client, &set, &status) != KEYSTORE_OK ||
        keystore_get(client, &get, &value) != KEYSTORE_OK || !value.found)
        return 2;
    printf("%.*s\n", (int)value.value.len, (const char *)value.value.data);
    keystore_close(client);
    return 0;
}
"""


def command(*words, **options):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=TIMEOUT_S,
                          check=False, **options)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def install(prefix):
    """Installs what was built; returns the folder of the library."""
    command("cmake", "--install", BUILD, "--prefix", prefix)
    libraries = list(Path(prefix).rglob("libkeystore.so"))
    assert len(libraries) == 1
    return libraries[0].parent


def flags(library_folder):
    paths = dict(os.environ, PKG_CONFIG_PATH=str(library_folder / "pkgconfig"))
    # The file names the prefix of the configuration; here it lies elsewhere.
    prefix = subprocess.run(["pkg-config", "--variable=prefix", "keystore"], env=paths, check=True,
                            capture_output=True, text=True, timeout=TIMEOUT_S).stdout.strip()
    text = command("pkg-config", "--cflags", "--libs", "keystore", env=paths)
    root = library_folder
    while not (root / "include" / "keystore" / "client.h").exists():
        root = root.parent
    return shlex.split(text.replace(prefix + "/", f"{root}/"))


def compile_program(folder, library_folder, compiler, name, *options):
    source = folder / name
    source.write_text(PROGRAM)
    sanitize = [f"-fsanitize={SANITIZE}"] if SANITIZE else []
    command(compiler, "-Wall", "-Wextra", "-Werror", *options, *sanitize, source, "-o",
            folder / "program", *flags(library_folder))
    return folder / "program"


def test_a_program_links_the_installed_library(server, tmp_path):
    library_folder = install(tmp_path / "prefix")
    program = compile_program(tmp_path, library_folder, "cc", "program.c", "-std=c99")
    environment = dict(os.environ, LD_LIBRARY_PATH=str(library_folder))
    assert command(program, server.address, env=environment) == "it works\n"
    done = subprocess.run([str(program), "127.0.0.1:x"], capture_output=True, text=True,
                          env=environment, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 1 and done.stderr.startswith("INVALID_ARGUMENT: ")


def test_installed_programs_find_the_library(server, tmp_path):
    install(tmp_path)
    shown = command(tmp_path / "bin" / "keystore-cli", "--version",
                    env=dict(os.environ, LD_LIBRARY_PATH=""))
    assert shown == command(BIN / "keystore-cli", "--version")


def test_the_library_exports_its_api_only(tmp_path):
    library_folder = install(tmp_path)
    lines = command("nm", "-D", "--defined-only", library_folder / "libkeystore.so").splitlines()
    names = {line.split()[-1].split("@")[0] for line in lines}
    ours = {name for name in names if not name.startswith(("__", "_"))}
    assert ours and all(name.startswith("keystore_") for name in ours)
    header = (ROOT / "include" / "keystore" / "client.h").read_text()
    assert all(f"{name}(" in header for name in ours)
