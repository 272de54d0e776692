//! Songs as a notebook meets them: found in a folder, opened, cloned, shown.

use crate::audio_fixtures;
use neural_composer::Error;
use neural_composer::audio::{Song, find_songs};

#[test]
fn songs_are_found_by_their_endings_and_sorted() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["c.ogg", "a.MP3", "b.flac", "cover.jpg", ".hidden.mp3", "noending", "d.m4a.part"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    std::fs::create_dir(folder.path().join("live.mp3")).unwrap();
    let songs = find_songs(folder.path()).unwrap();
    let names: Vec<_> = songs.iter().map(|s| s.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["a.MP3", "b.flac", "c.ogg"]);
    // A file that was named is meant, whatever its ending.
    let named = folder.path().join("noending");
    assert_eq!(find_songs(&named).unwrap(), [named]);
}

#[test]
fn a_folder_without_songs_says_what_it_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let error = find_songs(folder.path()).unwrap_err();
    assert!(matches!(error, Error::Data(_)), "{error:?}");
    assert!(error.to_string().contains("found an empty folder"), "{error}");
    std::fs::write(folder.path().join("notes.txt"), "x").unwrap();
    let message = find_songs(folder.path()).unwrap_err().to_string();
    assert!(message.contains("one file of another kind"), "{message}");
    assert!(message.contains(".mp3") && message.contains(&folder.path().display().to_string()));
    let missing = find_songs(folder.path().join("nowhere")).unwrap_err();
    assert!(matches!(missing, Error::Io { .. }) && missing.to_string().contains("nowhere"));
}

#[test]
fn a_song_is_owned_cheap_to_clone_and_readable() {
    let song = Song::open(audio_fixtures::path("mp3_stereo.mp3")).unwrap();
    let copy = song.clone();
    // The same samples, not a copy of them.
    assert!(std::ptr::eq(song.audio().channels(), copy.audio().channels()));
    drop(song);
    let shown = std::thread::spawn(move || format!("{copy:?}")).join().unwrap();
    assert_eq!(shown, "Song(\"Night & Day\", MP3, Audio(0.25 s, 44100 Hz, 2 channels))");
}
