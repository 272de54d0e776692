use super::cut::{self, Grain};
use super::describe::Described;
use super::source::{SongSource, fingerprint, unusable};
use crate::features::{
    Beats, Chroma, ChromaSettings, LogMel, MelSettings, PrincipalComponents, section_boundaries,
};
use crate::{Error, Result, interrupt};
use std::fmt;
use std::ops::Range;

/// How songs become grains.
#[derive(Clone, Debug, PartialEq)]
pub struct GrainSettings {
    /// About how long a grain is; the beat decides. Usual: 0.21 s.
    pub grain_seconds: f64,
    /// In which transpositions grains are on offer, in semitones; 0 comes first.
    pub shifts: Vec<i32>,
    /// Numbers that describe a grain to the network. Usual: 48.
    pub components: usize,
    /// Beats less sure than this are not heeded, and a fixed grid is cut instead; 0 to 1.
    pub least_beat_confidence: f64,
    /// Candidates that one step of training chooses among, at most: what a step costs.
    pub chapter_candidates: usize,
}

impl Default for GrainSettings {
    fn default() -> Self {
        Self {
            grain_seconds: 0.21,
            shifts: vec![0, 1, -1, 2, -2],
            components: 48,
            least_beat_confidence: 0.2,
            chapter_candidates: 4_096,
        }
    }
}

impl GrainSettings {
    fn check(&self) -> Result<()> {
        if !(0.05..=2.0).contains(&self.grain_seconds) {
            return Err(Error::argument("grain_seconds", "0.05 to 2 s", self.grain_seconds));
        }
        let distinct = self.shifts.iter().collect::<std::collections::HashSet<_>>().len();
        let fits = self.shifts.first() == Some(&0)
            && distinct == self.shifts.len()
            && self.shifts.iter().all(|shift| shift.abs() <= 12);
        if !fits {
            let expected = "0, then other semitones from -12 to 12, each once";
            return Err(Error::argument("shifts", expected, format!("{:?}", self.shifts)));
        }
        if self.components == 0 {
            return Err(Error::argument("components", "at least 1", 0));
        }
        Ok(())
    }
}

/// A song of the pool.
#[derive(Clone, Debug)]
pub struct PoolSong {
    /// Where its samples are.
    pub source: SongSource,
    /// What people call it.
    pub title: String,
    /// Tells it from other songs and from another version of itself.
    pub fingerprint: u64,
    /// Its length.
    pub duration_seconds: f64,
    /// Its sample rate.
    pub sample_rate_hz: u32,
    /// Its channels.
    pub channel_count: usize,
    /// Its beats in a minute, or `None` where a fixed grid was cut.
    pub beats_per_minute: Option<f64>,
    /// Which grains of the pool are its.
    pub grains: Range<usize>,
    /// Its sections, as ranges of grains of the pool.
    pub sections: Vec<Range<usize>>,
    /// What it sounds like, on a grid of 16 ms.
    pub mel: LogMel,
}

/// Consecutive grains of a song that are learned together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// Which grains of the pool.
    pub grains: Range<usize>,
}

/// The grains of songs, and what each sounds like.
///
/// Nothing here is sound: 3 minutes take about 7 MB.
#[derive(Clone)]
pub struct GrainPool {
    settings: GrainSettings,
    songs: Vec<PoolSong>,
    skipped: Vec<String>,
    grains: Vec<Grain>,
    embeddings: Vec<f32>,
    components: PrincipalComponents,
    befores: Vec<f32>,
    ends: Vec<f32>,
    edge_width: usize,
}

/// Fewer grains are nothing to choose from.
const FEWEST_GRAINS: usize = 6;
/// Grains that are this much below the loudest one are left out.
const NEARLY_SILENT_DB: f32 = 50.0;
/// What counts as silence whatever the rest of the song.
const SILENT_DB: f32 = -85.0;
/// Rows that the principal components are found from, at most.
const FITTED_ROWS: usize = 12_000;
/// Sections last at least this long, and the look to each side that finds them.
const SECTION_SECONDS: f64 = 5.0;
const SECTION_REACH_SECONDS: f64 = 6.0;

