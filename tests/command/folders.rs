//! Folders of folders on wish, and pieces that are no songs unless they are named.

use crate::songs::{command, song};
use neural_composer::audio::{Audio, SubFolders, find_songs, is_composed, search_songs};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

fn write(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    song(220.0).save(path).unwrap();
}

/// Exit status, standard output and standard error.
fn run(folder: &Path, line: &str) -> (i32, String, String) {
    let done = command(folder, line.split(' ')).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code().unwrap(), text(&done.stdout), text(&done.stderr))
}

/// A tree with four songs, of which one is on the top, and with what is passed over.
fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for name in ["top.wav", "a/one.wav", "a/deep/er/two.wav", "b/three.WAV"] {
        write(&path.join(name));
    }
    for name in [".hidden/no.wav", "__MACOSX/no.wav", "a/.no.wav", "a/__MACOSX/._one.wav"] {
        write(&path.join(name));
    }
    // Circles, and one folder under two names.
    symlink("..", path.join("a/deep/up")).unwrap();
    symlink(".", path.join("b/self")).unwrap();
    symlink("a", path.join("again")).unwrap();
    symlink("gone.wav", path.join("b/dead.wav")).unwrap();
    std::fs::write(path.join("b/voice.wma"), "x").unwrap();
    folder
}

fn file_names(paths: &[PathBuf]) -> Vec<String> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut names: Vec<String> = paths.iter().map(name).collect();
    names.sort();
    names
}

#[test]
fn folders_of_folders_are_searched_on_wish_and_circles_end() {
    let folder = tree();
    let flat = search_songs(folder.path(), SubFolders::Ignored).unwrap();
    assert_eq!(file_names(&flat.songs), ["top.wav"]);
    assert_eq!(flat.songs, find_songs(folder.path()).unwrap());
    assert_eq!(file_names(&flat.folders), ["a", "again", "b"]);
    let all = search_songs(folder.path(), SubFolders::Searched).unwrap();
    assert_eq!(file_names(&all.songs), ["one.wav", "three.WAV", "top.wav", "two.wav"]);
    assert!(all.folders.is_empty());
    let notes = all.notes().join("\n");
    assert!(notes.contains("dead.wav") && notes.contains("voice.wma"), "{notes}");
    assert!(!notes.contains("__MACOSX") && !notes.contains("hidden"), "{notes}");
    // A file is a file.
    let file = folder.path().join("top.wav");
    assert_eq!(search_songs(&file, SubFolders::Searched).unwrap().songs, [file]);
    assert!(search_songs(folder.path().join("nowhere"), SubFolders::Searched).is_err());
}

#[test]
fn every_command_that_takes_folders_searches_those_of_folders() {
    let folder = tree();
    let path = folder.path();
    let (code, out, err) = run(path, "info . --recursive");
    assert_eq!((code, out.lines().count()), (0, 4), "{out}{err}");
    assert!(err.contains("voice.wma") && err.contains("dead.wav"), "{err}");
    let (code, out, _) = run(path, "info . -r --json");
    assert!(code == 0 && out.contains("two.wav") && !out.contains("no.wav"), "{out}");
    assert_eq!(run(path, "info .").1.lines().count(), 1);
    for (line, words) in [
        ("compose . -r --steps 1 --seconds 4 -o p.wav", "4 songs"),
        ("train . -r --model codes --steps 1 -o c.safetensors", "4 songs"),
        ("train a b --recursive --model grains --steps 1 -o g.safetensors", "3 songs"),
    ] {
        let (code, _, err) = run(path, line);
        assert!(code == 0 && err.contains(words), "{line}: {err}");
    }
    let (code, _, err) = run(path, "judge . -r top.wav");
    assert!(code == 0 && err.contains("voice.wma"), "{err}");
    // Where nothing is on the top, it is told how to get what is below.
    for line in ["info a/deep", "train a/deep", "compose a/deep", "judge a/deep top.wav"] {
        let (code, _, err) = run(path, line);
        assert_eq!(code, 1, "{line}: {err}");
        assert!(err.contains("2 songs") && err.contains("--recursive"), "{line}: {err}");
    }
    let (_, _, err) = run(path, "info a/deep/er/..");
    assert!(err.contains("--recursive"), "{err}");
    std::fs::create_dir_all(path.join("empty/emptier")).unwrap();
    for line in ["info empty", "info empty -r", "info empty/emptier"] {
        let (code, _, err) = run(path, line);
        assert!(code == 1 && !err.contains("--recursive"), "{line}: {err}");
    }
}

