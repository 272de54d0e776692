"""Runs a long command so that a person can see that it moves: one changing line on a terminal,
a plain line now and then elsewhere, everything in a log file."""

import os
import subprocess
import sys
import threading
import time

from forecast import ENVIRONMENT

PLAIN_INTERVAL_SECONDS = 30
TAIL_LINES = 25


class StepFailed(Exception):
    """A command failed; the message says which one, how, and where its whole output is."""


def clock(seconds):
    """Minutes and seconds, as on a stop watch: 75 is `1:15`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def say(text):
    print(text, flush=True)


class Ticker:
    """Shows `title`, the time since it began and what `status()` says, until its block ends."""

    def __init__(self, title, status, started=None):
        self.title = title
        self.status = status
        self.started = started or time.monotonic()
        self._terminal = sys.stdout.isatty()
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self._finished.set()
        self._thread.join()
        if self._terminal:
            print("\r\033[K", end="")
        if kind is None:
            say(f"  {self.title}: done in {clock(time.monotonic() - self.started)}")

    def _run(self):
        interval = 0.2 if self._terminal else PLAIN_INTERVAL_SECONDS
        frames = "|/-\\"
        count = 0
        while not self._finished.wait(interval):
            elapsed = clock(time.monotonic() - self.started)
            line = f"{self.title} {elapsed} {self.status()}"
            if self._terminal:
                width = os.get_terminal_size(sys.stdout.fileno()).columns
                print(f"\r\033[K  {frames[count % 4]} {line}"[: width + 4], end="", flush=True)
            else:
                say(f"  ... {line}")
            count += 1


class Step:
    """A long command that runs beside whatever else is done, its output kept in `log_path`, until
    `finish` waits for it. Leaving the `with` block before that ends it."""

    def __init__(self, title, command, log_path, environment=None, status_of=str.strip):
        self.title = title
        self.latest = ""
        self._command = command
        self._log_path = log_path
        self._environment = environment
        self._status_of = status_of

    def __enter__(self):
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        self._log = self._log_path.open("w", encoding="utf-8")
        self._log.write(f"$ {' '.join(map(str, self._command))}\n")
        self._log.flush()
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()
        # What the command started may hold its output open a little longer.
        self._reader.join(timeout=10)
        if not self._reader.is_alive():
            self._process.stdout.close()
        self._log.close()

    def _read(self):
        for line in self._process.stdout:
            # Lines that a terminal would show over each other are no part of the log.
            if "Building [" not in line:
                self._log.write(line)
                self._log.flush()
            self.latest = self._status_of(line) or self.latest

    def finish(self, status=None):
        """Waits for the command's end and shows meanwhile what `status()` returns, or else
        `status_of(line)` of the latest line of output for which that is not empty. Raises
        `StepFailed` with the end of the output when the command failed."""
        with Ticker(self.title, status or (lambda: self.latest), self._started):
            self._reader.join()
            code = self._process.wait()
            if code != 0:
                raise failure(self.title, f"exit status {code}", self._log_path)


def compilation(title, command, log_path, forecast, environment=None):
    """A `Step` that calls cargo and says how much longer it takes."""
    begun = time.monotonic()
    return Step(
        title,
        command,
        log_path,
        environment={**(environment or os.environ), **ENVIRONMENT},
        status_of=lambda line: forecast.words(line, time.monotonic() - begun),
    )


def run_step(title, command, log_path, environment=None, status_of=str.strip, status=None):
    """Runs `command` to its end; see `Step`."""
    with Step(title, command, log_path, environment, status_of) as step:
        step.finish(status)


def failure(title, how, log_path):
    """A `StepFailed` that quotes the end of the log."""
    lines = log_path.read_text(encoding="utf-8", errors="replace").splitlines()
    tail = "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])
    return StepFailed(
        f"{title} failed ({how}).\n{tail}\n"
        f"  The whole log: {log_path}\n"
        "  Nothing is lost: start again and it goes on where it stopped."
    )
