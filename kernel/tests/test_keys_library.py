"""Tab and Shift-Tab on the library's own types."""

import json

import pytest

from notebook import ROOT, Notebook, folder_of
from test_keys import complete, describe, matches, until

SONG = 'use neural_composer::prelude::*;\nlet song = Song::open("datasets/songs/prelude.mp3")?;'


@pytest.fixture(scope="module")
def lab(specs):
    with Notebook(specs, cwd=str(ROOT)) as notebook:
        assert notebook.run(SONG).status == "ok"
        yield notebook


def test_the_prelude_is_known_before_the_analyser_is_up(lab):
    assert "Song" in matches(lab, "let other = So")
    assert matches(lab, "son")[0] == "song"
    assert "Song" in describe(lab, "so|ng")


def test_methods_of_the_library_come_first_and_fields_do_not(lab):
    found = until(lambda: matches(lab, "song."), notebook=lab)
    assert found.index("title()") < found.index("into()")
    assert not {"details", "audio"} & set(found)
    found = matches(lab, "fn f(network: Network) { network.|")
    assert not {"config", "layers"} & set(found)
    assert found.index("forward(") < found.index("into()")
    assert not any("evcxr" in name for name in found)


def test_constructors_come_first(lab):
    assert matches(lab, "Song::")[0] == "open("
    assert matches(lab, "Training::")[:3] == ["course()", "epochs(", "updates("]


def test_calls_are_described_by_the_library_documentation(lab):
    said = describe(lab, 'Song::open(|"x.mp3")')
    assert "pub fn open(path: impl AsRef<Path>) -> Result<Self>" in said
    assert "Decodes" in said
    assert "spectrogram" in describe(lab, "song.spectrogram(|)?.bins()")
    assert "fn bins" in describe(lab, "song.spectrogram()?.bins(|)")


def test_paths_are_relative_to_the_notebook(lab):
    reply = complete(lab, 'Song::open("datasets/so|")')
    assert reply["matches"] == ["songs/"]


def test_an_analyser_that_missed_the_library_is_replaced(specs):
    with Notebook(specs, cwd=str(ROOT)) as notebook:
        assert notebook.run(SONG).status == "ok"
        file = folder_of(notebook) / "analyser/setup.json"
        setup = file.read_text()
        known = json.loads(setup)
        known["library"]["metadata"] = "/nowhere/metadata.json"
        file.write_text(json.dumps(known))
        # The methods of any type, and no others.
        found = until(lambda: matches(notebook, "song."), notebook=notebook)
        assert "clone()" in found and "title()" not in found
        file.write_text(setup)
        until(lambda: "title()" in matches(notebook, "song."), notebook=notebook)
