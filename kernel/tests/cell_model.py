"""What a notebook must hold: a model of types, values and what each cell does to them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Kind:
    """A type of the model: how it is written in Rust, and which of the user's types it reaches."""

    form: str  # int, float, text, truth, list, option, user, shared, call, voice
    of: Kind | None = None
    user: str = ""

    def rust(self) -> str:
        inner = self.of.rust() if self.of else ""
        return {
            "int": "i64",
            "float": "f64",
            "text": "String",
            "truth": "bool",
            "list": f"Vec<{inner}>",
            "option": f"Option<{inner}>",
            "user": self.user.partition("<")[0] + (f"<{inner}>" if self.of else ""),
            "shared": f"std::sync::Arc<std::sync::Mutex<{inner}>>",
            "call": "Box<dyn Fn(i64) -> i64>",
            "voice": "Box<dyn Voice>",
        }[self.form]

    def users(self) -> set[str]:
        return ({self.user} if self.user else set()) | (self.of.users() if self.of else set())

    def is_copied(self) -> bool:
        """Whether using a value leaves it where it is: numbers, and options of them."""
        if self.form == "option":
            return self.of is not None and self.of.is_copied()
        return self.form in ("int", "float", "truth")

    def can_be_shown(self) -> bool:
        return self.form not in ("call", "voice") and (self.of is None or self.of.can_be_shown())


INT, FLOAT, TEXT, TRUTH = Kind("int"), Kind("float"), Kind("text"), Kind("truth")
CALL = Kind("call")


@dataclass(frozen=True)
class Definition:
    """A type of the user's: its shape, and its fields."""

    name: str
    shape: str  # record, tuple, choice, generic
    fields: tuple[tuple[str, Kind], ...]

    def rust(self) -> str:
        head = "#[derive(Debug, Clone)] "
        if self.shape == "record":
            return head + f"struct {self.name} {{ {self._named()} }}"
        if self.shape == "generic":
            return head + f"struct {self.name}<T> {{ held: T, {self._named()} }}"
        plain = ", ".join(kind.rust() for _, kind in self.fields)
        if self.shape == "tuple":
            return head + f"struct {self.name}({plain});"
        return head + f"enum {self.name} {{ Full({plain}), Empty }}"

    def _named(self) -> str:
        return ", ".join(f"{name}: {kind.rust()}" for name, kind in self.fields)

    def users(self) -> set[str]:
        return set().union(*(kind.users() for _, kind in self.fields))


@dataclass
class Value:
    """A value in both spellings: as Rust makes it, and as Debug shows it."""

    kind: Kind
    rust: str
    shown: str


@dataclass
class Variable:
    """A name of the notebook and what became of it."""

    value: Value
    number: int  # of the cell that bound it
    is_mutable: bool = True
    state: str = "live"  # live, moved, stale (its type changed, or its process ended)


@dataclass
class Counter:
    """A function that counts in a static: how it is written, and the count."""

    source: str
    count: int


@dataclass
class World:
    """Everything that the cells so far have made."""

    types: dict[str, Definition] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)
    functions: dict[str, tuple[str, int]] = field(default_factory=dict)
    counters: dict[str, Counter] = field(default_factory=dict)
    methods: dict[str, int] = field(default_factory=dict)
    # A static that holds values of a type: how many it holds.
    stores: dict[str, int] = field(default_factory=dict)
    has_voice: bool = False
    versions: int = 0

    def live(self, *forms: str) -> list[str]:
        return [
            name
            for name, variable in self.variables.items()
            if variable.state == "live" and (not forms or variable.value.kind.form in forms)
        ]

    def in_state(self, state: str) -> list[str]:
        return [name for name, variable in self.variables.items() if variable.state == state]

    def mutable(self, *forms: str) -> list[str]:
        return [name for name in self.live(*forms) if self.variables[name].is_mutable]

    def bind(self, name: str, value: Value, number: int, is_mutable: bool = True):
        self.variables[name] = Variable(value, number, is_mutable)

    def reaching(self, name: str) -> set[str]:
        """The types whose values hold one of type `name`, itself among them."""
        found = {name}
        while True:
            more = {t.name for t in self.types.values() if t.users() & found} - found
            if not more:
                return found
            found |= more

    def redefine(self, definition: Definition):
        """Values of the old definition can be read no more."""
        changed = self.reaching(definition.name)
        self.types[definition.name] = definition
        for name in set(self.stores) & changed:
            self.stores[name] = 0
        for variable in self.variables.values():
            if variable.state == "live" and variable.value.kind.users() & changed:
                variable.state = "stale"

    def lose_everything(self):
        """The evaluator ended: definitions stay, values and statics do not."""
        for name, variable in list(self.variables.items()):
            if variable.state == "moved":
                del self.variables[name]
            variable.state = "stale"
        self.counters.clear()
        self.stores = dict.fromkeys(self.stores, 0)


@dataclass
class Step:
    """One cell, and what must come of it."""

    code: str
    # value: ends well, with this result. fails: an error like `reason`. moved: `name` was moved.
    # stale: `name` is told lost, or shown as it was. stopped: ends by the stops, keeps all.
    # killed: ends by the stops or by itself, and tells what it loses.
    outcome: str = "value"
    result: str | None = None
    stdout: str = ""
    reason: str = ""
    name: str = ""
    stops: int = 0
