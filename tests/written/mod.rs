//! What displays wrote, to be looked at.

use neural_composer::display::protocol::Event;
use neural_composer::display::{Destination, Output};
use std::io::Write;
use std::sync::{Arc, Mutex};

/// A stream whose text can be looked at; clones write to the same one.
#[derive(Clone, Default)]
pub struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    /// An output that writes here.
    pub fn output(&self, destination: Destination) -> Output {
        Output::to(destination, Box::new(self.clone()))
    }

    /// Everything that was written.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines as events, which all of them have to be.
    pub fn events(&self) -> Vec<Event> {
        self.text().lines().map(|line| Event::from_line(line).unwrap()).collect()
    }
}
