"""Starts a Rust kernel, runs the cell every notebook begins with, and ends: that leaves the
library compiled in the kernel's folder. Run by the lab's Python; argument: the kernel's program."""

import signal
import subprocess
import sys

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

FIRST_CELL = "use neural_composer::prelude::*;"
# evcxr answers a variable of unknown type, such as a misspelt name gives, with `cargo check`, which
# compiles what a cell depends on in its own way.
MISTAKEN_CELL = "let unknown = no_such_name();"


class ProgramKernelManager(KernelManager):
    """A manager for a kernel that is not registered anywhere."""

    program = ""

    @property
    def kernel_spec(self):
        return KernelSpec(argv=[self.program, "--control_file", "{connection_file}"])


def errors_of(client, cell):
    """Runs the cell; what errors it reports."""
    errors = []

    def keep(message):
        if message["msg_type"] == "error":
            errors.append(message["content"]["evalue"])

    client.execute_interactive(cell, output_hook=keep, timeout=3600)
    return errors


def stop(*_):
    """Ends at a signal, once: the kernel is still to be ended in good order."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.exit("stopped")


def main(program):
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    manager = ProgramKernelManager()
    manager.program = program
    manager.start_kernel(stdout=subprocess.DEVNULL)
    client = manager.client()
    client.start_channels()
    try:
        # Compiling is what takes the time; a compile error ends the kernel, which is noticed.
        client.wait_for_ready(timeout=3 * 3600)
        problems = errors_of(client, FIRST_CELL)
        if not errors_of(client, MISTAKEN_CELL):
            problems.append(f"expected an error from `{MISTAKEN_CELL}`, got none")
    except RuntimeError as error:
        sys.exit(f"The Rust kernel ended: {error}")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main(sys.argv[1])
