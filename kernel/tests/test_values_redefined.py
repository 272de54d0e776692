"""A value is read by the very definition that made it, or it is reported lost."""

import pytest

from stories import lost

SHOWN = "#[derive(Debug, Clone)]"

# The cell that defines and binds `x`, the cell that redefines, what is asked, what it was before.
CHANGED = {
    "a field's type": (
        f"{SHOWN} struct Note1 {{ pitch: u8 }} let x = Note1 {{ pitch: 60 }};",
        f"{SHOWN} struct Note1 {{ pitch: f64 }}",
        "x",
        "Note1 { pitch: 60 }",
    ),
    "a field that becomes a container": (
        f"{SHOWN} struct Note2 {{ pitch: u8 }} let x = Note2 {{ pitch: 60 }};",
        f"{SHOWN} struct Note2 {{ pitch: Vec<u8> }}",
        "x",
        "Note2 { pitch: 60 }",
    ),
    "a field's type, of the same size": (
        f"{SHOWN} struct Note3 {{ pitch: u32 }} let x = Note3 {{ pitch: 1 << 30 }};",
        f"{SHOWN} struct Note3 {{ pitch: f32 }}",
        "x",
        "Note3 { pitch: 1073741824 }",
    ),
    "an added field": (
        f"{SHOWN} struct Note4 {{ pitch: u8 }} let x = Note4 {{ pitch: 60 }};",
        f"{SHOWN} struct Note4 {{ pitch: u8, name: String }}",
        "x",
        "Note4 { pitch: 60 }",
    ),
    "fields in another order": (
        f"{SHOWN} struct Span5 {{ low: u8, high: u8 }} let x = Span5 {{ low: 1, high: 2 }};",
        f"{SHOWN} struct Span5 {{ high: u8, low: u8 }}",
        "(x.low, x.high)",
        "(1, 2)",
    ),
    "a tuple struct": (
        f"{SHOWN} struct Pair6(u8, u64); let x = Pair6(1, 2);",
        f"{SHOWN} struct Pair6(u64, u8);",
        "x",
        "Pair6(1, 2)",
    ),
    "an enum's payload": (
        f"{SHOWN} enum Event7 {{ On(u8), Off }} let x = Event7::On(60);",
        f"{SHOWN} enum Event7 {{ On(String), Off }}",
        "x",
        "On(60)",
    ),
    "an enum's order": (
        f"{SHOWN} enum Key8 {{ A, B }} let x = Key8::A;",
        f"{SHOWN} enum Key8 {{ B, A }}",
        "x",
        "A",
    ),
    "an enum's numbers": (
        f"{SHOWN} enum Step9 {{ Up = 1, Down = 2 }} let x = Step9::Up;",
        f"{SHOWN} enum Step9 {{ Up = 2, Down = 1 }}",
        "x.clone() as u8",
        "1",
    ),
    "the body of a generic": (
        f"{SHOWN} struct Wrap10<T> {{ inner: T }} let x = Wrap10 {{ inner: 7u64 }};",
        f"{SHOWN} struct Wrap10<T> {{ inner: Vec<T> }}",
        "x",
        "Wrap10 { inner: 7 }",
    ),
    "a type inside another": (
        f"{SHOWN} struct In11(u64); {SHOWN} struct Out11 {{ a: In11 }} let x = Out11 {{ a: "
        f"In11(9) }};",
        f"{SHOWN} struct In11(String);",
        "x",
        "Out11 { a: In11(9) }",
    ),
    "a type two levels down, in containers": (
        f"{SHOWN} struct In12(u64); {SHOWN} struct Mid12(Option<In12>); "
        f"{SHOWN} struct Out12(Vec<Mid12>); let x = Out12(vec![Mid12(Some(In12(9)))]);",
        f"{SHOWN} struct In12(f64);",
        "x",
        "Out12([Mid12(Some(In12(9)))])",
    ),
    "an alias that a field is written with": (
        f"type Level13 = u64; {SHOWN} struct Meter13(Level13); let x = Meter13(3);",
        "type Level13 = f64;",
        "x",
        "Meter13(3)",
    ),
    "an alias that the variable is written with": (
        "type Level14 = u64; let x: Level14 = 3;",
        "type Level14 = f64;",
        "x",
        "3",
    ),
    "a constant that an array is as long as": (
        f"const WIDTH15: usize = 2; {SHOWN} struct Row15([u8; WIDTH15]); let x = Row15([1, 2]);",
        "const WIDTH15: usize = 40;",
        "x",
        "Row15([1, 2])",
    ),
    "an import that a field is written with": (
        f"use std::cell::Cell as Holder16; {SHOWN} struct S16(Holder16<u64>); "
        "let x = S16(Holder16::new(3));",
        "use std::cell::RefCell as Holder16;",
        "x",
        "S16(Cell { value: 3 })",
    ),
    "a type in a module": (
        f"mod score17 {{ {SHOWN} pub struct Bar {{ pub n: u64 }} }} let x = score17::Bar {{ "
        f"n: 4 }};",
        f"mod score17 {{ {SHOWN} pub struct Bar {{ pub n: f64 }} }}",
        "x",
        "Bar { n: 4 }",
    ),
    "a type that a macro makes": (
        f"macro_rules! note18 {{ ($t:ty) => {{ {SHOWN} struct Note18 {{ pitch: $t }} }} }} "
        "note18!(u64); let x = Note18 { pitch: 60 };",
        "note18!(f64);",
        "x",
        "Note18 { pitch: 60 }",
    ),
    "an associated type": (
        "trait Kind19 { type Out; } struct K19; impl Kind19 for K19 { type Out = u64; } "
        "struct Hold19(<K19 as Kind19>::Out); let x = Hold19(5);",
        "impl Kind19 for K19 { type Out = f64; }",
        "x.0",
        "5",
    ),
    "a struct that becomes an enum": (
        f"{SHOWN} struct Kind21 {{ a: u64 }} let x = Kind21 {{ a: 3 }};",
        f"{SHOWN} enum Kind21 {{ A(Box<u8>), B }}",
        "x",
        "Kind21 { a: 3 }",
    ),
    "an attribute that changes the layout": (
        "#[derive(Debug, Clone, Copy)] #[repr(C)] struct Lay22(u8, u32); let x = Lay22(1, 2);",
        "#[derive(Debug, Clone, Copy)] #[repr(C, packed)] struct Lay22(u8, u32);",
        "x",
        "Lay22(1, 2)",
    ),
    "a generic over a number": (
        f"{SHOWN} struct Ring23<const N: usize>([u8; N]); let x = Ring23([1, 2]);",
        f"{SHOWN} struct Ring23<const N: usize>([u64; N]);",
        "x",
        "Ring23([1, 2])",
    ),
    "a union": (
        "#[derive(Clone, Copy)] union Bits20 { a: u8, b: u8 } let x = Bits20 { a: 3 };",
        "#[derive(Clone, Copy)] union Bits20 { a: f64, b: u8 }",
        "unsafe { x.a }",
        "3",
    ),
    "what an import of everything brings": (
        f"mod glob24 {{ {SHOWN} pub struct Thing24(pub u64); }} use glob24::*; "
        f"{SHOWN} struct Out24(Thing24); let x = Out24(Thing24(5));",
        f"mod glob24 {{ {SHOWN} pub struct Thing24(pub f64); }}",
        "x",
        "Out24(Thing24(5))",
    ),
    "what a module's module brings": (
        f"mod glob25 {{ pub mod inner {{ {SHOWN} pub struct Thing25(pub u64); }} }} "
        f"use self::glob25::inner::*; {SHOWN} struct Out25(Thing25); let x = Out25(Thing25(5));",
        f"mod glob25 {{ pub mod inner {{ {SHOWN} pub struct Thing25(pub f64); }} }}",
        "x",
        "Out25(Thing25(5))",
    ),
    "a macro that is a type": (
        f"macro_rules! ty26 {{ () => {{ u64 }} }} {SHOWN} struct Out26(ty26!()); let x = Out26(5);",
        "macro_rules! ty26 { () => { f64 } }",
        "x",
        "Out26(5)",
    ),
    "a macro behind a macro": (
        "macro_rules! in27 { () => { u64 } } macro_rules! ty27 { () => { in27!() } } "
        f"{SHOWN} struct Out27(ty27!()); let x = Out27(5);",
        "macro_rules! in27 { () => { f64 } }",
        "x",
        "Out27(5)",
    ),
    "a constant function": (
        "const fn len28() -> usize { more28() } const fn more28() -> usize { 2 } "
        f"{SHOWN} struct Out28([u8; len28()], u8); let x = Out28([1, 2], 3);",
        "const fn more28() -> usize { 3 }",
        "x",
        "Out28([1, 2], 3)",
    ),
    "a type's constant": (
        "struct P29; impl P29 { const N: usize = 2; } "
        f"{SHOWN} struct Out29([u8; P29::N], u8); let x = Out29([1, 2], 3);",
        "impl P29 { const N: usize = 3; }",
        "x",
        "Out29([1, 2], 3)",
    ),
    "a type's constant function": (
        "struct P30; impl P30 { const fn n() -> usize { 2 } } "
        f"{SHOWN} struct Out30([u8; P30::n()], u8); let x = Out30([1, 2], 3);",
        "impl P30 { const fn n() -> usize { 3 } }",
        "x",
        "Out30([1, 2], 3)",
    ),
    "a trait's constant": (
        "struct P31; trait T31 { const N: usize = 2; } impl T31 for P31 {} "
        f"{SHOWN} struct Out31([u8; <P31 as T31>::N], u8); let x = Out31([1, 2], 3);",
        "impl T31 for P31 { const N: usize = 3; }",
        "x",
        "Out31([1, 2], 3)",
    ),
    "a trait's type by default of another": (
        "trait T32 { type O; } struct P32; impl T32 for P32 { type O = u64; } "
        "#[derive(Debug)] struct Out32<T: T32 = P32>(T::O); let x: Out32 = Out32(5);",
        "impl T32 for P32 { type O = f64; }",
        "x",
        "Out32(5)",
    ),
}


