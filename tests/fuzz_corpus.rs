//! The fuzz targets of `fuzz/` on stable Rust: their corpus, and seeded mutations of it.

#[path = "../fuzz/src/corpus_table.rs"]
mod corpus_table;
#[path = "../fuzz/src/display_lines.rs"]
mod display_lines;
#[path = "../fuzz/src/model_file.rs"]
mod model_file;
#[path = "../fuzz/src/replay.rs"]
mod replay;
#[path = "../fuzz/src/scratch_file.rs"]
mod scratch_file;
#[path = "../fuzz/src/sound.rs"]
mod sound;
#[path = "../fuzz/src/sweep_plan.rs"]
mod sweep_plan;
#[path = "../fuzz/src/sweep_table.rs"]
mod sweep_table;
#[path = "../fuzz/src/tags.rs"]
mod tags;

use neural_composer::generate::Model;
use neural_composer::model::Device;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;

/// No small file is worth more memory in one piece.
const MOST_BYTES: usize = 64 << 20;

/// The system's memory, and the largest piece that this thread ever asked for.
struct Watched;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn note(bytes: usize) {
    LARGEST.with(|largest| largest.set(largest.get().max(bytes)));
}

// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        note(bytes);
        unsafe { System.realloc(pointer, layout, bytes) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static WATCHED: Watched = Watched;

fn replay(target: &str, mutations: u64, body: &dyn Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    replay::corpus(&folder, mutations, &|input| {
        LARGEST.set(0);
        body(input);
        let largest = LARGEST.get();
        assert!(largest <= MOST_BYTES, "{} MB in one piece", largest >> 20);
    });
}

#[test]
fn sounds() {
    for (target, ending) in [
        ("wav", "wav"),
        ("mp4", "mp4"),
        ("mpeg", "mp3"),
        ("aiff", "aiff"),
        ("au", "au"),
        ("caf", "caf"),
        ("matroska", "mka"),
        ("ogg", "ogg"),
    ] {
        replay(target, 100, &|input| sound::decode(ending, input));
    }
}

#[test]
fn tags_of_songs() {
    replay("tags", 400, &tags::read);
}

#[test]
fn model_files() {
    replay("model_file", 600, &model_file::read);
}

#[test]
fn tables_of_corpora() {
    replay("corpus_table", 1_500, &corpus_table::read);
}

#[test]
fn plans_of_sweeps() {
    replay("sweep_plan", 2_000, &sweep_plan::read);
}

#[test]
fn tables_of_sweeps() {
    replay("sweep_table", 1_500, &sweep_table::read);
}

#[test]
fn the_seeds_of_model_files_are_models() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/model_file");
    let load = |name: &str| Model::load(folder.join(name), &Device::cpu());
    assert!(matches!(load("blocks"), Ok(Model::Blocks(_))), "{:?}", load("blocks").err());
    assert!(matches!(load("codes"), Ok(Model::Codes(_))), "{:?}", load("codes").err());
    let told = load("grains").unwrap_err().to_string();
    assert!(told.contains("needs the song"), "{told}");
}

#[test]
fn lines_that_carry_displays() {
    replay("display_lines", 400, &display_lines::read);
}

#[test]
fn every_target_has_a_corpus_and_is_replayed() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let names = |folder: &str| {
        let entries = std::fs::read_dir(fuzz.join(folder)).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().path();
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names.iter().map(|path| path.file_stem().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("fuzz_targets"), names("corpus"));
    let here = include_str!("fuzz_corpus.rs");
    for target in names("fuzz_targets") {
        let target = target.to_str().unwrap();
        // The kernel replays its own.
        let own = fuzz.join(format!("src/hostile_{target}.rs"));
        assert!(own.exists() || here.contains(&format!("\"{target}\"")), "{target}");
    }
}
