"""The card's memory while something runs."""

import subprocess
import threading

QUERY = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
EVERY_SECONDS = 0.2


class PeakMemory:
    """`with PeakMemory("cuda") as memory: ...` and then `memory.peak()`."""

    def __init__(self, device):
        self.watches = device == "cuda"
        self.most = None
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def __enter__(self):
        if self.watches:
            self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        if self.watches:
            self.thread.join()

    def _watch(self):
        while not self.done.wait(EVERY_SECONDS):
            try:
                told = subprocess.run(QUERY, capture_output=True, text=True, check=True).stdout
                self.most = max(self.most or 0, int(told.split()[0]))
            except (OSError, subprocess.CalledProcessError, ValueError, IndexError):
                return

    def peak(self):
        """In words: megabytes, or that nobody says."""
        if not self.watches:
            return "-"
        return "nvidia-smi does not say" if self.most is None else f"{self.most} MiB"
