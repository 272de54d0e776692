"""Everything that only a machine with an NVIDIA card can tell, in one command and eight minutes.

    cargo build --release --features cuda --bins --bench recurrent --test cuda_card --test recurrent
    python3 benches/gpu --binaries target/release --peers /path/to/python --out table.md

First the tests of a card, then our training beside PyTorch's with cuDNN by turns, row after row, as
long as there is time; each composer in training, with the card's memory at its peak, and composing,
each beside the CPU. `--peers` is a Python with torch. What cannot be run is told, and
never left out in silence; the exit status is 0 where all that could be run held.

    python3 benches/gpu --binaries target/release --device cpu --seconds 60

rehearses it without a card. Python 3 and nothing else.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from programs import Programs, libraries_wanted_at_start
from rows import rows_of_training
from watched import PeakMemory

CHECKOUT = Path(__file__).resolve().parents[2]
SONG = CHECKOUT / "datasets" / "songs" / "greensleeves.flac"


class Report:
    """What was seen, as text for people and tables."""

    def __init__(self):
        self.lines = []
        self.failed = False

    def say(self, line=""):
        print(line, flush=True)
        self.lines.append(line)

    def not_run(self, part, reason):
        self.say(f"- NOT RUN: {part}: {reason}")

    def check(self, what, holds, found):
        self.failed |= not holds
        self.say(f"- {'holds' if holds else 'DOES NOT HOLD'}: {what} ({found})")


def card_here(programs, device):
    """The device's facts, or why there is none."""
    told = programs.run_command("info", "--devices", "--json")
    if told.returncode != 0:
        return None, f"{programs.command} does not run: {told.stderr.strip()[-300:]}"
    facts = json.loads(told.stdout)
    wanted = "cuda:0" if device == "cuda" else device
    found = next((it for it in facts["devices"] if it["device"] == wanted), None)
    return found, facts.get("no_cuda") or f"no device {wanted}"


def start_anywhere(report, programs):
    """Programs built for CUDA are to start where there is no driver."""
    for program in programs.all():
        wanted = libraries_wanted_at_start(program)
        of_cuda = [name for name in wanted if name.startswith(("libcu", "libnv"))]
        report.check(
            f"{program.name} starts without CUDA's libraries", not of_cuda, of_cuda or "wants none"
        )


def run_tests(report, programs, device):
    # One after the other: some look at the memory that is free, and one takes all of it.
    ignored = ["--ignored", "--test-threads=1", "--nocapture"] if device == "cuda" else []
    for program, only in [(programs.card_tests, []), (programs.layer_tests, ["cuda"])]:
        if device != "cuda" and only:
            report.not_run(program.name, "its test of a card wants one")
            continue
        done = subprocess.run(
            [program, *ignored, *only], capture_output=True, text=True, check=False
        )
        result = [line for line in done.stdout.splitlines() if line.startswith("test result")]
        ran = bool(result) and "ok. 0 passed" not in result[-1]
        report.check(
            f"tests of {program.name}", done.returncode == 0 and ran, result or "no result"
        )
        if done.returncode != 0:
            report.say("```\n" + done.stdout[-4000:] + done.stderr[-2000:] + "\n```")
        # What does not work on a card gives way to Candle's own operations, and tests pass.
        put_aside = sorted({line for line in done.stderr.splitlines() if " on this card: " in line})
        report.check(
            "nothing of ours was put aside", not put_aside, "; ".join(put_aside) or "no note"
        )


# What is trained, with which options, and whether the processor is to be waited for.
TRAININGS = [
    ("blocks, fast", ["--model", "blocks", "--settings", "fast", "--epochs", "10"], True),
    ("blocks, course", ["--model", "blocks", "--settings", "course", "--epochs", "2"], False),
    ("grains", ["--model", "grains", "--steps", "100"], True),
    ("codes", ["--model", "codes", "--steps", "100"], True),
]


def train_composers(report, programs, device, folder):
    """Training each composer on a song, and composing with what it made."""
    report.say("\n| Greensleeves | device | training | card's memory | composing 10 s |")
    report.say("|---|---|---|---|---|")
    for number, (name, options, on_processor) in enumerate(TRAININGS):
        for place in dict.fromkeys([device, "cpu"]):
            if place == "cpu" and not on_processor:
                continue
            model = folder / f"{number}-{place}.safetensors"
            with PeakMemory(place) as memory:
                done = programs.run_command(
                    "train", SONG, *options, "--device", place, "--json", "-o", model
                )
            if done.returncode != 0:
                report.check(f"training, {name}, {place}", False, done.stderr[-300:])
                continue
            seconds = json.loads(done.stdout)["training_seconds"]
            begun = time.monotonic()
            piece = folder / f"{number}-{place}.wav"
            composed = programs.run_command(
                "generate", model, "--seconds", "10", "--device", place, "-o", piece
            )
            took = time.monotonic() - begun
            said = f"{took:.1f} s" if composed.returncode == 0 else composed.stderr[-300:]
            report.say(f"| {name} | {place} | {seconds:.1f} s | {memory.peak()} | {said} |")
            report.failed |= composed.returncode != 0


def main():
    # For programs that were built elsewhere.
    os.environ["CARGO_MANIFEST_DIR"] = str(CHECKOUT)
    parser = argparse.ArgumentParser(
        prog="benches/gpu", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--binaries", type=Path, required=True, help="cargo's folder of programs")
    parser.add_argument("--peers", default=os.environ.get("PEERS_PYTHON"), help="Python with torch")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--seconds", type=float, default=460, help="begin no row after these")
    parser.add_argument("--out", type=Path, help="file for the report")
    options = parser.parse_args()
    ends = time.monotonic() + options.seconds
    programs = Programs(options.binaries)
    report = Report()
    card, reason = card_here(programs, options.device)
    report.say(f"# {card['name'] if card else 'No card'}, {time.strftime('%Y-%m-%d')}\n")
    start_anywhere(report, programs)
    if card is None:
        for part in ["tests of the card", "training beside PyTorch", "composers"]:
            report.not_run(part, reason)
    else:
        run_tests(report, programs, options.device)
        with tempfile.TemporaryDirectory() as folder:
            train_composers(report, programs, options.device, Path(folder))
        rows_of_training(report, programs, options.device, options.peers, ends)
    if options.out:
        options.out.write_text("\n".join(report.lines) + "\n", encoding="utf-8")
    sys.exit(report.failed)


if __name__ == "__main__":
    main()
