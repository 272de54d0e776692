"""Random sequences of cells, checked against a model of what each variable must be.

    .lab/python/bin/python kernel/benches/fuzz_cells.py --sequences 1000 --seed 1 --jobs 2

Prints progress and each finding with the cells that lead to it, and writes it as a program into
the folder of `--reproductions`. The exit status is 0 only when nothing was found.
"""

import argparse
import collections
import multiprocessing
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from jupyter_client.kernelspec import KernelSpecManager  # noqa: E402

from cell_runs import Finding, run_seed  # noqa: E402
from notebook import install  # noqa: E402


def run(task: tuple[str, int, int, bool]) -> Finding | None:
    folder, seed, cells, stops = task
    specs = KernelSpecManager(kernel_dirs=[folder])
    try:
        return run_seed(specs, seed, cells, stops)
    except Exception as error:  # A kernel that does not start is a finding, too.
        return Finding(seed, -1, f"the kernel did not start: {error!r}", [])


def end_with_its_kernel():
    """A job that is told to end leaves its loop, and so ends its kernel."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sequences", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1, help="of the first sequence")
    parser.add_argument("--cells", type=int, default=20, help="in a sequence")
    parser.add_argument("--jobs", type=int, default=1, help="kernels at a time")
    parser.add_argument("--no-stops", action="store_true", help="leave out stops and deaths")
    parser.add_argument("--reproductions", type=Path, default=Path("target/fuzzed-cells"))
    return parser.parse_args()


def main() -> int:
    options = arguments()
    end_with_its_kernel()
    kinds = collections.Counter()
    begun = time.monotonic()
    jobs = multiprocessing.Pool(options.jobs, end_with_its_kernel)
    with tempfile.TemporaryDirectory() as prefix, jobs as pool:
        folder = install(Path(prefix), home=None).kernel_dirs[0]
        seeds = range(options.seed, options.seed + options.sequences)
        tasks = [(folder, seed, options.cells, not options.no_stops) for seed in seeds]
        for done, finding in enumerate(pool.imap_unordered(run, tasks), 1):
            if finding is not None:
                kinds[finding.message.split(";")[0].split(":")[0][:60]] += 1
                print(f"\n{finding}written: {finding.write(options.reproductions)}", flush=True)
            if done % 10 == 0 or done == options.sequences:
                seconds = time.monotonic() - begun
                found = sum(kinds.values())
                print(f"{done} sequences, {found} findings, {seconds:.0f} s", flush=True)
    for kind, count in kinds.most_common():
        print(f"{count:5d}  {kind}")
    return 1 if kinds else 0


if __name__ == "__main__":
    sys.exit(main())
