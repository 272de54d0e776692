//! One `use` for a notebook: `use neural_composer::prelude::*;`
