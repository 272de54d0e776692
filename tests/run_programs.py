"""`cargo test` with three test programs at a time, since most of them wait more than they compute.

    python3 tests/run_programs.py --release --tests
    python3 tests/run_programs.py --doc --release        # and the documentation's examples
    python3 tests/run_programs.py --quick --release      # without the programs of ENDURANCE

Options are those of `cargo test`; with `--doc`, its `--doc` part is run beside the programs. A
program runs as cargo would run it, and its output is printed when it has ended. The ones that took
longest the last time come first. The exit status is 1 when something failed.
"""

import functools
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
AT_ONCE = 3
SECONDS_OF_LAST_RUN = CHECKOUT / "target" / "test-programs-seconds.json"
UNKNOWN_SECONDS = 10
# They do whole jobs again and again: killed and gone on with, stopped, signalled, on several
# processes, on up to forty threads, with a thousand damaged models. A third of all the work, and
# seldom what a change breaks.
ENDURANCE = (
    "tests/corpus_building.rs",
    "tests/model_files.rs",
    "tests/mpirun.rs",
    "tests/resume_commands.rs",
    "tests/signals.rs",
    "tests/stop.rs",
    "tests/threads.rs",
)

printing = threading.Lock()


def programs(options):
    """Name to (command, folder) of what cargo compiles for these options; None where it fails."""
    command = ["cargo", "test", "--no-run", "--message-format", "json-render-diagnostics"]
    built = subprocess.run(
        [*command, *options], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=False
    )
    if built.returncode != 0:
        return None
    found = {}
    for line in built.stdout.splitlines():
        artifact = json.loads(line)
        if artifact["reason"] != "compiler-artifact" or not artifact["profile"]["test"]:
            continue
        if artifact["executable"]:
            source = Path(artifact["target"]["src_path"]).relative_to(CHECKOUT)
            found[str(source)] = [artifact["executable"]], Path(artifact["manifest_path"]).parent
    return found


@functools.cache
def sysroot():
    return subprocess.check_output(["rustc", "--print", "sysroot"], text=True).strip()


def environment_of(folder):
    """What cargo tells a program that it runs, as far as tests ask for it."""
    libraries = [f"{sysroot()}/lib", os.environ.get("LD_LIBRARY_PATH", "")]
    return {
        **os.environ,
        "CARGO_MANIFEST_DIR": str(folder),
        "LD_LIBRARY_PATH": ":".join(filter(None, libraries)),
    }


def run(name, command, folder):
    """Runs a program to its end: its exit status and its seconds."""
    begun = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env=environment_of(folder), stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace", check=False,
    )  # fmt: skip
    seconds = time.monotonic() - begun
    with printing:
        print(f"\n     Running {name}\n{done.stdout}", end="", flush=True)
        if done.returncode != 0:
            print(f"{name}: exit status {done.returncode}, {' '.join(command)}", flush=True)
    return done.returncode, seconds


def main(options):
    with_examples = "--doc" in options
    is_quick = "--quick" in options
    options = [option for option in options if option not in ("--doc", "--quick")]
    found = programs(options)
    if not found:
        sys.exit("the tests do not compile" if found is None else "there are no tests")
    if unknown := [name for name in ENDURANCE if name not in found]:
        sys.exit(f"ENDURANCE in {__file__} names what is no test program: {', '.join(unknown)}")
    if is_quick:
        print(f"left to the whole ./test: {', '.join(ENDURANCE)}")
        found = {name: program for name, program in found.items() if name not in ENDURANCE}
    if with_examples:
        found["documentation"] = ["cargo", "test", "--doc", *options], CHECKOUT
    try:
        known = json.loads(SECONDS_OF_LAST_RUN.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    # The documentation's examples are compiled as they run: nothing takes longer.
    order = sorted(
        found, key=lambda name: (name != "documentation", -known.get(name, UNKNOWN_SECONDS), name)
    )
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = dict(zip(order, pool.map(lambda name: run(name, *found[name]), order), strict=True))
    known.update({name: round(seconds, 1) for name, (_, seconds) in ends.items()})
    SECONDS_OF_LAST_RUN.write_text(json.dumps(known), encoding="utf-8")
    slowest = sorted(ends, key=lambda name: -ends[name][1])[:5]
    print("\nslowest: " + ", ".join(f"{name} {ends[name][1]:.0f} s" for name in slowest))
    return any(status != 0 for status, _ in ends.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
