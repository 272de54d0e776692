"""Training beside PyTorch: a row for every shape, cell, batch and precision."""

import itertools
import json
import os
import subprocess
import time

SHAPES = ["wide-batch", "course-1-layer", "course-3-layers"]
CELLS = ["lstm", "gru", "simple-rnn"]
BATCHES = [32, 5, 64, 256]
SECONDS_OF_A_ROW = 120
# A card's own other ways to multiply; a CPU has one.
PRECISIONS = {"cuda": ["f32", "tf32", "bf16"], "cpu": ["f32"]}


def one_row(programs, device, peers, shape, cell, batch, precision):
    """What the benchmark's lines say of each contender, and what it said where it failed."""
    environment = {**os.environ, "PEERS_PYTHON": peers or ""}
    command = [
        programs.benchmark, shape, cell, "--batch", str(batch), "--precision", precision,
        "--device", device, "--against", "PyTorch", "--rounds", "3", "--json",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment,
            timeout=SECONDS_OF_A_ROW,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {}, f"it took more than {SECONDS_OF_A_ROW} s"
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["contender"]: line for line in lines}, done.stderr.strip()[-300:]


def rows_of_training(report, programs, device, peers, ends):
    """Rows until it is time to end; those that were not reached are named."""
    if not peers:
        report.not_run("PyTorch beside ours", "no --peers")
    report.say("\n| shape | cell | batch | precision | ours, s | PyTorch, s | ours / PyTorch |")
    report.say("|---|---|---|---|---|---|---|")
    # The rows that differ most come first.
    left = list(itertools.product(PRECISIONS[device], BATCHES, SHAPES, CELLS))
    missed, slower = [], []
    while left and time.monotonic() < ends:
        precision, batch, shape, cell = left.pop(0)
        found, problem = one_row(programs, device, peers, shape, cell, batch, precision)
        name = f"{shape} | {cell} | {batch} | {precision}"
        ours, theirs = found.get("ours"), found.get("PyTorch")
        if ours is None:
            missed.append(f"{name}: {problem}")
        elif theirs is None:
            report.say(f"| {name} | {ours['seconds']:.4f} | - | - |")
        else:
            ratio = theirs["ours_to_it"]
            report.say(
                f"| {name} | {ours['seconds']:.4f} | {theirs['seconds']:.4f} | {ratio:.2f} |"
            )
            if ratio > 1:
                slower.append(f"{name}: {ratio:.2f}")
    report.say()
    for row in missed:
        report.check("a row could be run", False, row)
    if slower:
        report.say("Slower than PyTorch: " + "; ".join(row.replace(" | ", ", ") for row in slower))
    for precision, batch, shape, cell in left:
        report.not_run(f"{shape}, {cell}, batch {batch}, {precision}", "no time left")
