//! How a copy may differ from its song: transposed, at another speed, or both.

/// A way to change a song before it is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Change {
    /// How much higher.
    pub semitones: i32,
    /// How much faster: 1 is the same.
    pub speed: f64,
}

impl Change {
    pub const NONE: Self = Self { semitones: 0, speed: 1.0 };

    /// Transpositions by up to six semitones, speeds from 0.8 to 1.25, and both at once as a tape
    /// does it.
    pub fn all() -> Vec<Self> {
        let shifts = (-6..=6).filter(|semitones| *semitones != 0);
        let speeds = (-9..=9).filter(|step| *step != 0).map(|step| 1.025f64.powi(step));
        let tape = |semitones: i32| 2f64.powf(f64::from(semitones) / 12.0);
        speeds
            .map(|speed| Self { semitones: 0, speed })
            .chain(shifts.clone().map(|semitones| Self { semitones, speed: 1.0 }))
            .chain(shifts.map(|semitones| Self { semitones, speed: tape(semitones) }))
            .collect()
    }

    /// This one, and neighbours between it and the next.
    pub fn closer(self) -> Vec<Self> {
        let steps: &[f64] =
            if self.speed == 1.0 { &[1.0] } else { &[0.988, 0.994, 1.0, 1.006, 1.012] };
        steps.iter().map(|step| Self { speed: self.speed * step, ..self }).collect()
    }
}
