//! Sweeps in a cell: how far they are, what they found, what mattered.

use crate::display::{
    Bundle, Live, Output, Progress, Show, html, plain, shown_in_notebooks, sweep_chart,
};
use crate::sweep::{Effect, Sweep, SweepProgress, SweepRow, SweepTable, Swept};
use crate::words::{counted, shown};
use crate::{Result, display};
use std::fmt::Write as _;

/// Shows how far a sweep is.
pub struct LiveSweep(Live);

/// Parts of the bar.
const PARTS: u64 = 10_000;
/// Rows that a card has at most.
const MOST_ROWS: usize = 20;

impl LiveSweep {
    /// Shows it through `output`.
    pub fn to(output: Output) -> Self {
        Self(Live::to(output))
    }

    /// Runs `sweep`.
    ///
    /// # Errors
    /// What [`Sweep::run_watched`] reports.
    pub fn run(self, sweep: &Sweep) -> Result<Swept> {
        let Self(mut live) = self;
        let mut was_shown = false;
        let swept = sweep.run_watched(&mut |progress| {
            was_shown = true;
            let line = line(progress, sweep.plan().runs().len());
            let bundle = Bundle::from_text(&line);
            let done = (progress.share * PARTS as f64) as u64;
            live.update(&Progress { done, total: PARTS, line }, || bundle);
        })?;
        if was_shown {
            let line = closing(&swept);
            live.finish(&line, || Bundle::from_text(&line));
        }
        Ok(swept)
    }
}

/// "run 3 of 12 (cell gru, units 8): epoch 2/5, loss 0.1234; best 0.1000 (run 1); 2 min 5 s left".
fn line(progress: &SweepProgress<'_>, runs: usize) -> String {
    let SweepProgress { number, run, epoch, epochs, loss, best, left_seconds, .. } = progress;
    let best =
        best.map_or(String::new(), |(number, loss)| format!("; best {loss:.4} (run {number})"));
    let left =
        left_seconds.map_or(String::new(), |left| format!("; {} left", plain::duration(left)));
    format!("run {number} of {runs} ({run}): epoch {epoch}/{epochs}, loss {loss:.4}{best}{left}")
}

fn closing(swept: &Swept) -> String {
    let mut words = format!("{} finished now", counted(swept.trained, "run"));
    for (count, what) in [
        (swept.failed, "failed"),
        (swept.busy, "in other processes"),
        (swept.left.saturating_sub(swept.busy), "left"),
    ] {
        if count > 0 {
            let _ = write!(words, ", {count} {what}");
        }
    }
    swept.notes.iter().fold(words, |words, note| format!("{words}; {note}"))
}

impl Sweep {
    /// Trains what is not finished, and shows how far it is; the stop button ends it after the running
    /// batch, and the same cell goes on.
    ///
    /// # Errors
    /// What [`run_watched`](Self::run_watched) reports.
    pub fn run(&self) -> Result<SweepTable> {
        LiveSweep::to(Output::new()).run(self).map(|swept| swept.table)
    }
}

impl SweepTable {
    /// What mattered, drawn: for each setting that varies the final losses by its values.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) where no setting has two values in finished runs;
    /// [`Error::Picture`](crate::Error::Picture) when it cannot be drawn.
    pub fn picture(&self) -> Result<display::Picture> {
        sweep_chart(self)
    }
}

impl Show for SweepTable {
    /// The runs, the best first, and below what mattered.
    fn bundle(&self) -> Result<Bundle> {
        let (effects, ranked) = (self.effects(), self.ranked());
        let mut body = table_html(self, &ranked);
        let mut text = format!("{self}\n");
        for row in ranked.iter().take(MOST_ROWS) {
            let words = row.words(self.varied());
            let _ = writeln!(text, "{:>10.6}  run {}, {words}", row.loss(), row.number);
        }
        let more = ranked.len().saturating_sub(MOST_ROWS);
        if more > 0 {
            let words = format!("… and {more} more, in sweep.csv.");
            let _ = writeln!(text, "{words}");
            let _ = write!(body, "<p>{words}</p>");
        }
        for row in self.rows().iter().filter(|row| row.error.is_some()) {
            let error = row.error.as_deref().unwrap_or_default();
            let words = row.words(self.varied());
            let line = format!("Run {} ({words}) failed: {error}", row.number);
            let _ = writeln!(text, "{line}");
            let _ =
                write!(body, "<p class=\"nc-mind\" role=\"note\">{}</p>", html::isolated(&line));
        }
        if effects.is_empty() {
            return Ok(Bundle::new(&body, None, &text));
        }
        for effect in &effects {
            let _ = writeln!(text, "{}", effect_in_words(effect));
        }
        let picture = self.picture()?;
        body += &html::figure(&picture, Some("What mattered: the final losses by each setting"));
        Ok(Bundle::new(&body, Some(picture), &text))
    }
}

/// "units explains 62 %: 128 mean 0.31, best 0.30; 256 mean 0.25, best 0.22".
fn effect_in_words(effect: &Effect) -> String {
    let groups = effect
        .groups
        .iter()
        .map(|group| format!("{} mean {:.4}, best {:.4}", group.label, group.mean(), group.best()));
    let groups = groups.collect::<Vec<_>>().join("; ");
    format!("{}: {groups}", effect.words())
}

fn table_html(table: &SweepTable, ranked: &[&SweepRow]) -> String {
    let mut head = String::from("<th scope=\"col\">run</th>");
    for name in table.varied() {
        let _ = write!(head, "<th scope=\"col\">{}</th>", html::isolated(name));
    }
    for name in ["final loss", "epochs", "parameters", "time", "memory"] {
        let _ = write!(head, "<th scope=\"col\">{name}</th>");
    }
    let mut rows = String::new();
    for (row, result) in
        ranked.iter().filter_map(|row| Some((row, row.result.as_ref()?))).take(MOST_ROWS)
    {
        let _ = write!(rows, "<tr><th scope=\"row\">{}</th>", row.number);
        for name in table.varied() {
            let value = row.setting(name).map_or(String::new(), ToString::to_string);
            let _ = write!(rows, "<td>{}</td>", html::isolated(&value));
        }
        let memory = result.memory_bytes.map_or(String::new(), plain::size);
        let _ = write!(
            rows,
            "<td>{:.6}</td><td>{}</td><td>{}</td><td>{}</td><td>{memory}</td></tr>",
            result.final_loss,
            result.epochs_trained,
            plain::count(result.parameters),
            plain::duration(result.seconds),
        );
    }
    format!(
        "<table class=\"nc-table\"><caption>{}: {}</caption><thead><tr>{head}</tr></thead>\
         <tbody>{rows}</tbody></table>",
        html::isolated(&shown(table.folder()).to_string()),
        html::escape(&table.summary())
    )
}

shown_in_notebooks!(SweepTable);
