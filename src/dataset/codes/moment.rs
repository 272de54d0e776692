//! Where in beat, bar and song a block lies, and the numbers that tell a network so.

/// Numbers that tell where in beat and bar a block lies, and where in the song.
const BAR_WIDTH: usize = 6;
const COURSE_WIDTH: usize = 4;

/// A place in beat and bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BarPlace {
    /// Beats since the first bar began; bars begin at multiples of [`beats_in_bar`](Self::beats_in_bar).
    pub beat: f32,
    /// The metre.
    pub beats_in_bar: usize,
}

impl BarPlace {
    /// The place `beats` later.
    #[must_use]
    pub fn later(self, beats: f32) -> Self {
        Self { beat: self.beat + beats, ..self }
    }

    /// Circles of a beat, half a bar and a bar.
    fn circles(self) -> [f32; BAR_WIDTH] {
        let bar = self.beats_in_bar as f32;
        let circle = |beats: f32| (self.beat / beats * std::f32::consts::TAU).sin_cos();
        let (beat, half, bar) = (circle(1.0), circle(bar / 2.0), circle(bar));
        [beat.0, beat.1, half.0, half.1, bar.0, bar.1]
    }
}

/// Where a block lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// In beat and bar; nothing where there is no clear beat.
    pub bar: Option<BarPlace>,
    /// In the song's course, from 0 at its beginning to 1 at its end.
    pub course: f32,
}

impl Moment {
    /// How many numbers tell it, and how many do in models from before there was a course.
    pub(crate) const WIDTHS: [usize; 2] = [BAR_WIDTH + COURSE_WIDTH, BAR_WIDTH];

    /// The moment `beats` later, with so much more of the course behind it, and never beyond its end.
    #[must_use]
    pub fn later(self, beats: f32, course: f32) -> Self {
        Self {
            bar: self.bar.map(|place| place.later(beats)),
            course: (self.course + course).clamp(0.0, 1.0),
        }
    }

    /// Adds an input row of `width` numbers: a block, and where the next one lies.
    pub(crate) fn add_row(self, block: &[f32], width: usize, to: &mut Vec<f32>) {
        to.extend_from_slice(block);
        to.extend(self.numbers().take(width.saturating_sub(block.len())));
    }

    /// Circles of beat and bar (zeros without a beat), then waves of half the song, a whole one and so on.
    fn numbers(self) -> impl Iterator<Item = f32> {
        let circles = self.bar.map_or([0.0; BAR_WIDTH], BarPlace::circles);
        let half_turn = self.course * std::f32::consts::PI;
        let waves = (1..=COURSE_WIDTH).map(move |wave| (wave as f32 * half_turn).cos());
        circles.into_iter().chain(waves)
    }
}
