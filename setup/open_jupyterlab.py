"""JupyterLab, which ends when it is told to. Run by the lab's Python with JupyterLab's arguments.

A request that is being answered when the server is told to end, a notebook that is being saved
say, is never done with: the server stops its loop of events and goes. Nobody then tells the thread
that read or wrote files for that request to go, too, and Python waits for it for ever (jupyterlab
issue 10442).
"""

import runpy
import sys
import threading


def end_waiting_threads():
    """Tells the threads that read and write files to go when they have done what they are at."""
    for thread in threading.enumerate():
        if thread.name == "AnyIO worker thread" and hasattr(thread, "stop"):
            thread.stop()


if __name__ == "__main__":
    # JupyterLab and its extensions find no modules in this folder.
    sys.path.pop(0)
    try:
        runpy.run_module("jupyterlab", run_name="__main__", alter_sys=True)
    finally:
        end_waiting_threads()
