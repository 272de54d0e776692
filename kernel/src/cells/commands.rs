//! The commands of a notebook, as evcxr names them.

use super::notebook::Notebook;
use super::types::readable;
use crate::link::{Command as Order, Kind};
use crate::runner::{Ended, Runner};
use anyhow::{Result, bail};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// A command and what it does, as `:help` shows it and completion offers it.
pub const COMMANDS: [(&str, &str); 16] = [
    ("checks", "whether arithmetic that overflows panics in later cells: 1 (as it is) or 0"),
    ("clear", "forget everything: variables, definitions, crates"),
    ("dep", "use a crate: `:dep name = \"1.0\"`, `:dep name = { path = \"folder\" }`"),
    ("efmt", "how errors by `?` are written: `{}` (Display) or `{:?}` (Debug)"),
    ("explain", "explain an error: `:explain E0382`"),
    ("fmt", "how results are written: `{:?}` or `{:#?}`"),
    ("help", "this list"),
    ("last_compile_dir", "the folder with the generated sources"),
    ("opt", "optimisation of later cells: 0, 1, 2 or 3"),
    ("restart", "start a new evaluator: variables are lost, definitions stay"),
    ("show_deps", "the crates of :dep"),
    ("t", "a variable's type, as :type"),
    ("timing", "say how long each cell took"),
    ("type", "a variable's type: `:type song`"),
    ("vars", "the variables with types and sizes"),
    ("version", "this kernel's version"),
];

/// What a command asks of the engine, besides what it shows.
#[derive(Debug, PartialEq, Eq)]
pub enum Consequence {
    None,
    /// The evaluator and all variables end.
    Restart,
}

/// A command's result to show, as MIME types, and what follows.
pub type Answer = (Option<Map<String, Value>>, Consequence);

/// Carries out a command.
pub fn execute(
    name: &str,
    arguments: &str,
    notebook: &mut Notebook,
    runner: &mut Runner,
) -> Result<Answer> {
    let nothing = |()| (None, Consequence::None);
    let said = |text: String| (Some(plain(text)), Consequence::None);
    Ok(match name {
        "dep" => {
            notebook.require(arguments)?;
            nothing(())
        }
        "vars" => (Some(variables(notebook, runner)), Consequence::None),
        "type" | "t" => match notebook.namespace.variables.get(arguments) {
            Some(variable) => said(format!("{arguments}: {}", readable(&variable.ty))),
            None if arguments.is_empty() => bail!("expected `:type name`"),
            None => bail!("there is no variable `{arguments}`: `:vars` lists them"),
        },
        "clear" => {
            notebook.clear();
            (None, Consequence::Restart)
        }
        "restart" => {
            notebook.namespace.lose_variables("the evaluator was restarted");
            (None, Consequence::Restart)
        }
        "opt" => {
            let level = if arguments.is_empty() { "3" } else { arguments };
            if !["0", "1", "2", "3", "s", "z"].contains(&level) {
                bail!("expected an optimisation level from 0 to 3, found {level:?}");
            }
            notebook.settings.opt_level = level.to_owned();
            nothing(())
        }
        "checks" => {
            notebook.settings.has_checks = match arguments {
                "" | "1" => true,
                "0" => false,
                other => bail!("expected 1 or 0, found {other:?}"),
            };
            nothing(())
        }
        "fmt" => {
            let format = if arguments.is_empty() { "{:?}" } else { arguments };
            if !["{:?}", "{:#?}"].contains(&format) {
                bail!("expected {{:?}} or {{:#?}}, found {format:?}");
            }
            notebook.settings.format = format.to_owned();
            nothing(())
        }
        "efmt" => {
            notebook.settings.debug_errors = match arguments {
                "" | "{}" => false,
                "{:?}" | "{:#?}" => true,
                other => bail!("expected {{}} or {{:?}}, found {other:?}"),
            };
            nothing(())
        }
        "timing" => {
            notebook.settings.shows_timing = !notebook.settings.shows_timing;
            nothing(())
        }
        "show_deps" => {
            let lines = notebook.crates.requirements.iter();
            said(lines.map(|wanted| format!("{} = {}\n", wanted.key, wanted.value)).collect())
        }
        "last_compile_dir" => said(notebook.compiler.folder.display().to_string()),
        "explain" => said(explanation(arguments, notebook)?),
        "version" => said(format!("neural-composer-kernel {}", env!("CARGO_PKG_VERSION"))),
        "help" | "doc" => said(help()),
        // Of stock evcxr, where they change how it compiles; here there is nothing to change.
        "load_config"
        | "offline"
        | "sccache"
        | "cache"
        | "clear_cache"
        | "linker"
        | "toolchain"
        | "preserve_vars_on_panic"
        | "allow_static_linking"
        | "types"
        | "time_passes"
        | "internal_debug"
        | "build_env"
        | "codegen_backend" => said(format!(":{name} has no effect here")),
        other => bail!("there is no command `:{other}`: `:help` lists them"),
    })
}

