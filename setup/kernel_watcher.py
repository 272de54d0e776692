"""Tidies up after one kernel: ends it when Jupyter died without doing so, and removes its session
once the kernel and its children are gone, however they went.

Arguments: the session's name, the kernel's process id, Jupyter's process id."""

import contextlib
import os
import signal
import sys
import time

from prebuilt_library import remove_session_if_dead

LOOK_EVERY_SECONDS = 2


def is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def end(kernel):
    """Ends the kernel, with the process group Jupyter gave it, if it has one of its own."""
    with contextlib.suppress(ProcessLookupError):
        if os.getpgid(kernel) == kernel:
            os.killpg(kernel, signal.SIGKILL)
        else:
            os.kill(kernel, signal.SIGKILL)


def watch(session, kernel, jupyter):
    while not remove_session_if_dead(session):
        # The session is in use, so the kernel's process id is still the kernel's.
        if not is_running(jupyter):
            end(kernel)
        time.sleep(LOOK_EVERY_SECONDS)


if __name__ == "__main__":
    watch(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