@pytest.mark.parametrize("story", CHANGED.values(), ids=CHANGED)
def test_a_changed_type_is_not_read(shelf, story):
    before, change, question, was = story
    shelf.tell(before, change, (question, lost("x", was)))


# How a variable can hold a type `{name}`, made by `{name}(7)`; what is asked, what it was.
HELD = {
    "a vector": ("vec![{0}(7)]", "x", "[{0}(7)]"),
    "an option": ("Some({0}(7))", "x", "Some({0}(7))"),
    "a box": ("Box::new({0}(7))", "x", "{0}(7)"),
    "shared and locked": ("std::sync::Arc::new(std::sync::Mutex::new({0}(7)))", "x", None),
    "a map's values": ('std::collections::BTreeMap::from([("a", {0}(7))])', "x", '{{"a": {0}(7)}}'),
    "an array in a tuple": ("(1u8, [{0}(7), {0}(8)])", "x", "(1, [{0}(7), {0}(8)])"),
    "a result": ("Ok::<{0}, String>({0}(7))", "x", "Ok({0}(7))"),
    "a function's pointer": (
        "(|n: {0}| n.0) as fn({0}) -> u64",
        "x({0}(Default::default()))",
        None,
    ),
    "a boxed closure": ("Box::new(|| {0}(7)) as Box<dyn Fn() -> {0}>", "x()", "{0}(7)"),
    "a reference to a leaked one": ("&*Box::leak(Box::new({0}(7)))", "x", "{0}(7)"),
    "a phantom of it in a channel": ("std::sync::mpsc::channel::<{0}>().1", "x.try_recv()", None),
}


@pytest.mark.parametrize("number", range(len(HELD)), ids=HELD)
def test_what_holds_a_changed_type_is_not_read(shelf, number):
    value, question, was = list(HELD.values())[number]
    name = f"Held{number}"
    shelf.tell(
        f"{SHOWN} struct {name}(u64); let x = {value.format(name)};",
        f"{SHOWN} struct {name}(String);",
        (question.format(name), lost("x", was and was.format(name))),
    )


def test_a_name_of_the_prelude_that_an_import_hides(own):
    """A module's `Vec` takes the place of the prelude's: of that, no value is read as the other."""
    own.tell(
        f"{SHOWN} struct Bars(Vec<u8>); let x = Bars(vec![1, 2, 3]);",
        "let y = vec![4u8]; let z = 'z';",
        f"mod own {{ {SHOWN} pub struct Vec<T>(pub T, pub u64, pub u64); }}",
        ("x", "Bars([1, 2, 3])"),
        "use own::*;",
        ("x", lost("x")),
        # A type that names no such type keeps its value.
        ("(z, y)", "('z', [4])"),
    )
