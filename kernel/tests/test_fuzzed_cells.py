"""A seeded sample of random sequences of cells; `benches/fuzz_cells.py` runs any number."""

import pytest

from cell_grammar import Writer
from cell_model import Step
from cell_runs import judge, run_seed
from notebook import Cell

# Between them they use every rule of the grammar.
SAMPLE = [135, 137, 203, 261, 292, 335]


@pytest.mark.parametrize("seed", SAMPLE)
def test_a_random_sequence_is_as_the_model_says(plain_specs, seed):
    finding = run_seed(plain_specs, seed)
    assert finding is None, str(finding)


def test_the_sample_holds_every_outcome():
    outcomes = {step.outcome for seed in SAMPLE for step in Writer(seed).sequence()}
    assert outcomes == {"value", "fails", "moved", "stale", "stopped", "killed"}


def test_a_seed_names_one_sequence():
    assert Writer(7).sequence() == Writer(7).sequence()
    assert Writer(7).sequence() != Writer(8).sequence()


def a_cell(status="ok", result=None, stderr="", error=None):
    messages = []
    if stderr:
        messages.append((0.0, "stream", {"name": "stderr", "text": stderr}))
    if error:
        content = {"ename": "E", "evalue": error, "traceback": [error]}
        messages.append((0.0, "error", content))
    if result:
        messages.append((0.0, "execute_result", {"data": {"text/plain": result}}))
    return Cell(status, 0.1, {}, messages)


FAULTS = {
    "a wrong value": (Step("a", result="1"), a_cell(result="2")),
    "a value that is not shown": (Step("a", result="1"), a_cell()),
    "a value of nothing": (Step("a;"), a_cell(result="2")),
    "old memory": (Step("a", "stale", "1", name="a"), a_cell(result="4e-310")),
    "a loss without a word": (Step("a", "stale", "1", name="a"), a_cell("error", error="E0425")),
    "a crash": (Step("a", "stale", "1", name="a"), a_cell("error", error="SIGSEGV: lost a")),
    "an error that is not told": (Step("a", "fails", reason="boom"), a_cell()),
    "a moved name that is read": (Step("a", "moved", name="a"), a_cell(result="1")),
    "generated text": (Step("a", result="1"), a_cell(result="1", stderr="at evcxr_x")),
    "a stop that loses": (Step("a", "stopped"), a_cell("error", error="Lost variables: a")),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_the_judge_finds_faults(fault):
    step, cell = fault
    assert judge(step, cell, "") is not None


def test_the_judge_leaves_right_cells_alone():
    assert judge(Step("a", result="1"), a_cell(result="1"), "") is None
    was = Step("a", "stale", "1", name="a")
    assert judge(was, a_cell(result="1"), "") is None
    assert judge(was, a_cell(stderr="the type of `a` was redefined, so it was lost"), "") is None
    moved = a_cell("error", error="`a` was moved by cell 4")
    assert judge(Step("a", "moved", name="a"), moved, "") is None
