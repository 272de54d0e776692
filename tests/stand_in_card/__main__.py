"""Runs what wants a CUDA card on one that is not there, as C++ on the processor.

    python3 tests/stand_in_card                       the tests of a card
    python3 tests/stand_in_card -- train SONG ...     the command line, with --device cuda
    python3 tests/stand_in_card --options             every way to train, beside the processor
    python3 tests/stand_in_card --shell               a shell in which programs find that card

The program is built for CUDA with a compiler that compiles nothing, and finds libraries with the
driver's names: a small card whose kernels, ours and Candle's, run on the processor. Its streams do
their work as late as they may, its memory begins as NaN, and what is written past a tensor's end is
reported. So launches, addresses, sizes and the order of things are tried for real; what a card
computes in which time, and what its compiler says, is not: that is for `benches/gpu`.

The first build takes some ten minutes. Wanted: cargo, a C++ compiler, Python 3.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import stand_in
from options import compare

CHECKOUT = Path(__file__).resolve().parents[2]
# One after the other: some look at the memory that is free, and one takes all of it.
TESTS = {
    "cuda_card": ["--ignored", "--test-threads=1"],
    "recurrent": ["--ignored", "cuda"],
}
# A card on whose chip layers fit, and one on which they do not.
CARDS = [{}, {"STAND_IN_SHARED_BYTES": "1000"}]
CUDA = ["--release", "--no-default-features", "--features", "cuda"]


def run(command, environment):
    """The exit status."""
    return subprocess.run(command, cwd=CHECKOUT, env=environment, check=False).returncode


def test_all(environment):
    failed = False
    for card in CARDS:
        for test, only in TESTS.items():
            command = ["cargo", "test", *CUDA, "--test", test, "--", *only, "--nocapture"]
            with subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env={**environment, **card},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ) as running:
                for line in running.stdout:
                    print(line, end="", flush=True)
                    # What does not work gives way to Candle's own operations, and tests pass.
                    failed |= " on this card: " in line
            failed |= running.returncode != 0
    print("FAILED" if failed else "all held, and nothing of ours was put aside")
    return failed


def built_program(environment):
    status = run(["cargo", "build", *CUDA, "--bin", "neural-composer"], environment)
    if status != 0:
        sys.exit(status)
    return Path(environment["CARGO_TARGET_DIR"]) / "release" / "neural-composer"


def main():
    parser = argparse.ArgumentParser(
        prog="tests/stand_in_card",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--options", action="store_true", help="compare every way to train")
    parser.add_argument("--shell", action="store_true", help="open a shell")
    parser.add_argument("arguments", nargs="*", help="of neural-composer, after --")
    options = parser.parse_args()
    target = Path(os.environ.get("CARGO_TARGET_DIR", CHECKOUT / "target")) / "stand-in-card"
    target.mkdir(parents=True, exist_ok=True)
    opened = stand_in.libraries(target / "card", stand_in.candles_kernels(CHECKOUT))
    environment = {
        **os.environ,
        **stand_in.toolkit(target / "toolkit"),
        "CARGO_TARGET_DIR": str(target),
        "LD_LIBRARY_PATH": f"{opened}{os.pathsep}{os.environ.get('LD_LIBRARY_PATH', '')}",
    }
    if options.shell:
        sys.exit(run([os.environ.get("SHELL", "sh")], environment))
    if options.options:
        sys.exit(compare(built_program(environment), environment))
    if options.arguments:
        sys.exit(run([built_program(environment), *options.arguments], environment))
    sys.exit(test_all(environment))


if __name__ == "__main__":
    main()
