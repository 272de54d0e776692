"""What checkpoints cost: a training of the course's network with and without them, by turns.

    python3 benches/checkpoints.py target/release/neural-composer datasets/songs/prelude.mp3

51 million parameters (three simple recurrent layers of 1,024 units, blocks of a quarter of a second
at 44.1 kHz), RMSprop; a checkpoint is 412 MB. Checkpoints come every 15 s, four times as often as
usual; the table has the time of a training with and without them, the cost of one, and its share of
the usual minute. Both write one at their end.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

USUAL_SECONDS = 60


def train(options, folder, every_seconds):
    """How long a training takes, and how many checkpoints it writes on the way."""
    command = [options.program, "train", options.song, "--settings", "course", "--json"]
    command += ["--epochs", str(options.epochs), "--checkpoint-seconds", str(every_seconds)]
    command += ["-o", str(folder / "m.safetensors"), "--restart"]
    seen, over = set(), threading.Event()

    def watch():
        while not over.wait(0.02):
            seen.update(path.name for path in folder.glob("m.checkpoints/epoch-*"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.monotonic()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = time.monotonic() - began
    over.set()
    watcher.join()
    facts = json.loads(done.stdout)
    for path in folder.glob("m.checkpoints/*"):
        path.unlink()
    # The last one comes at the end, in both.
    return seconds, len(seen) - 1, facts["parameters"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("song")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--every", type=float, default=15)
    options = parser.parse_args()
    costs = []
    with tempfile.TemporaryDirectory(dir=".") as temporary:
        folder = Path(temporary)
        for number in range(options.rounds):
            without, none, parameters = train(options, folder, 1e6)
            with_them, count, _ = train(options, folder, options.every)
            if none or not count:
                sys.exit(f"expected checkpoints in one of the two, found {none} and {count}")
            costs.append((with_them - without) / count)
            print(
                f"round {number + 1}: {parameters:,} parameters, {without:.1f} s without, "
                f"{with_them:.1f} s with {count}: {costs[-1]:.2f} s each",
                flush=True,
            )
    cost = statistics.median(costs)
    share = 100 * cost / USUAL_SECONDS
    print(f"one costs {cost:.2f} s (median), {share:.2f} % of the usual {USUAL_SECONDS} s")


if __name__ == "__main__":
    main()
