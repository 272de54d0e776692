//! `sweep`: many configurations on the same songs, and what mattered.

use super::checkpoints::typed_line;
use super::given::Given;
use super::options::DeviceOption;
use super::report::{self, Report};
use clap::Args;
use neural_composer::display::Output;
use neural_composer::notebook::LiveSweep;
use neural_composer::sweep::{RunState, Sweep as Runs, SweepRow, SweepTable, Swept};
use neural_composer::words::{counted, shown};
use neural_composer::{Error, Result};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Train many configurations on the same songs, and compare them
///
/// The plan is a file of TOML: songs (from its folder on), settings with the names and values of the
/// options of train, and below [grid] or [random] those to search. Each run has a folder of its own; the
/// same command goes on after a stop or a kill, and never does a finished run again.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Sweep {
    /// The plan
    plan: PathBuf,
    /// The folder of the runs and of the table, sweep.parquet and sweep.csv: a new or empty folder, or
    /// that of a sweep [default: plan.runs beside plan.toml]
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// Say which runs there are and where each is, and do nothing
    #[arg(long)]
    list: bool,
    /// Do the runs of this task only, of those that --tasks divides the plan into; from 0 or from 1 on
    #[arg(long, value_name = "NUMBER", requires = "tasks")]
    task: Option<usize>,
    /// How many tasks there are: of so many runs in a row each does one
    #[arg(long, value_name = "COUNT", requires = "task")]
    tasks: Option<usize>,
    /// Time between two checkpoints of a run
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    checkpoint_seconds: f64,
    #[command(flatten)]
    device: DeviceOption,
}

