"""What Jupyter starts for a Rust notebook of this lab: gives the kernel a private copy of the
pre-built library, runs it there, and tidies up after it. Argument: Jupyter's connection file."""

import contextlib
import os
import signal
import subprocess
import sys

import prebuilt_library as library
from evcxr_kernel import binary
from progress import StepFailed


def main(connection_file):
    # Standard output is the server's log: what takes long is said there.
    features = library.saved_features()
    session, lock = library.new_session(library.ensure_template(features), features)
    try:
        kernel = subprocess.Popen(
            [binary(), "--control_file", connection_file],
            env=library.kernel_environment(session),
            # The session counts as alive while the kernel or a child of it is.
            pass_fds=[lock.fileno()],
        )
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda received, _: _forward(kernel, received))
        code = kernel.wait()
    finally:
        library.remove_session(session)
    sys.exit(code if code >= 0 else 128 - code)


def _forward(kernel, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(kernel.pid, number)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except StepFailed as problem:
        sys.exit(str(problem))
