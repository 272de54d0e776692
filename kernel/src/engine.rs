//! The evaluation thread: owns the notebook and its evaluator, and runs one cell at a time.

use crate::activity::Activity;
use crate::cell_output::CellOutput;
use crate::cells::commands::{self, Consequence};
use crate::cells::compose;
use crate::cells::notebook::{Notebook, Refusal};
use crate::cells::positions::{self, Position};
use crate::cells::ready::Ready;
use crate::cells::source::{self, Command, CommandLine, Source};
use crate::completeness::{ENGINE_STACK_BYTES, is_shallow};
use crate::failure::Failure;
use crate::inputs::InputReader;
use crate::link::{self, Kind};
use crate::outline::SharedOutline;
use crate::runner::{Ended, Recipe, Runner};
use crate::session::{PreparedSession, Session};
use crate::shell_line;
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use std::sync::{Arc, mpsc};
use std::time::Instant;

/// How often a cell is run again, because the evaluator was dead or did not have its variables.
const RUNS: u32 = 3;

/// A cell to be run.
pub struct Task {
    pub code: String,
    /// Its execution count.
    pub cell: i64,
    pub input: InputReader,
    pub reply: mpsc::Sender<Outcome>,
}

/// How a cell ended.
#[derive(Debug)]
pub enum Outcome {
    /// With a result to show, a bundle of MIME types, or none.
    Done(Option<Map<String, Value>>),
    Failed(Failure),
}

/// Starts the evaluation thread; tasks wait until the evaluator is ready. Where it could not start,
/// each cell tries again: what was wrong may have been mended, or the evaluator killed.
pub fn start(
    session: Session,
    output: CellOutput,
    outline: SharedOutline,
) -> Result<mpsc::Sender<Task>> {
    let (sender, tasks) = mpsc::channel::<Task>();
    // The parser recurses deeply.
    let thread =
        std::thread::Builder::new().name("engine".to_owned()).stack_size(ENGINE_STACK_BYTES);
    thread.spawn(move || {
        let mut engine = Engine::new(&session, &output, &outline);
        for Task { code, cell, input, reply } in tasks {
            if engine.is_err() {
                engine = Engine::new(&session, &output, &outline);
            }
            let outcome = match &mut engine {
                Ok(engine) => engine.execute(&code, cell, &input),
                Err(error) => Outcome::Failed(Failure::told("KernelError", format!("{error:#}"))),
            };
            let _ = reply.send(outcome);
        }
    })?;
    Ok(sender)
}

struct Engine {
    notebook: Notebook,
    runner: Runner,
    recipe: Recipe,
    output: CellOutput,
    activity: Arc<Activity>,
    /// To be shown in the first cell.
    warning: Option<String>,
    /// Keeps the library's build in use.
    _session: PreparedSession,
    outline: SharedOutline,
}

impl Engine {
    fn new(session: &Session, output: &CellOutput, outline: &SharedOutline) -> Result<Self> {
        let (output, analyser) = (output.clone(), session.analyser_folder());
        let publisher = output.publisher.clone();
        let mut width = 0;
        let session = session.clone().prepare(&mut |step| {
            // Nobody sees it before the first cell; then it is one line, written over.
            if publisher.is_in_cell() {
                publisher.text("stderr", &format!("\r{step:width$}"));
                width = width.max(step.chars().count());
            }
        })?;
        if width > 0 {
            publisher.text("stderr", &format!("\r{:width$}\r", ""));
        }
        let activity = output.activity.clone();
        let compiler = session.compiler().context("the notebook could not be prepared")?;
        let recipe = session.evaluator();
        let runner = Runner::start(&recipe, &output)?;
        let mut notebook = Notebook::new(compiler, session.crates(), activity.clone(), publisher);
        notebook.builds = output.builds();
        outline.lock().allow_analyser(analyser);
        Ok(Engine {
            notebook,
            runner,
            recipe,
            activity,
            warning: session.warning(),
            output,
            _session: session,
            outline: outline.clone(),
        })
    }

