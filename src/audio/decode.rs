//! Audio files as streams of samples, whatever their format.

use super::container::{self, Container};
use super::faults::Faults;
use super::gap::Gap;
use super::{Tags, facts, ogg_positions, wav_header};
use crate::words::{counted, one_line};
use crate::{Result, interrupt};
use std::path::{Path, PathBuf};
use symphonia::core::codecs::audio::AudioDecoder;
use symphonia::core::formats::{FormatReader, Track};
use symphonia::core::units::Timestamp;

/// A stream of samples from an audio file, in bounded memory however long the file.
///
/// What an encoder added in front and behind (MP3, AAC, Vorbis, Opus) is taken off where the file says
/// how much it is. Damaged parts are left out and reported by [`Decoder::warnings`].
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("quiet.wav");
/// # neural_composer::audio::Audio::mono(vec![0.0; 8000], 8000)?.save(&path)?;
/// use neural_composer::audio::Decoder;
/// let mut decoder = Decoder::open(&path)?;
/// let mut loudest = 0.0_f32;
/// while let Some(chunk) = decoder.next_chunk()? {
///     for channel in chunk {
///         loudest = channel.iter().fold(loudest, |peak, sample| peak.max(sample.abs()));
///     }
/// }
/// assert_eq!((decoder.frames_read(), loudest), (8000, 0.0));
/// # Ok::<(), neural_composer::Error>(())
/// ```
pub struct Decoder {
    pub(super) path: PathBuf,
    pub(super) reader: Box<dyn FormatReader>,
    pub(super) decoder: Box<dyn AudioDecoder>,
    pub(super) track: Track,
    pub(super) codec: String,
    pub(super) tags: Tags,
    pub(super) sample_rate_hz: u32,
    pub(super) channel_count: usize,
    pub(super) expected_frames: Option<u64>,
    /// What is still to be dropped in front and given out, beyond what Symphonia takes off.
    pub(super) gap: Gap,
    pub(super) gapless: bool,
    /// Where the frames end that an MPEG file's header counts.
    pub(super) counted_end: Option<Timestamp>,
    /// Of an Ogg file, and the number of the one that is decoded.
    pub(super) links: Option<ogg_positions::Links>,
    pub(super) link: usize,
    /// For a WAV or MOV file with more channels than Symphonia takes.
    pub(super) hidden_channels: Option<wav_header::Channels>,
    pub(super) chunk: Vec<Vec<f32>>,
    /// Samples are given out times this.
    pub(super) scale: f32,
    pub(super) frames_read: u64,
    pub(super) finished: bool,
    /// The largest magnitude so far.
    pub(super) peak: f32,
    /// The file ended inside a packet.
    pub(super) cut_off: bool,
    /// A stream without a known end ends where the file does.
    pub(super) ends_openly: bool,
    /// So many frames fewer than the file says are no loss.
    pub(super) slack_frames: u64,
    pub(super) faults: Faults,
}

impl Decoder {
    /// Opens a file of a kind that [`SONG_EXTENSIONS`](super::SONG_EXTENSIONS) names; what is inside
    /// decides, not the name.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) for a file that is missing or may not be read,
    /// [`Error::Audio`](crate::Error::Audio) for one that
    /// is empty, a folder, not audio, or of a kind that is not supported.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::of_file(path.as_ref())
    }

    fn of_file(path: &Path) -> Result<Self> {
        Self::of(path, container::open(path)?)
    }

    /// A stream over the track of an opened file.
    pub(super) fn of(path: &Path, opened: Container) -> Result<Self> {
        let Container { reader, track, tags, gap, expected_frames, gapless, .. } = opened;
        let parameters = container::parameters(path, &track)?;
        let (decoder, codec) =
            container::make_decoder(path, parameters, (gapless, opened.codec.as_deref()))?;
        let (sample_rate_hz, channel_count) = container::rate_and_channels(
            path,
            (parameters, &*decoder),
            opened.hidden_channels,
            opened.codec.as_deref(),
        )?;
        Ok(Self {
            path: path.to_path_buf(),
            reader,
            decoder,
            track,
            codec,
            tags,
            sample_rate_hz,
            channel_count,
            expected_frames,
            gap,
            gapless,
            counted_end: opened.counted_end,
            links: opened.links,
            link: 0,
            hidden_channels: opened.hidden_channels.map(wav_header::Channels::new),
            chunk: vec![Vec::new(); channel_count],
            scale: 1.0,
            frames_read: 0,
            peak: 0.0,
            finished: false,
            cut_off: false,
            ends_openly: opened.ends_openly,
            slack_frames: opened.slack_frames,
            faults: Faults::new(opened.warnings),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Samples per second and channel.
    pub fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// How many channels: 1 for mono, 2 for stereo.
    pub fn channel_count(&self) -> usize {
        self.channel_count
    }

    /// The title tag, else the file's name without its ending, in one line.
    pub fn title(&self) -> String {
        let stem = || self.path().file_stem().map(|stem| stem.to_string_lossy().into_owned());
        one_line(&self.tags().title().map(str::to_owned).or_else(stem).unwrap_or_default())
    }

    /// How the file is coded: `"MP3"`, `"FLAC"`, `"Vorbis"`, `"AAC"`, `"PCM, 16-bit"`, ...
    pub fn codec(&self) -> &str {
        &self.codec
    }

    /// Title, artist, album and so on.
    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    /// How many frames (samples per channel) the file says it holds, where it says so.
    pub fn expected_frames(&self) -> Option<u64> {
        self.expected_frames
    }

    /// How long the file says it is, where it says so.
    pub fn expected_seconds(&self) -> Option<f64> {
        self.expected_frames.map(|frames| self.seconds(frames))
    }

    /// Frames given out so far.
    pub fn frames_read(&self) -> u64 {
        self.frames_read
    }

    /// The largest magnitude of all samples given out so far, nominally up to 1.
    pub fn peak(&self) -> f32 {
        self.peak
    }

    /// What was wrong with the file so far, one sentence each; complete when
    /// [`Decoder::next_chunk`] has returned `None`.
    pub fn warnings(&self) -> Vec<String> {
        self.faults.warnings()
    }

    /// The next samples, one vector per channel, some thousand frames at most; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when the file can no longer be read;
    /// [`Error::Audio`](crate::Error::Audio) at the end of one without a
    /// single sample. Damage in the file is no error: what can
    /// be decoded is, and [`Decoder::warnings`] tells the rest.
    pub fn next_chunk(&mut self) -> Result<Option<&[Vec<f32>]>> {
        interrupt::check()?;
        while !self.finished {
            if self.decode_packet()? {
                return Ok(Some(&self.chunk));
            }
        }
        self.require_sound()?;
        Ok(None)
    }

    fn require_sound(&self) -> Result<()> {
        if self.frames_read > 0 {
            return Ok(());
        }
        let reasons = self.warnings();
        let because = if reasons.is_empty() { String::new() } else { reasons.join("; ") + "; " };
        Err(facts::no_sound(&self.path, &because))
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Decoder({:?}, {}, {} Hz, {}, at frame {})",
            self.path,
            self.codec,
            self.sample_rate_hz,
            counted(self.channel_count, "channel"),
            self.frames_read
        )
    }
}
