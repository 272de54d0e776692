//! Audio files as streams of samples, whatever their format.

use super::container::{self, Container};
use super::faults::{Faults, counted};
use super::gap::Gap;
use super::{Tags, no_panic, peak_of, wav_header};
use crate::{Error, Result, interrupt};
use std::io;
use std::path::{Path, PathBuf};
use symphonia::core::codecs::audio::AudioDecoder;
use symphonia::core::errors::Error as Fault;
use symphonia::core::formats::{FormatReader, Track, TrackType};
use symphonia::core::packet::Packet;
use symphonia::core::units::Timestamp;

/// A stream of samples from an audio file, in bounded memory however long the file.
///
/// What an encoder added in front and behind (MP3, AAC, Vorbis) is taken off where the file says
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
    path: PathBuf,
    reader: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: Track,
    codec: String,
    tags: Tags,
    sample_rate_hz: u32,
    channel_count: usize,
    expected_frames: Option<u64>,
    /// What is still to be dropped in front and given out, beyond what Symphonia takes off.
    gap: Gap,
    gapless: bool,
    /// Where the frames end that an MPEG file's header counts.
    counted_end: Option<Timestamp>,
    /// For a WAV file with more channels than Symphonia takes.
    hidden_channels: Option<wav_header::Channels>,
    chunk: Vec<Vec<f32>>,
    frames_read: u64,
    finished: bool,
    /// The largest magnitude so far.
    peak: f32,
    /// The file ended inside a packet.
    cut_off: bool,
    faults: Faults,
}

/// After so many unreadable packets in a row the rest is given up.
const MOST_FAULTS_IN_A_ROW: u32 = 1000;

impl Decoder {
    /// Opens an MP3, WAV, FLAC, Ogg Vorbis, AAC/M4A or AIFF file; what is inside decides, not the
    /// name.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that is missing or may not be read, [`Error::Audio`] for one that
    /// is empty, a folder, not audio, or of a kind that is not supported.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let opened = container::open(path)?;
        let Container { reader, track, tags, gap, expected_frames, gapless, .. } = opened;
        let parameters = container::parameters(path, &track)?;
        let (decoder, codec) =
            container::make_decoder(path, parameters, (gapless, opened.codec.as_deref()))?;
        let (sample_rate_hz, channel_count) = container::rate_and_channels(
            path,
            parameters,
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
            hidden_channels: opened.hidden_channels.map(wav_header::Channels::new),
            chunk: vec![Vec::new(); channel_count],
            frames_read: 0,
            peak: 0.0,
            finished: false,
            cut_off: false,
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

    /// The title tag, else the file's name without its ending.
    pub fn title(&self) -> String {
        let stem = || self.path().file_stem().map(|stem| stem.to_string_lossy().into_owned());
        self.tags().title().map(str::to_owned).or_else(stem).unwrap_or_default()
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
    /// [`Error::Io`] when the file can no longer be read; [`Error::Audio`] at the end of one without a
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
        Err(container::no_sound(&self.path, &because))
    }

    /// Fills the chunk with what the next packet holds; false when that is nothing.
    fn decode_packet(&mut self) -> Result<bool> {
        let Some(mut packet) = self.next_packet()? else {
            self.finished = true;
            self.note_missing_end();
            return Ok(false);
        };
        if self.counted_end.is_some_and(|end| packet.pts >= end) {
            // Someone joined two files; what follows is music again, not padding.
            packet.trim_end = Default::default();
        }
        self.chunk.iter_mut().for_each(Vec::clear);
        match self.decode(&packet)? {
            Some(Ok(())) => {
                let decoded = self.decoder.last_decoded();
                let rate = decoded.spec().rate();
                if rate != self.sample_rate_hz {
                    self.end_early(format!("the sample rate changes to {rate} Hz"));
                    return Ok(false);
                }
                let planes = decoded.num_planes();
                let mut chunk = std::mem::take(&mut self.chunk);
                decoded.copy_to_vecs_planar(&mut chunk);
                self.chunk = self.fit_channels(chunk, planes);
            }
            Some(Err(Fault::ResetRequired)) => self.decoder.reset(),
            Some(Err(Fault::DecodeError(_) | Fault::IoError(_))) => self.note_damage(),
            Some(Err(fault)) => self.end_early(fault.to_string()),
            None => {
                self.note_damage();
                self.decoder.reset();
            }
        }
        self.gap.trim(&mut self.chunk);
        self.faults.silence_not_finite(&mut self.chunk);
        self.peak = self.peak.max(peak_of(&self.chunk));
        let frames = self.chunk[0].len();
        self.frames_read += frames as u64;
        Ok(frames > 0)
    }

    /// Decodes into the decoder's own buffer; `None` when the decoder panicked.
    fn decode(&mut self, packet: &Packet) -> Result<Option<Result<(), Fault>>> {
        let outcome = no_panic::catch(|| self.decoder.decode(packet).map(|_| ()));
        match outcome {
            // An MP3 file may change between mono and stereo; one decoder can not.
            Some(Err(Fault::DecodeError(problem))) if problem.contains("signal spec") => {
                let parameters = container::parameters(&self.path, &self.track)?;
                (self.decoder, _) =
                    container::make_decoder(&self.path, parameters, (self.gapless, None))?;
                Ok(no_panic::catch(|| self.decoder.decode(packet).map(|_| ())))
            }
            outcome => Ok(outcome),
        }
    }

    /// The track's next packet; `None` at the end.
    fn next_packet(&mut self) -> Result<Option<Packet>> {
        if self.gap.is_past_music() {
            return Ok(None);
        }
        for _ in 0..MOST_FAULTS_IN_A_ROW {
            let Some(next) = no_panic::catch(|| self.reader.next_packet()) else {
                self.end_early("the file is damaged".to_owned());
                return Ok(None);
            };
            match next {
                Ok(Some(packet)) if packet.track_id == self.track.id => return Ok(Some(packet)),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                Err(Fault::ResetRequired) if self.next_stream()? => {}
                Err(Fault::ResetRequired) => return Ok(None),
                Err(Fault::IoError(e)) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    self.cut_off = true;
                    return Ok(None);
                }
                Err(Fault::IoError(e)) => return Err(Error::io(&self.path, "read the file")(e)),
                Err(_) => self.note_damage(),
            }
        }
        Ok(None)
    }

