/// A perceptually even colour map: equal steps in value look like equal steps in brightness, also to
/// the colour-blind and in greyscale print.
///
/// Both maps are by Stéfan van der Walt and Nathaniel Smith, released as CC0 with matplotlib; these
/// tables hold every eighth of their 256 colours and are interpolated linearly between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorMap {
    /// Black, purple, orange, cream: for levels in dB.
    Magma,
    /// Purple, teal, yellow: for shares and similarities.
    Viridis,
}

#[rustfmt::skip]
const MAGMA: [u32; 33] = [
    0x000004, 0x030312, 0x0a0822, 0x130d34, 0x1d1147, 0x29115a, 0x36106b, 0x440f76, 0x51127c,
    0x5d177f, 0x6a1c81, 0x762181, 0x832681, 0x902a81, 0x9c2e7f, 0xaa337d, 0xb73779, 0xc43c75,
    0xd0416f, 0xdc4869, 0xe75263, 0xef5d5e, 0xf56b5c, 0xf9795d, 0xfc8961, 0xfd9869, 0xfea772,
    0xfeb67c, 0xfec488, 0xfed395, 0xfde2a3, 0xfcf0b2, 0xfcfdbf,
];
#[rustfmt::skip]
const VIRIDIS: [u32; 33] = [
    0x440154, 0x470d60, 0x48186a, 0x482374, 0x472d7b, 0x453781, 0x424086, 0x3e4989, 0x3b528b,
    0x375b8d, 0x33638d, 0x2f6b8e, 0x2c728e, 0x297a8e, 0x26828e, 0x23898e, 0x21918c, 0x1f988b,
    0x1fa088, 0x22a785, 0x28ae80, 0x32b67a, 0x3fbc73, 0x4ec36b, 0x5ec962, 0x70cf57, 0x84d44b,
    0x98d83e, 0xaddc30, 0xc2df23, 0xd8e219, 0xece51b, 0xfde725,
];

impl ColorMap {
    /// Red, green, blue for a value from 0 to 1; what lies outside (or is NaN) takes the nearer end
    /// (the low end).
    pub fn rgb(self, value: f32) -> [u8; 3] {
        let table = match self {
            Self::Magma => &MAGMA,
            Self::Viridis => &VIRIDIS,
        };
        let steps = (table.len() - 1) as f32;
        let position = if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) * steps };
        let below = (position as usize).min(table.len() - 2);
        let share = position - below as f32;
        let [low, high] = [table[below], table[below + 1]].map(|c| c.to_be_bytes());
        [1, 2, 3].map(|i| {
            (f32::from(low[i]) + share * (f32::from(high[i]) - f32::from(low[i]))).round() as u8
        })
    }
}
