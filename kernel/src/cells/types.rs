//! The types of a cell's variables, as the compiler names them.
//!
//! Each new variable is kept by a call `keep_variable::<7, _>("song", song)`, which the compiler's MIR
//! shows with the type in place: `keep_variable::<7, Song>(...)`. Later cells take the variable by that
//! name of its type.

use std::collections::BTreeMap;

/// The module in which a cell names the crates that types may come from.
pub const CRATES_MODULE: &str = "neural_crates";
/// Crates that a cell reaches without a `:dep`, and whose types have open paths.
pub const OPEN_CRATES: [&str; 4] = ["std", "core", "alloc", "neural_composer"];
/// Modules of types that were defined anew start with this.
pub const VERSION_PREFIX: &str = "neural_version_";

const CALL: &str = "keep_variable::<";

/// What a variable's type is to later cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    Named(String),
    /// A function's own type, and the pointer that it can be turned into.
    Function(String),
    /// A closure, or something made of one.
    Nameless,
}

impl Type {
    /// Reads a type as MIR writes it.
    pub fn of(written: &str) -> Self {
        let is_function = ["fn(", "unsafe fn(", "extern ", "unsafe extern ", "for<"]
            .iter()
            .any(|start| written.starts_with(start));
        if is_function && let Some((pointer, _)) = written.rsplit_once(" {") {
            return Type::Function(pointer.to_owned());
        }
        let is_nameless = ["{closure", "{async", "{coroutine", "{gen", "{impl", "impl ", " {", "@"]
            .iter()
            .any(|part| written.contains(part));
        if is_nameless { Type::Nameless } else { Type::Named(without_versions(written)) }
    }
}

/// The names that the paths of a type begin with: `std` and `half` of `std::vec::Vec<half::f16>`.
pub fn roots(ty: &str) -> impl Iterator<Item = &str> {
    ty.match_indices("::").filter_map(|(at, _)| {
        let before = &ty[..at];
        let name = before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
        let is_root = !name.ends_with("::") && name.len() < before.len();
        is_root.then(|| &before[name.len()..])
    })
}

/// A text about types without the module that the notebook's crates are named in.
pub fn readable(text: &str) -> String {
    text.replace(&format!("{CRATES_MODULE}::"), "")
}

/// A text about types without the modules that types defined anew are in.
pub fn without_versions(written: &str) -> String {
    let mut out = String::with_capacity(written.len());
    let mut rest = written;
    while let Some(at) = rest.find(VERSION_PREFIX) {
        out += &rest[..at];
        let behind = &rest[at..];
        rest = behind.split_once("::").map_or("", |(_, behind)| behind);
    }
    out + rest
}

/// The types in rustc's MIR, by the number of their variable.
pub fn answers(mir: &str) -> BTreeMap<usize, Type> {
    mir.match_indices(CALL)
        .filter_map(|(at, _)| {
            let rest = &mir[at + CALL.len()..];
            let (number, rest) = rest.split_once(',')?;
            let number = number.trim_end_matches("_usize").parse().ok()?;
            let mut depth = 1;
            let mut previous = ' ';
            for (offset, c) in rest.char_indices() {
                match c {
                    '<' => depth += 1,
                    // The arrow of a function's type closes nothing.
                    '>' if previous != '-' => depth -= 1,
                    '\n' => return None,
                    _ => {}
                }
                if depth == 0 {
                    return Some((number, Type::of(rest[..offset].trim())));
                }
                previous = c;
            }
            None
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_type_begin_with_roots() {
        let of = |ty| roots(ty).collect::<Vec<_>>();
        assert_eq!(of("std::vec::Vec<half::f16>"), ["std", "half"]);
        assert_eq!(of("(u8, &'static [a_1::B<'static, [C; 3]>; 2])"), ["a_1"]);
        assert_eq!(of("std::boxed::Box<dyn for<'a> Fn(&'a x::Y) -> z::W>"), ["std", "x", "z"]);
        assert!(of("Vec<Song>").is_empty());
    }

    #[test]
    fn types_are_read_from_mir() {
        let mir = "_5 = keep_variable::<0, std::vec::Vec<f32>>(copy _6) -> [return: bb1];\n\
                   _7 = keep_variable::<12, std::boxed::Box<dyn Fn(i32) -> i32>>(move _8)\n\
                   _8 = keep_variable::<1, fn(i32) -> i32 {std::cmp::max}>(x)\n\
                   _9 = keep_variable::<2, std::iter::Map<std::ops::Range<i32>, {closure@a:1:2: 3:4}>>(x)\n\
                   _1 = keep_variable::<3, neural_version_00ff::Note>(x)";
        let answers = answers(mir);
        let named = |name: &str| Type::Named(name.to_owned());
        assert_eq!(answers[&0], named("std::vec::Vec<f32>"));
        assert_eq!(answers[&12], named("std::boxed::Box<dyn Fn(i32) -> i32>"));
        assert_eq!(answers[&1], Type::Function("fn(i32) -> i32".to_owned()));
        assert_eq!(answers[&2], Type::Nameless);
        assert_eq!(answers[&3], named("Note"));
    }
}
