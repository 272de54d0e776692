//! What the kernel asks its analyser, and what it hears.

/// A question; `source` is all the notebook's definitions, then the cell.
#[derive(Debug, Clone, Default)]
pub struct Question {
    pub number: u64,
    pub kind: QuestionKind,
    pub source: String,
    /// Bytes from the start of `source`.
    pub position: usize,
    /// To load: what the cells' package depends on, lines of a manifest.
    pub dependencies: Vec<String>,
    /// To load and to warm up: positions in `source` that completions may soon be asked at.
    pub warm: Vec<usize>,
    /// To load: which of them has methods, whatever the cells define.
    pub sure: Option<usize>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum QuestionKind {
    /// Reads the dependencies' sources, then warms up.
    #[default]
    Load,
    /// Computes what later questions will need.
    Warm,
    Complete,
    Describe,
}

#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The question's.
    pub number: u64,
    /// The dependencies of this question are loaded.
    pub is_loaded: bool,
    /// The package was read, but what it depends on could not be, or no crate is known.
    pub is_partial: bool,
    /// Best first.
    pub completions: Vec<Completion>,
    /// What the completions replace, in bytes of the question's source.
    pub start: usize,
    pub end: usize,
    /// Plain text and HTML.
    pub description: Option<(String, String)>,
}

/// One way to complete what stands before the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    pub code: String,
    /// A word that Jupyter front ends have pictures for.
    pub kind: String,
    pub signature: String,
}
