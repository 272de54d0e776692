//! In the notebook kernel one press of stop holds until its cell has returned: the running job returns
//! what it has, and nothing long begins after it.
//!
//! One test alone: the kernel's stop is one for the whole process. What handles do is in `stop.rs`.

use neural_composer::Error;
use neural_composer::audio::{Audio, Song};
use neural_composer::display::{Destination, Output, Watched};
use neural_composer::features::{Spectrogram, StftSettings};
use neural_composer::interrupt::{self, Handle, neural_composer_interrupt_clear as next_cell};
use neural_composer::prelude::*;
use std::cell::Cell;

fn tone(seconds: f64) -> Audio {
    let sample = |i: usize| 0.4 * (i as f32 * 0.06).sin();
    Audio::mono((0..(seconds * 22_050.0) as usize).map(sample).collect(), 22_050).unwrap()
}

fn watched() -> usize {
    let output = Output::to(Destination::File, Box::new(std::io::sink()));
    Watched::to(output, 0..10).count()
}

#[test]
fn a_stop_holds_until_its_cell_has_returned() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tone.wav");
    tone(3.0).save(&file).unwrap();
    let song = Song::open(&file).unwrap();

    // A request that came when no cell ran is over when the next one begins.
    interrupt::neural_composer_interrupt_listen();
    interrupt::request();
    next_cell();
    assert!(!interrupt::requested() && interrupt::begin().is_ok());

    // During a job: it hears it; what begins after it is refused, on every thread.
    let job = interrupt::begin().unwrap();
    interrupt::request();
    assert!(interrupt::requested() && interrupt::check().is_ok());
    drop(job);
    for error in [
        interrupt::begin().err(),
        interrupt::check().err(),
        std::thread::spawn(|| interrupt::begin().err()).join().unwrap(),
        Song::open(&file).err(),
        Spectrogram::of(&tone(1.0), StftSettings::default()).err(),
        Handle::new().during(|| Song::open(&file).err()),
    ] {
        let error = error.expect("refused");
        assert!(matches!(error, Error::Interrupted(_)));
        assert!(error.to_string().contains("holds until its cell has ended"), "{error}");
    }
    assert_eq!(watched(), 0);

    // A card needs a spectrogram, levels, beats: `show` makes them, though the stop holds.
    struct Shown<'a>(&'a Song, Cell<bool>);
    impl Show for Shown<'_> {
        fn bundle(&self) -> neural_composer::Result<Bundle> {
            let bundle = self.0.bundle();
            self.1.set(bundle.is_ok());
            bundle
        }
    }
    let shown = Shown(&song, Cell::new(false));
    shown.show();
    assert!(shown.1.get());
    assert!(interrupt::requested(), "the stop holds all the same");
    tone(0.1).save(&file).unwrap();

    // In the next cell nothing is left of it.
    next_cell();
    assert!(!interrupt::requested() && interrupt::check().is_ok());
    assert!(Song::open(&file).is_ok());
    assert_eq!(watched(), 10);
}
