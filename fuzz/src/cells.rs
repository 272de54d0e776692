//! The part of the kernel that takes cells apart.

#[path = "../../kernel/src/cells/expand.rs"]
mod expand;
#[path = "../../kernel/src/cells/globs.rs"]
mod globs;
#[path = "../../kernel/src/cells/identity.rs"]
mod identity;
#[path = "../../kernel/src/cells/imports.rs"]
mod imports;
#[path = "../../kernel/src/cells/item.rs"]
mod item;
#[path = "../../kernel/src/cells/maker.rs"]
mod maker;
#[path = "../../kernel/src/cells/parse.rs"]
pub mod parse;
#[path = "../../kernel/src/cells/source.rs"]
pub mod source;
#[path = "../../kernel/src/cells/statics.rs"]
mod statics;
#[path = "../../kernel/src/cells/syntax.rs"]
mod syntax;
#[path = "../../kernel/src/cells/words.rs"]
mod words;
