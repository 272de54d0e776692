//! The columns of the table, which both files have.

use super::result::RunResult;
use super::settings::{Setting, Takes};
use super::table::{SweepRow, SweepTable};
use super::value::Value;

/// What is in a cell.
pub(super) enum Cell {
    Text(String),
    Whole(i64),
    Real(f64),
    Flag(bool),
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Whole,
    Real,
    Flag,
}

/// What a row has in a column.
type CellOf = dyn Fn(&SweepRow) -> Option<Cell>;

/// A column: its name, its type, and what a row has there.
pub(super) struct Column {
    pub name: String,
    pub kind: Kind,
    pub cell: Box<CellOf>,
}

fn column(name: &str, kind: Kind, cell: impl Fn(&SweepRow) -> Option<Cell> + 'static) -> Column {
    Column { name: name.to_owned(), kind, cell: Box::new(cell) }
}

fn of_result(
    name: &str,
    kind: Kind,
    cell: impl Fn(&RunResult) -> Option<Cell> + 'static,
) -> Column {
    column(name, kind, move |row| cell(row.result.as_ref()?))
}

fn whole(number: u64) -> Option<Cell> {
    i64::try_from(number).ok().map(Cell::Whole)
}

/// The names of the settings in a table, those that vary first.
pub(super) fn setting_names(table: &SweepTable) -> Vec<String> {
    match table.rows().first() {
        Some(row) => row.settings.iter().map(|(name, _)| name.clone()).collect(),
        None => table.varied().to_vec(),
    }
}

/// The columns of a table: the run, its settings, what it came to.
pub(super) fn columns(table: &SweepTable) -> Vec<Column> {
    let mut columns = vec![
        column("run", Kind::Whole, |row| whole(row.number as u64)),
        column("signature", Kind::Text, |row| Some(Cell::Text(row.signature.clone()))),
        column("state", Kind::Text, |row| {
            let state = if row.result.is_some() { "finished" } else { "failed" };
            Some(Cell::Text(state.to_owned()))
        }),
    ];
    for name in setting_names(table) {
        let kind = match Setting::named(&name).map(|setting| setting.takes) {
            Some(Takes::Count | Takes::Seed) => Kind::Whole,
            Some(Takes::Number) => Kind::Real,
            Some(Takes::Flag) => Kind::Flag,
            Some(Takes::Text) | None => Kind::Text,
        };
        let of = name.clone();
        columns.push(column(&name, kind, move |row| {
            Some(match row.setting(&of)? {
                Value::Flag(flag) => Cell::Flag(*flag),
                Value::Whole(number) => Cell::Whole(*number),
                Value::Real(number) => Cell::Real(*number),
                Value::Text(text) => Cell::Text(text.clone()),
            })
        }));
    }
    columns.extend([
        of_result("final_loss", Kind::Real, |result| Some(Cell::Real(result.final_loss))),
        of_result("final_loss_is", Kind::Text, |r| Some(Cell::Text(r.final_loss_is.clone()))),
        of_result("train_loss", Kind::Real, |result| Some(Cell::Real(result.train_loss))),
        of_result("validation_loss", Kind::Real, |r| r.validation_loss.map(Cell::Real)),
        of_result("best_epoch", Kind::Whole, |result| whole(result.best_epoch)),
        of_result("epochs_trained", Kind::Whole, |result| whole(result.epochs_trained)),
        of_result("stopped_early", Kind::Flag, |r| Some(Cell::Flag(r.stopped_early))),
        of_result("parameters", Kind::Whole, |result| whole(result.parameters)),
        of_result("model_bytes", Kind::Whole, |result| whole(result.model_bytes)),
        of_result("seconds", Kind::Real, |result| Some(Cell::Real(result.seconds))),
        of_result("memory_bytes", Kind::Whole, |result| whole(result.memory_bytes?)),
        of_result("device", Kind::Text, |result| Some(Cell::Text(result.device.clone()))),
        of_result("notes", Kind::Text, |result| {
            Some(Cell::Text(result.notes.join("\n"))).filter(|_| !result.notes.is_empty())
        }),
        column("model_file", Kind::Text, |row| row.model_file.clone().map(Cell::Text)),
        column("error", Kind::Text, |row| row.error.clone().map(Cell::Text)),
    ]);
    columns
}
