//! The pool: the grains of songs in every transposition, and what each sounds like.

use super::building::Building;
use super::cut::Grain;
use super::edges::Edges;
use super::settings::GrainSettings;
use super::song::PoolSong;
#[cfg(doc)]
use crate::Error;
use crate::dataset::{Gathered, Skipped, SongSource, gather};
use crate::features::{PITCH_CLASSES, PrincipalComponents, section_boundaries};
use crate::words::counted;
use crate::{Result, interrupt};
use std::fmt;
use std::ops::Range;

/// Consecutive grains of a song that are learned together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// Which grains of the pool.
    pub grains: Range<usize>,
}

/// The grains of songs, and what each sounds like.
///
/// Nothing here is sound: 3 minutes take about 12 MB.
#[derive(Clone)]
pub struct GrainPool {
    settings: GrainSettings,
    songs: Vec<PoolSong>,
    /// Songs from the first on that pieces are made of; a guest comes after them.
    own_songs: usize,
    skipped: Vec<Skipped>,
    grains: Vec<Grain>,
    embeddings: Vec<f32>,
    components: PrincipalComponents,
    edges: Edges,
    edge_scale: f32,
}

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
        let _job = interrupt::begin()?;
        settings.check()?;
        let mut building = Building::default();
        let read = |song: &SongSource| building.add(song, &settings);
        let Gathered { skipped, .. } = gather(sources, settings.need(), progress, read)?;
        let components = building.components(settings.components)?;
        let Building { songs, grains, descriptions, mut edges, .. } = building;
        let mut pool = Self {
            own_songs: songs.len(),
            songs,
            skipped,
            grains,
            embeddings: components.project(&descriptions)?,
            components,
            edge_scale: edges.scale(),
            edges,
            settings,
        };
        pool.find_sections();
        Ok(pool)
    }

    /// How it was made.
    pub fn settings(&self) -> &GrainSettings {
        &self.settings
    }

    /// The songs in it, a guest among them.
    pub fn songs(&self) -> &[PoolSong] {
        &self.songs
    }

    /// The songs that pieces are made of.
    pub fn own_songs(&self) -> &[PoolSong] {
        &self.songs[..self.own_songs]
    }

    /// What could not be used, and why, one sentence each.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The grains, song by song, in their order; those of a guest last.
    pub fn grains(&self) -> &[Grain] {
        &self.grains
    }

    /// The song that grain `grain` is of.
    pub fn song_of(&self, grain: usize) -> &PoolSong {
        &self.songs[self.grains[grain].song]
    }

    /// How many candidates there are: every grain of the songs in every transposition.
    pub fn candidates(&self) -> usize {
        let grains = self.guest().map_or(self.grains.len(), |guest| guest.grains.start);
        grains * self.settings.shifts.len()
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
    /// candidates × [`width`](Self::width); after them what a guest's grains sound like.
    pub fn embeddings(&self) -> &[f32] {
        &self.embeddings
    }

    /// How much a difference along each component counts for the ear: less the less the songs differ
    /// along it.
    pub fn weights(&self) -> Vec<f32> {
        let deviations = self.components.deviations();
        deviations.iter().map(|deviation| deviation / deviations[0]).collect()
    }

    /// For each candidate of the songs how rough the way to it is from the end of `candidate`: how far
    /// what leads into it is from what sounds now, 1 being an ordinary distance, and how much more the
    /// spectrum changes than if the song went on; 0 for the one that follows.
    pub fn roughness(&self, candidate: usize, to: &mut Vec<f32>) {
        let next = self.next_of(candidate);
        to.clear();
        to.resize(self.candidates(), 0.0);
        self.edges.roughness(candidate, next, to);
        // Where the song goes on there is no cut, though its two sides were measured apart.
        if let Some(next) = next.filter(|next| *next < to.len()) {
            to[next] = 0.0;
        }
    }

    /// How much the spectrum of the song changes where `candidate` begins: the root mean square over
    /// semitones, in decibels.
    pub fn natural_change_db(&self, candidate: usize) -> f32 {
        self.edges.natural_change_db(candidate)
    }

    /// The median of [`natural_change_db`](Self::natural_change_db) over the grains of a song, as they
    /// are.
    pub fn usual_change_db(&self, song: usize) -> f32 {
        let grains = self.songs[song].grains.clone();
        let mut changes: Vec<f32> =
            grains.map(|grain| self.natural_change_db(self.candidate(grain, 0))).collect();
        let middle = changes.len() / 2;
        match changes.get(middle) {
            Some(_) => *changes.select_nth_unstable_by(middle, f32::total_cmp).1,
            None => 0.0,
        }
    }

    /// The notes that sound in `candidate`: a direction in the space of pitch classes.
    pub fn notes(&self, candidate: usize) -> [f32; PITCH_CLASSES] {
        self.edges.notes(candidate)
    }

    /// The same pool with a guest: a sound that is listened to, and that nothing is taken from. It is
    /// the last of [`songs`](Self::songs), its grains come after all others, and they are no
    /// candidates.
    ///
    /// # Errors
    /// What is wrong with it, when it cannot be used.
    pub fn with_guest(&self, guest: &SongSource) -> Result<Self> {
        let _job = interrupt::begin()?;
        let mut pool = self.clone();
        if let Some(earlier) = self.guest() {
            let grains = earlier.grains.start;
            let candidates = grains * self.settings.shifts.len();
            pool.songs.truncate(self.own_songs);
            pool.grains.truncate(grains);
            pool.embeddings.truncate(candidates * self.width());
            pool.edges.truncate(candidates);
        }
        let mut building = Building::after(pool.songs.len(), pool.grains.len());
        building.add(guest, &self.settings)?;
        // Described in the terms of the songs.
        pool.embeddings.extend(pool.components.project(&building.descriptions)?);
        building.edges.scale_by(pool.edge_scale);
        pool.edges.append(building.edges);
        pool.songs.extend(building.songs);
        pool.grains.extend(building.grains);
        Ok(pool)
    }

    /// The guest, if there is one.
    pub fn guest(&self) -> Option<&PoolSong> {
        self.songs.get(self.own_songs)
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
        self.own_songs().iter().flat_map(of_song).collect()
    }

    /// Finds the sections of every song.
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

impl fmt::Display for GrainPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds: f64 = self.own_songs().iter().map(|song| song.duration_seconds).sum();
        write!(
            f,
            "{} from {} ({seconds:.0} s), {} with transpositions",
            counted(self.candidates() / self.settings.shifts.len(), "grain"),
            counted(self.own_songs, "song"),
            self.candidates()
        )?;
        for song in &self.songs {
            let beat = match song.beats_per_minute.zip(song.beats_in_bar) {
                Some((beats, bar)) => format!("{beats:.0} beats a minute, {bar} to the bar"),
                None => "no clear beat: cut where something begins".into(),
            };
            write!(f, "\n  {}: {beat}, {}", song.title, counted(song.sections.len(), "section"))?;
            song.warnings.iter().try_for_each(|warning| write!(f, "\n    note: {warning}"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for GrainPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GrainPool({self})")
    }
}
