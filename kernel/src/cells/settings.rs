//! The settings of a notebook: how its cells are compiled, and how results are written.

/// What commands such as `:opt` and `:fmt` change.
#[derive(Debug, Clone)]
pub struct Settings {
    pub opt_level: String,
    /// How results without a display of their own are written.
    pub format: String,
    /// `?` carries the words of an error's `Debug` instead of its `Display`.
    pub debug_errors: bool,
    /// Arithmetic that overflows panics.
    pub has_checks: bool,
    pub shows_timing: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let (opt_level, format) = ("3".to_owned(), "{:?}".to_owned());
        Settings { opt_level, format, debug_errors: false, has_checks: true, shows_timing: false }
    }
}
