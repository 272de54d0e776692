//! The order of channels in Vorbis and Opus streams.

/// Which channel of a Vorbis stream stands at each place in the order of WAV files (Vorbis I, 4.3.9).
pub(super) fn of_vorbis(channels: usize) -> Vec<usize> {
    match channels {
        3 => vec![0, 2, 1],
        5 => vec![0, 2, 1, 3, 4],
        6 => vec![0, 2, 1, 5, 3, 4],
        7 => vec![0, 2, 1, 6, 5, 3, 4],
        8 => vec![0, 2, 1, 7, 5, 6, 3, 4],
        channels => (0..channels).collect(),
    }
}