const EXAMPLES: &str = "\
A plan:
  songs = [\"my-song.mp3\"]
  epochs = 20
  validation = 0.1
  [grid]                                    # every combination
  cell = [\"gru\", \"lstm\"]                    # with depth and units; or layers = [\"gru:256\", …]
  units = [128, 256]
  # [random]                                # or draws
  # count = 20
  # learning-rate = { log = [1e-4, 1e-2] }
  # dropout = { uniform = [0, 0.5] }

Examples:
  neural-composer sweep plan.toml --list
  neural-composer sweep plan.toml           again after a stop or a kill, and to try what failed
  parallel -N0 neural-composer sweep plan.toml ::: 1 2 3 4
  srun --ntasks=8 neural-composer sweep plan.toml
  sbatch --array=0-3 --wrap 'neural-composer sweep plan.toml --task $SLURM_ARRAY_TASK_ID --tasks 4'

Exit codes: 0 all is done, or left to other processes, 1 a run failed (the table says why).";

/// So many of the best runs are told.
const TOLD: usize = 5;

impl Sweep {
    pub fn run(self, given: &Given) -> Result<Report> {
        if self.output.as_ref().is_some_and(|output| output.as_os_str().is_empty()) {
            return Err(Error::argument("output", "the name of a folder", "an empty one"));
        }
        let mut sweep = Runs::open(&self.plan)?
            .device(self.device.device().clone())
            .checkpoint_seconds(self.checkpoint_seconds);
        if let Some(output) = self.output {
            sweep = Runs::of(sweep.plan().clone(), output)
                .device(self.device.device().clone())
                .checkpoint_seconds(self.checkpoint_seconds);
        }
        if let Some((task, tasks)) = self.task.zip(self.tasks) {
            sweep = sweep.task(task, tasks)?;
        }
        if self.list {
            return Ok(list(&sweep));
        }
        let live = LiveSweep::to(Output::for_progress());
        let swept = live.run(&sweep)?;
        Ok(report_of(&sweep, &swept, given))
    }
}

/// "waiting", "cut off after 3 epochs": the state in a word, and in more.
fn words_of(state: &RunState) -> (&'static str, String) {
    match state {
        RunState::Waiting => ("waiting", "waiting".into()),
        RunState::CutOff(epochs) => {
            ("cut off", format!("cut off after {}", counted(*epochs, "epoch")))
        }
        RunState::Running => ("running", "running".into()),
        RunState::Failed(error) => ("failed", format!("failed: {error}")),
        RunState::Finished(result) => ("finished", format!("finished, {:.6}", result.final_loss)),
    }
}

fn list(sweep: &Runs) -> Report {
    let runs = sweep.runs();
    let mut report = Report::default().warn(sweep.plan().notes().iter().cloned());
    let mut facts = Vec::new();
    for (run, state) in runs.iter().zip(sweep.states()) {
        let (word, words) = words_of(&state);
        report = report.line(format!(
            "{:>4}  {}  {}: {words}",
            run.number(),
            run.signature(),
            run.words()
        ));
        let error = match &state {
            RunState::Failed(error) => Some(error.clone()),
            _ => None,
        };
        facts.push(json!({
            "run": run.number(),
            "signature": run.signature(),
            "settings": settings(run.settings()),
            "state": word,
            "error": error,
        }));
    }
    let of = sweep.plan().runs().len();
    let all = if runs.len() == of { String::new() } else { format!(" of {of}") };
    report
        .line(format!("{}{all} in {}", counted(runs.len(), "run"), shown(sweep.output())))
        .fact("output", report::path(sweep.output()))
        .fact("runs", facts)
}

fn settings(settings: &[(String, neural_composer::sweep::Value)]) -> Value {
    let pairs = settings.iter().map(|(name, value)| (name.clone(), json!(value)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn row(table: &SweepTable, row: &SweepRow) -> Value {
    json!({
        "run": row.number,
        "signature": row.signature,
        "settings": settings(&row.settings),
        "state": if row.result.is_some() { "finished" } else { "failed" },
        "result": row.result,
        "model": table.model_path(row).map(|path| report::path(&path)),
        "error": row.error,
    })
}

fn report_of(sweep: &Runs, swept: &Swept, given: &Given) -> Report {
    let table = &swept.table;
    let mut report = Report::default().line(table.to_string());
    if !given.json() {
        for best in table.ranked().into_iter().take(TOLD) {
            report = report.line(format!(
                "  {:.6}  run {}, {}: {}",
                best.loss(),
                best.number,
                best.words(table.varied()),
                table.model_path(best).as_deref().map_or(String::new(), |p| shown(p).to_string())
            ));
        }
    }
    for effect in table.effects().iter().filter(|effect| effect.explained.is_some()) {
        report = report.line(format!("  {} of the differences", effect.words()));
    }
    for failed in table.rows().iter().filter(|row| row.error.is_some()) {
        let error = failed.error.as_deref().unwrap_or_default();
        let words = failed.words(table.varied());
        report = report.line(format!("  failed: run {}, {words}: {error}", failed.number));
    }
    if swept.busy > 0 {
        let busy = counted(swept.busy, "run");
        report = report.line(format!("  left to other processes, which train it now: {busy}"));
    }
    let others = swept.left.saturating_sub(swept.busy);
    if swept.interrupted {
        let line = typed_line();
        report = report.line(format!("  {} left; go on with: {line}", counted(others, "run")));
    } else if others > 0 {
        report = report.line(format!("  left to other tasks: {}", counted(others, "run")));
    }
    let effects = table.effects();
    let effects: Map<String, Value> =
        effects.iter().map(|effect| (effect.setting.clone(), json!(effect.explained))).collect();
    let rows: Vec<Value> = table.rows().iter().map(|one| row(table, one)).collect();
    report
        .fact("output", report::path(sweep.output()))
        .fact("table", report::path(&sweep.output().join("sweep.parquet")))
        .fact("best", table.best().map(|best| row(table, best)))
        .fact("runs", rows)
        .fact("trained", swept.trained)
        .fact("failed", swept.failed)
        .fact("busy", swept.busy)
        .fact("left", swept.left)
        .fact("explained", effects)
        .warn(swept.notes.iter().cloned())
        .interrupted(swept.interrupted)
        .failed(swept.failed > 0)
}