impl GrainPool {
    /// Cuts `sources` into grains. A song that cannot be used is skipped, and
    /// [`skipped`](Self::skipped) says why. `progress` is told (songs done, songs in all).
    ///
    /// A request to stop ([`interrupt`]) ends it after the running song.
    ///
    /// # Errors
    /// [`Error::Argument`] for impossible settings; what is wrong with the first song when none can be
    /// used; [`Error::Interrupted`] when it was stopped.
    pub fn of(
        sources: &[SongSource],
        settings: GrainSettings,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self> {
        settings.check()?;
        let mut building = Building::default();
        let mut first_problem = None;
        for (done, source) in sources.iter().enumerate() {
            progress(done, sources.len());
            if interrupt::requested() {
                return Err(Error::Interrupted("while the songs were cut into grains".into()));
            }
            match building.add(source, &settings) {
                Ok(()) => {}
                Err(stopped @ Error::Interrupted(_)) => return Err(stopped),
                Err(problem) => {
                    building.skipped.push(problem.to_string());
                    first_problem.get_or_insert(problem);
                }
            }
        }
        progress(sources.len(), sources.len());
        if building.songs.is_empty() {
            return Err(first_problem
                .unwrap_or_else(|| Error::argument("songs", "at least one song", "none")));
        }
        building.finish(settings)
    }

    /// How it was made.
    pub fn settings(&self) -> &GrainSettings {
        &self.settings
    }

    /// The songs in it.
    pub fn songs(&self) -> &[PoolSong] {
        &self.songs
    }

    /// What could not be used, and why, one sentence each.
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// The grains, song by song, in their order.
    pub fn grains(&self) -> &[Grain] {
        &self.grains
    }

    /// How many candidates there are: every grain in every transposition.
    pub fn candidates(&self) -> usize {
        self.grains.len() * self.settings.shifts.len()
    }

    /// The grain that candidate `candidate` is.
    pub fn grain_of(&self, candidate: usize) -> usize {
        candidate / self.settings.shifts.len()
    }

    /// By how many semitones candidate `candidate` is transposed.
    pub fn shift_of(&self, candidate: usize) -> i32 {
        self.settings.shifts[candidate % self.settings.shifts.len()]
    }

    /// The candidate that is grain `grain` in shift number `shift`.
    pub fn candidate(&self, grain: usize, shift: usize) -> usize {
        grain * self.settings.shifts.len() + shift
    }

    /// The candidate that comes after `candidate` in its song, in the same transposition.
    pub fn next_of(&self, candidate: usize) -> Option<usize> {
        let grain = self.grain_of(candidate) + 1;
        let follows = self.grains.get(grain).is_some_and(|grain| grain.follows);
        follows.then_some(candidate + self.settings.shifts.len())
    }

    /// Numbers per row of [`embeddings`](Self::embeddings).
    pub fn width(&self) -> usize {
        self.components.count()
    }

    /// What each candidate sounds like, in standard deviations along principal components:
    /// candidates × [`width`](Self::width).
    pub fn embeddings(&self) -> &[f32] {
        &self.embeddings
    }

    /// How much a difference along each component counts for the ear: less the less the songs differ
    /// along it.
    pub fn weights(&self) -> Vec<f32> {
        let deviations = self.components.deviations();
        deviations.iter().map(|deviation| deviation / deviations[0]).collect()
    }

    /// How far the sound at the end of `candidate` is from what leads into each candidate in the song,
    /// 1 being an ordinary distance; 0 for the one that follows it.
    pub fn discontinuities(&self, candidate: usize, to: &mut Vec<f32>) {
        let width = self.edge_width;
        let end = &self.ends[candidate * width..(candidate + 1) * width];
        to.clear();
        to.extend(self.befores.chunks_exact(width).map(|before| {
            let squares: f32 = before.iter().zip(end).map(|(b, e)| (b - e) * (b - e)).sum();
            (squares / width as f32).sqrt()
        }));
    }

    /// The songs in parts that are learned together.
    pub fn chapters(&self) -> Vec<Chapter> {
        let most = (self.settings.chapter_candidates / self.settings.shifts.len()).max(64);
        let of_song = |song: &PoolSong| {
            let parts = song.grains.len().div_ceil(most);
            let (first, count) = (song.grains.start, song.grains.len());
            (0..parts).map(move |part| Chapter {
                grains: first + count * part / parts..first + count * (part + 1) / parts,
            })
        };
        self.songs.iter().flat_map(of_song).collect()
    }
}

impl fmt::Display for GrainPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds: f64 = self.songs.iter().map(|song| song.duration_seconds).sum();
        write!(
            f,
            "{} grains from {} song{} ({seconds:.0} s), {} with transpositions",
            self.grains.len(),
            self.songs.len(),
            if self.songs.len() == 1 { "" } else { "s" },
            self.candidates()
        )?;
        for song in &self.songs {
            let beat =
                song.beats_per_minute.map_or("no clear beat: a fixed grid".into(), |beats| {
                    format!("{beats:.0} beats a minute")
                });
            write!(f, "\n  {}: {beat}, {} sections", song.title, song.sections.len())?;
        }
        Ok(())
    }
}

