"""The options shared by all suites, and the start and end of a suite."""
import argparse
import os
import signal
import sys

from harness.process import Failure

RESULTS = "bench/results"
QUICK_RESULTS = "build/bench"


def whole_number(text):
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above 0")
    return value


def parser(suite, description, rounds=5, keys=1000000):
    """`rounds` and `keys` are the defaults without --quick."""
    result = argparse.ArgumentParser(prog=f"script/bench {suite}", description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--rounds", type=whole_number, metavar="N",
                        help=f"rounds, of which medians are shown (default {rounds}; "
                             "with --quick 2)")
    result.set_defaults(usual_rounds=rounds, usual_keys=keys)
    result.add_argument("--keys", type=whole_number, metavar="N",
                        help=f"keys that the servers hold (default {keys}; with --quick 100000)")
    result.add_argument("--quick", action="store_true",
                        help="a short form, to see that everything works; its numbers are noise")
    result.add_argument("--results", metavar="FOLDER",
                        help=f"where the results go (default {RESULTS}; "
                             f"with --quick {QUICK_RESULTS})")
    return result


def parse(suite_parser, arguments):
    options = suite_parser.parse_args(arguments)
    options.rounds = options.rounds or (2 if options.quick else options.usual_rounds)
    options.keys = options.keys or (100000 if options.quick else options.usual_keys)
    options.results = options.results or (QUICK_RESULTS if options.quick else RESULTS)
    if (os.cpu_count() or 1) < 2:
        raise Failure("two cores are needed, one for the server and one for the load")
    return options


def run(main):
    """Runs a suite's main(arguments). In any case, stops the servers that it has started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        main(sys.argv[1:])
    except Failure as failure:
        sys.exit(f"bench: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
