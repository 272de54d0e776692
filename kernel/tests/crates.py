"""Crates beside a notebook: written by the tests, so that no network is needed."""

from pathlib import Path


def write_crate(
    folder: Path, source: str, name: str | None = None, library: str = "", dependencies: str = ""
) -> Path:
    """A crate of this source in `folder`, named like it unless said otherwise."""
    (folder / "src").mkdir(parents=True, exist_ok=True)
    manifest = f'[package]\nname = "{name or folder.name}"\nversion = "0.1.0"\nedition = "2024"\n'
    if library:
        manifest += f"\n[lib]\n{library}\n"
    if dependencies:
        manifest += f"\n[dependencies]\n{dependencies}\n"
    (folder / "Cargo.toml").write_text(manifest, encoding="utf-8")
    (folder / "src" / "lib.rs").write_text(source, encoding="utf-8")
    return folder


COUNTER = """
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
static COUNT: AtomicU32 = AtomicU32::new(0);
thread_local! { static LOCAL: std::cell::Cell<u32> = const { std::cell::Cell::new(0) }; }
pub fn next() -> u32 { COUNT.fetch_add(1, SeqCst) + 1 }
pub fn next_local() -> u32 { LOCAL.set(LOCAL.get() + 1); LOCAL.get() }
pub fn next_generic<T: From<u32>>() -> T { T::from(next()) }
#[derive(Debug, Clone)]
pub struct Ticket(pub u32);
impl Ticket { pub fn draw() -> Self { Ticket(next()) } }
#[macro_export]
macro_rules! ticket { () => { $crate::Ticket::draw() } }
"""