impl fmt::Debug for GrainPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GrainPool({self})")
    }
}

/// A pool while songs are added.
#[derive(Default)]
struct Building {
    songs: Vec<PoolSong>,
    skipped: Vec<String>,
    grains: Vec<Grain>,
    /// What each candidate sounds like, before the principal components are known.
    descriptions: Vec<f32>,
    width: usize,
    befores: Vec<f32>,
    ends: Vec<f32>,
    edge_width: usize,
}

impl Building {
    fn add(&mut self, source: &SongSource, settings: &GrainSettings) -> Result<()> {
        let audio = source.audio()?;
        let mel_settings = MelSettings::default();
        let mono = audio.to_mono().resample(mel_settings.sample_rate_hz)?;
        let samples = &mono.channels()[0];
        if samples.iter().any(|sample| !sample.is_finite()) {
            return Err(unusable(source, "holds samples that are not numbers; convert it anew"));
        }
        let mel = LogMel::of_samples(samples, mel_settings, 0)?;
        let loudest_db = mel.db().iter().copied().fold(LogMel::FLOOR_DB, f32::max);
        if loudest_db < SILENT_DB {
            return Err(unusable(source, "is silent: there is nothing to compose from"));
        }
        let seconds = samples.len() as f64 / f64::from(mel_settings.sample_rate_hz);
        let beats = Beats::of(&mel);
        let least = settings.least_beat_confidence;
        let song = self.songs.len();
        let mut grains = cut::cut(song, seconds, &mel, &beats, settings.grain_seconds, least);
        let has_beat = grains.first().is_some_and(|grain| grain.phase.in_beat().is_some());
        leave_out_silence(&mut grains, &mel, loudest_db);
        if grains.len() < FEWEST_GRAINS {
            let problem = format!(
                "has sound for {} grain(s) of {:.2} s; at least {FEWEST_GRAINS} are needed: take a song \
                 of 2 s or more",
                grains.len(),
                settings.grain_seconds
            );
            return Err(unusable(source, &problem));
        }
        let chroma = Chroma::of_samples(samples, ChromaSettings::default())?;
        self.describe(samples, &grains, &chroma, &mel, loudest_db, settings)?;
        let first = self.grains.len();
        self.grains.append(&mut grains);
        self.songs.push(PoolSong {
            source: source.clone(),
            title: source.title(),
            fingerprint: fingerprint(&audio),
            duration_seconds: seconds,
            sample_rate_hz: audio.sample_rate_hz(),
            channel_count: audio.channel_count(),
            beats_per_minute: has_beat.then(|| beats.per_minute()),
            grains: first..self.grains.len(),
            sections: Vec::new(),
            mel,
        });
        Ok(())
    }

    fn describe(
        &mut self,
        samples: &[f32],
        grains: &[Grain],
        chroma: &Chroma,
        mel: &LogMel,
        loudest_db: f32,
        settings: &GrainSettings,
    ) -> Result<()> {
        let shifts = &settings.shifts;
        let mels: Vec<LogMel> = shifts
            .iter()
            .map(|shift| match shift {
                0 => Ok(mel.clone()),
                shift => LogMel::of_samples(samples, mel.settings(), *shift),
            })
            .collect::<Result<_>>()?;
        for grain in grains {
            for (mel, shift) in mels.iter().zip(shifts) {
                let described = Described { mel, chroma, shift: *shift, loudest_db };
                (self.width, self.edge_width) = (described.width(), described.edge_width());
                described.description(grain, &mut self.descriptions);
                described.edge(grain.start_seconds, settings.grain_seconds, &mut self.befores);
                described.edge(grain.end_seconds, settings.grain_seconds, &mut self.ends);
            }
        }
        Ok(())
    }

