//! Completion and descriptions by rust-analyzer, the toolchain's own, which is asked over LSP.
//!
//! The language server protocol: <https://microsoft.github.io/language-server-protocol/>. One thread
//! of the kernel's ([`client`]) talks to the server: it takes questions and the server's messages,
//! and answers each question once.

mod client;
mod completions;
mod descriptions;
mod question;
mod settings;
mod text;
mod unread;

pub use client::{Client, Event};
pub use descriptions::described;
pub use question::{Answer, Completion, Question, QuestionKind};
