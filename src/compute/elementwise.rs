//! Loops over values with the widest instructions that the machine has.

use pulp::{Arch, Simd, WithSimd};

/// A loop over plain slices, to be compiled once for each instruction set.
pub trait Loop {
    /// Runs it; must be marked `#[inline(always)]`, or it is compiled for the oldest machine only.
    fn run(self);
}

struct Vectorised<L>(L);

impl<L: Loop> WithSimd for Vectorised<L> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.0.run();
    }
}

/// Runs `body` compiled for this machine.
pub fn vectorised(body: impl Loop) {
    Arch::new().dispatch(Vectorised(body));
}
