"""The stock Rust kernel, evcxr_jupyter, compiled once per Rust version into the user's cache."""

import contextlib
import os
import re
import shutil

from file_lock import locked
from locations import LOGS, user_cache
from progress import Step, say
from rust_toolchain import rust_version

VERSION = "0.22.0"
# What it brings and hardly runs is compiled without being optimised: almost half of the seconds
# otherwise. Notebooks run in the same time, 05, which declares types of its own, a tenth longer.
NOT_OPTIMISED = (
    "idna",
    "notify",
    "pulldown-cmark@0.9.6",
    "pulldown-cmark@0.13.4",
    "ra_ap_hir",
    "ra_ap_hir_ty",
    "ra_ap_ide",
    "ra_ap_ide_assists",
    "ra_ap_ide_completion",
    "ra_ap_ide_db",
    "ra_ap_ide_diagnostics",
    "ra_ap_ide_ssr",
    "ra_ap_project_model",
    "regex-automata",
    "regex-syntax",
    "tokio",
    "tracing-subscriber",
    "zeromq",
)


def installation():
    """The folder for this version of the kernel and of Rust."""
    facts = dict(line.split(": ", 1) for line in rust_version().splitlines() if ": " in line)
    return user_cache() / f"evcxr_jupyter-{VERSION}-rust-{facts['release']}-{facts['host']}"


def binary():
    return installation() / "bin" / "evcxr_jupyter"


@contextlib.contextmanager
def evcxr_compiled():
    """Compiles the kernel while the `with` block does other things, unless the cache has it; the
    block's end is that of both. (rust-analyzer's crates wait for each other: one compilation keeps
    hardly more than one core busy.)"""
    root = installation()
    if binary().exists():
        yield
        return
    with locked(
        root.with_name(root.name + ".lock"),
        "Another ./lab compiles the stock Rust kernel: waiting.",
    ):
        if binary().exists():
            yield
            return
        say(
            f"Stock Rust kernel (evcxr_jupyter {VERSION}), some minutes, once for all checkouts, "
            "compiled beside what follows: it holds rust-analyzer."
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

        command = [
            "cargo", "install", "--locked", "--force", "--version", VERSION,
            "--root", root, "evcxr_jupyter",
        ]  # fmt: skip
        environment = {**os.environ, "CARGO_TARGET_DIR": str(build)}
        # It waits for rustc, as our own kernel does: a third of the seconds of a release build.
        # Whoever measures it sets 3, its authors' level.
        if "CARGO_PROFILE_RELEASE_OPT_LEVEL" not in environment:
            environment["CARGO_PROFILE_RELEASE_OPT_LEVEL"] = "1"
            environment["CARGO_PROFILE_RELEASE_LTO"] = "off"
            for crate in NOT_OPTIMISED:
                command += ["--config", f'profile.release.package."{crate}".opt-level=0']
        with Step(
            "compiling the stock kernel", command, LOGS / "evcxr.log", environment, status_of
        ) as step:
            yield
            step.finish()
        shutil.rmtree(build, ignore_errors=True)
