"""How well beats, downbeats, metres and "no beat" are found, over all held-out pieces.

tests/campaigns/beats.py PROGRAM [--folder FOLDER] [--librosa] [--last | --found]

PROGRAM is the example `beats` (tests/python/beats.rs). Renders the held-out pieces of
datasets/make_beats into FOLDER where they are not there yet, and prints a Markdown table; --librosa
puts librosa's beat tracker beside it; --found measures the pieces that are in FOLDER already, as
`make_beats training` writes them. Needs NumPy, SciPy and mir_eval; minutes.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import mir_eval
import numpy as np

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CHECKOUT / "datasets"), str(CHECKOUT / "tests" / "python")]

from make_beats.held_out import LAST_NAMES, NAMES  # noqa: E402
from test_beats import rendered, scores, told, truth  # noqa: E402


def librosas_beats(path):
    import librosa

    samples, rate = librosa.load(path, sr=None)
    return librosa.beat.beat_track(y=samples, sr=rate, units="time")[1]


def median_tempo(times):
    return 60.0 / np.median(np.diff(times)) if len(times) > 1 else 0.0


def row(name, truths, entries, theirs):
    """A row of the table, over pieces with a beat."""
    of = [scores(t, e) for t, e in zip(truths, entries, strict=True)]
    beats, downbeats = np.mean(of, axis=0)
    metre = np.mean(
        [t[:, 1].max() == e["beats_in_bar"] for t, e in zip(truths, entries, strict=True)]
    )
    tempo = np.mean(
        [
            abs(e["beats_per_minute"] / median_tempo(t[:, 0]) - 1) < 0.08
            for t, e in zip(truths, entries, strict=True)
        ]
    )
    clear = sum(e["is_clear"] for e in entries)
    cells = [
        name,
        len(of),
        f"{beats:.3f}",
        f"{downbeats:.3f}",
        f"{tempo:.2f}",
        f"{metre:.2f}",
        clear,
    ]
    if theirs:
        cells.append(f"{np.mean(theirs):.3f}")
    print("| " + " | ".join(str(cell) for cell in cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--librosa", action="store_true")
    parser.add_argument("--last", action="store_true", help="the pieces measured once")
    parser.add_argument("--found", action="store_true", help="what FOLDER holds, and no other")
    options = parser.parse_args()
    if options.found and not options.folder:
        parser.error("--found needs --folder FOLDER: the pieces to measure")
    folder = options.folder or Path(tempfile.mkdtemp())
    names = LAST_NAMES if options.last else NAMES
    if options.found:
        names = sorted(path.stem for path in folder.glob("*.beats"))
    missing = [name for name in names if not (folder / f"{name}.beats").exists()]
    if missing:
        rendered(folder, missing)
    found = told(options.program, [folder / f"{name}.wav" for name in names])
    groups = defaultdict(list)
    silent = []
    for name in names:
        beats = truth(folder / f"{name}.beats")
        if not len(beats):
            silent.append((name, found[name]))
            continue
        theirs = None
        if options.librosa:
            heard = librosas_beats(folder / f"{name}.wav")
            theirs = mir_eval.beat.f_measure(beats[:, 0], heard)
        score, variation = name.rsplit("-", 1)
        for group in ("all", score) if options.found else ("all", score, variation):
            groups[group].append((beats, found[name], theirs))
    head = ["pieces", "count", "beats F", "downbeats F", "tempo right", "metre right", "clear"]
    head += ["librosa's beats F"] if options.librosa else []
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for name, pieces in groups.items():
        truths, entries, theirs = zip(*pieces, strict=True)
        row(name, truths, entries, theirs if options.librosa else None)
    if not silent:
        return
    kept = [name for name, entry in silent if entry["is_clear"]]
    print(
        f"\nwithout a beat: {len(silent)}, of which a beat was said to be clear in {len(kept)}: "
        f"{', '.join(kept) or 'none'}"
    )
    sures = sorted(entry["confidence"] for _, entry in silent)
    print("their confidences:", " ".join(f"{value:.2f}" for value in sures))


if __name__ == "__main__":
    main()
