use super::{Audio, Resampler, Tags, mix_to_mono, mp4_edits, mpeg_frames, ogg_end};
use crate::{Error, Result};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as Fault;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known as format_id;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

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
    track_id: u32,
    codec: String,
    tags: Tags,
    sample_rate_hz: u32,
    channel_count: usize,
    expected_frames: Option<u64>,
    /// Frames still to be dropped in front, beyond what Symphonia drops.
    skip_left: u64,
    /// Frames of music still to come, where an edit list says so.
    music_left: Option<u64>,
    options: AudioDecoderOptions,
    chunk: Vec<Vec<f32>>,
    frames_read: u64,
    finished: bool,
    /// Readers say so when they run into the end of the file inside a packet.
    cut_off: bool,
    faults: Faults,
}

/// What was wrong with a file, counted.
#[derive(Default)]
struct Faults {
    notes: Vec<String>,
    damaged_packets: u64,
    first_damage_seconds: f64,
    not_finite: u64,
}

/// A higher rate than any converter has; a header that says more is damaged.
const HIGHEST_RATE_HZ: u32 = 6_144_000;

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
        let mut file = File::open(path).map_err(Error::io(path, "open the file"))?;
        let metadata = file.metadata().map_err(Error::io(path, "read the file"))?;
        if metadata.is_dir() {
            let problem = "expected an audio file, found a folder; name one of the files in it";
            return Err(Error::audio(path, problem));
        }
        if metadata.len() == 0 {
            let problem = "expected an audio file, found an empty one (0 bytes); copy or download \
                           it again";
            return Err(Error::audio(path, problem));
        }
        let facts = Facts::read(&mut file).map_err(Error::io(path, "read the file"))?;
        io::Seek::rewind(&mut file).map_err(Error::io(path, "read the file"))?;
        let stream = MediaSourceStream::new(Box::new(file), Default::default());
        let mut reader = symphonia::default::get_probe()
            .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(|fault| not_audio(path, &fault))?;
        let format = reader.format_info().format;
        let mpeg = [
            format_id::FORMAT_ID_MP1,
            format_id::FORMAT_ID_MP2,
            format_id::FORMAT_ID_MP3,
            format_id::FORMAT_ID_ADTS,
        ];
        let is_mpeg = mpeg.contains(&format);
        if is_mpeg && facts.frames.is_none() {
            return Err(not_audio(path, &"no two frames of MPEG audio follow each other"));
        }
        let mut faults = Faults::default();
        if format == format_id::FORMAT_ID_OGG && !facts.ogg_has_end {
            faults.notes.push("the end of the stream is missing: the file is truncated".to_owned());
        }
        let mut tags = Tags::default();
        let mut gap = None;
        read_tags(&mut *reader, &mut tags, &mut gap);
        let track = reader
            .default_track(TrackType::Audio)
            .ok_or_else(|| Error::audio(path, "the file holds no sound"))?
            .clone();
        let parameters = parameters(path, &track)?;
        // Without a count in the file, Symphonia estimates one from the first frames and would
        // cut a file of varying bit rate short.
        let counted = !is_mpeg || facts.frames.is_some_and(|f| f.counted);
        let options = AudioDecoderOptions::default().gapless(counted);
        let (decoder, codec) = make_decoder(path, parameters, &options)?;
        let sample_rate_hz = parameters.sample_rate.unwrap_or(0);
        let channel_count = parameters.channels.as_ref().map_or(0, |c| c.count());
        let mut expected_frames = track.num_frames.filter(|&n| counted && n > 0);
        let (mut skip_left, mut music_left) = (0, None);
        if format == format_id::FORMAT_ID_ISOMP4 {
            let edit = facts.edits.iter().find(|e| e.track_id == track.id);
            let part = edit.map(|e| (e.start_frames, e.length_frames)).or(gap);
            if let Some((start, length)) = part {
                skip_left = start;
                music_left = length;
                expected_frames = length.or(expected_frames.map(|n| n.saturating_sub(start)));
            }
        }
        let opened = Self {
            path: path.to_path_buf(),
            decoder,
            track_id: track.id,
            codec,
            tags,
            sample_rate_hz,
            channel_count,
            expected_frames,
            skip_left,
            music_left,
            options,
            chunk: vec![Vec::new(); channel_count],
            frames_read: 0,
            finished: false,
            cut_off: false,
            faults,
            reader,
        };
        opened.require_shape()?;
        Ok(opened)
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
        self.expected_frames.map(|frames| frames as f64 / f64::from(self.sample_rate_hz))
    }

    /// Frames given out so far.
    pub fn frames_read(&self) -> u64 {
        self.frames_read
    }

    /// What was wrong with the file so far, one sentence each; complete when
    /// [`Decoder::next_chunk`] has returned `None`.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.faults.notes.clone();
        if self.faults.damaged_packets > 0 {
            warnings.push(format!(
                "{} damaged and left out, the first at {:.2} s",
                counted(self.faults.damaged_packets, "packet"),
                self.faults.first_damage_seconds
            ));
        }
        if self.faults.not_finite > 0 {
            warnings.push(format!(
                "{} not a finite number, replaced by silence",
                counted(self.faults.not_finite, "sample")
            ));
        }
        warnings
    }

    /// The next samples, one vector per channel, some thousand frames at most; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Io`] when the file can no longer be read. Damage in the file is no error: what can
    /// be decoded is, and [`Decoder::warnings`] tells the rest.
    pub fn next_chunk(&mut self) -> Result<Option<&[Vec<f32>]>> {
        while !self.finished {
            if self.decode_packet()? {
                return Ok(Some(&self.chunk));
            }
        }
        Ok(None)
    }

    /// Everything that is left, in memory.
    ///
    /// # Errors
    /// Those of [`Decoder::next_chunk`], and [`Error::Audio`] when there is not one sample.
    pub fn read_all(&mut self) -> Result<Audio> {
        let mut channels = vec![Vec::new(); self.channel_count];
        while let Some(chunk) = self.next_chunk()? {
            for (channel, new) in channels.iter_mut().zip(chunk) {
                channel.extend_from_slice(new);
            }
        }
        self.require_sound()?;
        Audio::new(channels, self.sample_rate_hz)
    }

    /// Everything that is left as one channel at the given rate. Only the result is held in
    /// memory, never the whole file at its own rate.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("stereo.wav");
    /// # neural_composer::audio::Audio::new(vec![vec![0.5; 44_100]; 2], 44_100)?.save(&path)?;
    /// use neural_composer::audio::Decoder;
    /// let mono = Decoder::open(&path)?.read_mono_at(22_050)?;
    /// assert_eq!((mono.channel_count(), mono.frames()), (1, 22_050));
    /// # Ok::<(), neural_composer::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Decoder::read_all`], and [`Error::Argument`] for a rate outside 1,000 to
    /// 768,000 Hz.
    pub fn read_mono_at(&mut self, sample_rate_hz: u32) -> Result<Audio> {
        let mut resampler = Resampler::new(self.sample_rate_hz, sample_rate_hz, 1)?;
        let mut samples = Vec::new();
        let mut mixed = [Vec::new()];
        while let Some(chunk) = self.next_chunk()? {
            mix_to_mono(chunk, &mut mixed[0]);
            samples.extend_from_slice(&resampler.push(&mixed)?[0]);
        }
        self.require_sound()?;
        samples.extend_from_slice(&resampler.finish()?[0]);
        Audio::mono(samples, sample_rate_hz)
    }

    fn require_sound(&self) -> Result<()> {
        if self.frames_read > 0 {
            return Ok(());
        }
        let reasons = self.warnings();
        let because = if reasons.is_empty() { String::new() } else { reasons.join("; ") + "; " };
        let problem = format!("expected sound, found not one sample; {because}export it again");
        Err(Error::audio(&self.path, problem))
    }

    fn require_shape(&self) -> Result<()> {
        if self.sample_rate_hz == 0 || self.channel_count == 0 {
            let problem = "the header does not say how many channels or samples per second";
            return Err(Error::audio(&self.path, problem));
        }
        if self.sample_rate_hz > HIGHEST_RATE_HZ {
            let problem = format!(
                "expected a sample rate of up to {HIGHEST_RATE_HZ} Hz, found {} Hz: the header is \
                 damaged",
                self.sample_rate_hz
            );
            return Err(Error::audio(&self.path, problem));
        }
        Ok(())
    }

    /// Fills the chunk with what the next packet holds; false when that is nothing.
    fn decode_packet(&mut self) -> Result<bool> {
        let Some(packet) = self.next_packet()? else {
            self.finished = true;
            self.note_missing_end();
            return Ok(false);
        };
        match self.decoder.decode(&packet) {
            Ok(decoded) => {
                if decoded.spec().rate() != self.sample_rate_hz {
                    let rate = decoded.spec().rate();
                    self.end_early(format!("the sample rate changes to {rate} Hz"));
                    return Ok(false);
                }
                let planes = decoded.num_planes();
                let mut decoded_chunk = std::mem::take(&mut self.chunk);
                decoded.copy_to_vecs_planar(&mut decoded_chunk);
                self.chunk = fit_channels(decoded_chunk, planes, self.channel_count);
            }
            Err(Fault::DecodeError(_) | Fault::IoError(_)) => {
                self.faults.note_damage(self.frames_read, self.sample_rate_hz);
                return Ok(false);
            }
            Err(Fault::ResetRequired) => {
                self.decoder.reset();
                return Ok(false);
            }
            Err(fault) => {
                self.end_early(fault.to_string());
                return Ok(false);
            }
        }
        self.trim_chunk();
        for sample in self.chunk.iter_mut().flatten().filter(|s| !s.is_finite()) {
            *sample = 0.0;
            self.faults.not_finite += 1;
        }
        let frames = self.chunk[0].len();
        self.frames_read += frames as u64;
        Ok(frames > 0)
    }

    /// The track's next packet; `None` at the end.
    fn next_packet(&mut self) -> Result<Option<Packet>> {
        if self.music_left == Some(0) {
            return Ok(None);
        }
        for _ in 0..MOST_FAULTS_IN_A_ROW {
            match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track_id => return Ok(Some(packet)),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                Err(Fault::ResetRequired) => {
                    if !self.next_stream()? {
                        return Ok(None);
                    }
                }
                Err(Fault::IoError(e)) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    self.cut_off = true;
                    return Ok(None);
                }
                Err(Fault::IoError(e)) => return Err(Error::io(&self.path, "read the file")(e)),
                Err(_) => self.faults.note_damage(self.frames_read, self.sample_rate_hz),
            }
        }
        Ok(None)
    }

    /// Goes on with the next stream of a chained Ogg file, if it is of the same shape.
    fn next_stream(&mut self) -> Result<bool> {
        let Some(track) = self.reader.default_track(TrackType::Audio).cloned() else {
            return Ok(false);
        };
        let parameters = parameters(&self.path, &track)?;
        if parameters.sample_rate != Some(self.sample_rate_hz) {
            self.end_early("another stream with another sample rate follows".to_owned());
            return Ok(false);
        }
        (self.decoder, _) = make_decoder(&self.path, parameters, &self.options)?;
        self.track_id = track.id;
        self.expected_frames = None;
        Ok(true)
    }

    fn trim_chunk(&mut self) {
        let frames = self.chunk.first().map_or(0, Vec::len) as u64;
        let skip = self.skip_left.min(frames);
        self.skip_left -= skip;
        let keep = self.music_left.map_or(frames - skip, |left| left.min(frames - skip));
        self.music_left = self.music_left.map(|left| left - keep);
        for channel in &mut self.chunk {
            channel.truncate((skip + keep) as usize);
            channel.drain(..skip as usize);
        }
    }

    fn end_early(&mut self, reason: String) {
        self.finished = true;
        let seconds = self.frames_read as f64 / f64::from(self.sample_rate_hz);
        self.faults.notes.push(format!("{reason} at {seconds:.2} s; what follows is left out"));
    }

    fn note_missing_end(&mut self) {
        let rate = f64::from(self.sample_rate_hz);
        let found = self.frames_read as f64 / rate;
        match self.expected_frames {
            Some(expected) if self.frames_read < expected => self.faults.notes.push(format!(
                "the file is truncated or damaged: expected {:.2} s, found {found:.2} s",
                expected as f64 / rate
            )),
            None if self.cut_off => {
                self.faults.notes.push(format!("the file is truncated at {found:.2} s"));
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

/// What Symphonia does not tell, read from the file directly.
struct Facts {
    frames: Option<mpeg_frames::Frames>,
    edits: Vec<mp4_edits::Edit>,
    ogg_has_end: bool,
}

impl Facts {
    fn read(file: &mut File) -> io::Result<Self> {
        Ok(Self {
            frames: mpeg_frames::find_frames(file)?,
            edits: mp4_edits::read_edits(file)?,
            ogg_has_end: ogg_end::has_end(file)?,
        })
    }
}

impl Faults {
    fn note_damage(&mut self, frames_read: u64, sample_rate_hz: u32) {
        if self.damaged_packets == 0 {
            self.first_damage_seconds = frames_read as f64 / f64::from(sample_rate_hz);
        }
        self.damaged_packets += 1;
    }
}

fn parameters<'a>(path: &Path, track: &'a Track) -> Result<&'a AudioCodecParameters> {
    track.codec_params.as_ref().and_then(|p| p.audio()).ok_or_else(|| {
        Error::audio(path, "the sound is coded in a way that is not supported; convert it to FLAC")
    })
}

fn make_decoder(
    path: &Path,
    parameters: &AudioCodecParameters,
    options: &AudioDecoderOptions,
) -> Result<(Box<dyn AudioDecoder>, String)> {
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, options)
        .map_err(|fault| {
            let problem = format!(
                "the sound is coded in a way that is not supported ({fault}); expected MP3, WAV, \
                 FLAC, Ogg Vorbis or AAC-LC; convert it, for example to FLAC"
            );
            Error::audio(path, problem)
        })?;
    let name = codec_name(decoder.codec_info().short_name, parameters.bits_per_sample);
    Ok((decoder, name))
}

