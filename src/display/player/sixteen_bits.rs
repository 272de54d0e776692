//! Samples as whole numbers of 16 bits.

/// The samples as FLAC frames have them.
pub(super) fn in_16_bits(samples: &[f32]) -> Vec<i32> {
    samples.iter().copied().map(to_16_bits).collect()
}

/// The nearest of the numbers with 16 bits; 0 for what is not a number.
pub(super) fn to_16_bits(sample: f32) -> i32 {
    // The conversion cuts off decimals and takes NaN for 0.
    let scaled = sample * 32_768.0;
    ((scaled + 0.5f32.copysign(scaled)) as i32).clamp(-32_768, 32_767)
}
