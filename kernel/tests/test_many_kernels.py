"""Several kernels at once, from the same build of the library."""

import time

import pytest

from notebook import Notebook, descendants, resident_megabytes


@pytest.mark.parametrize("count", [2, 5])
def test_kernels_at_once(specs, count):
    with Notebook(specs) as first:
        # The library's build is shared; the first kernel may have made it.
        assert first.run("use neural_composer::prelude::*;", timeout=3600).status == "ok"
    notebooks = []
    try:
        for _ in range(count):
            notebooks.append(Notebook(specs))
        started = [
            n.start(f"use neural_composer::prelude::*; let mine = {i};")
            for i, n in enumerate(notebooks)
        ]
        for notebook, cell in zip(notebooks, started, strict=True):
            assert notebook.finish(cell, timeout=300).status == "ok"
        for number, notebook in enumerate(notebooks):
            assert notebook.run("mine").result == str(number)
        time.sleep(1)
        for notebook in notebooks:
            own = descendants(notebook.process_id) | {notebook.process_id}
            sizes = sorted(resident_megabytes(p) for p in own)
            # Nobody is at the keys, so that there is no analyser.
            print(f"{len(own)} processes, resident megabytes: {[round(s) for s in sizes]}")
            assert sum(sizes) < 200
    finally:
        for notebook in notebooks:
            notebook.close()
