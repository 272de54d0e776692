"""Folders of any name: for temporary files, for the notebook, for a crate, for a library."""

import os
import unicodedata

import pytest

from crates import write_crate
from notebook import install
from stories import Shelf, tell

LONG = 600
NAMES = {
    "a blank": "my tmp",
    "an ideographic blank": "my\u3000tmp",
    "a comma": "a,b",
    "a colon": "a:b",
    "quotes": 'it\'s "so"',
    "a hash": "a#b",
    "a percent": "a%20b",
    "a decomposed accent": unicodedata.normalize("NFD", "Größé"),
    "an equals sign and braces": "a=b {c}",
    "a backslash": "a\\b",
    "a dollar and a semicolon": "$HOME;x",
    "a leading hyphen": "-x",
    "brackets and stars": "[a]*?",
}
SCREEN = [("1 + 1", "2"), "let v = vec![1];", ("v.len()", "1")]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_temporary_folder_of_any_name(tmp_path_factory, plain_specs, monkeypatch, name):
    """Problem cell C15: right results, or a refusal that names the folder and TMPDIR."""
    folder = tmp_path_factory.mktemp("t") / name
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    shelf = Shelf(plain_specs)
    try:
        with shelf.lab() as lab:
            first = lab.run("1 + 1", timeout=LONG)
            if first.status == "error":
                assert "TMPDIR" in first.error and str(folder) in first.error, first.error
                return
            tell(lab, *SCREEN[1:])
    finally:
        shelf.discard()


IN_MANIFESTS = ["a blank", "a comma", "quotes", "a hash", "a decomposed accent", "a backslash"]


@pytest.mark.parametrize("name", [NAMES[kind] for kind in IN_MANIFESTS], ids=IN_MANIFESTS)
def test_a_notebooks_folder_of_any_name(tmp_path, plain_specs, name):
    """The notebook's folder, with a crate in it, and a crate in a folder of such a name."""
    folder = tmp_path / name
    folder.mkdir()
    write_crate(folder / "tiny", "pub fn answer() -> u8 { 42 }")
    write_crate(folder / name / "inner", "pub fn answer() -> u8 { 43 }")
    (folder / "note.txt").write_text("text", encoding="utf-8")
    quoted = (name + "/inner").replace("\\", "\\\\").replace('"', '\\"')
    shelf = Shelf(plain_specs, cwd=str(folder))
    try:
        shelf.tell(
            (':dep tiny = { path = "tiny" }\ntiny::answer()', "42"),
            ('std::fs::read_to_string("note.txt")?', '"text"'),
            (f':dep inner = {{ path = "{quoted}" }}\ninner::answer()', "43"),
            ("(inner::answer(), tiny::answer())", "(43, 42)"),
            timeout=LONG,
        )
    finally:
        shelf.discard()


def test_a_kernel_installed_in_a_folder_with_blanks(tmp_path):
    shelf = Shelf(install(tmp_path / "my tmp, it's: #1", home=None))
    try:
        shelf.tell(*SCREEN)
    finally:
        shelf.discard()


def test_a_change_of_folder_counts_everywhere(own, tmp_path):
    """`set_current_dir`, `!pwd`, files, children and `include_str!` agree."""
    (tmp_path / "below").mkdir()
    (tmp_path / "note.txt").write_text("above", encoding="utf-8")
    (tmp_path / "below" / "note.txt").write_text("below", encoding="utf-8")
    own.tell(
        ('include_str!("note.txt")', '"above"'),
        ('std::fs::read_to_string("note.txt")?', '"above"'),
        'std::env::set_current_dir("below")?;',
        ('std::fs::read_to_string("note.txt")?', '"below"'),
    )
    with own.lab() as lab:
        place = os.path.realpath(tmp_path / "below")
        shell = lab.run("!pwd")
        assert shell.stdout + (shell.result or "") == f"{place}\n"
        child = lab.run('std::process::Command::new("pwd").status()?;')
        assert child.stdout == f"{place}\n"