#[test]
fn a_folder_that_may_not_be_read_does_not_hide_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(&path.join("top.wav"));
    write(&path.join("sealed/song.wav"));
    std::fs::set_permissions(path.join("sealed"), std::fs::Permissions::from_mode(0o000)).unwrap();
    let found = search_songs(path, SubFolders::Searched).unwrap();
    std::fs::set_permissions(path.join("sealed"), std::fs::Permissions::from_mode(0o755)).unwrap();
    // Who is root reads it all the same.
    let is_open = file_names(&found.songs).contains(&"song.wav".to_owned());
    assert!(is_open || found.notes().join(" ").contains("sealed"), "{found:?}");
}

#[test]
fn a_piece_is_no_song_of_its_folder_unless_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(&path.join("songs/song.wav"));
    let compose = "compose songs --steps 1 --seconds 4 --seed 2 -o songs/piece.wav";
    let (code, _, err) = run(path, compose);
    assert!(code == 0 && !err.contains("passed over"), "{err}");
    let piece = path.join("songs/piece.wav");
    let first = std::fs::read(&piece).unwrap();
    assert!(is_composed(&piece) && !is_composed(path.join("songs/song.wav")));
    let (code, _, err) = run(path, compose);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("piece.wav: passed over") && err.contains("from 1 song "), "{err}");
    assert!(std::fs::read(&piece).unwrap() == first, "the same song and seed, the same piece");
    // `info` tells what is there; who names a piece means it.
    assert_eq!(run(path, "info songs").1.lines().count(), 2);
    let named = "train songs songs/piece.wav --model grains --steps 1 -o m.safetensors";
    let (code, _, err) = run(path, named);
    assert!(code == 0 && err.contains("from 2 songs "), "{err}");
    // A dataset of the folder says what it skips.
    let settings = neural_composer::dataset::DatasetSettings::fast();
    let data = neural_composer::dataset::Dataset::from_dir(path.join("songs"), settings).unwrap();
    assert_eq!((data.songs().len(), data.skipped().len()), (1, 1));
    assert!(data.to_string().contains("piece.wav: passed over"), "{data}");
    // A folder of pieces alone says so.
    std::fs::remove_file(path.join("songs/song.wav")).unwrap();
    let (code, _, err) = run(path, "train songs --model grains");
    assert!(code == 1 && err.contains("piece.wav") && err.contains("neural-composer"), "{err}");
    // Renamed, it is a piece all the same; decoded, it is what any program wrote.
    std::fs::rename(&piece, path.join("songs/mine.wav")).unwrap();
    assert!(is_composed(path.join("songs/mine.wav")));
    assert_eq!(run(path, "decode songs/mine.wav -o songs/decoded.wav").0, 0);
    assert_eq!(file_names(&find_songs(path.join("songs")).unwrap()), ["decoded.wav"]);
}

#[test]
fn the_tag_of_a_piece_changes_nothing_that_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, piece) = (folder.path().join("plain.wav"), folder.path().join("piece.wav"));
    for frames in [0, 1, 2, 999, 8_000] {
        let audio = Audio::new(vec![vec![0.25; frames]; 3], 8_000).unwrap();
        audio.save(&plain).unwrap();
        audio.save_composed(&piece).unwrap();
        assert!(is_composed(&piece) && !is_composed(&plain), "{frames}");
        let (plain, piece) = (std::fs::read(&plain).unwrap(), std::fs::read(&piece).unwrap());
        assert!(piece[8..plain.len()] == plain[8..] && piece.len() < plain.len() + 100);
        let length = u32::from_le_bytes(piece[4..8].try_into().unwrap());
        assert_eq!(length as usize + 8, piece.len());
    }
    let song = neural_composer::audio::Song::open(&piece).unwrap();
    assert_eq!((song.audio().frames(), song.warnings().len()), (8_000, 0));
    assert!(song.tags().get("encoder").unwrap().contains("neural-composer"));
    for other in ["gone.wav", "."] {
        assert!(!is_composed(folder.path().join(other)));
    }
}
