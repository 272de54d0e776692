"""Stories: cells in a row, and what each of them must do."""

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from notebook import Cell, Notebook

# A cell ends within this time even where others keep the machine busy.
PATIENCE = 45
KEPT = "let kept = 41;"
# What the kernel writes around a cell is not the user's.
GENERATED = re.compile(r"evcxr_\w|neural_composer_kernel|\blib\.rs\b")


def told(cell: Cell) -> str:
    """Everything that a cell says in words, without colours; its result is not among it."""
    errors = cell.contents("error")
    parts = [cell.stdout, cell.stderr]
    parts += [e["ename"] + ": " + e["evalue"] + "\n" + "\n".join(e["traceback"]) for e in errors]
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(parts))


@dataclass
class Moment:
    """A cell that has run, and everything told up to and with it."""

    cell: Cell
    so_far: str

    def describe(self) -> str:
        return f"{self.cell.status}, result {self.cell.result!r}, told: {told(self.cell)[-1500:]}"


Expectation = None | str | Callable[[Moment], None]


def fails(pattern: str, line: int | None = None) -> Expectation:
    """The cell fails, with a reason like `pattern`, at this line of it."""

    def check(moment: Moment):
        assert moment.cell.status == "error", moment.describe()
        words = told(moment.cell)
        assert re.search(pattern, words), f"{pattern!r} is not in: {words}"
        if line is not None:
            assert re.search(rf"\]:{line}\b|\bline {line}\b", words), f"no line {line} in: {words}"

    return check


def lost(name: str, was: str | None = None) -> Expectation:
    """The variable is reported lost, here or before; or it is shown as it `was`."""

    def check(moment: Moment):
        if was is not None and moment.cell.result == was:
            return
        assert moment.cell.result is None, moment.describe()
        reported = re.search(rf"redefined[^\n]*\b{name}\b|\b{name}\b[^\n]*redefined", moment.so_far)
        assert reported and "lost" in moment.so_far.lower(), moment.describe()

    return check


def prints(text: str) -> Expectation:
    """The cell prints exactly this, and shows no result."""

    def check(moment: Moment):
        assert moment.cell.status == "ok", moment.describe()
        assert moment.cell.stdout == text, moment.describe()
        assert moment.cell.result is None, moment.describe()

    return check


def notes(*patterns: str) -> Expectation:
    """The cell runs, and says these on standard error."""

    def check(moment: Moment):
        assert moment.cell.status == "ok", moment.describe()
        for pattern in patterns:
            assert re.search(pattern, moment.cell.stderr), moment.describe()

    return check


def any_of(*expectations: Expectation) -> Expectation:
    """One of these holds."""

    def check(moment: Moment):
        failures = []
        for expectation in expectations:
            try:
                meet(expectation, moment)
            except AssertionError as failure:
                failures.append(str(failure))
            else:
                return
        raise AssertionError("\n".join(failures))

    return check


def meet(expectation: Expectation, moment: Moment):
    if callable(expectation):
        expectation(moment)
        return
    assert moment.cell.status == "ok", moment.describe()
    if expectation is not None:
        assert moment.cell.result == expectation, moment.describe()


def tell(notebook: Notebook, *steps: str | tuple[str, Expectation], timeout: float = PATIENCE):
    """Runs the cells: without an expectation, without an error. None names generated code."""
    so_far = ""
    for step in steps:
        code, expectation = (step, None) if isinstance(step, str) else step
        cell = notebook.run(code, timeout=timeout)
        so_far += told(cell)
        try:
            meet(expectation, Moment(cell, so_far))
            generated = GENERATED.search(told(cell).replace(code, ""))
            assert generated is None, f"{generated[0]!r} is in: {told(cell)}"
        except AssertionError as failure:
            raise AssertionError(f"cell `{code}`: {failure}") from None


class Shelf:
    """Kernels for stories, one after the other: a new one only after a failure."""

    def __init__(self, specs, cwd: str | None = None, before: str = ""):
        self.specs, self.cwd, self.before = specs, cwd, f"{before}\n{KEPT}"
        self.notebook: Notebook | None = None
        self.stories = 0

    @contextlib.contextmanager
    def lab(self):
        """A kernel in which `kept` is 41, and stays so.

        What is lost stays lost: every third story asks for it, and the end of the shelf.
        """
        self.stories += 1
        if self.notebook is None:
            self.notebook = Notebook(self.specs, cwd=self.cwd)
            self.notebook.run(self.before, timeout=600)
        try:
            yield self.notebook
            if self.stories % 3 == 0:
                self.ask_for_kept()
        except BaseException:
            self.discard()
            raise

    def ask_for_kept(self):
        kept = self.notebook.run("kept", timeout=PATIENCE)
        assert kept.result == "41", f"`kept` is lost: {told(kept)}"

    def tell(self, *steps: str | tuple[str, Expectation], timeout: float = PATIENCE):
        with self.lab() as notebook:
            tell(notebook, *steps, timeout=timeout)

    def close(self):
        """Asks for `kept` a last time, unless a failure has ended the kernel."""
        try:
            if self.notebook is not None:
                self.ask_for_kept()
        finally:
            self.discard()

    def discard(self):
        """Ends the kernel at once: it may not be able to end by itself."""
        if self.notebook is not None:
            self.notebook.client.stop_channels()
            self.notebook.manager.shutdown_kernel(now=True)
            self.notebook = None