    fn finish(mut self, settings: GrainSettings) -> Result<GrainPool> {
        let rows = self.descriptions.len() / self.width;
        // Transpositions come in turns: an odd step meets all of them.
        let step = (rows / FITTED_ROWS).max(1) | 1;
        let fitted: Vec<f32> =
            self.descriptions.chunks_exact(self.width).step_by(step).flatten().copied().collect();
        let components = PrincipalComponents::fit(&fitted, self.width, settings.components)?;
        let embeddings = components.project(&self.descriptions)?;
        scale_edges(&mut self.befores, &mut self.ends, self.edge_width);
        let mut pool = GrainPool {
            settings,
            songs: self.songs,
            skipped: self.skipped,
            grains: self.grains,
            embeddings,
            components,
            befores: self.befores,
            ends: self.ends,
            edge_width: self.edge_width,
        };
        pool.find_sections();
        Ok(pool)
    }
}

impl GrainPool {
    fn find_sections(&mut self) {
        let (width, weights) = (self.width(), self.weights());
        let shifts = self.settings.shifts.len();
        for song in &mut self.songs {
            let rows: Vec<f32> = song
                .grains
                .clone()
                .flat_map(|grain| {
                    let row = &self.embeddings[grain * shifts * width..][..width];
                    row.iter().zip(&weights).map(|(value, weight)| value * weight)
                })
                .collect();
            let per_second = song.grains.len() as f64 / song.duration_seconds.max(0.1);
            let reach = (SECTION_REACH_SECONDS * per_second).round() as usize;
            let shortest = (SECTION_SECONDS * per_second).round() as usize;
            let boundaries = section_boundaries(&rows, width, reach, shortest);
            let first = song.grains.start;
            song.sections =
                boundaries.windows(2).map(|pair| first + pair[0]..first + pair[1]).collect();
        }
    }
}

/// Leaves out grains in which next to nothing sounds, unless hardly any would be left.
fn leave_out_silence(grains: &mut Vec<Grain>, mel: &LogMel, loudest_db: f32) {
    let level = |grain: &Grain| {
        let row = cut::mean_rows(mel, grain.start_seconds, grain.end_seconds);
        row.into_iter().fold(LogMel::FLOOR_DB, f32::max)
    };
    let levels: Vec<f32> = grains.iter().map(level).collect();
    let is_heard = |least: f32| levels.iter().filter(|level| **level > least).count();
    let quiet = loudest_db - NEARLY_SILENT_DB;
    let least = if is_heard(quiet) >= 4 * FEWEST_GRAINS { quiet } else { SILENT_DB.min(quiet) };
    let mut levels = levels.into_iter();
    grains.retain(|_| levels.next().is_some_and(|level| level > least));
    for index in 0..grains.len() {
        let gap = match index.checked_sub(1) {
            Some(before) => grains[index].start_seconds - grains[before].end_seconds,
            None => f64::INFINITY,
        };
        grains[index].follows = gap < 1e-6;
    }
}

/// Makes 1 of the mean distance between an end and another grain's beginning.
fn scale_edges(befores: &mut [f32], ends: &mut [f32], width: usize) {
    let count = ends.len() / width;
    let distance = |a: usize, b: usize| {
        let pairs = ends[a * width..][..width].iter().zip(&befores[b * width..][..width]);
        (pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f32>() / width as f32).sqrt()
    };
    // Pairs far apart, each grain with another: a fixed, even choice.
    let pairs = count.min(2_000);
    let sum: f32 = (0..pairs)
        .map(|pair| distance(pair * count / pairs, (pair * 7_919 + count / 2) % count))
        .sum();
    let mean = sum / pairs.max(1) as f32;
    if mean > 1e-6 {
        befores.iter_mut().chain(ends).for_each(|value| *value /= mean);
    }
}