    fn execute(&mut self, code: &str, cell: i64, input: &InputReader) -> Outcome {
        if let Some(warning) = self.warning.take() {
            self.output.publisher.text("stderr", &warning);
        }
        self.output.begin_cell();
        self.output.set_input(input.clone());
        self.activity.begin_cell();
        let started = Instant::now();
        let outcome = self.execute_parts(code, cell);
        self.activity.end_cell();
        if self.notebook.settings.shows_timing {
            let took = format!("took {:.2} s\n", started.elapsed().as_secs_f64());
            self.output.publisher.text("stderr", &took);
        }
        let mut outline = self.outline.lock();
        if outcome.is_ok() {
            outline.cell_ran(code, &self.notebook.compiler.notebook_folder);
        }
        let variables = self.notebook.namespace.variables.iter();
        outline.set_variables(variables.map(|(name, it)| (name.as_str(), it.ty.as_str())));
        drop(outline);
        match outcome {
            Ok(result) => Outcome::Done(result),
            Err(failure) => Outcome::Failed(failure),
        }
    }

    /// Carries out the cell's commands, then its Rust.
    fn execute_parts(
        &mut self,
        code: &str,
        cell: i64,
    ) -> Result<Option<Map<String, Value>>, Failure> {
        self.revive()?;
        if !is_shallow(code) {
            let words = "the cell is nested too deeply to be taken apart: divide it into parts";
            return Err(Failure::told("error", words));
        }
        let source = Source::new(cell, code);
        let (lines, rust) = source::split(code, &|name| self.notebook.namespace.knows(name));
        let (behind, before): (Vec<_>, Vec<_>) =
            lines.into_iter().partition(|line| line.is_behind_rust && !comes_first(line));
        let shown = self.run_lines(&before, &source)?;
        let result = self.run_rust(&source, &rust)?;
        let result = self.last_of(shown, result);
        let shown = self.run_lines(&behind, &source)?;
        Ok(self.last_of(result, shown))
    }

    /// Carries out commands and shell lines; the last one's result.
    fn run_lines(
        &mut self,
        lines: &[CommandLine],
        source: &Arc<Source>,
    ) -> Result<Option<Map<String, Value>>, Failure> {
        let mut shown = None;
        for line in lines {
            let answer = match &line.command {
                Command::Shell(text) => {
                    self.run_shell_line(text, source, line.range.start)?;
                    None
                }
                Command::Named { name, arguments } => {
                    self.run_command(name, arguments, source, line.range.start)?
                }
            };
            shown = self.last_of(shown, answer);
        }
        Ok(shown)
    }

    /// The later of two results, if there is one; an earlier one is then shown as output.
    fn last_of(
        &self,
        earlier: Option<Map<String, Value>>,
        later: Option<Map<String, Value>>,
    ) -> Option<Map<String, Value>> {
        match (earlier, later) {
            (Some(earlier), Some(later)) => {
                self.display(earlier);
                Some(later)
            }
            (earlier, later) => later.or(earlier),
        }
    }

    fn run_command(
        &mut self,
        name: &str,
        arguments: &str,
        source: &Arc<Source>,
        at: usize,
    ) -> Result<Option<Map<String, Value>>, Failure> {
        let position = Position::of(source, at);
        let answer = commands::execute(name, arguments, &mut self.notebook, &mut self.runner);
        let (shown, consequence) =
            answer.map_err(|error| Failure::at("error", &format!("{error:#}"), &position))?;
        if consequence == Consequence::Restart {
            self.start_evaluator()?;
        }
        Ok(shown)
    }

