"""The stock Rust kernel, evcxr_jupyter, compiled once per Rust version into the user's cache."""

import os
import re
import shutil

from file_lock import locked
from locations import LOGS, user_cache
from progress import run_step, say
from rust_toolchain import rust_version

VERSION = "0.22.0"


def installation():
    """The folder for this version of the kernel and of Rust."""
    facts = dict(line.split(": ", 1) for line in rust_version().splitlines() if ": " in line)
    return user_cache() / f"evcxr_jupyter-{VERSION}-rust-{facts['release']}-{facts['host']}"


def binary():
    return installation() / "bin" / "evcxr_jupyter"


def ensure_evcxr():
    """Compiles the kernel unless the cache has it."""
    if binary().exists():
        return
    root = installation()
    with locked(
        root.with_name(root.name + ".lock"), "Another ./lab compiles the Rust kernel: waiting."
    ):
        if binary().exists():
            return
        say(
            f"Rust kernel (evcxr_jupyter {VERSION}), about 8 minutes on two cores, once for all "
            "checkouts: it contains rust-analyzer, 250 crates in all."
        )
        # A build folder that outlives an interruption, so that the next try goes on from there.
        build = root.with_name(root.name + ".build")
        crates = 0

        def status_of(line):
            nonlocal crates
            if compiling := re.match(r"\s*Compiling (\S+)", line):
                crates += 1
                return f"{crates} crates, now {compiling[1]}"
            return ""

        run_step(
            "compiling",
            [
                "cargo", "install", "--locked", "--force", "--version", VERSION,
                "--root", root, "evcxr_jupyter",
            ],
            LOGS / "evcxr.log",
            environment={**os.environ, "CARGO_TARGET_DIR": str(build)},
            status_of=status_of,
        )  # fmt: skip
        shutil.rmtree(build, ignore_errors=True)
