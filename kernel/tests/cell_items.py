"""The grammar's items: types, traits, functions and statics, defined, repeated and changed."""

from __future__ import annotations

import random

from cell_model import Counter, Kind, Step, Value, World
from cell_values import definition, value_of

NAMES = ["alpha", "Beta", "GAMMA", "délta", "r#type", "_eps"]
TYPES = ["Note", "Chord", "Größe", "Wrapped"]
FUNCTIONS = ["tempo", "volume", "höhe"]
COUNTERS = ["tick", "beat", "hit"]

COUNTER_SOURCES = {
    "atomic": "static {up}: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new({n}); "
    "fn {name}() -> i64 {{ {up}.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1 }}",
    "mutex": "static {up}: std::sync::Mutex<i64> = std::sync::Mutex::new({n}); "
    "fn {name}() -> i64 {{ let mut n = {up}.lock().unwrap(); *n += 1; *n }}",
    "local": "thread_local! {{ static {up}: std::cell::Cell<i64> = "
    "const {{ std::cell::Cell::new({n}) }}; }} "
    "fn {name}() -> i64 {{ {up}.set({up}.get() + 1); {up}.get() }}",
    "inner": "fn {name}() -> i64 {{ static UP: std::sync::atomic::AtomicI64 = "
    "std::sync::atomic::AtomicI64::new({n}); "
    "UP.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1 }}",
}


class Items:
    """Writes cells that define items, and cells that ask for what the items say."""

    def __init__(self, chance: random.Random):
        self.chance = chance
        self.world = World()
        self.number = 0

    def pick(self, names):
        return self.chance.choice(sorted(names)) if names else None

    def define_type(self) -> Step:
        """A type, new or changed; values of the old one are lost."""
        variables = self.world.variables
        used = {user for n in self.world.live() for user in variables[n].value.kind.users()}
        name = self.pick(used if used and self.chance.random() < 0.6 else TYPES)
        made = definition(self.chance, self.world, name, TYPES)
        old = self.world.types.get(name)
        if old is None or old.rust() != made.rust():
            self.world.redefine(made)
        return Step(made.rust())

    def repeat_type(self) -> Step | None:
        name = self.pick(self.world.types)
        return name and Step(self.world.types[name].rust())

    def method(self) -> Step | None:
        """An impl, run anew with another body."""
        name = self.pick([t.name for t in self.world.types.values() if t.shape != "generic"])
        if name is None:
            return None
        self.world.methods[name] = self.chance.randrange(100)
        return Step(f"impl {name} {{ fn answer(&self) -> i64 {{ {self.world.methods[name]} }} }}")

    def ask_method(self) -> Step | None:
        names = [
            name
            for name in self.world.live("user")
            if self.world.variables[name].value.kind.user in self.world.methods
        ]
        name = self.pick(names)
        if name is None:
            return None
        user = self.world.variables[name].value.kind.user
        return Step(f"{name}.answer()", result=str(self.world.methods[user]))

    def voice(self) -> Step | None:
        """A trait of the user's, and a value behind `dyn`."""
        user = self.pick([t.name for t in self.world.types.values() if t.shape != "generic"])
        if user is None:
            return None
        trait = "" if self.world.has_voice else "trait Voice { fn name(&self) -> String; }\n"
        self.world.has_voice = True
        value = value_of(self.chance, self.world, Kind("user", user=user))
        name = self.pick(NAMES)
        body = f'fn name(&self) -> String {{ "{user} sings".to_owned() }}'
        code = f"{trait}impl Voice for {user} {{ {body} }}\n"
        code += f"let {name}: Box<dyn Voice> = Box::new({value.rust});"
        kind = Kind("voice", of=value.kind)
        self.world.bind(name, Value(kind, "", f'"{user} sings"'), self.number)
        return Step(code)

    def define_function(self) -> Step:
        """A function that may call an older one: the newest of each is called."""
        name = self.pick(FUNCTIONS)
        number = self.chance.randrange(50)
        older = [f for f in self.world.functions if f < name]
        called = self.pick(older) if self.chance.random() < 0.5 else None
        self.world.functions[name] = (called or "", number)
        body = f"{called}() + {number}" if called else str(number)
        return Step(f"fn {name}() -> i64 {{ {body} }}")

    def ask_function(self) -> Step | None:
        name = self.pick(self.world.functions)
        return name and Step(f"{name}()", result=str(self.value_of_function(name)))

    def value_of_function(self, name: str) -> int:
        called, number = self.world.functions[name]
        return number + (self.value_of_function(called) if called else 0)

    def define_counter(self) -> Step:
        name, form = self.pick(COUNTERS), self.pick(COUNTER_SOURCES)
        self.world.versions += 1
        first = self.world.versions * 100
        source = COUNTER_SOURCES[form].format(name=name, up=name.upper(), n=first)
        old = self.world.counters.get(name)
        if old is None or old.source != source:
            self.world.counters[name] = Counter(source, first)
        return Step(source)

    def repeat_counter(self) -> Step | None:
        name = self.pick(self.world.counters)
        return name and Step(self.world.counters[name].source)

    def ask_counter(self) -> Step | None:
        name = self.pick(self.world.counters)
        if name is None:
            return None
        self.world.counters[name].count += 2
        count = self.world.counters[name].count
        return Step(f"({name}(), {name}())", result=f"({count - 1}, {count})")

    def define_store(self) -> Step | None:
        """A static that holds values of the user's type: empty again when the type changes."""
        name = self.pick([t.name for t in self.world.types.values() if t.shape != "generic"])
        if name is None:
            return None
        self.world.stores.setdefault(name, 0)
        store = f"STORE_{TYPES.index(name)}"
        empty = f"std::sync::Mutex<Vec<{name}>> = std::sync::Mutex::new(vec![]);"
        return Step(f"static {store}: {empty}")

    def fill_store(self) -> Step | None:
        name = self.pick(self.world.stores)
        if name is None:
            return None
        value = value_of(self.chance, self.world, Kind("user", user=name))
        self.world.stores[name] += 1
        store, count = f"STORE_{TYPES.index(name)}", self.world.stores[name]
        code = f"{{ let mut held = {store}.lock().unwrap(); held.push({value.rust}); held.len() }}"
        return Step(code, result=str(count))
