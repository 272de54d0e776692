"""A lock between processes; the system lets go of it when its holder ends, however it ends."""

import contextlib
import fcntl


def try_lock(path):
    """The open, locked file, or None while another process holds the lock."""
    file = open(path, "a", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


@contextlib.contextmanager
def shared(path):
    """Keeps others from locking the file for themselves during the `with` block."""
    with path.open(encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def locked(path, waiting):
    """Holds the lock for the `with` block; says `waiting` once when somebody else has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = try_lock(path)
    if file is None:
        print(waiting, flush=True)
        file = open(path, "a", encoding="utf-8")
        fcntl.flock(file, fcntl.LOCK_EX)
    with file:
        yield