    fn run_shell_line(
        &mut self,
        text: &str,
        source: &Arc<Source>,
        at: usize,
    ) -> Result<(), Failure> {
        let folder = self.activity.evaluator().and_then(crate::processes::current_folder);
        let folder = folder.unwrap_or_else(|| self.notebook.compiler.notebook_folder.clone());
        let ended = shell_line::run(text, &folder, &self.output.publisher, &self.activity);
        let told = |words: String| Failure::at("ShellError", &words, &Position::of(source, at));
        if self.activity.interrupts() > 0 {
            return Err(interrupted("stopped while a shell line ran; every variable is kept."));
        }
        match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(told(format!("`{text}` failed: {status}"))),
            Err(error) => Err(told(format!("`{text}` could not be run: {error}"))),
        }
    }

    fn run_rust(
        &mut self,
        source: &Arc<Source>,
        rust: &str,
    ) -> Result<Option<Map<String, Value>>, Failure> {
        for _ in 0..RUNS {
            let compiled = self.notebook.compile(source, rust);
            if self.activity.interrupts() > 0 {
                return Err(stopped_compiling());
            }
            let ready = match compiled {
                Ok(ready) => ready,
                Err(Refusal::Errors(errors)) => return Err(Failure::of_compilation(&errors)),
                Err(Refusal::Stopped) => return Err(stopped_compiling()),
                Err(Refusal::Other(words)) => return Err(Failure::told("error", words)),
            };
            if ready.is_empty {
                return Ok(None);
            }
            if !self.activity.cell_loads() {
                return Err(stopped_compiling());
            }
            let run = link::Command::Run {
                object: ready.object.clone(),
                function: compose::function_name(ready.build),
                crates: self.notebook.crates.set().linked.values().cloned().collect(),
                lost: ready.lost.clone(),
                local: ready.local.clone(),
            };
            let notebook = &mut self.notebook;
            match self.runner.run(&run, || notebook.begun(&ready)) {
                Ended::Died(_)
                    if !self.output.publisher.parent().has_begun
                        && self.activity.interrupts() == 0 =>
                {
                    // The evaluator was dead already; nothing of the cell ran.
                    self.revive()?;
                }
                Ended::Died(how) => return Err(self.death(&how)),
                Ended::Returned { status: link::LOST_VARIABLES, said } => {
                    for (_, name) in said.iter().filter(|(kind, _)| *kind == Kind::Lost) {
                        self.notebook
                            .namespace
                            .lose_variable(name, "its type was redefined, so it was lost");
                    }
                }
                Ended::Returned { status, said } => return self.conclude(ready, status, said),
            }
        }
        Err(Failure::told("KernelError", "the cell could not be run: restart the kernel"))
    }

    /// The cell's code returned: normally, by `?`, or by a panic that was caught.
    fn conclude(
        &mut self,
        ready: Ready,
        status: u8,
        said: Vec<(Kind, String)>,
    ) -> Result<Option<Map<String, Value>>, Failure> {
        let last = |wanted: Kind| {
            said.iter().rev().find(|(kind, _)| *kind == wanted).map(|(_, text)| text)
        };
        let has_result = ready.has_result;
        let before: Vec<String> = self.notebook.namespace.variables.keys().cloned().collect();
        self.notebook.namespace.returned(ready, status == link::SUCCESSFUL);
        let now = &self.notebook.namespace.variables;
        let lost: Vec<String> = before.into_iter().filter(|name| !now.contains_key(name)).collect();
        let lost = if lost.is_empty() {
            String::new()
        } else {
            format!("\nLost variables: {}.", lost.join(", "))
        };
        match status {
            link::NOT_LOADED => {
                let why = last(Kind::NotLoaded).cloned().unwrap_or_default();
                return Err(Failure::told(
                    "KernelError",
                    format!("the cell could not be loaded: {why}"),
                ));
            }
            link::PANICKED => {
                let (places, message) = last(Kind::Panic)
                    .and_then(|text| text.split_once('\0'))
                    .unwrap_or(("", "(see above)"));
                return Err(self.failure_at("Panic", places, message).and(&lost));
            }
            link::SUCCESSFUL => {}
            _ => {
                let (place, words) = last(Kind::Error)
                    .and_then(|text| text.split_once('\0'))
                    .unwrap_or(("", "an error without words"));
                let name = if self.activity.interrupts() > 0 { "Interrupted" } else { "Error" };
                return Err(self.failure_at(name, place, words).and(&lost));
            }
        }
        for (_, panic) in said.iter().filter(|(kind, _)| *kind == Kind::Panic) {
            // The cell caught it, so it is no failure, but it was said.
            let (places, message) = panic.split_once('\0').unwrap_or(("", panic));
            let place = positions::in_cells(
                places.lines().next().unwrap_or_default(),
                &self.notebook.builds,
            );
            let note = format!("a panic was caught ({place}): {message}\n");
            self.output.publisher.text("stderr", &note);
        }
        let text = last(Kind::Result);
        let bundle = self.output.record().result.take();
        let text =
            text.map(|text| Map::from_iter([("text/plain".to_owned(), text.clone().into())]));
        match (self.last_of(bundle, text), has_result) {
            (Some(shown), false) => {
                self.display(shown);
                Ok(None)
            }
            (result, _) => Ok(result),
        }
    }

    /// A failure with the innermost line of a cell among the places, one a line.
    fn failure_at(&self, name: &str, places: &str, words: &str) -> Failure {
        let found = places.lines().find_map(|place| positions::read(place, &self.notebook.builds));
        match found {
            Some(position) => Failure::at(name, words, &position),
            None => Failure::told(name, words),
        }
    }

    fn display(&self, bundle: Map<String, Value>) {
        let content = json!({ "data": bundle, "metadata": {}, "transient": {} });
        self.output.publisher.publish("display_data", content);
    }

    fn death(&mut self, how: &str) -> Failure {
        let (name, mut words) = if self.activity.killed_by_interrupt() {
            let words =
                "the cell did not stop, so its evaluator was ended by the second interrupt.";
            ("Interrupted", words.to_owned())
        } else {
            ("EvaluatorDied", format!("the evaluator died: it {how}."))
        };
        words += &self.loss();
        self.notebook.namespace.lose_variables("the evaluator died");
        if let Err(failure) = self.start_evaluator() {
            return failure;
        }
        Failure::told(name, words)
    }

    /// What died with the evaluator, and how to go on.
    fn loss(&self) -> String {
        let names: Vec<&str> =
            self.notebook.namespace.variables.keys().map(String::as_str).collect();
        let mut words = match names.as_slice() {
            [] => "\nThere were no variables to lose.".to_owned(),
            names => format!("\nLost variables: {}.", names.join(", ")),
        };
        words += " Imports, functions and types are kept: run the cells that make what you need.";
        if let Some(resume) = &self.output.record().resume {
            words += &format!("\n{resume}");
        }
        words
    }

    /// Makes sure that there is an evaluator; one may have died since the last cell.
    fn revive(&mut self) -> Result<(), Failure> {
        let Some(how) = self.runner.death().map(str::to_owned) else { return Ok(()) };
        let note = format!("The evaluator died after the last cell: it {how}.{}\n", self.loss());
        self.output.publisher.text("stderr", &note);
        self.notebook.namespace.lose_variables("the evaluator died");
        self.start_evaluator()
    }

    fn start_evaluator(&mut self) -> Result<(), Failure> {
        // The one before, should it still run, ends with what it has started.
        if let Some(evaluator) = self.activity.evaluator() {
            let _ = rustix::process::kill_process_group(evaluator, rustix::process::Signal::KILL);
        }
        self.runner = Runner::start(&self.recipe, &self.output)
            .map_err(|error| Failure::told("KernelError", format!("{error:#}")))?;
        Ok(())
    }
}

fn comes_first(line: &CommandLine) -> bool {
    matches!(&line.command, Command::Named { name, .. } if commands::comes_first(name))
}

fn interrupted(words: &str) -> Failure {
    Failure::told("Interrupted", words)
}

fn stopped_compiling() -> Failure {
    interrupted("stopped while compiling; nothing of the cell ran, and every variable is kept.")
}
