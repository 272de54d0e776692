"""`:dep`: keys, packages and libraries of other names; edited crates; broken ones."""

import pytest

from crates import write_crate
from stories import any_of, fails, notes, tell, told

LONG = 600
ANSWER = "pub fn answer() -> u8 { 42 }"

# A crate's folder, package, [lib] and source; the cell, and its result.
NAMES = {
    "a library of another name": (
        ("tiny", "tiny", 'name = "other"'),
        ':dep tiny = { path = "tiny" }\nother::answer()',
    ),
    "a key of another name": (
        ("tiny", "tiny", ""),
        ':dep short = { package = "tiny", path = "tiny" }\nshort::answer()',
    ),
    "a key of another name than package and library": (
        ("tiny", "tiny", 'name = "other"'),
        ':dep short = { package = "tiny", path = "tiny" }\nshort::answer()',
    ),
    "a name with a hyphen": (
        ("ti-ny", "ti-ny", ""),
        ':dep ti-ny = { path = "ti-ny" }\nti_ny::answer()',
    ),
    "a key with a hyphen": (
        ("tiny", "tiny", ""),
        ':dep sh-ort = { package = "tiny", path = "tiny" }\nsh_ort::answer()',
    ),
    "a library elsewhere": (
        ("tiny", "tiny", 'path = "src/lib.rs"\nname = "moved"'),
        ':dep tiny = { path = "./tiny" }\nuse moved::answer;\nanswer()',
    ),
    "a package of another name than its folder": (
        ("folder", "tiny", ""),
        ':dep tiny = { path = "folder" }\ntiny::answer()',
    ),
    "a library that is a shared object": (
        ("tiny", "tiny", 'crate-type = ["rlib", "cdylib"]'),
        ':dep tiny = { path = "tiny" }\ntiny::answer()',
    ),
}


@pytest.mark.parametrize("story", NAMES.values(), ids=NAMES)
def test_key_package_and_library_may_differ(own, tmp_path, story):
    """Problem cell C11."""
    (folder, package, library), code = story
    write_crate(tmp_path / folder, ANSWER, name=package, library=library)
    # Run twice, as people do; and used in a later cell without the line.
    own.tell((code, "42"), (code, "42"), (code.splitlines()[-1], "42"), timeout=LONG)


def test_an_edited_crate_is_built_anew_or_told(own, tmp_path):
    """Problem cell C12."""
    code = ':dep tiny-crate = { path = "tc" }\ntiny_crate::answer()'
    crate = write_crate(tmp_path / "tc", ANSWER, name="tiny-crate")
    with own.lab() as lab:
        tell(lab, (code, "42"), timeout=LONG)
        (crate / "src" / "lib.rs").write_text(ANSWER.replace("42", "43"), encoding="utf-8")
        tell(lab, (code, any_of("43", notes("restart"))), timeout=LONG)


def test_a_file_added_to_a_crate_is_seen_or_told(own, tmp_path):
    code = ':dep tiny = { path = "tiny" }\ntiny::answer()'
    crate = write_crate(tmp_path / "tiny", "mod inner; pub fn answer() -> u8 { inner::N }")
    (crate / "src" / "inner.rs").write_text("pub const N: u8 = 1;", encoding="utf-8")
    with own.lab() as lab:
        tell(lab, (code, "1"), timeout=LONG)
        (crate / "src" / "inner.rs").write_text("pub const N: u8 = 2;", encoding="utf-8")
        tell(lab, (code, any_of("2", notes("restart"))), timeout=LONG)


def test_an_edited_crate_below_another_is_built_anew_or_told(own, tmp_path):
    code = ':dep upper = { path = "upper" }\nupper::answer()'
    lower = write_crate(tmp_path / "lower", ANSWER)
    write_crate(
        tmp_path / "upper",
        "pub fn answer() -> u8 { lower::answer() }",
        dependencies='lower = { path = "../lower" }',
    )
    with own.lab() as lab:
        tell(lab, (code, "42"), timeout=LONG)
        (lower / "src" / "lib.rs").write_text(ANSWER.replace("42", "44"), encoding="utf-8")
        tell(lab, (code, any_of("44", notes("restart"))), timeout=LONG)


