"""A notebook without a front end: starts a kernel, runs cells, keeps what they show and when."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "setup"))

import own_kernel  # noqa: E402
from features import saved_features  # noqa: E402

KERNEL = "neural-composer"
# Of the names of kernels' temporary folders.
PREFIX = "neural-composer-kernel-"
START_SECONDS = 600
ANALYSER_SECONDS = 300


def program() -> Path:
    """The kernel's program: named by the environment, or as `./lab` installed it."""
    named = os.environ.get("NEURAL_COMPOSER_KERNEL_PROGRAM")
    path = Path(named) if named else own_kernel.binary()
    if not path.is_file():
        sys.exit(f"{path} is missing: run ./lab --prepare")
    return path


def features() -> list[str]:
    """`--features` as the lab was prepared with, so that its build of the library is used."""
    saved = saved_features()
    return [] if saved is None else ["--features", ",".join(saved)]


def install(prefix: Path, home: Path | None = ROOT) -> KernelSpecManager:
    """Installs the kernel below `prefix`, with the library at `home` or without it."""
    command = [str(program()), "install", "--prefix", str(prefix)]
    if home is not None:
        command += ["--home", str(home), *features()]
    subprocess.run(command, check=True, capture_output=True)
    return KernelSpecManager(kernel_dirs=[str(prefix / "share" / "jupyter" / "kernels")])


@dataclass
class Cell:
    """What one cell did."""

    status: str
    seconds: float
    reply: dict
    # (seconds after the start, message type, content), in order
    messages: list = field(default_factory=list)

    def contents(self, kind: str) -> list:
        return [content for _, found, content in self.messages if found == kind]

    def times(self, kind: str) -> list:
        return [seconds for seconds, found, _ in self.messages if found == kind]

    @property
    def stdout(self) -> str:
        return self._stream("stdout")

    @property
    def stderr(self) -> str:
        return self._stream("stderr")

    def _stream(self, name: str) -> str:
        return "".join(c["text"] for c in self.contents("stream") if c["name"] == name)

    @property
    def result(self) -> str | None:
        results = self.contents("execute_result")
        return results[-1]["data"].get("text/plain") if results else None

    @property
    def error(self) -> str:
        errors = self.contents("error")
        return errors[-1]["ename"] + ": " + errors[-1]["evalue"] if errors else ""


class Notebook:
    """One running kernel."""

    def __init__(self, specs: KernelSpecManager, kernel: str = KERNEL, cwd: str | None = None):
        self.manager = KernelManager(kernel_name=kernel, kernel_spec_manager=specs)
        self.started = time.monotonic()
        self.manager.start_kernel(cwd=cwd)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=START_SECONDS)
        self.ready_seconds = time.monotonic() - self.started

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=False)

    @property
    def process_id(self) -> int:
        return self.manager.provisioner.pid

    def start(self, code: str, **options) -> tuple[str, float]:
        return self.client.execute(code, **options), time.monotonic()

    def run(self, code: str, timeout: float = 120, on_message=None, **options) -> Cell:
        """Runs a cell to its end; `on_message(kind, content)` sees each message as it comes."""
        return self.finish(self.start(code, **options), timeout, on_message)

    def finish(self, started: tuple[str, float], timeout: float = 120, on_message=None) -> Cell:
        request, begun = started
        messages = []
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"the cell did not end within {timeout} s: {messages[-5:]}")
            try:
                message = self.client.get_iopub_msg(timeout=min(left, 1))
            except Empty:
                if not self.manager.is_alive():
                    raise RuntimeError("the kernel died") from None
                continue
            parent = message["parent_header"]
            # The manager's session is a clone of the client's: its interrupts bear the same ids.
            if (parent.get("msg_id"), parent.get("msg_type")) != (request, "execute_request"):
                continue
            kind, content = message["msg_type"], message["content"]
            messages.append((time.monotonic() - begun, kind, content))
            if on_message is not None:
                on_message(kind, content)
            if kind == "status" and content["execution_state"] == "idle":
                break
        reply = self.reply(request, deadline)
        return Cell(reply["status"], messages[-1][0], reply, messages)

    def reply(self, request: str, deadline: float | None = None) -> dict:
        """The content of the reply on the shell channel."""
        deadline = deadline or time.monotonic() + 60
        while True:
            message = self.client.get_shell_msg(timeout=max(0.1, deadline - time.monotonic()))
            if message["parent_header"].get("msg_id") == request:
                return message["content"]

    def wait_for_analyser(self):
        """Waits until the analyser, which loads in the background, completes."""
        await_analyser(self.client)

    def interrupt(self):
        self.manager.interrupt_kernel()

    def interrupt_and_wait(self):
        """As `interrupt`, but cells started afterwards begin after the kernel has taken it."""
        request = self.client.session.msg("interrupt_request")
        self.client.control_channel.send(request)
        reply = self.client.get_control_msg(timeout=60)
        assert reply["msg_type"] == "interrupt_reply"
        assert reply["parent_header"]["msg_id"] == request["header"]["msg_id"]


def await_analyser(client):
    code = "std::mem::sw"
    deadline = time.monotonic() + ANALYSER_SECONDS
    while time.monotonic() < deadline:
        request = client.complete(code, len(code))
        while True:
            reply = client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == request:
                break
        if reply["content"]["matches"]:
            return
    raise TimeoutError("the analyser does not complete anything")


def folder_of(notebook):
    """The folder whose owner the kernel is."""
    opened = [os.readlink(file) for file in Path(f"/proc/{notebook.process_id}/fd").iterdir()]
    [found] = {Path(path).parent for path in opened if Path(path).name == "owner.lock"}
    assert found.name.startswith(PREFIX)
    return found


def descendants(process_id: int) -> set[int]:
    """The processes started by `process_id`, by those they started, and so on."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found = set()
    while True:
        more = {p for p, parent in parents.items() if parent in found | {process_id}} - found
        if not more:
            return found
        found |= more


def evaluators(notebook: Notebook) -> list[int]:
    """The processes that run cells: their environment named the cells' folder."""
    found = []
    for process_id in descendants(notebook.process_id):
        try:
            environment = Path(f"/proc/{process_id}/environ").read_text()
        except OSError:
            continue
        if "NEURAL_COMPOSER_KERNEL_EVALUATOR=" in environment:
            found.append(process_id)
    return found


def processor_seconds(process_ids: list[int]) -> float:
    """What these processes have used so far, all cores added up."""
    ticks = 0
    for process_id in process_ids:
        fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_megabytes(process_id: int) -> float:
    pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
