//! Real excerpts of songs as long as a piece: what a piece can be held against.

/// Excerpts that are taken at least, where the songs are long enough.
const FEWEST: usize = 10;

/// A row of windows of a song.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    song: usize,
    first: usize,
    /// One after its last window.
    end: usize,
    /// How many windows before and after it have sound of it in them.
    touched: usize,
}

impl Excerpt {
    /// Whether window `at` of `song` lies in it.
    pub fn holds(&self, song: usize, at: usize) -> bool {
        song == self.song && (self.first..self.end).contains(&at)
    }

    /// Whether window `at` of `song` has sound of it.
    pub fn touches(&self, song: usize, at: usize) -> bool {
        let range = self.first.saturating_sub(self.touched)..self.end + self.touched;
        song == self.song && range.contains(&at)
    }
}

/// Excerpts of `length` windows that cover songs with so many windows, ten or more of them. Of songs
/// that are too short for two such excerpts, the halves. Neighbouring windows share sound with
/// `touched` others.
pub(super) fn excerpts(songs: &[usize], length: usize, touched: usize) -> Vec<Excerpt> {
    let of_each = FEWEST.div_ceil(songs.len().max(1));
    let mut found = Vec::new();
    for (song, windows) in songs.iter().copied().enumerate() {
        if windows < 2 * length + touched {
            let half = windows / 2;
            found.push(Excerpt { song, first: 0, end: half, touched });
            found.push(Excerpt { song, first: windows - half, end: windows, touched });
            continue;
        }
        let count = of_each.max(windows.div_ceil(length.max(1)));
        let last = windows - length;
        for number in 0..count {
            let first = last * number / (count - 1).max(1);
            found.push(Excerpt { song, first, end: first + length, touched });
        }
    }
    found
}
