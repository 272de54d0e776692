"""Runs sequences of cells against the model, and writes what went wrong as a program."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from cell_grammar import Writer
from cell_model import Step
from notebook import Cell, Notebook
from stories import GENERATED, told

STUCK_SECONDS = 90
STOPPED_SECONDS = 10
SECOND_PRESS_SECONDS = 2.5
CRASH = re.compile(r"EvaluatorDied|\bSIG(SEGV|ABRT|BUS|ILL|KILL)\b")


@dataclass
class Finding:
    """A cell that did not do what the model says."""

    seed: int
    at: int
    message: str
    steps: list[Step]

    def __str__(self) -> str:
        cells = "\n---\n".join(step.code for step in self.steps[: self.at + 1])
        return f"seed {self.seed}, cell {self.at + 1}: {self.message}\n{cells}\n"

    def write(self, folder: Path) -> Path:
        """A program that runs the cells up to this one, and says what comes of each."""
        folder.mkdir(parents=True, exist_ok=True)
        steps = "".join(f"    {step!r},\n" for step in self.steps[: self.at + 1])
        tests = str(Path(__file__).parent)
        path = folder / f"seed_{self.seed}.py"
        path.write_text(
            f'"""Seed {self.seed}: found by fuzz_cells.py."""\n\nimport sys\n\n'
            f"sys.path.insert(0, {tests!r})\n\n"
            "from cell_model import Step  # noqa: E402\n"
            "from cell_runs import replay  # noqa: E402\n\n"
            f"# {' '.join(self.message.split())[:300]}\nSTEPS = [\n{steps}]\n\n"
            'if __name__ == "__main__":\n    sys.exit(replay(STEPS))\n',
            encoding="utf-8",
        )
        return path


def judge(step: Step, cell: Cell, so_far: str) -> str | None:
    """What is wrong with the cell, or nothing. `so_far`: all that was told before it."""
    words = told(cell)
    state = f"{cell.status}, result {cell.result!r}, told: {words.strip()[-800:]}"
    if generated := GENERATED.search(words.replace(step.code, "")):
        return f"it names generated code, {generated[0]!r}; {state}"
    if step.outcome != "killed" and CRASH.search(words):
        return f"a crash that names a harmless cell; {state}"
    if step.outcome == "value":
        right = (cell.status, cell.result, cell.stdout) == ("ok", step.result, step.stdout)
        return None if right else f"{step.result!r} and {step.stdout!r} were due; {state}"
    if step.outcome == "fails":
        right = cell.status == "error" and re.search(step.reason, words)
        return None if right else f"an error like {step.reason!r} was due; {state}"
    if step.outcome == "moved":
        right = cell.status == "error" and is_named(step.name, words) and "moved" in words
        return None if right else f"`{step.name}` was moved; {state}"
    if step.outcome == "stale":
        everything = so_far + words
        lost = is_named(step.name, everything) and "lost" in everything.lower()
        right = lost if cell.result is None else cell.result == step.result
        return None if right else f"`{step.name}` was lost; {state}"
    if step.outcome == "stopped":
        return f"a stop lost variables; {state}" if "lost" in words.lower() else None
    return None if cell.status == "error" else f"the cell's end is an error; {state}"


def is_named(name: str, words: str) -> bool:
    return re.search(rf"(?<!\w){name.removeprefix('r#')}(?!\w)", words) is not None


def run_step(notebook: Notebook, step: Step) -> Cell:
    """Runs the cell, and presses stop as often as the step has it."""
    pressed, second = [], threading.Timer(SECOND_PRESS_SECONDS, notebook.interrupt)

    def press(kind, content):
        if step.stops and not pressed and kind == "stream" and "running" in content["text"]:
            time.sleep(0.3)
            pressed.append(time.monotonic())
            notebook.interrupt()
            if step.stops > 1:
                second.start()

    started = notebook.start(step.code)
    try:
        cell = notebook.finish(started, timeout=STUCK_SECONDS, on_message=press)
    finally:
        second.cancel()
    waited = time.monotonic() - pressed[0] if pressed else 0
    if waited > STOPPED_SECONDS:
        raise TimeoutError(f"the cell ended {waited:.0f} s after the stop")
    return cell


def run_steps(notebook: Notebook, steps: list[Step], say=None) -> tuple[int, str] | None:
    """The first cell that is wrong, and how; or nothing."""
    so_far = ""
    for at, step in enumerate(steps):
        try:
            cell = run_step(notebook, step)
        except (TimeoutError, RuntimeError) as error:
            return at, f"stuck: {error}"
        if say is not None:
            say(step, cell)
        if wrong := judge(step, cell, so_far):
            return at, wrong
        so_far += told(cell)
    return None


def run_seed(specs, seed: int, length: int = 20, stops: bool = True) -> Finding | None:
    """Writes the sequence of this seed, and runs it in a kernel of its own."""
    steps = Writer(seed, stops=stops).sequence(length)
    notebook = Notebook(specs)
    try:
        wrong = run_steps(notebook, steps)
    finally:
        notebook.client.stop_channels()
        notebook.manager.shutdown_kernel(now=True)
    return Finding(seed, *wrong, steps) if wrong else None


def replay(steps: list[Step]) -> int:
    """Runs the cells of a reproduction and prints each; 1 if one of them is wrong."""
    import tempfile

    from notebook import install

    def say(step, cell):
        print(f"--- {step.code}\n=> {cell.status} {cell.result!r} {told(cell).strip()}")

    with tempfile.TemporaryDirectory() as folder, Notebook(install(Path(folder), None)) as notebook:
        wrong = run_steps(notebook, steps, say)
    print("as it should be" if wrong is None else f"cell {wrong[0] + 1}: {wrong[1]}")
    return 0 if wrong is None else 1
