//! The evaluation thread: owns evcxr's context and runs one task at a time.

use crate::activity::Activity;
use crate::cell_output::CellOutput;
use crate::cell_source::{ends_in_expression, line_like};
use crate::cell_types::{Edited, OpenTypes};
use crate::failure::Failure;
use crate::outline::SharedOutline;
use crate::session::{PreparedSession, Session};
use anyhow::{Context, Result};
use evcxr::{CommandContext, Error, EvalCallbacks, EvalContext, EvalOutputs};
use serde_json::{Map, Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// How long the last of a cell's standard error may take to arrive.
const STDERR_PATIENCE: Duration = Duration::from_millis(500);

/// Asks the front end for a line: prompt, and whether it is a password.
pub type InputReader = Arc<dyn Fn(&str, bool) -> String + Send + Sync>;

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
    // rust-analyzer recurses deeply.
    let thread = std::thread::Builder::new().name("engine".to_owned()).stack_size(16 << 20);
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

/// A cell as it was typed and as it was compiled.
pub struct Cell<'a> {
    pub code: &'a str,
    pub edited: &'a Edited,
    /// Its execution count.
    pub number: i64,
}

/// What evcxr said of a cell, or its panic.
type Attempt = std::thread::Result<Result<EvalOutputs, Error>>;

