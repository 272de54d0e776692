"""An item compiled once stays one item: statics of every spelling keep their state."""

import pytest

ATOMIC = "std::sync::atomic::AtomicU32"
UP = "fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1"

# A cell that defines `next_N()`, which counts its calls.
COUNTERS = {
    "an atomic": f"static TAKES0: {ATOMIC} = {ATOMIC}::new(0); fn next_0() -> u32 {{ "
    f"TAKES0.{UP} }}",
    "inside a function": (
        f"fn next_1() -> u32 {{ static TAKES: {ATOMIC} = {ATOMIC}::new(0); TAKES.{UP} }}"
    ),
    "inside a module": (
        f"mod counter2 {{ use std::sync::atomic::*; static TAKES: AtomicU32 = AtomicU32::new(0); "
        f"pub fn next() -> u32 {{ TAKES.{UP} }} }} use counter2::next as next_2;"
    ),
    "inside a method": (
        f"struct Counter3; impl Counter3 {{ fn next(&self) -> u32 {{ "
        f"static TAKES: {ATOMIC} = {ATOMIC}::new(0); TAKES.{UP} }} }} "
        "fn next_3() -> u32 { Counter3.next() }"
    ),
    "inside a generic function": (
        f"fn next_as<T: From<u32>>() -> T {{ static TAKES: {ATOMIC} = {ATOMIC}::new(0); "
        f"T::from(TAKES.{UP}) }} fn next_4() -> u64 {{ next_as::<u64>() }}"
    ),
    "inside a trait's method": (
        f"trait Count5 {{ fn next(&self) -> u32 {{ static TAKES: {ATOMIC} = {ATOMIC}::new(0); "
        f"TAKES.{UP} }} }} impl Count5 for u8 {{}} fn next_5() -> u32 {{ 0u8.next() }}"
    ),
    "mutable": (
        "static mut TAKES6: u32 = 0; fn next_6() -> u32 { unsafe { TAKES6 += 1; TAKES6 } }"
    ),
    "a mutex": (
        "use std::sync::Mutex; static LIST7: Mutex<Vec<u8>> = Mutex::new(Vec::new()); "
        "fn next_7() -> usize { let mut list = LIST7.lock().unwrap(); list.push(0); list.len() }"
    ),
    "set once": (
        "static START8: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new(); "
        "fn next_8() -> u32 { match START8.get() { Some(_) => 2, "
        "None => { START8.set(std::time::Instant::now()).unwrap(); 1 } } }"
    ),
    "lazy": (
        f"static LAZY9: std::sync::LazyLock<{ATOMIC}> = "
        f"std::sync::LazyLock::new(|| {ATOMIC}::new(0)); fn next_9() -> u32 {{ LAZY9.{UP} }}"
    ),
    "of a thread, constant": (
        "thread_local! { static HITS10: std::cell::Cell<u32> = const { "
        "std::cell::Cell::new(0) }; } "
        "fn next_10() -> u32 { HITS10.with(|h| { h.set(h.get() + 1); h.get() }) }"
    ),
    "of a thread": (
        "use std::cell::RefCell; thread_local! { /// All of them.\n"
        "static HITS11: RefCell<Vec<u8>> = RefCell::new(vec![]); pub static SPARE11: u8 = 0; } "
        "fn next_11() -> usize { HITS11.with_borrow_mut(|h| { h.push(1); h.len() }) }"
    ),
    "of a thread, in a function": (
        "fn next_12() -> u32 { thread_local!(static HITS: std::cell::Cell<u32> = "
        "std::cell::Cell::new(0)); HITS.set(HITS.get() + 1); HITS.get() }"
    ),
    "made by a macro": (
        f"macro_rules! counter {{ ($name:ident, $next:ident) => {{ static $name: {ATOMIC} = "
        f"{ATOMIC}::new(0); fn $next() -> u32 {{ $name.{UP} }} }} }} counter!(TAKES13, next_13);"
    ),
    "of a struct": (
        "struct Tally14 { n: std::sync::Mutex<u32> } "
        "static TALLY14: Tally14 = Tally14 { n: std::sync::Mutex::new(0) }; "
        "fn next_14() -> u32 { let mut n = TALLY14.n.lock().unwrap(); *n += 1; *n }"
    ),
    "inside a closure": (
        f"fn next_15() -> u32 {{ let up = || {{ static ONE: {ATOMIC} = {ATOMIC}::new(0); "
        f"ONE.{UP} }}; up() }}"
    ),
    "with an attribute": (
        f"#[used] #[allow(dead_code)] /// Counts.\npub static TAKES16: {ATOMIC} = "
        f"{ATOMIC}::new(0); "
        f"pub fn next_16() -> u32 {{ TAKES16.{UP} }}"
    ),
    "with a unicode name": (
        f"static ZÄHLER17: {ATOMIC} = {ATOMIC}::new(0); fn next_17() -> u32 {{ ZÄHLER17.{UP} }}"
    ),
}


@pytest.mark.parametrize("number", range(len(COUNTERS)), ids=COUNTERS)
def test_a_static_keeps_its_value(shelf, number):
    shelf.tell(
        (f"{list(COUNTERS.values())[number]}\nnext_{number}()", "1"),
        (f"next_{number}()", "2"),
    )


