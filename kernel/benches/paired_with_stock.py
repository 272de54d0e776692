"""This kernel beside stock evcxr_jupyter, each measurement taken on both in turn.

    ./lab --prepare --stock
    .lab/python/bin/python kernel/benches/paired_with_stock.py [--rounds 3]

Stock gets everything it can be given: the library is compiled already, at release speed, and is no
`:dep` of the first cell; see docs/stock-kernel.md.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "setup"))

from jupyter_client.kernelspec import KernelSpecManager  # noqa: E402

from kernelspecs import STOCK  # noqa: E402
from locations import PYTHON_HOME  # noqa: E402
from notebook import KERNEL, ROOT, Notebook, descendants, install, resident_megabytes  # noqa: E402

FIRST_CELL = f"""
use neural_composer::prelude::*;
Song::open("{ROOT}/datasets/songs/prelude.mp3")?
"""
# Cells as notebooks have them; the first binds the first variable.
CELLS = [
    "let seconds = 4.0f32;",
    "let rate = 44_100u32;",
    "let samples: Vec<f32> = (0..(seconds * rate as f32) as usize).map(|i| (i as f32 * 0.05).sin()).collect();",
    "samples.len()",
    "let peak = samples.iter().fold(0.0f32, |m, s| m.max(s.abs()));",
    "peak",
    'println!("{:.3}", peak);',
    "fn rms(x: &[f32]) -> f32 { (x.iter().map(|s| s * s).sum::<f32>() / x.len() as f32).sqrt() }",
    "rms(&samples)",
    "#[derive(Debug, Clone)] struct Block { start: usize, level: f32 }",
    "let blocks: Vec<Block> = samples.chunks(11_025).enumerate().map(|(i, c)| Block { start: i * 11_025, level: rms(c) }).collect();",
    "blocks.len()",
    "blocks[0].clone()",
    "let (loud, quiet): (Vec<Block>, Vec<Block>) = blocks.iter().cloned().partition(|b| b.level > 0.7);",
    "(loud.len(), quiet.len())",
    'let text = std::fs::read_to_string("/etc/hostname")?;',
    "text.trim().len() > 0",
    'for b in blocks.iter().take(3) { println!("{} {:.2}", b.start, b.level); }',
    "let mut total = 0.0f64; for b in &blocks { total += b.level as f64; }",
    "total / blocks.len() as f64",
]


def stock_specs() -> KernelSpecManager:
    kernels = PYTHON_HOME / "share" / "jupyter" / "kernels"
    if not (kernels / STOCK).is_dir():
        sys.exit("the stock kernel is missing: run ./lab --prepare --stock")
    return KernelSpecManager(kernel_dirs=[str(kernels)])


def measure(specs, kernel: str) -> dict:
    with Notebook(specs, kernel) as notebook:
        opening = notebook.run(FIRST_CELL, timeout=3600)
        assert opening.status == "ok", opening.error
        ready = notebook.ready_seconds + opening.seconds
        times = []
        for code in CELLS:
            cell = notebook.run(code, timeout=600)
            assert cell.status == "ok", (code, cell.error)
            times.append(cell.seconds)
        own = descendants(notebook.process_id) | {notebook.process_id}
        memory = sum(resident_megabytes(p) for p in own)
    return {
        "start to first waveform (s)": ready,
        "first variable (s)": times[0],
        "median cell (s)": statistics.median(times),
        "memory, all processes (MB)": memory,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    stock = stock_specs()
    with tempfile.TemporaryDirectory() as name:
        ours = install(Path(name))
        print("warming both", file=sys.stderr)
        measure(stock, STOCK)
        measure(ours, KERNEL)
        rounds = []
        for _ in range(options.rounds):
            pair = measure(stock, STOCK), measure(ours, KERNEL)
            rounds.append(pair)
            print(json.dumps(pair), file=sys.stderr)
    print("| | stock | this kernel | ratio |\n|---|---|---|---|")
    for name in rounds[0][0]:
        theirs = statistics.median(pair[0][name] for pair in rounds)
        own = statistics.median(pair[1][name] for pair in rounds)
        print(f"| {name} | {theirs:.2f} | {own:.2f} | {theirs / own:.1f} |")
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
