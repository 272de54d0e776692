"""`./lab --doctor`: what the lab needs, what is here, what to do. It changes nothing.

What is printed can be shown to anybody: no names of users, no values of variables.
"""

import argparse
import codecs
import contextlib
import getpass
import os
import re
import sys
from functools import partial
from pathlib import Path

import lab_findings as lab
import machine_findings as machine
from findings import NOTE, PROBLEM, Finding


def looks(with_cuda):
    """What is looked at, in the order in which it is told."""
    return [
        lab.source,
        machine.system,
        machine.memory,
        machine.disk,
        machine.folders,
        machine.rust,
        machine.compiler,
        machine.python,
        machine.speaker_headers,
        machine.sound_device,
        partial(machine.gpu, with_cuda),
        lab.jupyterlab,
        lab.kernel_program,
        lab.library,
        lab.registered,
        lab.stock_kernel,
        machine.for_tests,
        lab.caches,
        machine.environment,
    ]


def found_by(look):
    """The findings of one look; a look that fails is one itself."""
    try:
        yield from look()
    except Exception as error:  # Whatever it is, the rest is looked at.
        name = getattr(look, "__name__", "GPU").replace("_", " ")
        fact = f"could not be looked at: {type(error).__name__}: {error}"
        yield Finding(NOTE, name, fact, "please report this line")


def without_names(text):
    """The text with `~` for the home folder, and no name of a user in any path."""
    home = Path.home()
    for folder in sorted({str(home), str(home.resolve())}, key=len, reverse=True):
        if folder != "/":
            text = re.sub(re.escape(folder) + r"(?![\w.-])", "~", text)
    names = {home.name, *(os.environ.get(name, "") for name in ("USER", "LOGNAME"))}
    # There are users without a name.
    with contextlib.suppress(OSError, KeyError):
        names.add(getpass.getuser())
    for name in names - {""}:
        text = re.sub(rf"(?<=/){re.escape(name)}(?!\w)", "USER", text)
    return text


def as_lines(finding, is_utf8):
    """The finding in one line, and its advice in another."""
    lines = [f"{finding.mark:<8} {finding.name:<21} {finding.fact}"]
    if finding.advice:
        lines.append(f"{'':<30} {'→' if is_utf8 else '->'} {finding.advice}")
    # A name of a file or a card may hold anything, also what commands a terminal.
    lines = ["".join(c if c.isprintable() else "?" for c in without_names(s)) for s in lines]
    return lines if is_utf8 else [line.encode("ascii", "replace").decode() for line in lines]


def main():
    parser = argparse.ArgumentParser(prog="./lab --doctor")
    parser.add_argument("--cuda", action="store_true", help="as if for ./lab --cuda")
    options = parser.parse_args()
    # Asking for a version must not make rustup fetch it.
    os.environ["RUSTUP_AUTO_INSTALL"] = "0"
    is_utf8 = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
    problems = 0
    for look in looks(options.cuda):
        for finding in found_by(look):
            problems += finding.mark == PROBLEM
            print("\n".join(as_lines(finding, is_utf8)), flush=True)
    print()
    if problems:
        print(f"{problems} problem{'s' if problems != 1 else ''}: ./lab cannot work before.")
    else:
        print("No problem: ./lab can work.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