struct Engine {
    context: CommandContext,
    output: CellOutput,
    activity: Arc<Activity>,
    /// How many evaluators had died when the last cell ended.
    deaths: u64,
    /// Variables there were after the last cell.
    variables: Vec<String>,
    /// To be shown in the first cell.
    warning: Option<String>,
    session: PreparedSession,
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
        let evaluator = session.evaluator_command()?;
        let (context, outputs) = session
            .with_settings(|| EvalContext::with_subprocess_command(evaluator))?
            .context("the evaluator could not start")?;
        // The evaluator's output comes through our own pipes.
        drop(outputs);
        let mut context = CommandContext::with_eval_context(context);
        context
            .execute(&session.first_cell())
            .map_err(|error| anyhow::anyhow!("{error}"))
            .context("the notebook could not be prepared")?;
        let activity = output.activity.clone();
        let deaths = activity.deaths();
        let warning = session.warning();
        let variables = Vec::new();
        let outline = outline.clone();
        outline.lock().allow_analyser(analyser);
        Ok(Engine { context, output, activity, deaths, variables, warning, session, outline })
    }

    fn execute(&mut self, code: &str, cell: i64, input: &InputReader) -> Outcome {
        if let Some(warning) = self.warning.take() {
            self.output.publisher.text("stderr", &warning);
        }
        self.revive();
        self.output.begin_cell();
        let counts = |activity: &Activity| (activity.stderr_returns(), activity.deaths());
        let (mut returns, mut deaths) = counts(&self.activity);
        self.activity.begin_cell();
        let (mut result, mut edited) = self.compile_and_run(code, input);
        if matches!(result, Ok(Err(Error::SubprocessTerminated(_))))
            && !self.activity.has_begun()
            && self.activity.interrupts() == 0
        {
            // The evaluator was dead already; nothing of the cell ran.
            self.revive();
            (returns, deaths) = counts(&self.activity);
            (result, edited) = self.compile_and_run(code, input);
        }
        let interrupts = self.activity.end_cell();
        if !matches!(result, Ok(Err(Error::CompilationErrors(_)))) {
            self.activity.wait_for_stderr(returns + 1, deaths, STDERR_PATIENCE);
        }
        let outcome = self.judge(result, &Cell { code, edited: &edited, number: cell }, interrupts);
        self.deaths = self.activity.deaths();
        self.variables = self.variable_names();
        self.outline.lock().set_variables(self.context.variables_and_types());
        outcome
    }

    fn compile_and_run(&mut self, code: &str, input: &InputReader) -> (Attempt, Edited) {
        match self.find_types(code) {
            Ok(edited) => (self.run(&edited.code, input), edited),
            Err((failed, edited)) => (Ok(Err(failed)), edited),
        }
    }

    /// The cell with the types of its variables written out, or why it cannot be compiled.
    fn find_types(&mut self, code: &str) -> Result<Edited, (Error, Edited)> {
        let open = OpenTypes::of(code);
        if open.is_empty() {
            return Ok(Edited::unchanged(code));
        }
        let question = open.question();
        let file = self.session.types_file();
        let _ = std::fs::remove_file(&file);
        let checked = catch_unwind(AssertUnwindSafe(|| self.context.check(&question.code)));
        match checked {
            Ok(Ok(errors)) if errors.is_empty() => {}
            Ok(Ok(errors)) => return Err((Error::CompilationErrors(errors), question)),
            Ok(Err(error)) => return Err((error, question)),
            // evcxr's own search for the types is left.
            Err(_) => return Ok(Edited::unchanged(code)),
        }
        if self.activity.interrupts() > 0 {
            return Err((Error::Message(String::new()), question));
        }
        let types = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let edited = open.answered(&types.unwrap_or_default());
        if !edited.local_variables.is_empty() {
            let names = edited.local_variables.join(", ");
            let note = format!("Kept for this cell only, their types have no names: {names}.\n");
            self.output.publisher.text("stderr", &note);
        }
        Ok(edited)
    }

    fn run(&mut self, code: &str, input: &InputReader) -> Attempt {
        let mut callbacks =
            EvalCallbacks { input_reader: &|request| input(&request.prompt, request.is_password) };
        catch_unwind(AssertUnwindSafe(|| self.context.execute_with_callbacks(code, &mut callbacks)))
    }

    fn judge(&mut self, result: Attempt, cell: &Cell, interrupts: u32) -> Outcome {
        let result = match result {
            Ok(result) => result,
            Err(_) => {
                let words = "evcxr or its analyser panicked on this cell; variables are kept.";
                return Outcome::Failed(Failure::told("KernelError", words));
            }
        };
        match result {
            Ok(outputs) => {
                self.outline.lock().cell_ran(cell.code, self.session.notebook_folder());
                self.judge_return(outputs, cell.code)
            }
            Err(Error::SubprocessTerminated(reason)) => Outcome::Failed(self.death(&reason)),
            Err(_) if interrupts > 0 => Outcome::Failed(Failure::told(
                "Interrupted",
                "stopped while compiling; nothing of the cell ran, and every variable is kept.",
            )),
            Err(Error::CompilationErrors(errors)) => {
                Outcome::Failed(Failure::of_compilation(&errors, cell))
            }
            Err(error) => Outcome::Failed(Failure::told("Error", error.to_string())),
        }
    }

    /// The cell's code returned: normally, by `?`, or by a panic that was caught.
    fn judge_return(&mut self, outputs: EvalOutputs, code: &str) -> Outcome {
        let mut record = self.output.record();
        let (result, error) = (record.result.take(), record.error.take());
        let (panicked, panic) = (record.panicked, record.panic.take());
        drop(record);
        let result = self.place_result(result, code);
        if panicked {
            let lost: Vec<String> = {
                let now = self.variable_names();
                self.variables.iter().filter(|name| !now.contains(name)).cloned().collect()
            };
            let mut words = panic.as_ref().map_or("(see above)".to_owned(), |p| p.message.clone());
            if let Some(line) = panic.and_then(|panic| self.panic_line(&panic.location, code)) {
                words += &format!("\n  in line {line} of this cell");
            }
            if !lost.is_empty() {
                words += &format!("\nLost variables: {}.", lost.join(", "));
            }
            return Outcome::Failed(Failure::told("Panic", words));
        }
        if let Some(panic) = panic {
            // The cell caught it, so it is no failure, but it was said.
            let note = format!("a panic was caught ({}): {}\n", panic.location, panic.message);
            self.output.publisher.text("stderr", &note);
        }
        if let Some(error) = error {
            return Outcome::Failed(Failure::told("Error", error));
        }
        let of_commands: Map<String, Value> = outputs
            .content_by_mime_type
            .into_iter()
            .map(|(mime, text)| (mime, text.into()))
            .collect();
        Outcome::Done(result.or((!of_commands.is_empty()).then_some(of_commands)))
    }

    /// The last content bundle is the result if the cell ends in an expression; else it is output
    /// like any other.
    fn place_result(
        &self,
        bundle: Option<Map<String, Value>>,
        code: &str,
    ) -> Option<Map<String, Value>> {
        let bundle = bundle?;
        if ends_in_expression(code) {
            return Some(bundle);
        }
        let content = json!({ "data": bundle, "metadata": {}, "transient": {} });
        self.output.publisher.publish("display_data", content);
        None
    }

    /// The line of the cell that a panic in the generated source happened in.
    fn panic_line(&self, location: &str, code: &str) -> Option<usize> {
        let (_, place) = location.split_once("lib.rs:")?;
        let line: usize = place.split(':').next()?.parse().ok()?;
        let source = self.context.last_source().ok()?;
        line_like(code, source.lines().nth(line.checked_sub(1)?)?)
    }

    fn death(&mut self, reason: &str) -> Failure {
        let mut words = if self.activity.killed_by_interrupt() {
            "the cell did not stop, so its evaluator was ended by the second interrupt.".to_owned()
        } else {
            format!("the evaluator died: {}.", explain(reason))
        };
        words += &self.loss();
        let name =
            if self.activity.killed_by_interrupt() { "Interrupted" } else { "EvaluatorDied" };
        Failure::told(name, words)
    }

    /// What died with the evaluator, and how to go on.
    fn loss(&self) -> String {
        let mut words = if self.variables.is_empty() {
            "\nThere were no variables to lose.".to_owned()
        } else {
            format!("\nLost variables: {}.", self.variables.join(", "))
        };
        words += " Imports, functions and types are kept: run the cells that make what you need.";
        match &self.output.record().resume {
            Some(resume) => words += &format!("\n{resume}"),
            None => words += "\nA training run that wrote checkpoints goes on from its last one.",
        }
        words
    }

    /// Makes sure that there is an evaluator; one may have died since the last cell.
    fn revive(&mut self) {
        if self.activity.deaths() == self.deaths {
            return;
        }
        let note = format!("The evaluator died after the last cell.{}\n", self.loss());
        // evcxr finds out, and starts another one, when it has something to run.
        let _ = catch_unwind(AssertUnwindSafe(|| self.context.execute("();")));
        self.output.publisher.text("stderr", &note);
        self.deaths = self.activity.deaths();
        self.variables.clear();
    }

    fn variable_names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.context.variables_and_types().map(|(name, _)| name.to_owned()).collect();
        names.sort();
        names
    }
}

/// The way a process ended, in words.
fn explain(reason: &str) -> String {
    let known = [
        ("SIGKILL", "killed (SIGKILL), most likely because memory ran out"),
        ("SIGSEGV", "segmentation fault (SIGSEGV): a bad pointer, or recursion without end"),
        ("SIGBUS", "bus error (SIGBUS)"),
        ("SIGILL", "illegal instruction (SIGILL)"),
        ("SIGFPE", "arithmetic fault (SIGFPE)"),
        ("SIGABRT", "aborted (SIGABRT); its last words are above"),
        ("SIGTERM", "ended by SIGTERM"),
    ];
    for (signal, words) in known {
        if reason.contains(signal) {
            return words.to_owned();
        }
    }
    match reason.rsplit_once("exit status: ") {
        Some((_, status)) => format!("it exited with status {}", status.trim()),
        None => reason.trim().to_owned(),
    }
}
