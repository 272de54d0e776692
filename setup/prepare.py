"""Makes the lab ready, step by step; each step does nothing when its result is there already."""

import argparse
import os
import shutil
import subprocess
import sys

from evcxr_kernel import ensure_evcxr
from file_lock import locked
from kernelspecs import register_kernels
from locations import LAB
from prebuilt_library import ensure_template, save_features
from progress import StepFailed, say
from python_environment import ensure_python_environment


def ensure_library_source():
    """rust-analyzer, inside the kernel, needs the standard library's sources to tell the types of
    a cell's variables."""
    if not shutil.which("rustup"):
        return
    sysroot = subprocess.run(
        ["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True
    )
    if os.path.exists(f"{sysroot.stdout.strip()}/lib/rustlib/src/rust/library"):
        return
    say("Sources of Rust's standard library: rustup component add rust-src")
    added = subprocess.run(["rustup", "component", "add", "rust-src"], check=False)
    if added.returncode != 0:
        say(
            "  rustup could not: cells work, but `let` needs its type written out "
            "(`let song: Song = …`) until `rustup component add rust-src` succeeds."
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--features", default="", help="cargo features, separated by commas")
    options = parser.parse_args()
    features = sorted(name for name in options.features.split(",") if name)
    with locked(LAB / "prepare.lock", "Another ./lab prepares this checkout: waiting for it."):
        ensure_python_environment()
        ensure_library_source()
        ensure_evcxr()
        ensure_template(features)
        save_features(features)
        register_kernels()


if __name__ == "__main__":
    try:
        main()
    except StepFailed as problem:
        sys.exit(f"./lab: {problem}")
    except KeyboardInterrupt:
        sys.exit("\n./lab: stopped. Start it again and it goes on where it was.")
