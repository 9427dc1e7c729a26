"""keystore-cli against a real server: one command, batches, and the prompt on a pseudo-terminal."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

import mini_redis_pb2 as pb
from keystore_env import BIN
from server_process import own_loopback

CLI = str(BIN / "keystore-cli")
TIMEOUT_S = 60


def run(server, *words, stdin=b"", options=()):
    """The finished process of `keystore-cli -p PORT OPTIONS WORDS`; its outputs are bytes."""
    return subprocess.run([CLI, "-p", str(server.port), *options, *words], input=stdin,
                          capture_output=True, timeout=TIMEOUT_S, check=False)


def formatted(server, *words):
    """Standard output as a terminal would get it; the command must not fail."""
    done = run(server, *words, options=["--no-raw"])
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def raw(server, *words):
    done = run(server, *words)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def refused(server, *words, options=()):
    """Standard error of a command that must fail with exit code 1 and print nothing else."""
    done = run(server, *words, options=options)
    assert (done.returncode, done.stdout) == (1, b"")
    return done.stderr.decode()


# One command.

def test_the_session_of_the_readme(server, key):
    scores = key + b":scores"
    assert formatted(server, "SET", key, "123") == b"OK\n"
    assert formatted(server, "GET", key) == b'"123"\n'
    assert formatted(server, "DELETE", key) == b"(integer) 1\n"
    assert formatted(server, "GET", key) == b"(nil)\n"
    assert formatted(server, "LPUSH", scores, "1", "2", "3") == b"(integer) 3\n"
    assert formatted(server, "LRANGE", scores, "0", "2") == b'1) "3"\n2) "2"\n3) "1"\n'
    assert formatted(server, "LPOP", scores) == b'"3"\n'
    assert formatted(server, "DEL", scores) == b"(integer) 1\n"
    assert formatted(server, "DEL", scores) == b"(integer) 0\n"
    assert formatted(server, "LPOP", scores) == b"(nil)\n"
    assert formatted(server, "LRANGE", scores, "0", "-1") == b"(empty array)\n"


def test_raw_values_when_the_output_is_no_terminal(server, key):
    assert raw(server, "SET", key, "a\"b\n") == b"OK\n"
    assert raw(server, "GET", key) == b"a\"b\n\n"
    assert raw(server, "GET", key + b":none") == b"\n"
    assert raw(server, "LPUSH", key + b":list", "x", "y") == b"2\n"
    assert raw(server, "LRANGE", key + b":list", "0", "-1") == b"y\nx\n"
    assert raw(server, "LRANGE", key + b":none", "0", "-1") == b"\n"
    done = run(server, "GET", key, options=["--no-raw", "--raw"])
    assert done.stdout == b"a\"b\n\n"


def test_long_lists_are_aligned(server, key):
    formatted(server, "LPUSH", key, *(str(number) for number in range(10)))
    lines = formatted(server, "LRANGE", key, "0", "-1").splitlines()
    assert (lines[0], lines[9]) == (b' 1) "9"', b'10) "0"')


def test_names_in_any_case(server, key):
    assert formatted(server, "set", key, "v") == b"OK\n"
    assert formatted(server, "gEt", key) == b'"v"\n'


def test_conditions_of_set(server, key):
    assert formatted(server, "SET", key, "1", "XX") == b"(nil)\n"
    assert formatted(server, "SET", key, "1", "NX", "GET") == b"(nil)\n"
    assert formatted(server, "SET", key, "2", "nx") == b"(nil)\n"
    assert formatted(server, "SET", key, "2", "NX", "GET") == b'"1"\n'
    assert formatted(server, "SET", key, "3", "xx", "get") == b'"1"\n'
    assert formatted(server, "GET", key) == b'"3"\n'
    assert formatted(server, "SET", key, "4", "XX") == b"OK\n"


def test_lpushx_needs_a_list(server, key):
    assert formatted(server, "LPUSHX", key, "1") == b"(integer) 0\n"
    formatted(server, "LPUSH", key, "1")
    assert formatted(server, "LPUSHX", key, "2", "3") == b"(integer) 3\n"


def test_binary_values_arrive_as_they_are(server, stub, key):
    value = bytes(range(1, 256))
    raw(server, "SET", key, value)
    assert stub.Get(pb.Key(key=key)).value == value
    assert raw(server, "GET", key) == value + b"\n"
    stub.Set(pb.KeyValue(key=key, value=b"\x00\x01\xff\"\\\n\r\t\a\b~"))
    assert formatted(server, "GET", key) == b'"\\x00\\x01\\xff\\"\\\\\\n\\r\\t\\a\\b~"\n'


def test_large_values(server, stub, key, random_of_test):
    value = random_of_test.randbytes(4 << 20)
    stub.Set(pb.KeyValue(key=key, value=value))
    assert raw(server, "GET", key) == value + b"\n"
    text = value.hex().encode()
    done = run(server, stdin=b"SET %s:copy %s\n" % (key, text))
    assert (done.returncode, done.stdout) == (0, b"OK\n")
    assert stub.Get(pb.Key(key=key + b":copy")).value == text


def test_databases(server, stub, key):
    done = run(server, "SET", key, "in 7", options=["-n", "7"])
    assert done.stdout == b"OK\n"
    assert not stub.Get(pb.Key(key=key)).found
    assert stub.Get(pb.Key(key=key, db=7)).value == b"in 7"


def test_a_database_that_the_server_does_not_have(server):
    text = refused(server, "GET", "x", options=["-n", "16"])
    assert text.startswith("(error) INVALID_ARGUMENT BAD_ARGUMENT: db: there is no database 16")


def test_unix_socket(fresh_server, tmp_path):
    path = tmp_path / "s"
    fresh_server(listen=("127.0.0.1:0", f"unix:{path}"))
    done = subprocess.run([CLI, "-s", str(path), "SET", "a", "b"], capture_output=True,
                          timeout=TIMEOUT_S, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"OK\n", b"")


def test_help_and_version(server):
    text = subprocess.run([CLI, "--help"], capture_output=True, timeout=TIMEOUT_S, check=True).stdout
    for word in (b"Usage: keystore-cli", b"-h HOST", b"--pipe", b"LRANGE       Elements of a list"):
        assert word in text
    version = subprocess.run([CLI, "--version"], capture_output=True, timeout=TIMEOUT_S, check=True)
    assert version.stdout.startswith(b"keystore-cli ")
    assert raw(server, "HELP", "lpop").startswith(b"LPOP key [count]\n")


# Errors.

def test_errors_of_the_server_have_code_reason_and_sentence(server, key):
    formatted(server, "LPUSH", key, "1")
    text = refused(server, "GET", key)
    assert text.startswith("(error) FAILED_PRECONDITION WRONG_TYPE: ")
    assert refused(server, "GET", "").startswith("(error) INVALID_ARGUMENT BAD_ARGUMENT: ")
    assert refused(server, "SET", b"k" * 65537, "v").startswith("(error) RESOURCE_EXHAUSTED ")


@pytest.mark.parametrize("words, sentence", [
    (["GTE", "x"], "unknown command 'GTE': did you mean GET?"),
    (["BLURB"], "unknown command 'BLURB': HELP lists all commands"),
    (["MUTLI"], "did you mean MULTI?"),
    (["APPEND", "a"], "APPEND takes exactly 2 arguments, not 1; usage: APPEND key value"),
    (["DELETE", "a", "b"], "DELETE has no option 'b'"),
    (["LPUSH", "l"], "LPUSH takes at least 2 arguments, not 1; usage: LPUSH key value [value ...]"),
    (["LRANGE", "l", "0", "b"], "'b' is not a valid stop index"),
    (["SET", "k", "two", "words"], "SET has no option 'words'"),
    (["SET", "k", "v", "EX"], "EX of SET needs a value"),
    (["SET", "k", "v", "EX", "soon"], "'soon' is not a valid number of seconds"),
    (["SET", "k", "v", "NX", "XX"], "exclude each other"),
    (["RENAME", "none:such", "x"], "no such key"),
    (["SELECT", "16"], "INVALID_ARGUMENT BAD_ARGUMENT: db: there is no database 16"),
    (["SELECT", "x"], "'x' is not a valid database"),
    (["LMPOP", "2", "a", "LEFT"], "LMPOP needs 2 keys"),
    (["LINSERT", "l", "BEHIND", "a", "b"], "'BEHIND' is neither BEFORE nor AFTER"),
    (["EXEC"], "MULTI starts one"),
])
def test_wrong_commands(server, words, sentence):
    text = refused(server, *words)
    assert text.startswith("(error) ") and sentence in text


@pytest.mark.parametrize("options, sentence", [
    (["--wat"], "there is no option --wat"),
    (["-p", "0"], "-p takes a port from 1 to 65535"),
    (["-n", "-1"], "-n takes the number of a database, 0 or more"),
    (["-h", "a:1"], "use -p for the port"),
    (["--timeout", "soon"], "--timeout takes milliseconds"),
    (["--timeout"], "needs a value"),
    (["-s", "/x", "-h", "y"], "excludes -h and -p"),
    (["--pipe", "GET", "x"], "takes none as argument"),
])
def test_wrong_options(options, sentence):
    done = subprocess.run([CLI, *options], capture_output=True, stdin=subprocess.DEVNULL,
                          timeout=TIMEOUT_S, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"keystore-cli: ") and sentence in done.stderr.decode()


def test_nobody_listens(fresh_server):
    server = fresh_server()
    server.stop()
    text = refused(server, "GET", "x")
    assert text.startswith(f"(error) UNAVAILABLE: cannot connect to {server.address}: ")
    assert "Start keystore-server there" in text


def test_a_server_that_does_not_answer(fresh_server):
    server = fresh_server()
    server.freeze()
    try:
        text = refused(server, "GET", "x", options=["--timeout", "200"])
    finally:
        server.send_signal(signal.SIGCONT)
    assert text.startswith("(error) DEADLINE_EXCEEDED: ")


def test_a_full_disk_is_noticed(server, key):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([CLI, "-p", str(server.port), "SET", key, "v"], stdout=full,
                              stderr=subprocess.PIPE, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 1 and b"No space left" in done.stderr


# Batches.

def test_commands_from_standard_input(server, key):
    done = run(server, stdin=b"""
