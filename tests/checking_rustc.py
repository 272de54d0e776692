#!/usr/bin/env python3
"""Cargo's `rustc-workspace-wrapper` for `./test`: lints and documents what it compiles.

Cargo calls it for the workspace's own crates, as `checking_rustc.py RUSTC OPTIONS...`. Clippy
compiles in rustc's place, and rustdoc follows where there is documentation; a warning of either is
an error. `cargo clippy` and `cargo doc` would have all crates below compiled once more, in the way
of `cargo check`.
"""

import os
import subprocess
import sys
from pathlib import Path

DOCUMENTED = {"neural_composer", "neural_composer_kernel"}
#: Of rustc's options, those that rustdoc is to know, too; each takes a value.
FOR_RUSTDOC = {"--crate-name", "--crate-type", "--cfg", "--check-cfg", "-L", "--extern", "--target"}


def beside(rustc, program):
    """The program of the same toolchain."""
    path = Path(rustc)
    return str(path.with_name(program)) if path.is_absolute() else program


def value_of(option, options):
    return options[options.index(option) + 1] if option in options else ""


def documentation_options(options):
    """rustdoc's options for the crate that rustc compiles with these."""
    kept = [option for option in options if option.startswith("--edition=")]
    kept += [option for option in options if option.endswith(".rs")]
    for option, value in zip(options, options[1:], strict=False):
        if option in FOR_RUSTDOC:
            kept += [option, value]
    return [
        *kept,
        "-D",
        "warnings",
        "--out-dir",
        f"{value_of('--out-dir', options)}/../checked-doc",
    ]


def call(command):
    """Runs it with all open files: through one of them cargo tells how many threads to use."""
    return subprocess.call(command, close_fds=False)


def main(rustc, *options):
    name = value_of("--crate-name", options)
    asks_only = any(option.startswith(("--print", "-v")) for option in options)
    if asks_only or name in ("", "___", "build_script_build"):
        os.execvp(rustc, [rustc, *options])
    clippy = beside(rustc, "clippy-driver")
    # Optimising across a crate's parts again takes long; of what is computed all is in the library.
    is_library = value_of("--crate-type", options) == "lib" and "--test" not in options
    lto = [] if is_library else ["-C", "lto=off"]
    status = call([clippy, rustc, *options, *lto, "-D", "warnings"])
    if status == 0 and name in DOCUMENTED and "--test" not in options:
        status = call([beside(rustc, "rustdoc"), *documentation_options(options)])
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
