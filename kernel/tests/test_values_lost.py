"""What becomes of values, boxes, statics and names when a type is redefined."""

from stories import fails, lost

SHOWN = "#[derive(Debug, Clone)]"


def test_a_boxed_trait_keeps_its_own_methods(shelf):
    """The value behind `dyn` is still the old one: it is asked by its own code, or lost."""
    voice = 'impl Voice for Flute { fn name(&self) -> String { format!("{:?}", self.0) } }'
    shelf.tell(
        f"trait Voice {{ fn name(&self) -> String; }} struct Flute(u64); {voice} "
        "let x: Box<dyn Voice> = Box::new(Flute(60));",
        f"struct Flute(f64); {voice}",
        ("x.name()", lost("x", '"60"')),
    )


def test_a_trait_with_other_methods_is_another(shelf):
    old = "trait Horn { fn low(&self) -> u8 { 1 } fn high(&self) -> u8 { 2 } }"
    new = "trait Horn { fn high(&self) -> u8 { 2 } fn middle(&self) -> u8 { 3 } }"
    shelf.tell(
        f"{old} struct Tuba; impl Horn for Tuba {{}} let x: Box<dyn Horn> = Box::new(Tuba);",
        new,
        ("x.high()", lost("x", "2")),
    )


def test_any_does_not_become_the_new_type(shelf):
    shelf.tell(
        f"{SHOWN} struct Some1(u64); let x: Box<dyn std::any::Any + Send> = Box::new(Some1(5));",
        f"{SHOWN} struct Some1(f64);",
        ("x.downcast_ref::<Some1>().is_none()", lost("x", "true")),
    )


def test_an_old_value_is_dropped_by_its_own_code_or_not_at_all(shelf):
    with shelf.lab() as lab:
        drop = 'impl Drop for Bell { fn drop(&mut self) { println!("drop {:?}", self.0); } }'
        assert lab.run(f"struct Bell(u64); {drop} let bell = Bell(5);").status == "ok"
        cells = [lab.run(code) for code in ("struct Bell(String);", "let bell = 1;", "bell")]
        assert cells[-1].result == "1"
        assert "".join(cell.stdout for cell in cells) in ("", "drop 5\n")


def test_a_type_changed_there_and_back(shelf):
    first = f"{SHOWN} struct Round {{ a: u64 }}"
    shelf.tell(
        f"{first} let x = Round {{ a: 5 }};",
        f"{SHOWN} struct Round {{ a: f64 }}",
        first,
        ("x", lost("x", "Round { a: 5 }")),
    )


def test_a_type_changed_and_bound_anew_in_one_cell(shelf):
    shelf.tell(
        f"{SHOWN} struct Anew {{ a: u64 }} let x = Anew {{ a: 5 }}; let y = Anew {{ a: 6 }};",
        f"{SHOWN} struct Anew {{ a: f64 }} let x = Anew {{ a: 0.5 }};",
        ("x", "Anew { a: 0.5 }"),
        ("y", lost("y", "Anew { a: 6 }")),
    )


def test_a_lost_name_bound_anew_stays_bound(shelf):
    """The loss of the old value is not told of the new one, in whatever cell it is noticed."""
    shelf.tell(
        f"{SHOWN} struct Again {{ a: u64 }} let x = Again {{ a: 5 }}; let y = 1;",
        f"{SHOWN} struct Again {{ b: f64 }}",
        "let x = Again { b: 0.5 };",
        ("y", "1"),
        ("x", "Again { b: 0.5 }"),
        "let z = x;",
        ("z", "Again { b: 0.5 }"),
    )


def test_a_static_of_a_changed_type_starts_anew(shelf):
    shelf.tell(
        f"{SHOWN} struct Last(u64); "
        "static LAST: std::sync::Mutex<Option<Last>> = std::sync::Mutex::new(None);",
        "*LAST.lock().unwrap() = Some(Last(5));",
        f"{SHOWN} struct Last(String);",
        ("LAST.lock().unwrap().is_none()", "true"),
    )


def test_a_failing_redefinition_changes_nothing(shelf):
    shelf.tell(
        f"{SHOWN} struct Firm {{ a: u64 }} let x = Firm {{ a: 5 }};",
        (f'{SHOWN} struct Firm {{ a: f64 }}\nlet y: u8 = "a";', fails("E0308", line=2)),
        ("x", "Firm { a: 5 }"),
        ("Firm { a: 6u64 }.a + x.a", "11"),
    )
