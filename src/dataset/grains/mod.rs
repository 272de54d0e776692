//! Songs cut into grains: the notes-long pieces of sound that the grain composer puts together anew.
//!
//! A grain is about 0.2 s long and begins on a beat or a fraction of one. Each is in the pool several
//! times: as it is, and transposed; such an entry is called a candidate. Only numbers are kept, no
//! sound: candidate `c` is grain `c / shifts`, transposed by shift `c % shifts`.

mod building;
mod cut;
mod describe;
mod edges;
mod levelling;
mod onset_cut;
mod pool;
mod settings;
mod song;

pub use cut::{Grain, PHASES, Phase};
pub(crate) use levelling::gain_db;
pub use pool::{Chapter, GrainPool};
pub use settings::GrainSettings;
pub use song::PoolSong;
