"""A grammar of cells: random sequences, each cell with what must come of it."""

from __future__ import annotations

import random

from cell_items import NAMES, Items
from cell_model import INT, Step
from cell_values import debugged, value_of


class Writer(Items):
    """Writes cells one after the other, and keeps the model of what they make."""

    def __init__(self, seed: int, stops: bool = True):
        super().__init__(random.Random(seed))
        self.stops = stops

    def sequence(self, length: int = 20) -> list[Step]:
        steps = []
        while len(steps) < length:
            self.number = len(steps) + 1
            cell = self.chance.choices(self.cells, weights=self.weights)[0]
            step = cell(self)
            if step is not None:
                steps.append(step)
        audit = self.audit()
        stale = [self.stale(name) for name in self.world.in_state("stale")]
        return steps + stale + ([audit] if audit else [])

    # Bindings.

    def binding(self) -> Step:
        """`let` of one or more variables, new or shadowed."""
        if self.chance.random() < 0.2:
            return self.destructuring()
        code = []
        for name in self.chance.sample(NAMES, self.chance.choice([1, 1, 1, 2, 3])):
            value = value_of(self.chance, self.world)
            typed = f": {value.kind.rust()}" if self.chance.random() < 0.3 else ""
            typed = f": {value.kind.rust()}" if value.kind.form in ("call", "voice") else typed
            is_mutable = self.chance.random() < 0.7
            code.append(f"let {'mut ' * is_mutable}{name}{typed} = {value.rust};")
            self.world.bind(name, value, self.number, is_mutable)
        return Step("\n".join(code))

    def destructuring(self) -> Step:
        names = self.chance.sample(NAMES, 2)
        values = [value_of(self.chance, self.world, kind) for kind in (INT, None)]
        while values[1].kind.form in ("call", "voice"):
            values[1] = value_of(self.chance, self.world)
        for name, value in zip(names, values, strict=True):
            self.world.bind(name, value, self.number)
        pattern = ", ".join(f"mut {name}" for name in names)
        pair = ", ".join(value.rust for value in values)
        if self.chance.random() < 0.5:
            return Step(f"let ({pattern}) = ({pair});")
        return Step(f"let Some(({pattern})) = Some(({pair})) else {{ panic!() }};")

    def change(self) -> Step | None:
        """A mutation in place."""
        change = self.mutation()
        return Step(change) if change else None

    def mutation(self) -> str | None:
        name = self.pick(self.world.mutable("int", "text", "list", "shared", "truth"))
        if name is None:
            return None
        value = self.world.variables[name].value
        if value.kind.form == "int":
            value.shown = str(int(value.shown) + 3)
            return f"{name} += 3;"
        if value.kind.form == "truth":
            value.shown = "false" if value.shown == "true" else "true"
            return f"{name} = !{name};"
        if value.kind.form == "text":
            value.shown = value.shown[:-1] + '♪"'
            return f"{name}.push('♪');"
        if value.kind.form == "shared":
            number = int(value.rust.split("(")[-1].split("i64")[0]) + 5
            value.rust = f"std::sync::Arc::new(std::sync::Mutex::new({number}i64))"
            value.shown = debugged(number)
            return (
                f"{{ let other = {name}.clone(); "
                "std::thread::spawn(move || *other.lock().unwrap() += 5).join().unwrap(); }"
            )
        more = value_of(self.chance, self.world, value.kind.of)
        empty = value.shown == "[]"
        value.shown = f"[{more.shown}]" if empty else f"{value.shown[:-1]}, {more.shown}]"
        return f"{name}.push({more.rust});"

    def move(self) -> Step | None:
        owned = self.world.live("text", "list", "user", "option", "voice")
        variables = self.world.variables
        name = self.pick([n for n in owned if not variables[n].value.kind.is_copied()])
        if name is None:
            return None
        form = self.chance.choice(
            [
                "drop({0});",
                "let moved = {0}; drop(moved);",
                "if true {{ drop({0}); }}",
                "if false {{ drop({0}); }}",
                "let f = move || {{ let _inside = &{0}; }}; f();",
                "match Some(1) {{ Some(_) => drop({0}), None => {{}} }}",
                "for held in [{0}] {{ drop(held); }}",
            ]
        )
        self.world.variables[name].state = "moved"
        return Step(form.format(name))

    def hand_over(self) -> Step | None:
        """One name's value becomes another's."""
        source = self.pick(self.world.live("text", "list", "user"))
        target = self.pick([name for name in NAMES if name != source])
        if source is None:
            return None
        self.world.bind(target, self.world.variables[source].value, self.number)
        self.world.variables[source].state = "moved"
        return Step(f"let mut {target} = {source};")

    # Questions.

    def show(self) -> Step | None:
        names = [n for n in self.world.live() if self.world.variables[n].value.kind.can_be_shown()]
        name = self.pick(names)
        return name and Step(name, result=self.world.variables[name].value.shown)

    def call(self) -> Step | None:
        name = self.pick(self.world.live("call", "voice"))
        if name is None:
            return None
        return Step(self.question_of(name), result=self.world.variables[name].value.shown)

    def question_of(self, name: str) -> str:
        """What shows this variable's value, whatever its type."""
        form = self.world.variables[name].value.kind.form
        return {"call": f"{name}(1)", "voice": f"{name}.name()"}.get(form, name)

    def audit(self) -> Step | None:
        """All that is alive, in one result."""
        names = [n for n in self.world.live() if self.world.variables[n].value.kind.can_be_shown()]
        if not names:
            return None
        shown = ", ".join(self.world.variables[name].value.shown for name in names)
        comma = "," if len(names) == 1 else ""
        code = "(" + ", ".join("&" + name for name in names) + comma + ")"
        return Step(code, result=f"({shown}{comma})")

    def ask_moved(self) -> Step | None:
        name = self.pick(self.world.in_state("moved"))
        return name and Step(self.question_of(name), outcome="moved", name=name)

    def ask_stale(self) -> Step | None:
        name = self.pick(self.world.in_state("stale"))
        return name and self.stale(name)

    def stale(self, name: str) -> Step:
        was = self.world.variables[name].value.shown
        return Step(self.question_of(name), outcome="stale", name=name, result=was)

    def borrow(self) -> Step | None:
        """References for their cell only."""
        name = self.pick(self.world.live("list", "text"))
        if name is None:
            return None
        value = self.world.variables[name].value
        result = value.shown
        if self.chance.random() < 0.5:
            return Step(f"let view = &{name}; let again = view; again.clone()", result=result)
        return Step(f"let view = &{name}[..]; view.to_owned()", result=result)

    def closure(self) -> Step | None:
        name = self.pick(self.world.live("int"))
        if name is None:
            return None
        number = int(self.world.variables[name].value.shown)
        if self.chance.random() < 0.5:
            return Step(f"let add = |x: i64| x + {name};\nadd(2)", result=str(number + 2))
        if not self.world.variables[name].is_mutable:
            return Step(f"let twice = || {name} * 2;\ntwice() + twice()", result=str(number * 4))
        self.world.variables[name].value.shown = str(number + 3)
        return Step(
            f"let mut up = || {name} += 1; up(); up(); up();\n{name}", result=str(number + 3)
        )

    def lonely_closure(self) -> Step:
        """A `let` that can be kept for its cell only."""
        return Step(
            self.chance.choice(["let c = |x: i64| x + 1;", "let it = (0..3).map(|x| x + 1);"])
        )

    def thread(self) -> Step | None:
        name = self.pick(self.world.live("int"))
        if name is None:
            return None
        result = str(int(self.world.variables[name].value.shown) * 2)
        return Step(f"std::thread::spawn(move || {name} * 2).join().unwrap()", result=result)

    def text(self) -> Step:
        word = self.chance.choice(["hello", "EVCXR_END_CONTENT", "♪♪", "a\\tb"])
        return Step(f'println!("{word}");', stdout=word.replace("\\t", "\t") + "\n")

    # Failures.

    def compile_error(self) -> Step:
        """Nothing of a cell that does not compile happens."""
        name = self.pick(NAMES)
        wrong, reason = self.chance.choice(
            [
                ('let wrong: u8 = "x";', "E0308"),
                ("missing_name;", "E0425"),
                ("let v = vec![1]; let r = &v; drop(v); r.len();", "E0505"),
                ("let open = (1;", "delimiter|expected|mismatched"),
                ("no_such_macro!();", "cannot find macro"),
            ]
        )
        before = self.chance.choice(
            [
                f"let {name} = 1u8;\n",
                "fn tempo() -> i64 { 999 }\n",
                "#[derive(Debug, Clone)] struct Note { other: u8 }\n",
                *[f"drop({live});\n" for live in self.world.live("text", "list")],
                "",
            ]
        )
        return Step(before + wrong, outcome="fails", reason=reason)

    def panic(self) -> Step:
        """A panic is the cell's error; what was done before it is done."""
        before = self.mutation() or ""
        wrong, reason = self.chance.choice(
            [
                ('panic!("boom");', "boom"),
                ("let v: Vec<u8> = Vec::new(); v[3];", "out of bounds"),
                ("None::<u8>.unwrap();", "None"),
                ('assert_eq!(1 + 1, 3, "sums");', "sums"),
                ('std::thread::spawn(|| panic!("afar")).join().unwrap();', "afar|Any"),
            ]
        )
        return Step(f"{before}\n{wrong}", outcome="fails", reason=reason)

    def question(self) -> Step:
        before = self.mutation() or ""
        wrong, reason = self.chance.choice(
            [
                ('"x".parse::<i64>()?;', "invalid digit"),
                ('Err::<(), String>("no luck".into())?;', "no luck"),
                ('std::fs::read("/no/such/file")?;', "No such file"),
                ("String::from_utf8(vec![255])?", "invalid utf-8"),
            ]
        )
        return Step(f"{before}\n{wrong}", outcome="fails", reason=reason)

    def stop(self) -> Step | None:
        """One press while a child runs: all is kept."""
        if not self.stops:
            return None
        wait = 'println!("running"); std::process::Command::new("sleep").arg("71").status()?;'
        return Step(wait, outcome="stopped", stops=1)

    def kill(self) -> Step | None:
        """The evaluator's end: by two presses, or by the cell itself."""
        if not self.stops:
            return None
        pause = "std::thread::sleep(std::time::Duration::from_millis(20));"
        deaf = self.chance.random() < 0.5
        code = f"loop {{ {pause} }}" if deaf else "std::process::abort();"
        self.world.lose_everything()
        return Step(f'println!("running");\n{code}', outcome="killed", stops=2 if deaf else 0)

    def nothing(self) -> Step:
        return Step(self.chance.choice(["// a comment", "", "/* a\nblock */", "use std::fmt;"]))

    table = {
        binding: 14, change: 8, move: 7, hand_over: 4, show: 10, call: 3, audit: 4,
        ask_moved: 7, ask_stale: 9, borrow: 4, closure: 4, thread: 2, text: 1,
        Items.define_type: 10, Items.repeat_type: 4, Items.method: 3, Items.ask_method: 3,
        Items.voice: 2, Items.define_function: 5, Items.ask_function: 4,
        Items.define_counter: 4, Items.repeat_counter: 2, Items.ask_counter: 6,
        lonely_closure: 1, Items.define_store: 2, Items.fill_store: 4, compile_error: 6,
        panic: 3, question: 3, stop: 0.5, kill: 0.3, nothing: 1,
    }  # fmt: skip
    cells, weights = list(table), list(table.values())
