//! What the notebook has defined so far, and what depends on what.

use super::crate_set::CrateSet;
use super::item::{Item, Key};
use super::words::Words;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// All definitions, in the order in which they were made.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    items: Vec<Arc<Item>>,
}

impl Definitions {
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Item>> {
        self.items.iter()
    }

    /// Takes over a cell's items; each replaces what it redefines.
    pub fn add(&mut self, items: impl IntoIterator<Item = Item>) {
        for item in items {
            self.items.retain(|known| !replaces(&item, known));
            self.items.push(Arc::new(item));
        }
    }

    pub fn remove(&mut self, gone: &[Arc<Item>]) {
        self.items.retain(|item| !gone.iter().any(|gone| Arc::ptr_eq(gone, item)));
    }

    /// Whether the notebook has a definition, macro or import of this name.
    pub fn has_name(&self, name: &str) -> bool {
        self.items.iter().any(|item| match &item.key {
            Key::Macro(known) | Key::Type(known) | Key::Value(known) | Key::Import(known) => {
                known == name
            }
            _ => false,
        })
    }

    /// The rules of a macro of the notebook.
    pub fn rules(&self, macro_name: &str) -> Option<String> {
        let found = self
            .items
            .iter()
            .find(|item| matches!(&item.key, Key::Macro(name) if name == macro_name));
        found?.rules.clone()
    }

    /// Whether a function returns a type that it hides.
    pub fn hides_type(&self, function: &str) -> bool {
        self.items.iter().any(|item| {
            item.hides_type && matches!(&item.key, Key::Value(name) if name == function)
        })
    }

    /// The definitions that code with these words may need, in order.
    pub fn wanted(&self, words: &Words) -> Vec<Arc<Item>> {
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, item) in self.items.iter().enumerate() {
            for name in item.provides.iter().flatten() {
                by_name.entry(name.trim_start_matches("r#")).or_default().push(at);
            }
        }
        let mut wanted = vec![false; self.items.len()];
        let mut seen = BTreeSet::new();
        let mut open: Vec<String> = words.0.iter().cloned().collect();
        let take = |at: usize, open: &mut Vec<String>, wanted: &mut Vec<bool>| {
            if !wanted[at] {
                wanted[at] = true;
                open.extend(self.items[at].words.0.iter().cloned());
            }
        };
        for (at, item) in self.items.iter().enumerate() {
            if item.provides.is_none() {
                take(at, &mut open, &mut wanted);
            }
        }
        while let Some(word) = open.pop() {
            let word = word.trim_start_matches("r#").to_owned();
            for at in by_name.get(word.as_str()).cloned().unwrap_or_default() {
                take(at, &mut open, &mut wanted);
            }
            seen.insert(word);
            open.retain(|word| !seen.contains(word.as_str()));
        }
        let items = self.items.iter().zip(wanted).filter(|(_, wanted)| *wanted);
        items.map(|(item, _)| item.clone()).collect()
    }

    /// What the meaning of a type (or of any text) depends on: its definitions, and theirs. Two
    /// fingerprints agree only if the memory of a value means the same.
    pub fn fingerprint(&self, text: &str, crates: &CrateSet) -> u64 {
        let mut words = Words::default();
        words.take_text(text);
        let mut reached: BTreeMap<&Key, &Item> = BTreeMap::new();
        let mut globs = BTreeSet::new();
        let mut stamped = BTreeSet::new();
        let mut open: Vec<(String, bool)> =
            words.0.into_iter().map(|word| (word.clone(), is_root(text, &word))).collect();
        let mut seen: BTreeSet<(String, bool)> = BTreeSet::new();
        while let Some((word, is_root)) = open.pop() {
            if !seen.insert((word.clone(), is_root)) {
                continue;
            }
            if crates.stamps.contains_key(&word) {
                stamped.insert(word.clone());
            }
            let mut is_defined = false;
            for item in self.items.iter().filter(|item| means(item, &word)) {
                is_defined |= !matches!(item.key, Key::Macro(_) | Key::Impl { .. });
                if reached.insert(&item.key, item).is_none() {
                    let roots = &item.identity.roots;
                    let words = item.identity.reaches.iter();
                    open.extend(words.map(|word| (word.clone(), roots.contains(word))));
                }
            }
            if is_defined || !is_root {
                continue;
            }
            for glob in self.globs().filter(|glob| self.brings(glob, &word, crates)) {
                globs.insert(glob);
                let mut words = Words::default();
                words.take_text(glob);
                open.extend(words.0.into_iter().map(|word| (word, false)));
            }
        }
        let mut hasher = DefaultHasher::new();
        for (key, item) in &reached {
            (key, &item.identity.text).hash(&mut hasher);
        }
        if reached.values().any(|item| item.identity.projects) {
            let is_seen = |name: &String| {
                [true, false].iter().any(|&root| seen.contains(&(name.clone(), root)))
            };
            for item in self.items.iter().filter(|item| !item.identity.gives.is_empty()) {
                if item.provides.iter().flatten().any(is_seen) {
                    (&item.key, &item.identity.gives).hash(&mut hasher);
                }
            }
        }
        globs.hash(&mut hasher);
        for name in stamped {
            (&name, crates.stamps[&name]).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// The paths of imports of everything: `m::*`.
    fn globs(&self) -> impl Iterator<Item = &str> {
        let imports = self.items.iter().filter(|item| item.import.is_some());
        let all = imports.filter(|item| matches!(item.key, Key::Text(_)));
        all.map(|item| item.identity.text.as_str()).filter(|path| path.ends_with("*"))
    }

    /// Whether an import of everything may bring a name that nothing in the notebook defines.
    fn brings(&self, glob: &str, name: &str, crates: &CrateSet) -> bool {
        let mut segments = glob.trim_start_matches("::").split("::").map(str::trim);
        let Some(root) = segments.find(|segment| !["crate", "self"].contains(segment)) else {
            return false;
        };
        let named = self.items.iter().find_map(|item| match &item.key {
            Key::Type(known) if known == root => Some(item.brought.has(name)),
            _ => {
                let path =
                    item.imported_path(root).filter(|_| matches!(item.key, Key::Import(_)))?;
                (path != root).then(|| self.brings(&path, name, crates))
            }
        });
        named.unwrap_or_else(|| crates.brings(root, name))
    }
}

/// Whether a type that mentions the word may depend on the definition.
fn means(item: &Item, word: &str) -> bool {
    match &item.key {
        Key::Type(name) | Key::Value(name) | Key::Import(name) | Key::Macro(name) => name == word,
        Key::Impl { member, .. } => member == word && !item.identity.text.is_empty(),
        Key::Text(_) => false,
    }
}

/// Whether a word stands in a text where a path may begin.
fn is_root(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| !text[..at].ends_with("::"))
}

