"""Random values and types of the model, as Rust writes them and as Debug shows them."""

from __future__ import annotations

import random

from cell_model import CALL, FLOAT, INT, TEXT, TRUTH, Definition, Kind, Value, World

SIMPLE = [INT, INT, FLOAT, TEXT, TRUTH]
WORDS = ["la", "sol♯", "Übung", "", "it's"]


def debugged(number: int) -> str:
    """A shared number as Debug shows it."""
    return f"Mutex {{ data: {number}, poisoned: false, .. }}"


def kind_of(chance: random.Random, world: World, depth: int = 0) -> Kind:
    """A type: simple, the user's, or a container of such."""
    roll = chance.random()
    users = sorted(world.types)
    if depth < 2 and roll < 0.25:
        return Kind(chance.choice(["list", "list", "option"]), of=kind_of(chance, world, depth + 1))
    if users and roll < 0.7:
        user = chance.choice(users)
        generic = world.types[user].shape == "generic"
        return Kind("user", of=chance.choice(SIMPLE) if generic else None, user=user)
    if depth == 0 and roll > 0.92:
        return chance.choice([CALL, Kind("shared", of=INT)])
    return chance.choice(SIMPLE)


def value_of(chance: random.Random, world: World, kind: Kind | None = None) -> Value:
    """A value of this type, or of any."""
    kind = kind or kind_of(chance, world)
    if kind.form == "int":
        number = chance.randrange(1000)
        return Value(kind, f"{number}i64", str(number))
    if kind.form == "float":
        number = chance.randrange(100) / 2
        return Value(kind, f"{number}f64", str(number))
    if kind.form == "truth":
        truth = chance.choice(["true", "false"])
        return Value(kind, truth, truth)
    if kind.form == "text":
        word = chance.choice(WORDS)
        return Value(kind, f'String::from("{word}")', f'"{word}"')
    if kind.form == "list":
        items = [value_of(chance, world, kind.of) for _ in range(chance.randrange(1, 4))]
        rust, shown = (", ".join(getattr(i, a) for i in items) for a in ("rust", "shown"))
        return Value(kind, f"vec![{rust}]", f"[{shown}]")
    if kind.form == "option":
        if chance.random() < 0.3:
            return Value(kind, f"None::<{kind.of.rust()}>", "None")
        inner = value_of(chance, world, kind.of)
        return Value(kind, f"Some({inner.rust})", f"Some({inner.shown})")
    if kind.form == "shared":
        number = chance.randrange(100)
        rust = f"std::sync::Arc::new(std::sync::Mutex::new({number}i64))"
        return Value(kind, rust, debugged(number))
    if kind.form == "call":
        number = chance.randrange(100)
        return Value(kind, f"Box::new(move |x: i64| x + {number})", str(number + 1))
    return user_value(chance, world, kind)


def user_value(chance: random.Random, world: World, kind: Kind) -> Value:
    made = world.types[kind.user]
    fields = [(name, value_of(chance, world, of)) for name, of in made.fields]
    rust = ", ".join(value.rust for _, value in fields)
    shown = ", ".join(value.shown for _, value in fields)
    if made.shape == "tuple":
        return Value(kind, f"{made.name}({rust})", f"{made.name}({shown})")
    if made.shape == "choice":
        if chance.random() < 0.3:
            return Value(kind, f"{made.name}::Empty", "Empty")
        return Value(kind, f"{made.name}::Full({rust})", f"Full({shown})")
    if made.shape == "generic":
        fields.insert(0, ("held", value_of(chance, world, kind.of)))
    rust = ", ".join(f"{name}: {value.rust}" for name, value in fields)
    shown = ", ".join(f"{name.removeprefix('r#')}: {value.shown}" for name, value in fields)
    return Value(kind, f"{made.name} {{ {rust} }}", f"{made.name} {{ {shown} }}")


def definition(chance: random.Random, world: World, name: str, order: list[str]) -> Definition:
    """A type of this name, whose fields may be of the types before it in `order`."""
    earlier = World(
        types={t: world.types[t] for t in order[: order.index(name)] if t in world.types}
    )
    shape = (
        "generic" if name == order[-1] else chance.choice(["record", "record", "tuple", "choice"])
    )
    old = world.types.get(name)
    if old is not None and chance.random() < 0.5:
        shape = old.shape
    names = ["pitch", "länge", "r#in"]
    chance.shuffle(names)
    kinds = [kind_of(chance, earlier, depth=1) for _ in range(chance.randrange(1, 4))]
    return Definition(name, shape, tuple(zip(names, kinds, strict=False)))