def test_a_crate_that_is_repaired(own, tmp_path):
    """A crate that does not compile fails its cell with its own error; repaired, it works."""
    code = ':dep tiny = { path = "tiny" }\ntiny::answer()'
    crate = write_crate(tmp_path / "tiny", 'pub fn answer() -> u8 { "no" }')
    with own.lab() as lab:
        cell = lab.run(code, timeout=LONG)
        assert cell.status == "error" and "mismatched types" in told(cell), told(cell)
        assert lab.run("1 + 1", timeout=LONG).result == "2"
        (crate / "src" / "lib.rs").write_text(ANSWER, encoding="utf-8")
        tell(lab, (code, "42"), timeout=LONG)


def test_what_is_not_there_is_said(own, tmp_path):
    own.tell(
        (':dep tiny = { path = "no-such-folder" }', fails("no-such-folder")),
        ("1 + 1", "2"),
        (":dep", fails("dep|name|crate")),
        (":dep broken = { path = ", fails("dep|expected|TOML|broken")),
        timeout=LONG,
    )


def test_features_of_a_crate(own, tmp_path):
    crate = write_crate(
        tmp_path / "tiny",
        '#[cfg(feature = "loud")] pub fn answer() -> u8 { 99 }\n'
        f'#[cfg(not(feature = "loud"))] {ANSWER}',
    )
    with (crate / "Cargo.toml").open("a", encoding="utf-8") as manifest:
        manifest.write("\n[features]\nloud = []\n")
    own.tell(
        (':dep tiny = { path = "tiny", features = ["loud"] }\ntiny::answer()', "99"),
        ("tiny::answer()", "99"),
        timeout=LONG,
    )


def test_types_and_macros_of_a_crate(own, tmp_path):
    write_crate(
        tmp_path / "tiny",
        "#[derive(Debug, Clone, PartialEq)] pub struct Note<T> { pub pitch: T }\n"
        'pub trait Sound { fn sound(&self) -> String { String::from("la") } }\n'
        "impl<T> Sound for Note<T> {}\npub mod deep { pub use super::Note; }\n"
        "pub fn hidden() -> impl Iterator<Item = u8> { 0..3 }\nmod private { pub struct P; }\n"
        "pub fn private() -> private::P { private::P }\n"
        "#[macro_export] macro_rules! note { ($p:expr) => { $crate::Note { pitch: $p } } }",
    )
    own.tell(
        ':dep tiny = { path = "tiny" }\nuse tiny::{Note, Sound};\nlet n = tiny::note!(60u8);',
        ("n", "Note { pitch: 60 }"),
        "fn up(n: &Note<u8>) -> Note<u8> { Note { pitch: n.pitch + 1 } }",
        ("(up(&n), n.sound())", '(Note { pitch: 61 }, "la")'),
        "let deep: tiny::deep::Note<u8> = n.clone();",
        ("deep == n", "true"),
        ("tiny::hidden().sum::<u8>()", "3"),
        # A value whose type cannot be named is of use in its cell.
        "let p = tiny::private();",
        timeout=LONG,
    )


def test_a_crate_that_gains_another_follows_its_edits(own, tmp_path):
    code = ':dep upper = { path = "upper" }\nupper::answer()'
    lower = write_crate(tmp_path / "lower", ANSWER)
    write_crate(tmp_path / "upper", "pub fn answer() -> u8 { 1 }")
    with own.lab() as lab:
        tell(lab, (code, "1"), timeout=LONG)
        write_crate(
            tmp_path / "upper",
            "pub fn answer() -> u8 { lower::answer() }",
            dependencies='lower = { path = "../lower" }',
        )
        tell(lab, (code, any_of("42", notes("restart"))), timeout=LONG)
        (lower / "src" / "lib.rs").write_text(ANSWER.replace("42", "44"), encoding="utf-8")
        tell(lab, (code, any_of("44", notes("restart"))), timeout=LONG)