/// Whether a new definition takes the place of an older one.
fn replaces(new: &Item, old: &Item) -> bool {
    if new.key == old.key {
        return true;
    }
    let names = |item: &Item| match &item.key {
        Key::Type(name) | Key::Value(name) | Key::Import(name) => Some(name.clone()),
        _ => None,
    };
    // An import may be of a type, a function or both: whichever came later is meant. A type and a
    // function of one name live side by side, unless the type is a function, too: a tuple struct.
    match (&new.key, &old.key) {
        (Key::Import(_), Key::Type(_) | Key::Value(_))
        | (Key::Type(_) | Key::Value(_), Key::Import(_)) => names(new) == names(old),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::super::source::Source;
    use super::*;

    fn defined(cells: &[&str]) -> Definitions {
        let mut all = Definitions::default();
        for code in cells {
            all.add(parse(&Source::new(1, code), code, &|_| None).items);
        }
        all
    }

    fn fingerprint(cells: &[&str], ty: &str) -> u64 {
        defined(cells).fingerprint(ty, &CrateSet::default())
    }

    #[test]
    fn later_definitions_replace_earlier_ones() {
        let all = defined(&[
            "use std::fmt;\nfn f() {}\nstruct S;\nimpl S { fn a() {} fn b() {} }",
            "use std::fmt;\nfn f() -> u8 { 1 }\nimpl S { fn b() -> u8 { 2 } }",
        ]);
        assert_eq!(all.iter().count(), 5);
    }

    #[test]
    fn fingerprints_follow_what_a_type_reaches() {
        let base = ["struct Note { p: Pitch }", "type Pitch = u8;", "struct Other;"];
        let was = fingerprint(&base, "Vec<Note>");
        let with = |more: &str| fingerprint(&[&base[..], &[more]].concat(), "Vec<Note>");
        for same in [
            "impl Note { fn f(&self) {} }",
            "impl Clone for Note { fn clone(&self) -> Note { loop {} } }",
            "struct Note { /* said */ p: Pitch }",
            "struct Other(u8);",
            "fn p() {}",
            "impl Iterator for Note { type Item = u8; fn next(&mut self) -> Option<u8> { None } }",
        ] {
            assert_eq!(with(same), was, "{same}");
        }
        for other in ["type Pitch = f64;", "struct Note { p: f64 }", "struct Note { q: Pitch }"] {
            assert_ne!(with(other), was, "{other}");
        }
    }

    #[test]
    fn fingerprints_see_what_computes_a_type() {
        let base = ["struct P;", "struct A { all: [u8; P::N], one: ty!(), more: [u8; f()] }"];
        let with = |more: &str| fingerprint(&[&base[..], &[more]].concat(), "A");
        for (one, other) in [
            ("impl P { const N: usize = 1; }", "impl P { const N: usize = 2; }"),
            ("macro_rules! ty { () => { u8 } }", "macro_rules! ty { () => { f64 } }"),
            (
                "macro_rules! ty { () => { t2!() } } macro_rules! t2 { () => { u8 } }",
                "macro_rules! ty { () => { t2!() } } macro_rules! t2 { () => { f64 } }",
            ),
            ("const fn f() -> usize { 1 }", "const fn f() -> usize { 2 }"),
            (
                "const fn f() -> usize { P::g() } impl P { const fn g() -> usize { 1 } }",
                "const fn f() -> usize { P::g() } impl P { const fn g() -> usize { 2 } }",
            ),
        ] {
            assert_ne!(with(one), with(other), "{one}");
        }
        assert_eq!(with("impl P { fn f() {} }"), with("impl P { fn f() { loop {} } }"));
    }

    #[test]
    fn fingerprints_see_what_imports_of_everything_hide() {
        let base = ["struct Note { all: Vec<u8>, path: std::string::String }"];
        let with = |more: &[&str]| fingerprint(&[&base[..], more].concat(), "Note");
        let module = "mod m { pub struct Vec<T>(T); pub struct String; struct S { b: Box<u8> } }";
        let was = with(&[]);
        assert_eq!(with(&[module]), was);
        assert_ne!(with(&[module, "use m::*;"]), was);
        assert_ne!(with(&[module, "use crate::m::*;"]), was);
        assert_ne!(
            with(&[module, "use m::*;"]),
            with(&[&module.replace("(T)", "(u8, T)"), "use m::*;"])
        );
        let other = module.replace("Vec", "Other");
        assert_eq!(with(&[&other, "use m::*;", "use std::fmt::*;"]), was);
        assert_eq!(
            fingerprint(&[module, "use m::*;"], "alloc::vec::Vec<u8>"),
            fingerprint(&[], "alloc::vec::Vec<u8>")
        );
        assert_ne!(with(&["use elsewhere::*;"]), was);
        assert_ne!(with(&["use elsewhere as e;", "use e::*;"]), was);
        assert_ne!(with(&[module, "use m as n;", "use n::*;"]), was);
        assert_eq!(with(&["use std::fmt as f;", "use f::*;"]), was);
    }

    #[test]
    fn fingerprints_see_what_implementations_give() {
        let base = ["trait T { type O; }", "struct W<X: T>(X::O);", "struct F;"];
        let of = |given: &str| {
            let given = format!("impl T for F {{ type O = {given}; }}");
            fingerprint(&[&base[..], &[&given]].concat(), "W<F>")
        };
        assert_ne!(of("u8"), of("f64"));
    }

    #[test]
    fn only_what_is_wanted_is_taken() {
        let all = defined(&[
            "use std::fmt;\nfn f() { g() }\nfn g() {}\nfn h() {}\ntrait Area { fn area(&self); }\n\
             struct S;\nimpl Area for S { fn area(&self) {} }",
        ]);
        let wanted = |code: &str| {
            let mut words = Words::default();
            words.take_text(code);
            all.wanted(&words).len()
        };
        assert_eq!(wanted("1"), 1);
        assert_eq!(wanted("f()"), 3);
        assert_eq!(wanted("S"), 4);
        assert_eq!(wanted("x.area()"), 4);
    }
}
