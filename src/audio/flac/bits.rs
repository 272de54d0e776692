//! Bits in a row, and the checksums over them.

/// Bits, the most significant first.
#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    pending: u64,
    pending_bits: u32,
}

impl BitWriter {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// The lowest `width` bits of `value`; the others have to be zero.
    pub(super) fn put(&mut self, value: u64, width: u32) {
        if width > 32 {
            self.put(value >> 32, width - 32);
            return self.put(value & 0xffff_ffff, 32);
        }
        self.pending = (self.pending << width) | value;
        self.pending_bits += width;
        if self.pending_bits >= 32 {
            self.pending_bits -= 32;
            let word = (self.pending >> self.pending_bits) as u32;
            self.bytes.extend_from_slice(&word.to_be_bytes());
            self.pending &= (1 << self.pending_bits) - 1;
        }
    }

    pub(super) fn put_signed(&mut self, value: i32, width: u32) {
        self.put(value as u64 & ((1 << width) - 1), width);
    }

    /// So many zeros and a one, then the lowest `width` bits of `value`.
    pub(super) fn put_rice(&mut self, zeros: u32, value: u32, width: u32) {
        let low = u64::from(value) & ((1 << width) - 1);
        if zeros + 1 + width <= 32 {
            return self.put(1 << width | low, zeros + 1 + width);
        }
        for _ in 0..zeros / 32 {
            self.put(0, 32);
        }
        self.put(1, zeros % 32 + 1);
        self.put(low, width);
    }

    /// Zeros up to the next byte.
    pub(super) fn align(&mut self) {
        self.put(0, (8 - self.pending_bits % 8) % 8);
        while self.pending_bits > 0 {
            self.pending_bits -= 8;
            self.bytes.push((self.pending >> self.pending_bits) as u8);
        }
        self.pending = 0;
    }

    /// What there is, up to the next byte.
    pub(super) fn bytes(&mut self) -> &[u8] {
        self.align();
        &self.bytes
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.align();
        self.bytes
    }
}

pub(super) fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |c, _| if c & 0x80 != 0 { (c << 1) ^ 0x07 } else { c << 1 })
    })
}

const CRC16: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 != 0 { (crc << 1) ^ 0x8005 } else { crc << 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

pub(super) fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| (crc << 8) ^ CRC16[usize::from((crc >> 8) as u8 ^ byte)])
}
