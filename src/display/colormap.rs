//! Colour maps of spectrograms.

/// A perceptually even colour map: equal steps in value look like equal steps in brightness, also to
/// the colour-blind and in greyscale print.
///
/// Magma and Viridis are by Stéfan van der Walt and Nathaniel Smith, released as CC0 with matplotlib;
/// these tables hold every eighth of their 256 colours and are interpolated linearly between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorMap {
    /// Black, purple, orange, cream: for levels in dB.
    Magma,
    /// Purple, teal, yellow: for shares and similarities.
    Viridis,
    /// Light blue, black, orange: for numbers around zero, which is black and lies at 0.5. Both sides
    /// brighten evenly (in B. Ottosson's OKLab, 2020).
    BlueOrange,
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
            Self::BlueOrange => return two_sided(value),
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

/// Black in the middle; lightness and colourfulness grow evenly to both ends.
fn two_sided(value: f32) -> [u8; 3] {
    let value = if value.is_nan() { 0.5 } else { value.clamp(0.0, 1.0) };
    let strength = (2.0 * value - 1.0).abs();
    let hue: f32 = if value < 0.5 { 245.0 } else { 62.0 };
    let (sine, cosine) = hue.to_radians().sin_cos();
    let chroma = 0.13 * strength;
    oklab(0.12 + 0.7 * strength, chroma * cosine, chroma * sine)
}

/// A colour of OKLab in sRGB.
fn oklab(lightness: f32, a: f32, b: f32) -> [u8; 3] {
    let long = (lightness + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
    let middle = (lightness - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
    let short = (lightness - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
    [
        4.076_741_7 * long - 3.307_711_6 * middle + 0.230_969_94 * short,
        -1.268_438 * long + 2.609_757_4 * middle - 0.341_319_38 * short,
        -0.004_196_086_3 * long - 0.703_418_6 * middle + 1.707_614_7 * short,
    ]
    .map(|linear: f32| {
        let linear = linear.clamp(0.0, 1.0);
        let encoded = if linear <= 0.003_130_8 {
            12.92 * linear
        } else {
            1.055 * linear.powf(1.0 / 2.4) - 0.055
        };
        (255.0 * encoded).round() as u8
    })
}