fn plain(text: String) -> Map<String, Value> {
    Map::from_iter([("text/plain".to_owned(), Value::String(text.trim_end().to_owned()))])
}

fn help() -> String {
    let mut text = String::new();
    for (name, what) in COMMANDS {
        text += &format!(":{name:18}{what}\n");
    }
    text + "!command           run a line in the shell\n"
}

fn explanation(code: &str, notebook: &Notebook) -> Result<String> {
    if code.is_empty() {
        bail!("expected an error's code: `:explain E0382`");
    }
    let mut rustc = std::process::Command::new(&notebook.compiler.toolchain.rustc);
    crate::toolchain::output(rustc.args(["--explain", code]))
}

/// Names, types and sizes of all variables, as text and as a table.
fn variables(notebook: &Notebook, runner: &mut Runner) -> Map<String, Value> {
    let sizes = sizes(runner);
    let mut text = String::new();
    let mut rows = String::new();
    let size_of = |name: &str| {
        sizes.get(name).map_or(String::new(), |&(own, heap)| match heap {
            0 => bytes(own),
            heap => format!("{} + {}", bytes(own), bytes(heap)),
        })
    };
    let width =
        notebook.namespace.variables.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    for (name, variable) in &notebook.namespace.variables {
        let (keyword, size) = (if variable.is_mutable { "mut " } else { "" }, size_of(name));
        let ty = readable(&variable.ty);
        text += &format!("{name:width$}  {keyword}{ty}  {size}\n");
        rows += &format!(
            "<tr><td>{}</td><td><code>{keyword}{}</code></td><td style=\"text-align:right\">{size}</td></tr>",
            escaped(name),
            escaped(&ty)
        );
    }
    if text.is_empty() {
        return plain("There are no variables.".to_owned());
    }
    let table = format!(
        "<table><thead><tr><th>Variable</th><th>Type</th><th>Size</th></tr></thead><tbody>{rows}</tbody></table>"
    );
    let mut shown = plain(text);
    shown.insert("text/html".to_owned(), table.into());
    shown
}

/// The bytes of each variable: itself, and on the heap as far as its type tells.
fn sizes(runner: &mut Runner) -> HashMap<String, (u64, u64)> {
    let Ended::Returned { said, .. } = runner.run(&Order::Sizes, || {}) else {
        return HashMap::new();
    };
    let lines =
        said.iter().filter(|(kind, _)| *kind == Kind::Sizes).flat_map(|(_, text)| text.lines());
    lines
        .filter_map(|line| {
            let mut parts = line.splitn(3, ' ');
            let own = parts.next()?.parse().ok()?;
            let heap = parts.next()?.parse().ok()?;
            Some((parts.next()?.to_owned(), (own, heap)))
        })
        .collect()
}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{} kB", count / 1000),
        _ => format!("{} MB", count / 1_000_000),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Whether a command changes how the cell's Rust is compiled, wherever in the cell it stands.
pub fn comes_first(name: &str) -> bool {
    ["dep", "opt", "checks", "fmt", "efmt", "timing"].contains(&name)
}
