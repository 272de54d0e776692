"""Two kernels in use for half an hour, quicker than people use them: does anything pile up?

    .lab/python/bin/python tests/campaigns/sessions.py [--minutes 30] [--seed 1]

Each round one of two notebooks opens a song, trains, is interrupted while it trains, composes, has
a panic, loses its evaluator to a kill, fails to compile, is restarted, or is closed and opened
again, at random. About every half minute all kernels are idle for a moment, and what they hold is
counted: processes, memory of the kernel and of the evaluator, open files, listening ports; and what
is in the folder of temporary files and in the lab's checkpoints. Prints a table, and exits with 1
where a cell did what it should not, or where the last third of the figures is above the first by
more than noise. Needs `./lab --prepare`.
"""

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "kernel/tests"))

from notebook import Notebook, descendants, evaluators, install, resident_megabytes  # noqa: E402

BEGIN = """
use neural_composer::prelude::*;
let sample = |n: usize| 0.5 * (n as f32 * 0.05 * [1.0, 1.25, 1.5][n / 8_000 % 3]).sin();
let tone = Audio::mono((0..320_000).map(sample).collect(), 16_000)?;
let data = Dataset::from_audio(&[("a tone".into(), tone)], DatasetSettings::fast())?;
let config = NetworkConfig::stack(data.blocks().width(), [gru(48)]);
let mut network = Network::new(config, &data, 1, &Device::cpu())?;
"""
OPEN = 'Song::open("{song}")?'
TRAIN = "network.train(&data, Training::epochs({epochs}).batch(4).seed({seed}))?"
COMPOSE = "network.compose(2.0, Seed::training(&data, 1)?)?"
SECONDS_BETWEEN_COUNTS = 30
#: What the last third may be above the first: a share, and an amount.
NOISE = {
    "processes": (0, 0.5),
    "kernel MB": (0.1, 15),
    "evaluator MB": (0.2, 60),
    "files": (0, 2),
    "ports": (0, 0.5),
    "temporary": (0, 2),
    "checkpoints": (0, 8),
}


def ports(process_ids):
    """How many sockets of these processes listen."""
    listening = set()
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(name).read_text(encoding="utf-8").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                listening.add(f"socket:[{fields[9]}]")
    return sum(file in listening for one in process_ids for file in files(one))


def files(process_id):
    """What the open files of a process are; of one that has just ended, none."""
    found = []
    try:
        for file in Path(f"/proc/{process_id}/fd").iterdir():
            found.append(os.readlink(file))
    except OSError:
        pass
    return found


class Session:
    def __init__(self, specs, chance, song):
        self.specs, self.chance, self.song = specs, chance, song
        self.notebook = Notebook(specs)
        self.is_begun = False
        self.seed = 0

    def ready(self):
        if not self.is_begun:
            self.expect(BEGIN)
            self.is_begun = True

    def expect(self, code, wanted="ok"):
        cell = self.notebook.run(code, timeout=180)
        if cell.status != wanted:
            raise AssertionError(f"{code!r}: {cell.status}: {cell.error}")
        return cell

    def open(self):
        self.ready()
        self.expect(OPEN.format(song=self.song))

    def train(self, epochs=4):
        self.ready()
        self.seed += 1
        self.expect(TRAIN.format(epochs=epochs, seed=self.seed))

    def interrupt(self):
        self.ready()
        started = self.notebook.start(TRAIN.format(epochs=100_000, seed=7))
        time.sleep(self.chance.uniform(0.5, 4))
        self.notebook.interrupt()
        cell = self.notebook.finish(started, timeout=30)
        if cell.status != "ok" and "stopped while compiling" not in cell.error:
            raise AssertionError(f"interrupted: {cell.error}")

    def compose(self):
        self.ready()
        self.expect(COMPOSE)

    def panic(self):
        self.expect('panic!("on purpose")', "error")

    def wrong(self):
        self.expect("let n: usize = true;", "error")

    def kill(self):
        self.ready()
        started = self.notebook.start(TRAIN.format(epochs=100_000, seed=8))
        time.sleep(self.chance.uniform(0.5, 4))
        for process_id in evaluators(self.notebook):
            os.kill(process_id, signal.SIGKILL)
        cell = self.notebook.finish(started, timeout=60)
        # One that dies while the cell is compiled loses the variables before it runs.
        if "EvaluatorDied" not in cell.error and "the evaluator died" not in cell.error:
            raise AssertionError(f"killed: {cell.status}: {cell.error}")
        self.is_begun = False

    def restart(self):
        self.notebook.manager.restart_kernel()
        self.notebook.client.wait_for_ready(timeout=60)
        self.is_begun = False

    def again(self):
        self.notebook.close()
        self.notebook = Notebook(self.specs)
        self.is_begun = False

    def count(self):
        """What it holds, after a small cell."""
        self.ready()
        self.expect("1 + 1")
        time.sleep(1)
        own = self.notebook.process_id
        family = descendants(own) | {own}
        running = evaluators(self.notebook)
        return {
            "processes": len(family),
            "kernel MB": resident_megabytes(own),
            "evaluator MB": max(map(resident_megabytes, running)),
            "files": sum(len(files(one)) for one in family),
            "ports": ports(family),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    counts, done, wrong = [], {}, 0
    temporary = tempfile.mkdtemp(prefix="sessions-")
    os.environ["TMPDIR"] = tempfile.tempdir = temporary
    checkpoints = ROOT / ".lab/checkpoints"
    specs = install(Path(tempfile.mkdtemp()))
    sessions = [
        Session(specs, chance, ROOT / "datasets/songs" / name)
        for name in ("canon.ogg", "greensleeves.flac")
    ]
    began = last = time.monotonic()
    names = list(NOISE)
    print("minute  " + "  ".join(f"{name:>12}" for name in names))
    while time.monotonic() - began < 60 * options.minutes:
        session = chance.choice(sessions)
        ways = ["open", "train", "interrupt", "compose", "panic", "wrong", "kill", "restart"]
        way = chance.choice([*ways, "again"])
        try:
            getattr(session, way)()
        except (AssertionError, RuntimeError, TimeoutError) as error:
            wrong += 1
            print(f"{way}: {error}", flush=True)
            session.again()
        done[way] = done.get(way, 0) + 1
        if time.monotonic() - last > SECONDS_BETWEEN_COUNTS:
            parts = [one.count() for one in sessions]
            figures = {name: sum(part[name] for part in parts) for name in parts[0]}
            figures["temporary"] = sum(1 for _ in Path(temporary).rglob("*"))
            figures["checkpoints"] = sum(1 for _ in checkpoints.rglob("*"))
            counts.append(figures)
            minute = (time.monotonic() - began) / 60
            row = "  ".join(f"{figures[name]:12.0f}" for name in names)
            print(f"{minute:6.1f}  {row}", flush=True)
            last = time.monotonic()
    for session in sessions:
        session.notebook.close()
    third = max(1, len(counts) // 3)
    for name, (share, amount) in NOISE.items():
        first = statistics.median(figures[name] for figures in counts[:third])
        end = statistics.median(figures[name] for figures in counts[-third:])
        if end > first * (1 + share) + amount:
            wrong += 1
            print(f"{name} grows: {first:.0f} at first, {end:.0f} at the end")
    left = [path for path in Path(temporary).rglob("*") if path.is_file()]
    print(f"{sum(done.values())} rounds {done}; {len(left)} temporary files left; {wrong} faults")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
