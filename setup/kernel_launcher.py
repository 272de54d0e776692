"""What Jupyter starts for a Rust notebook of this lab: makes a private copy of the pre-built
library and becomes the kernel, which works there. Argument: Jupyter's connection file."""

import os
import subprocess
import sys

import prebuilt_library as library
from evcxr_kernel import binary
from features import saved_features
from progress import StepFailed


def main(connection_file):
    # Standard output is the server's log: what takes long is said there.
    session, alive = library.new_session(library.ensure_template(saved_features()))
    watcher = os.path.join(os.path.dirname(__file__), "kernel_watcher.py")
    subprocess.Popen(
        [sys.executable, watcher, session.name, str(os.getpid()), str(os.getppid())],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # The session counts as alive while any process has this file open.
    os.set_inheritable(alive.fileno(), True)
    # evcxr_jupyter prints nothing there but the configuration file that it found.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    environment = library.kernel_environment(session)
    os.execve(binary(), [binary(), "--control_file", connection_file], environment)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except StepFailed as problem:
        sys.exit(str(problem))