    /// Goes on with the next stream of a chained Ogg file, if it is of the same shape.
    fn next_stream(&mut self) -> Result<bool> {
        let Some(track) = self.reader.default_track(TrackType::Audio).cloned() else {
            return Ok(false);
        };
        let parameters = container::parameters(&self.path, &track)?;
        if parameters.sample_rate != Some(self.sample_rate_hz) {
            self.end_early("another stream with another sample rate follows".to_owned());
            return Ok(false);
        }
        (self.decoder, _) = container::make_decoder(&self.path, parameters, (self.gapless, None))?;
        self.track = track;
        self.expected_frames = None;
        Ok(true)
    }

    /// Brings decoded channels into the file's shape: mono goes to every channel; otherwise missing
    /// channels are silent and surplus ones left out.
    fn fit_channels(&mut self, mut decoded: Vec<Vec<f32>>, planes: usize) -> Vec<Vec<f32>> {
        decoded.truncate(planes);
        let wanted = self.channel_count;
        if let ([mono], Some(hidden)) = (decoded.as_slice(), &mut self.hidden_channels) {
            return hidden.deal(mono);
        }
        let frames = decoded.first().map_or(0, Vec::len);
        if planes == 1 {
            decoded.resize(wanted, decoded[0].clone());
        }
        decoded.resize_with(wanted, || vec![0.0; frames]);
        decoded
    }

    fn note_damage(&mut self) {
        let at = self.seconds(self.frames_read);
        self.faults.note_damage(at);
    }

    fn seconds(&self, frames: u64) -> f64 {
        frames as f64 / f64::from(self.sample_rate_hz)
    }

    fn end_early(&mut self, reason: String) {
        self.finished = true;
        let at = self.seconds(self.frames_read);
        self.faults.note(format!("{reason} at {at:.2} s; what follows is left out"));
    }

    fn note_missing_end(&mut self) {
        let found = self.seconds(self.frames_read);
        match self.expected_frames {
            Some(expected) if self.frames_read < expected => {
                let expected = self.seconds(expected);
                self.faults.note(format!(
                    "the file is truncated or damaged: expected {expected:.2} s, found {found:.2} s"
                ));
            }
            None if self.cut_off => {
                self.faults.note(format!("the file is truncated at {found:.2} s"));
            }
            _ if self.decoder.finalize().verify_ok == Some(false) => {
                let note = "the checksum does not match: some of the sound is damaged";
                self.faults.note(note.to_owned());
            }
            _ => {}
        }
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
            counted(self.channel_count as u64, "channel"),
            self.frames_read
        )
    }
}
