"""Two builds of this kernel, each measurement taken on both in turn: was it slower before?

    .lab/python/bin/python kernel/benches/paired_builds.py \\
        --before PROGRAM --before-home CHECKOUT [--rounds 3] [--cells 200]

The build of now is the one that `./lab` installed, or NEURAL_COMPOSER_KERNEL_PROGRAM. Each works
with the library of its own checkout.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from jupyter_client.kernelspec import KernelSpecManager  # noqa: E402
from paired_with_stock import CELLS, measure  # noqa: E402

from notebook import (  # noqa: E402
    KERNEL,
    ROOT,
    Notebook,
    descendants,
    features,
    program,
    resident_megabytes,
)


def installed(kernel: Path, home: Path, prefix: Path) -> KernelSpecManager:
    command = [kernel, "install", "--prefix", prefix, "--home", home, *features()]
    subprocess.run(command, check=True, capture_output=True)
    return KernelSpecManager(kernel_dirs=[str(prefix / "share" / "jupyter" / "kernels")])


def after_many(specs, count: int) -> dict:
    """The measurements' cells again and again: memory of all processes, and the last cells' time."""
    with Notebook(specs, KERNEL) as notebook:
        notebook.run("use neural_composer::prelude::*;", timeout=3600)
        times = []
        for number in range(count):
            cell = notebook.run(CELLS[number % len(CELLS)], timeout=600)
            assert cell.status == "ok", (number, cell.error)
            times.append(cell.seconds)
        own = descendants(notebook.process_id) | {notebook.process_id}
        return {
            f"memory after {count} cells, all processes (MB)": sum(map(resident_megabytes, own)),
            f"median of the last {len(CELLS)} of {count} cells (s)": statistics.median(
                times[-len(CELLS) :]
            ),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--before", type=Path, required=True, help="the other build's program")
    parser.add_argument("--before-home", type=Path, required=True, help="its checkout")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cells", type=int, default=200, help="for the memory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        builds = (
            installed(options.before.resolve(), options.before_home.resolve(), folder / "before"),
            installed(program(), ROOT, folder / "now"),
        )
        print("warming both", file=sys.stderr)
        for specs in builds:
            measure(specs, KERNEL)
        rounds = []
        for _ in range(options.rounds):
            pair = [measure(specs, KERNEL) for specs in builds]
            rounds.append(pair)
            print(pair, file=sys.stderr, flush=True)
        many = [after_many(specs, options.cells) for specs in builds]
    print("| | before | now | ratio |\n|---|---|---|---|")
    for name in rounds[0][0]:
        before, now = (statistics.median(pair[i][name] for pair in rounds) for i in (0, 1))
        print(f"| {name} | {before:.2f} | {now:.2f} | {before / now:.2f} |")
    for name in many[0]:
        before, now = (of[name] for of in many)
        print(f"| {name} | {before:.2f} | {now:.2f} | {before / now:.2f} |")
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
