//! Tables of corpora of strangers: rows that are sound, or an error that names the table.

use crate::scratch_file::with_file;
use neural_composer::Error;
use neural_composer::corpus::Corpus;

/// Opens a corpus with this table and without shards.
pub fn read(data: &[u8]) {
    with_file("contents.parquet", data, |path| {
        let folder = path.parent().unwrap_or(path);
        let corpus = match Corpus::open(folder) {
            Ok(corpus) => corpus,
            Err(Error::Corpus { path: named, .. } | Error::Io { path: named, .. }) => {
                assert_eq!(named, path);
                return;
            }
            Err(error) => panic!("{error} does not name the table"),
        };
        let _ = format!("{corpus} {corpus:?}");
        // No name leads out of the folder, so no song is there.
        for song in 0..corpus.len() {
            assert!(corpus.song(song).is_err());
            assert!(corpus.part_of_song(song, 0..1).is_err());
        }
    });
}
