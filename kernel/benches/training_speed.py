"""The same training run in a notebook's cell and by the release command line, in turn.

    cargo build --release
    python kernel/benches/training_speed.py [--rounds 5] [--epochs 40]

Processor time, both cores added up, is what counts on a machine that others use; the loss says that
it was the same run. Drawing the live chart is part of the cell's time.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from notebook import ROOT, Notebook, evaluators, install, processor_seconds  # noqa: E402

SONG = ROOT / "datasets" / "songs" / "prelude.mp3"
PREPARE = f"""
use neural_composer::prelude::*;
let song = Song::open("{SONG}")?;
let data = Dataset::from_songs(&[song.clone()], Recipe::Fast.dataset())?;
"""
TRAIN = """
let mut network = Recipe::Fast.network(&data, 1, &Device::cpu())?;
let history = network.train(&data, Training { epochs: EPOCHS, ..Recipe::Fast.training(&data).seed(1) })?;
println!("{} {}", history.seconds(), history.epochs.last().map_or(0.0, |e| e.train_loss));
"""


def command_line(program, epochs, folder):
    """Seconds of processor time (start and first epoch left out) and of clock time, and the loss."""

    def run(count):
        command = [program, "train", SONG, "--json", "--epochs", str(count), "--device", "cpu"]
        command += ["--seed", "1", "-o", folder / "model.safetensors"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return used, json.loads(answer.stdout)

    (first, _), (used, report) = run(1), run(epochs)
    return used - first, report["training_seconds"], report["losses"][-1]


def cell(notebook, epochs):
    def run(count):
        before = processor_seconds(evaluators(notebook))
        done = notebook.run(TRAIN.replace("EPOCHS", str(count)), timeout=3600)
        assert done.status == "ok", done.error
        used = processor_seconds(evaluators(notebook)) - before
        updates = len(done.times("display_data")) + len(done.times("update_display_data"))
        seconds, loss = map(float, done.stdout.split())
        return used, seconds, loss, updates

    first, *_ = run(1)
    used, seconds, loss, updates = run(epochs)
    return used - first, seconds, loss, updates / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", default=ROOT / "target" / "release" / "neural-composer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=40)
    options = parser.parse_args()
    rounds = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Notebook(install(folder)) as notebook:
            assert notebook.run(PREPARE, timeout=3600).status == "ok"
            time.sleep(20)  # the analyser has loaded
            for _ in range(options.rounds):
                theirs = command_line(options.command, options.epochs, folder)
                own = cell(notebook, options.epochs)
                assert abs(own[2] / theirs[2] - 1) < 1e-6, (own, theirs)
                rounds.append((theirs, own))
                print(theirs, own, file=sys.stderr)
    print("| | command line | cell | ratio of medians | ratio of the best |\n|---|---|---|---|---|")
    for place, title in ((0, "processor time (s)"), (1, "clock time (s)")):
        theirs, own = ([pair[side][place] for pair in rounds] for side in (0, 1))
        medians = statistics.median(theirs), statistics.median(own)
        print(
            f"| {title} | {medians[0]:.2f} | {medians[1]:.2f} | {medians[1] / medians[0]:.3f} | "
            f"{min(own) / min(theirs):.3f} |"
        )
    print(f"\n{statistics.median(own[3] for _, own in rounds):.1f} updates a second in the cell;")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