fn codec_name(short_name: &str, bits_per_sample: Option<u32>) -> String {
    match (short_name, bits_per_sample) {
        ("vorbis", _) => "Vorbis".to_owned(),
        (name, Some(bits)) if name.starts_with("pcm") => {
            let kind = if name.contains("_f") { "floating-point" } else { "integer" };
            format!("PCM, {bits}-bit {kind}")
        }
        (name, _) => name.to_uppercase(),
    }
}

fn read_tags(reader: &mut dyn FormatReader, tags: &mut Tags, gap: &mut Option<(u64, Option<u64>)>) {
    let mut log = reader.metadata();
    loop {
        if let Some(revision) = log.current() {
            tags.merge(revision);
            *gap = gap.or(revision.media.tags.iter().find_map(itunes_gap));
        }
        if log.pop().is_none() {
            return;
        }
    }
}

/// The tag in which iTunes writes run-in, padding and length, in hexadecimal frames.
fn itunes_gap(tag: &symphonia::core::meta::Tag) -> Option<(u64, Option<u64>)> {
    if !tag.raw.key.ends_with("iTunSMPB") {
        return None;
    }
    let text = tag.raw.value.to_string();
    let mut fields = text.split_whitespace().skip(1).map(|f| u64::from_str_radix(f, 16).ok());
    let (run_in, _padding, length) = (fields.next()??, fields.next()??, fields.next()??);
    (run_in > 0 && length > 0).then_some((run_in, Some(length)))
}

fn not_audio(path: &Path, cause: &dyn std::fmt::Display) -> Error {
    let problem = format!(
        "expected an MP3, WAV, FLAC, Ogg Vorbis, AAC/M4A or AIFF file, found something else or a \
         damaged one ({cause})"
    );
    Error::audio(path, problem)
}

/// Mono goes to every channel; otherwise missing channels are silent and surplus ones left out.
fn fit_channels(mut chunk: Vec<Vec<f32>>, planes: usize, wanted: usize) -> Vec<Vec<f32>> {
    chunk.truncate(planes);
    let frames = chunk.first().map_or(0, Vec::len);
    if planes == 1 && wanted > 1 {
        return vec![chunk.swap_remove(0); wanted];
    }
    chunk.resize_with(wanted, || vec![0.0; frames]);
    chunk
}

fn counted(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
