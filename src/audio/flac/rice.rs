//! Partitioned Rice codes: each part of a block with the parameter that suits it.

use super::bits::BitWriter;

pub(super) struct Rice {
    partition_order: u32,
    parameters: Vec<u32>,
    /// What it takes, in bits.
    pub(super) bits: u64,
}

/// From this parameter on parameters have five bits instead of four.
const WIDE: u32 = 15;
const HIGHEST_PARAMETER: u32 = 30;
const HIGHEST_PARTITION_ORDER: u32 = 5;

impl Rice {
    pub(super) fn best(residual: &[i32], order: usize) -> Self {
        let length = residual.len() + order;
        let finest = (0..=HIGHEST_PARTITION_ORDER)
            .rev()
            .find(|p| length.is_multiple_of(1 << p) && (length >> p) > order)
            .unwrap_or(0);
        let mut sums: Vec<(usize, u64)> = Self::parts(residual, order, finest)
            .map(|part| (part.len(), part.iter().map(|r| u64::from(zigzag(*r))).sum()))
            .collect();
        let mut best = Self::with_sums(&sums, finest);
        for partition_order in (0..finest).rev() {
            sums = sums.chunks(2).map(|two| (two[0].0 + two[1].0, two[0].1 + two[1].1)).collect();
            let coarser = Self::with_sums(&sums, partition_order);
            if coarser.bits < best.bits {
                best = coarser;
            }
        }
        best
    }

    /// From each part's length and the sum of its values.
    fn with_sums(sums: &[(usize, u64)], partition_order: u32) -> Self {
        let mut rice = Self { partition_order, parameters: vec![], bits: 6 };
        for (length, sum) in sums {
            let length = *length as u64;
            let mean = sum / length.max(1);
            let guess = mean.max(1).ilog2().min(HIGHEST_PARAMETER);
            // The sum shifted is the length of the unary parts to within one bit a sample.
            let cost = |parameter: u32| length * u64::from(parameter + 1) + (sum >> parameter);
            let lower = guess.saturating_sub(1);
            let parameter = (lower..=guess).min_by_key(|p| cost(*p)).unwrap_or(guess);
            rice.bits += 4 + cost(parameter);
            rice.parameters.push(parameter);
        }
        rice.bits += u64::from(rice.is_wide()) * rice.parameters.len() as u64;
        rice
    }

    fn is_wide(&self) -> bool {
        self.parameters.iter().any(|parameter| *parameter >= WIDE)
    }

    fn parts(residual: &[i32], order: usize, partition_order: u32) -> impl Iterator<Item = &[i32]> {
        let size = (residual.len() + order) >> partition_order;
        (0..1usize << partition_order).map(move |part| {
            let start = (part * size).saturating_sub(order);
            &residual[start..(part + 1) * size - order]
        })
    }

    pub(super) fn write(&self, bits: &mut BitWriter, residual: &[i32], order: usize) {
        let is_wide = self.is_wide();
        bits.put(u64::from(is_wide), 2);
        bits.put(u64::from(self.partition_order), 4);
        let parts = Self::parts(residual, order, self.partition_order);
        for (part, parameter) in parts.zip(&self.parameters) {
            bits.put(u64::from(*parameter), 4 + u32::from(is_wide));
            for value in part {
                let value = zigzag(*value);
                bits.put_rice(value >> parameter, value, *parameter);
            }
        }
    }
}

/// 0, −1, 1, −2, 2 as 0, 1, 2, 3, 4.
fn zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}
