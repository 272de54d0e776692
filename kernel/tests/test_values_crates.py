"""Crates of `:dep` are loaded once: their globals are the same in every cell."""

from crates import COUNTER, write_crate
from stories import prints

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


def test_macros_of_crates_make_items_by_every_way_to_name_them(own, tmp_path):
    """Types keep their identity, statics are one, an expression given to a macro stays whole."""
    write_crate(
        tmp_path / "made",
        "#[macro_export] macro_rules! kind { ($name:ident = $value:expr) => { "
        "#[derive(Debug, Clone, PartialEq)] pub struct $name(pub i32); "
        "impl $name { pub fn twice() -> $name { $name($value * 2) } } "
        "$crate::inner! { $name } } }\n"
        "#[doc(hidden)] #[macro_export] macro_rules! inner { ($name:ident) => { "
        "impl Default for $name { fn default() -> Self { $name($crate::START) } } } }\n"
        "#[macro_export(local_inner_macros)] macro_rules! tally { "
        "() => {}; ($name:ident $($more:ident)*) => { step! { $name } tally! { $($more)* } } }\n"
        "#[doc(hidden)] #[macro_export] macro_rules! step { ($name:ident) => { fn $name() -> u32 { "
        "static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0); "
        "COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 } } }\n"
        "#[macro_export] macro_rules! doubled { ($e:expr) => { $e * 2 } }\n"
        "pub const START: i32 = 5;",
    )
    own.tell(
        ':dep made = { path = "made" }\nmade::kind! { Note = 1 + 2 }',
        ("let note = Note::twice(); note", "Note(6)"),
        ("(note == Note::twice(), Note::default())", "(true, Note(5))"),
        "use made::kind as sort;\nsort!(Rest = 1);",
        ("let rest = Rest::default(); (&rest, &note)", "(Rest(5), Note(6))"),
        "use made::*;\ntally! { up down }",
        ("(up(), up(), down())", "(1, 2, 1)"),
        ("(up(), down())", "(3, 2)"),
        ("made::doubled!(2 + 3)", "10"),
        "#[macro_use] extern crate made;\ntally!(more);",
        ("more() + more()", "3"),
        # Made again with another value: a value of the same form stays.
        "made::kind! { Note = 7 }",
        ("(note, Note::twice())", "(Note(6), Note(14))"),
        timeout=LONG,
    )


def test_a_macro_that_cannot_be_expanded_makes_items_for_its_cell(own, tmp_path):
    """Also as the last line, where a call could be an expression."""
    write_crate(
        tmp_path / "made",
        "#[macro_export] macro_rules! odd { ($name:ident) => { struct $name; let made = 4; "
        'println!("{made}"); } }',
    )
    own.tell(
        (':dep made = { path = "made" }\nmade::odd!(A)', prints("4\n")),
        ("made::odd! { B }", prints("4\n")),
        ("1 + 1", "2"),
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