# a comment, and blank lines

SET %s "two words\\x00\\xff"
GET %s
  lpush %s:l a 'b c'
LRANGE %s:l 0 -1""" % (key, key, key, key), options=["--no-raw"])
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b'OK\n"two words\\x00\\xff"\n(integer) 2\n1) "b c"\n2) "a"\n'


def test_a_batch_goes_on_after_errors(server, key):
    done = run(server, stdin=b"SET %s 1\nLPOP %s\nGET \"%s\nNONSENSE\nGET %s\n"
               % (key, key, key, key), options=["--pipe"])
    assert (done.returncode, done.stdout) == (1, b"OK\n1\n")
    lines = done.stderr.decode().splitlines()
    assert lines[0].startswith("line 2: (error) FAILED_PRECONDITION WRONG_TYPE: ")
    assert lines[1].startswith("line 3: (error) unbalanced quotes")
    assert lines[2].startswith("line 4: (error) unknown command 'NONSENSE'")
    assert lines[3:] == ["5 commands, 3 errors"]


def test_pipe_counts(server, key):
    number = 2000
    lines = [b"SET %s:%d %d" % (key, i, i) for i in range(number)]
    done = run(server, stdin=b"\n".join(lines), options=["--pipe"])
    assert (done.returncode, done.stdout) == (0, b"OK\n" * number)
    assert done.stderr == b"%d commands, 0 errors\n" % number
    assert raw(server, "GET", b"%s:%d" % (key, number - 1)) == b"%d\n" % (number - 1)


def test_pipe_counts_one(server):
    done = run(server, stdin=b"PING\n", options=["--pipe"])
    assert (done.returncode, done.stderr) == (0, b"1 command, 0 errors\n")
    done = run(server, stdin=b"PING\nNONSENSE\n", options=["--pipe"])
    assert done.returncode == 1 and done.stderr.endswith(b"\n2 commands, 1 error\n")


def test_a_lost_line_does_not_leave_half_a_transaction(server, stub, key):
    done = run(server, stdin=b"MULTI\nSET %s 1\nSET %s:2 \"x\nEXEC\n" % (key, key))
    assert done.returncode == 1 and b"line 4: (error) the transaction was not executed" in done.stderr
    assert not stub.Get(pb.Key(key=key)).found


def test_multi_alone_does_nothing(server):
    done = run(server, "MULTI")
    assert (done.returncode, done.stdout) == (1, b"OK\n")
    assert b"the last transaction was not executed" in done.stderr


def test_a_reason_that_is_its_code_is_said_once(server, stub, key):
    stub.LPush(pb.ListInsert(key=key, values=[b"v"]))
    done = run(server, "LSET", key, "9", "x")
    assert done.stderr.startswith(b"(error) OUT_OF_RANGE: ")


def test_select_and_quit_in_a_batch(server, stub, key):
    done = run(server, stdin=b"SELECT 3\nSET %s x\nQUIT\nSET %s y\n" % (key, key))
    assert (done.returncode, done.stdout) == (0, b"OK\nOK\n")
    assert stub.Get(pb.Key(key=key, db=3)).value == b"x"


def test_a_batch_stops_when_nobody_listens(fresh_server):
    server = fresh_server()
    server.stop()
    done = run(server, stdin=b"GET a\nGET b\n", options=["--pipe"])
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"line 1: (error) UNAVAILABLE" in done.stderr
    assert b"Stopped at line 1" in done.stderr
    assert done.stderr.endswith(b"1 command, 1 error\n")


def test_commands_over_a_live_pipe(server, key):
    """Each answer is there before the next command is given."""
    with subprocess.Popen([CLI, "-p", str(server.port)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        for number in range(10):
            process.stdin.write(b"LPUSH %s x\n" % key)
            process.stdin.flush()
            assert process.stdout.readline() == b"%d\n" % (number + 1)
        process.stdin.close()
        assert process.wait(TIMEOUT_S) == 0


# The prompt.

UP, TAB, ENTER, CTRL_C, CTRL_D, CTRL_R = b"\x1b[A", b"\t", b"\r", b"\x03", b"\x04", b"\x12"


class Prompt:
    """keystore-cli on a terminal of its own, 100 columns wide."""

    def __init__(self, server, history="", columns=100):
        environment = dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8", HOME="/nonexistent",
                           KEYSTORE_CLI_HISTORY=str(history))
        self.label = b"%s> " % server.address.encode()
        self.seen = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            try:
                os.execve(CLI, [CLI, "-h", server.host, "-p", str(server.port)], environment)
            finally:
                os._exit(127)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        self.code = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.terminal)

    def _read(self, deadline):
        """More output; empty at its end."""
        ready, _, _ = select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"no more output within {TIMEOUT_S} s; so far: {self.seen!r}"
        try:
            return os.read(self.terminal, 65536)
        except OSError:  # Linux says so when the program is gone
            return b""

    def expect(self, text):
        """Waits for the text in the output, and forgets what came up to its end."""
        deadline = time.monotonic() + TIMEOUT_S
        while text not in self.seen:
            more = self._read(deadline)
            assert more, f"the program ended without {text!r}: {self.seen!r}"
            self.seen += more
        before, _, self.seen = self.seen.partition(text)
        return before

    def type(self, keys):
        os.write(self.terminal, keys)

    def ask(self, line, answer):
        """Types a line at the prompt, waits for the answer and the next prompt."""
        self.expect(self.label)
        self.type(line + ENTER)
        self.expect(b"\r\n" + answer)

    def ends(self):
        """Waits for the end of the program; returns what it printed and its exit code."""
        deadline = time.monotonic() + TIMEOUT_S
        while more := self._read(deadline):
            self.seen += more
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.seen, self.code


def hint(text):
    """A hint as it goes to the terminal: grey, and the cursor back where it was."""
    return b"\x1b7\x1b[90m" + text + b"\x1b[0m\x1b8"


def test_prompt_answers_and_leaves(server, key):
    with Prompt(server) as prompt:
        prompt.ask(b"set %s \"a\\x00b\"" % key, b"OK\r\n")
        prompt.ask(b"get %s" % key, b'"a\\x00b"\r\n')
        prompt.ask(b"lpush %s:l 1 2" % key, b"(integer) 2\r\n")
        prompt.ask(b"lrange %s:l 0 -1" % key, b'1) "2"\r\n2) "1"\r\n')
        prompt.ask(b"", prompt.label)
        prompt.type(b"quit" + ENTER)
        assert prompt.ends()[1] == 0


def test_prompt_goes_on_after_errors(server, key):
    with Prompt(server) as prompt:
        prompt.ask(b"lpush %s 1" % key, b"(integer) 1\r\n")
        prompt.ask(b"get %s" % key, b"(error) FAILED_PRECONDITION WRONG_TYPE: ")
        prompt.ask(b"get \"x", b"(error) unbalanced quotes")
        prompt.ask(b"nonsense", b"(error) unknown command 'nonsense'")
        prompt.ask(b"get", b"(error) GET takes exactly 1 argument, not 0; usage: GET key")
        prompt.ask(b"lpop %s" % key, b'"1"\r\n')
        prompt.expect(prompt.label)
        prompt.type(CTRL_D)
        assert prompt.ends()[1] == 0


def test_prompt_shows_the_transaction(server, key):
    with Prompt(server) as prompt:
        prompt.ask(b"multi", b"OK\r\n")
        prompt.expect(b"127.0.0.1:%d(TX)> " % server.port)
        prompt.type(b"lpush %s 1 2" % key + ENTER)
        prompt.expect(b"QUEUED\r\n")
        prompt.type(b"lrange %s 0 -1" % key + ENTER)
        prompt.expect(b"QUEUED\r\n")
        prompt.expect(b"(TX)> ")
        prompt.type(b"exec" + ENTER)
        prompt.expect(b'1) (integer) 2\r\n2) 1) "2"\r\n   2) "1"\r\n')
        prompt.ask(b"exec", b"(error) there is no transaction to EXEC: MULTI starts one")


def test_prompt_shows_the_database(server, key):
    with Prompt(server) as prompt:
        prompt.ask(b"select 2", b"OK\r\n")
        prompt.expect(b"127.0.0.1:%d[2]> " % server.port)
        prompt.type(b"set %s here" % key + ENTER)
        prompt.expect(b"\r\nOK\r\n")
        prompt.expect(b"[2]> ")
        prompt.type(b"select 0" + ENTER)
        prompt.ask(b"get %s" % key, b"(nil)\r\n")


def test_hints_shrink_while_typing(server):
    with Prompt(server) as prompt:
        prompt.expect(prompt.label)
        for keys, text in [(b"copy", b" source target [DB db] [REPLACE]"),
                           (b" ", b"source target [DB db] [REPLACE]"),
                           (b"a", b" target [DB db] [REPLACE]"),
                           (b" \"b c", b" [DB db] [REPLACE]"), (b"\" db", b" db [REPLACE]"),
                           (b" ", b"db [REPLACE]"), (b"1", b" [REPLACE]"),
                           (b"\x7f", b"db [REPLACE]")]:
            prompt.type(keys)
            prompt.expect(hint(text))
        prompt.type(b"get")
        prompt.expect(b"t")
        prompt.type(CTRL_C)
        prompt.expect(b"^C")
        prompt.ask(b"get none:such", b"(nil)\r\n")


def test_hints_fit_the_row(server):
    with Prompt(server, columns=40) as prompt:
        prompt.expect(prompt.label)
        free = 40 - len(prompt.label) - len(b"set ") - 1
        prompt.type(b"set ")
        prompt.expect(hint(b"key value [NX|XX] [GET] [EX seconds"[:free]))


def test_tab_completes_commands(server, key):
    with Prompt(server) as prompt:
        prompt.expect(prompt.label)
        prompt.type(b"se" + TAB + b"\"\"" + ENTER)
        prompt.expect(b"unknown command 'se'")  # SET, SETEX, SELECT and more: se stays as it is
        prompt.expect(prompt.label)
        prompt.type(b"lpu" + TAB + TAB)
        prompt.expect(b"LPUSH   LPUSHX\r\n")
        prompt.type(b" %s 5" % key + ENTER)
        prompt.expect(b"(integer) 1\r\n")
        prompt.expect(prompt.label)
        prompt.type(b"lra" + TAB + b"%s 0 -1" % key + ENTER)
        prompt.expect(b'1) "5"\r\n')
        prompt.expect(prompt.label)
        prompt.type(b"help lpo" + TAB + b"p" + ENTER)
        prompt.expect(b"Remove and return the head of a list.")


def test_history_is_recalled_and_kept(server, key, tmp_path):
    history = tmp_path / "history"
    with Prompt(server, history) as prompt:
        prompt.ask(b"lpush %s 1" % key, b"(integer) 1\r\n")
        prompt.ask(b"get none:such", b"(nil)\r\n")
        prompt.ask(UP + UP, b"(integer) 2\r\n")
        prompt.expect(prompt.label)
        prompt.type(CTRL_R + b"lpush")
        prompt.expect(b"lpush")
        prompt.type(ENTER)
        prompt.expect(b"(integer) 3\r\n")
    assert history.stat().st_mode & 0o777 == 0o600
    assert history.read_bytes().splitlines()[:2] == [b"lpush %s 1" % key, b"get none:such"]
    with Prompt(server, history) as prompt:
        prompt.ask(UP, b"(integer) 4\r\n")


def test_history_that_cannot_be_written_is_said_once(server):
    with Prompt(server, "/nonexistent/history") as prompt:
        prompt.ask(b"get none:a", b"Cannot write the history to /nonexistent/history")
        prompt.ask(b"get none:b", b"(nil)\r\n")


def test_letters_beyond_ascii(server, stub, key):
    with Prompt(server) as prompt:
        prompt.ask(b"set %s " % key + "schön".encode(), b"OK\r\n")
    assert stub.Get(pb.Key(key=key)).value == "schön".encode()


def test_the_server_dies_and_comes_back(fresh_server):
    server = fresh_server(listen=(f"{own_loopback()}:0",))
    with Prompt(server) as prompt:
        prompt.ask(b"set a 1", b"OK\r\n")
        server.stop()
        prompt.ask(b"get a", b"(error) UNAVAILABLE: ")
        prompt.expect(b"The next command reconnects.")
        prompt.ask(b"get a", b"(error) UNAVAILABLE: cannot connect to")
        fresh_server(listen=(server.address,))
        prompt.ask(b"get a", b"(nil)\r\n")
        prompt.ask(b"set a 2", b"OK\r\n")
        prompt.expect(prompt.label)
        prompt.type(CTRL_D)
        assert prompt.ends()[1] == 0


def test_the_prompt_opens_without_a_server(fresh_server):
    server = fresh_server()
    server.stop()
    with Prompt(server) as prompt:
        prompt.expect(b"Start keystore-server there")
        prompt.ask(b"help get", b"GET key\r\n")


def test_a_narrower_terminal_redraws_the_line_once(server):
    with Prompt(server) as prompt:
        prompt.expect(prompt.label)
        prompt.type(b"get none:such")
        prompt.expect(b"none:such")
        fcntl.ioctl(prompt.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 60, 0, 0))
        prompt.expect(b"\r\x1b[J")
        prompt.expect(prompt.label + b"get none:such")
        prompt.type(ENTER)
        prompt.expect(b"(nil)\r\n")
