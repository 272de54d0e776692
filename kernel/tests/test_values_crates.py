"""Crates of `:dep` are loaded once: their globals are the same in every cell."""

import pytest

from crates import COUNTER, write_crate

LONG = 600


def test_a_crates_globals_last(own, tmp_path):
    write_crate(tmp_path / "counter", COUNTER)
    own.tell(
        (':dep counter = { path = "counter" }\ncounter::next()', "1"),
        ("counter::next()", "2"),
        ("(counter::next_local(), counter::next_local())", "(1, 2)"),
        ("counter::next_local()", "3"),
        ("counter::next_generic::<u64>()", "3"),
        ("counter::ticket!()", "Ticket(4)"),
        "use counter::{Ticket, next}; let mine = Ticket::draw();",
        ("(mine.clone(), next())", "(Ticket(5), 6)"),
        # The same line again, as a cell that is run twice has it.
        (':dep counter = { path = "counter" }\ncounter::next()', "7"),
        ("mine", "Ticket(5)"),
        "std::thread::spawn(|| counter::next()).join().unwrap();",
        ("next()", "9"),
        timeout=LONG,
    )


@pytest.mark.xfail(strict=True, reason="only macros of the notebook are expanded to items so far")
def test_a_macro_of_a_crate_makes_items(own, tmp_path):
    """As `lazy_static!` does: a static and its function, by a macro that a crate exports."""
    write_crate(
        tmp_path / "made",
        "#[macro_export] macro_rules! counter { ($vis:vis static $name:ident, $next:ident) => { "
        "$vis static $name: std::sync::Mutex<u32> = std::sync::Mutex::new(0); "
        "$vis fn $next() -> u32 { let mut n = $name.lock().unwrap(); *n += 1; *n } } }",
    )
    own.tell(
        (':dep made = { path = "made" }\nmade::counter!(pub static UP, next);\nnext()', "1"),
        ("next()", "2"),
        "use made::counter; counter! { static DOWN, other }",
        ("(other(), next(), other())", "(1, 3, 2)"),
        ("*DOWN.lock().unwrap() + *UP.lock().unwrap()", "5"),
        timeout=LONG,
    )


def test_two_crates_share_a_third(own, tmp_path):
    write_crate(tmp_path / "counter", COUNTER)
    for name in ("left", "right"):
        write_crate(
            tmp_path / name,
            "pub fn next() -> u32 { counter::next() } pub use counter::Ticket;",
            dependencies='counter = { path = "../counter" }',
        )
    own.tell(
        (':dep left = { path = "left" }\nleft::next()', "1"),
        "let ticket = left::Ticket::draw();",
        (':dep right = { path = "right" }\nright::next()', "3"),
        ("left::next()", "4"),
        ("let again: right::Ticket = ticket.clone(); again.0", "2"),
        (':dep counter = { path = "counter" }\ncounter::next()', "5"),
        ("(left::next(), ticket)", "(6, Ticket(2))"),
        timeout=LONG,
    )


def test_adding_a_crate_keeps_what_others_hold(own, tmp_path):
    write_crate(tmp_path / "counter", COUNTER)
    write_crate(tmp_path / "plain", "pub fn one() -> u8 { 1 }")
    own.tell(
        (':dep counter = { path = "counter" }\ncounter::next()', "1"),
        "static HELD: std::sync::Mutex<Vec<counter::Ticket>> = std::sync::Mutex::new(Vec::new());",
        "HELD.lock().unwrap().push(counter::Ticket::draw());",
        (':dep plain = { path = "plain" }\nplain::one()', "1"),
        ("counter::next()", "3"),
        ("HELD.lock().unwrap().len()", "1"),
        timeout=LONG,
    )
