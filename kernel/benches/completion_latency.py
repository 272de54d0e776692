"""How long Tab takes: the first one of a kernel, and 100 more while it is idle and while a cell runs.

    ./lab --prepare
    .lab/python/bin/python kernel/benches/completion_latency.py

Starts a kernel with the library, presses Tab 20 s later, waits until the analyser is loaded, and
then presses Tab behind prefixes of the notebooks' own cells: each line is cut at some place of a
name, and all that stands before it is the cell.
"""

import argparse
import json
import random
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from notebook import ROOT, Notebook, install  # noqa: E402

AGE_SECONDS = 20
SEED = 12
NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
BUSY = (
    "let end = std::time::Instant::now() + std::time::Duration::from_secs({seconds});"
    "let threads: Vec<_> = (0..{threads}).map(|_| std::thread::spawn(move || {{ let mut x = 1u64;"
    "while std::time::Instant::now() < end {{ x = x.wrapping_mul(31).wrapping_add(7); }} x }}))"
    ".collect(); for thread in threads {{ thread.join().unwrap(); }}"
)


def cells(home):
    """The code cells of the notebooks."""
    for path in sorted((home / "notebooks").glob("0*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                yield "".join(cell["source"])


def prefixes(home, count):
    """Cells cut within a name, as they stand when Tab is pressed."""
    choice = random.Random(SEED)
    cut = []
    for code in cells(home):
        for name in NAME.finditer(code):
            line = code[code.rfind("\n", 0, name.start()) + 1 : name.start()]
            if "//" not in line and line.count('"') % 2 == 0:
                typed = choice.randint(1, len(name.group()))
                cut.append(code[: name.start() + typed])
    return choice.sample(cut, count)


def press(notebook, code):
    """Seconds until the reply, and how many matches it has."""
    begun = time.monotonic()
    reply = notebook.reply(notebook.client.complete(code, len(code)))
    return time.monotonic() - begun, len(reply["matches"])


def measure(notebook, codes):
    pressed = [press(notebook, code) for code in codes]
    seconds = sorted(seconds for seconds, _ in pressed)
    with_matches = sum(matches > 0 for _, matches in pressed)
    p95 = seconds[round(0.95 * len(seconds)) - 1]
    return statistics.median(seconds), p95, seconds[-1], with_matches


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--home", type=Path, default=ROOT, help="the library's checkout")
    arguments.add_argument("--count", type=int, default=100, help="how many times Tab is pressed")
    arguments.add_argument("--threads", type=int, default=2, help="threads of the running cell")
    options = arguments.parse_args()
    codes = prefixes(options.home, options.count)
    with tempfile.TemporaryDirectory() as folder:
        specs = install(Path(folder), home=options.home)
        with Notebook(specs, cwd=str(options.home / "notebooks")) as notebook:
            seconds, matches = press(notebook, "prin")
            print(f"Tab right after the start: {seconds:.3f} s, {matches} matches", flush=True)
            notebook.run("use neural_composer::prelude::*;")
            time.sleep(max(0.0, AGE_SECONDS - (time.monotonic() - notebook.started)))
            seconds, matches = press(notebook, "std::mem::sw")
            print(f"Tab after {AGE_SECONDS} s: {seconds:.3f} s, {matches} matches", flush=True)
            notebook.wait_for_analyser()
            age = time.monotonic() - notebook.started
            print(f"the analyser was loaded after at most {age:.1f} s", flush=True)
            notebook.run('let song = Song::open("../datasets/songs/prelude.mp3")?;')
            time.sleep(2)
            report("idle", *measure(notebook, codes))
            seconds = round(2 * options.count)
            busy = notebook.start(BUSY.format(seconds=seconds, threads=options.threads))
            time.sleep(3)
            report(f"{options.threads} busy threads", *measure(notebook, codes))
            notebook.interrupt()
            time.sleep(0.5)
            notebook.interrupt()
            notebook.finish(busy)


def report(what, median, p95, worst, with_matches):
    print(
        f"{what}: median {median:.3f} s, p95 {p95:.3f} s, longest {worst:.3f} s, "
        f"{with_matches} with matches",
        flush=True,
    )


if __name__ == "__main__":
    main()