def test_the_first_call_may_stand_in_the_defining_cell(shelf):
    """Problem cell C4, as it was met."""
    shelf.tell(
        (
            "thread_local! { static HITS: std::cell::Cell<u32> = const { "
            "std::cell::Cell::new(0) }; }\n"
            "fn hit() -> u32 { HITS.with(|h| { h.set(h.get() + 1); h.get() }) }\n"
            "hit()",
            "1",
        ),
        ("hit()", "2"),
    )


def test_a_static_is_reached_by_its_name(shelf):
    """Problem cell C5, and the static itself in later cells."""
    shelf.tell(
        "use std::sync::atomic::{AtomicU32, Ordering::SeqCst};\n"
        "static TAKES: AtomicU32 = AtomicU32::new(0);\n"
        "fn take() -> u32 { TAKES.fetch_add(1, SeqCst) + 1 }",
        ("take()", "1"),
        ("take()", "2"),
        ("TAKES.load(SeqCst)", "2"),
        "TAKES.store(10, SeqCst);",
        ("take()", "11"),
        "let by_reference: &'static AtomicU32 = &TAKES; let address = &raw const TAKES as usize;",
        ("by_reference.fetch_add(1, SeqCst); take()", "13"),
        ("address == &raw const TAKES as usize", "true"),
        "fn another() -> u32 { TAKES.load(SeqCst) + 100 }",
        ("take() + another()", "128"),
    )


def test_a_static_outlives_what_else_happens(shelf):
    shelf.tell(
        f"static ROUNDS: {ATOMIC} = {ATOMIC}::new(0); fn round() -> u32 {{ ROUNDS.{UP} }}",
        ("round()", "1"),
        "struct Between(u8); impl Between { fn n(&self) -> u8 { self.0 } }",
        ("round()", "2"),
        "fn uses_it() -> u32 { round() * 10 }",
        ("uses_it()", "30"),
        "std::thread::spawn(|| { round(); }).join().unwrap();",
        ("round()", "5"),
        "fn round() -> u32 { ROUNDS.load(std::sync::atomic::Ordering::SeqCst) }",
        ("(round(), uses_it())", "(5, 50)"),
    )


@pytest.mark.parametrize("failure", ["let n: u8 = round2();", 'panic!("no")', "None::<u8>?;"])
def test_a_static_outlives_failures(shelf, failure):
    with shelf.lab() as lab:
        lab.run(f"static R2: {ATOMIC} = {ATOMIC}::new(0); fn round2() -> u32 {{ R2.{UP} }}")
        before = int(lab.run("round2()").result)
        assert lab.run(failure).status == "error"
        assert lab.run("round2()").result == str(before + 1)


def test_a_changed_static_starts_anew_and_others_stay(shelf):
    shelf.tell(
        "use std::sync::Mutex; static LEFT: Mutex<u32> = Mutex::new(1); "
        "static RIGHT: Mutex<u32> = Mutex::new(2); "
        "fn both() -> (u32, u32) { (*LEFT.lock().unwrap(), *RIGHT.lock().unwrap()) }",
        "*LEFT.lock().unwrap() = 10; *RIGHT.lock().unwrap() = 20;",
        ("both()", "(10, 20)"),
        "static RIGHT: Mutex<u32> = Mutex::new(5);",
        ("both()", "(10, 5)"),
        "static RIGHT: Mutex<String> = Mutex::new(String::new());",
        ("(*LEFT.lock().unwrap(), RIGHT.lock().unwrap().len())", "(10, 0)"),
    )


def test_an_impl_behind_a_static_of_the_type(shelf):
    shelf.tell(
        "#[derive(Default)] struct Store { n: std::sync::Mutex<u32> } "
        "static STORE: std::sync::LazyLock<Store> = std::sync::LazyLock::new(Store::default);",
        "impl Store { fn up(&self) -> u32 { let mut n = self.n.lock().unwrap(); *n += 1; *n } }",
        ("STORE.up()", "1"),
        ("STORE.up()", "2"),
        "impl std::fmt::Display for Store { fn fmt(&self, f: &mut std::fmt::Formatter) "
        '-> std::fmt::Result { write!(f, "store {}", self.n.lock().unwrap()) } }',
        ("STORE.to_string()", '"store 2"'),
        "impl Store { fn up(&self) -> u32 { let mut n = self.n.lock().unwrap(); *n += 10; *n } }",
        ("STORE.up()", "12"),
    )


def test_a_static_that_refers_to_another(shelf):
    shelf.tell(
        f"static BASE: {ATOMIC} = {ATOMIC}::new(5); static VIEW: &{ATOMIC} = &BASE; "
        'static NAMES: [&str; 2] = ["a", "b"]; static TABLE: &[fn() -> u32] = &[up]; '
        f"fn up() -> u32 {{ BASE.{UP} }}",
        ("up()", "6"),
        (f"VIEW.{UP}", "7"),
        ("TABLE[0]()", "8"),
        ("NAMES[1]", '"b"'),
        ("std::ptr::eq(VIEW, &BASE)", "true"),
    )
