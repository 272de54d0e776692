"""This kernel beside stock evcxr_jupyter, each measurement taken on both in turn.

    python kernel/benches/paired_with_stock.py --stock PATH/evcxr_jupyter [--rounds 3]

Stock gets everything it can be given: the library compiled in its own warm EVCXR_TMPDIR, release
settings through the environment, the dependency by `:dep` in the first cell.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from jupyter_client.kernelspec import KernelSpecManager  # noqa: E402

from notebook import KERNEL, ROOT, Notebook, descendants, install, resident_megabytes  # noqa: E402

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


def stock_specs(folder: Path, program: str, cells: Path) -> KernelSpecManager:
    spec = folder / "kernels" / "stock"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(
        json.dumps(
            {
                "argv": [program, "--control_file", "{connection_file}"],
                "display_name": "stock",
                "language": "rust",
                "interrupt_mode": "message",
                "env": {
                    "EVCXR_TMPDIR": str(cells),
                    "CARGO_PROFILE_DEV_OPT_LEVEL": "3",
                    "CARGO_PROFILE_DEV_DEBUG_ASSERTIONS": "false",
                    "CARGO_PROFILE_DEV_OVERFLOW_CHECKS": "false",
                },
            }
        )
    )
    return KernelSpecManager(kernel_dirs=[str(folder / "kernels")])


def measure(specs, kernel: str, first: str) -> dict:
    with Notebook(specs, kernel) as notebook:
        opening = notebook.run(first, timeout=3600)
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
        "start to first result (s)": ready,
        "first variable (s)": times[0],
        "median cell (s)": statistics.median(times),
        "memory, all processes (MB)": memory,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stock", required=True, help="the program evcxr_jupyter")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--first", default="use neural_composer::prelude::*; 1", help="first cell")
    parser.add_argument("--without-library", action="store_true")
    options = parser.parse_args()
    home = None if options.without_library else ROOT
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = install(folder / "ours", home=home)
        stock = stock_specs(folder / "stock", options.stock, folder / "cells")
        first = "1" if home is None else options.first
        dependency = "" if home is None else f':dep neural-composer = {{ path = "{ROOT}" }}\n'
        print("warming both", file=sys.stderr)
        measure(stock, "stock", dependency + first)
        measure(ours, KERNEL, first)
        rounds = []
        for _ in range(options.rounds):
            pair = measure(stock, "stock", dependency + first), measure(ours, KERNEL, first)
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
