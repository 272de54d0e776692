//! Turns the evaluator's two streams into messages, in order and while the cell runs.

use crate::activity::Activity;
use crate::cells::generated::Builds;
use crate::cells::positions;
use crate::inputs::InputReader;
use crate::output_stream::{DisplayLine, Operation, Piece};
use crate::publisher::{Parent, Publisher};
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longest time text waits for more text to share a message with.
const TEXT_PATIENCE: Duration = Duration::from_millis(20);
/// Longest time a content bundle waits for the cell's end, which makes it the cell's result: what the
/// cell held is freed in between, and the machine may be busy.
const BUNDLE_PATIENCE: Duration = Duration::from_secs(1);

/// What a cell left behind besides its output.
#[derive(Default)]
pub struct CellRecord {
    /// The last content bundle: the cell's result if the cell ends in an expression.
    pub result: Option<Map<String, Value>>,
    /// What the next read of standard input is to be asked with, and whether it is a password.
    pub prompt: Option<(String, bool)>,
    /// How the library says to go on should the evaluator die; outlives the cell.
    pub resume: Option<String>,
}

/// Stands between the evaluator's streams and the front ends.
#[derive(Clone)]
pub struct CellOutput {
    pub publisher: Publisher,
    pub activity: Arc<Activity>,
    record: Arc<Mutex<CellRecord>>,
    input: Arc<Mutex<Option<InputReader>>>,
    /// What positions in generated sources stand for.
    builds: Builds,
}

impl CellOutput {
    pub fn new(publisher: Publisher, activity: Arc<Activity>) -> Self {
        CellOutput {
            publisher,
            activity,
            record: Arc::default(),
            input: Arc::default(),
            builds: Builds::default(),
        }
    }

    /// The sources of all builds, which the notebook fills.
    pub fn builds(&self) -> Builds {
        self.builds.clone()
    }

    /// What asks the front end for input of the cell being run.
    pub fn input(&self) -> Option<InputReader> {
        self.input.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_input(&self, input: InputReader) {
        *self.input.lock().unwrap_or_else(PoisonError::into_inner) = Some(input);
    }

    pub fn record(&self) -> MutexGuard<'_, CellRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what the last cell left.
    pub fn begin_cell(&self) {
        let mut record = self.record();
        let resume = record.resume.take();
        *record = CellRecord { resume, ..CellRecord::default() };
    }
}

/// Gathers pieces of one stream into as few messages as order allows.
pub struct StreamAssembler {
    output: CellOutput,
    /// `stdout` or `stderr`.
    stream: &'static str,
    /// The cell during which what waits here was read.
    parent: Parent,
    text: String,
    /// Content blocks that follow each other make one output: one object in several MIME types.
    bundle: Map<String, Value>,
}

impl StreamAssembler {
    pub fn new(output: CellOutput, stream: &'static str) -> Self {
        let parent = Parent::default();
        StreamAssembler { output, stream, parent, text: String::new(), bundle: Map::new() }
    }

    /// What is taken from now on belongs to this cell; what waits is shown below its own.
    pub fn belong_to(&mut self, parent: &Parent) {
        if self.parent.number != parent.number {
            self.publish();
            self.parent = parent.clone();
        }
    }

    pub fn take(&mut self, piece: Piece) {
        match piece {
            Piece::Text(text) => {
                self.publish_bundle();
                self.text.push_str(&text);
            }
            Piece::Display(line) => {
                self.publish();
                self.show(line);
            }
            Piece::Content { mime, text } => {
                self.publish_text();
                if self.bundle.contains_key(&mime) {
                    self.publish_bundle();
                }
                let value = content_value(&mime, text);
                self.bundle.insert(mime, value);
            }
            Piece::Prompt { prompt, is_password } => {
                self.publish();
                self.output.record().prompt = Some((prompt, is_password));
            }
        }
    }

    pub fn has_text(&self) -> bool {
        !self.text.is_empty()
    }

    /// The content that nothing followed: the cell's result, if the cell has one.
    pub fn take_bundle(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.bundle)
    }

    /// How long what waits to be published may wait for more; none if nothing waits.
    pub fn patience(&self) -> Option<Duration> {
        match (self.text.is_empty(), self.bundle.is_empty()) {
            (false, _) => Some(TEXT_PATIENCE),
            (true, false) => Some(BUNDLE_PATIENCE),
            (true, true) => None,
        }
    }

    pub fn publish(&mut self) {
        self.publish_text();
        self.publish_bundle();
    }

    pub fn publish_text(&mut self) {
        if !self.text.is_empty() {
            let text = positions::in_cells(&std::mem::take(&mut self.text), &self.output.builds);
            self.output.publisher.text_below(&self.parent, self.stream, &text);
        }
    }

    fn publish_bundle(&mut self) {
        if !self.bundle.is_empty() {
            let data = std::mem::take(&mut self.bundle);
            let content = json!({ "data": data, "metadata": {}, "transient": {} });
            self.output.publisher.publish_below(&self.parent, "display_data", content);
        }
    }

    fn show(&self, line: DisplayLine) {
        let DisplayLine { op, id, data, metadata, wait } = line;
        let transient = id.map_or_else(|| json!({}), |id| json!({ "display_id": id }));
        let content = json!({ "data": data, "metadata": metadata, "transient": transient });
        let publish =
            |kind, content| self.output.publisher.publish_below(&self.parent, kind, content);
        match op {
            Operation::Display => publish("display_data", content),
            Operation::Update => publish("update_display_data", content),
            Operation::Clear => publish("clear_output", json!({ "wait": wait })),
            Operation::Resume => {
                let advice = content["data"]["text/plain"].as_str().unwrap_or_default();
                // Without words there is nothing to go on with any more.
                let advice = (!advice.is_empty()).then(|| advice.to_owned());
                self.output.record().resume = advice;
            }
        }
    }
}

/// JSON types travel as JSON, all others as text or base64.
fn content_value(mime: &str, text: String) -> Value {
    if mime.ends_with("json") {
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    } else {
        Value::String(text)
    }
}
