"""Forty questions that people ask with Tab and Shift-Tab, and how well kernels answer them.

    ./lab --prepare
    .lab/python/bin/python kernel/benches/analyser_questions.py [PROGRAM...]

Each program (the lab's own kernel where none is named) is asked the same questions, by turns, once
its analyser is loaded: at which place of the list the answer stands that is wanted, how long the
list is, whether a description holds the words that are wanted, and how long each answer takes. It
also tells how much memory the kernel's processes hold then.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from notebook import ROOT, Notebook, descendants, install, program  # noqa: E402

CELLS = [
    "use neural_composer::prelude::*;",
    'let song = Song::open("../datasets/songs/prelude.mp3")?;',
    "let numbers = vec![1.5_f32, 2.0]; let words: Vec<String> = vec![]; let text = String::new();",
    "let counts = std::collections::HashMap::<String, u32>::new(); let maybe = Some(3);",
    "/// A tune.\n#[derive(Debug, Clone)]\npub struct Tune { pub notes: Vec<u8>, tempo: f32 }\n"
    "impl Tune {\n/// Doubles it.\npub fn twice(&self) -> Tune { self.clone() }\n"
    "pub fn new(notes: Vec<u8>) -> Tune { Tune { notes, tempo: 1.0 } } }\n"
    "/// Beats in a minute.\nfn beats(tune: &Tune, speed: f64) -> f64 { speed }",
    "let tune = Tune::new(vec![60, 62]);",
]
# What stands before the cursor, and what is wanted then.
COMPLETIONS = [
    ("song.aud", "audio("),
    ("song.spec", "spectrogram("),
    ("song.tag", "tags("),
    ("song.audio().exc", "excerpt("),
    ("song.audio().to_m", "to_mono("),
    ("song.audio().res", "resample("),
    ("Song::o", "open("),
    ("Dataset::from_s", "from_songs("),
    ("Training::ep", "epochs("),
    ("Training::epochs(3).s", "seed("),
    ("Training::epochs(3).val", "validation("),
    ("Device::b", "best("),
    ("Spectrogram::o", "of("),
    ("let a: Stft", "StftSettings"),
    ("numbers.", "push("),
    ("numbers.it", "iter("),
    ("numbers.iter().su", "sum("),
    ("numbers.iter().ma", "map("),
    ("words.jo", "join("),
    ("text.pu", "push("),
    ("text.to_up", "to_uppercase("),
    ("counts.ins", "insert("),
    ("counts.ent", "entry("),
    ("maybe.unw", "unwrap("),
    ("std::collections::Has", "HashMap"),
    ("std::fs::read_to", "read_to_string("),
    ("Vec::wi", "with_capacity("),
    ("tune.", "notes"),
    ("tune.tw", "twice("),
    ("Tune::", "new("),
    ("bea", "beats("),
    ("f64::consts::P", ""),
    ("std::f64::consts::P", "PI"),
    ("let x = numbers.iter().map(|n| n.sq", "sqrt("),
]
# What stands around the cursor, `|`, and words of the description that is wanted.
DESCRIPTIONS = [
    ("song|", "Song"),
    ("Song::open(|)", "open"),
    ("numbers.iter|()", "iter"),
    ("beats(|)", "Beats in a minute"),
    ("tune.twice|()", "Doubles it"),
    ("StftSettings|", "window_samples"),
]


def place(matches, wanted):
    """At which place of the list an answer stands, from 1 on; 0 where it does not."""
    found = [at for at, match in enumerate(matches, 1) if match.startswith(wanted)]
    return found[0] if found and wanted else 0


def ask_all(notebook):
    """Each question's answer in words, whether it is right, and its seconds."""
    for code, wanted in COMPLETIONS:
        begun = time.monotonic()
        matches = notebook.reply(notebook.client.complete(code, len(code)))["matches"]
        seconds, at = time.monotonic() - begun, place(matches, wanted)
        # One asks for what is not there.
        good = not matches if not wanted else at > 0
        yield code, f"{at} of {len(matches)}", good, seconds
    for code, wanted in DESCRIPTIONS:
        begun = time.monotonic()
        request = notebook.client.inspect(code.replace("|", ""), code.index("|"))
        reply = notebook.reply(request)
        seconds = time.monotonic() - begun
        words = reply["data"].get("text/plain", "")
        yield code, f"{len(words)} characters", wanted in words, seconds


def memory_mb(process_id):
    """Resident memory of a process and of all that it started: by the program's name."""
    held = {}
    for process in {process_id, *descendants(process_id)}:
        try:
            status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
        except OSError:
            continue
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        # Shared pages are counted once, where they are private.
        name = fields["Name"].strip()
        held[name] = held.get(name, 0) + int(fields.get("RssAnon", "0 kB").split()[0]) // 1024
    return held


def measured(path, rounds):
    os.environ["NEURAL_COMPOSER_KERNEL_PROGRAM"] = str(path)
    with tempfile.TemporaryDirectory() as folder:
        specs = install(Path(folder), home=ROOT)
        with Notebook(specs, cwd=str(ROOT / "notebooks")) as notebook:
            for cell in CELLS:
                assert notebook.run(cell).status == "ok", cell
            notebook.wait_for_analyser()
            loaded = time.monotonic() - notebook.started
            time.sleep(5)
            answers, seconds = {}, []
            for _ in range(rounds):
                for code, answer, good, took in ask_all(notebook):
                    answers[code] = (answer, good)
                    seconds.append(took)
            return answers, seconds, loaded, memory_mb(notebook.process_id)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("programs", nargs="*", type=Path, default=[program()])
    arguments.add_argument("--rounds", type=int, default=3, help="how often each is asked")
    options = arguments.parse_args()
    results = [measured(path.resolve(), options.rounds) for path in options.programs]
    names = [path.name for path in options.programs]
    print("| question |" + "".join(f" {name} |" for name in names))
    print("|---|" + "---|" * len(names))
    for code in results[0][0]:
        cells = [f" {answer}{'' if good else ' **no**'} |" for answer, good in
                 (result[0][code] for result in results)]  # fmt: skip
        print(f"| `{code}` |" + "".join(cells))
    for name, (answers, seconds, loaded, memory) in zip(names, results, strict=True):
        ordered = sorted(seconds)
        print(
            f"{name}: {sum(good for _, good in answers.values())} of {len(answers)} right, "
            f"median {statistics.median(seconds):.3f} s, "
            f"p95 {ordered[round(0.95 * len(ordered)) - 1]:.3f} s, longest {ordered[-1]:.3f} s, "
            f"loaded after {loaded:.1f} s, anonymous memory in MB: {memory}"
        )


if __name__ == "__main__":
    main()
