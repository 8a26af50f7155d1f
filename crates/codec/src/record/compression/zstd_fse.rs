//! The numbers of zstd's sequences: codes by finite state entropy, each with bits of its own behind it.
//!
//! RFC 8878, sections 3.1.1.3.2 and 4.1. Tables are small and live where they are used; nothing is
//! allocated.

use super::output::Failure;

/// States of the largest table that sequences may have.
const STATES_MAX: usize = 1 << 9;
/// Of the three kinds of numbers, one has this many codes and none has more.
const CODES_MAX: usize = 53;

/// One of the three kinds of numbers.
pub(super) struct Numbers {
    /// What a table may have at most, as a power of two.
    log_max: u32,
    /// What the format says where no table is sent along: the logarithm, and a weight for each code.
    predefined: (u32, &'static [i16]),
    codes: usize,
    /// What each code stands for: a number, and how many bits are to be added to it.
    values: &'static [(u32, u8)],
}

pub(super) const LITERAL_LENGTHS: Numbers = Numbers {
    log_max: 9,
    predefined: (
        6,
        &[
            4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1,
            1, 1, 1, -1, -1, -1, -1,
        ],
    ),
    codes: 36,
    values: &lengths::<36>(
        0,
        16,
        &[
            1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
        ],
    ),
};

pub(super) const MATCH_LENGTHS: Numbers = Numbers {
    log_max: 9,
    predefined: (
        6,
        &[
            1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
            1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
        ],
    ),
    codes: CODES_MAX,
    values: &lengths::<53>(
        3,
        32,
        &[
            1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
        ],
    ),
};

/// A code is the number of bits itself; 31 is the most that decoders have to know.
pub(super) const OFFSETS: Numbers = Numbers {
    log_max: 8,
    predefined: (
        5,
        &[
            1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1,
            -1,
        ],
    ),
    codes: 32,
    values: &powers(),
};

/// Values one by one at first, then in steps of the bits that are added.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, for which an index out of bounds is an error"
)]
const fn lengths<const CODES: usize>(first: u32, bare: usize, bits: &[u8]) -> [(u32, u8); CODES] {
    let mut values = [(0, 0); CODES];
    let (mut code, mut value) = (0, first);
    while code < CODES {
        let added = if code < bare { 0 } else { bits[code - bare] };
        values[code] = (value, added);
        value += 1 << added;
        code += 1;
    }
    values
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, for which an index out of bounds is an error"
)]
const fn powers() -> [(u32, u8); 32] {
    let mut values = [(0, 0); 32];
    let mut code = 0_u8;
    while code < 32 {
        values[code as usize] = (1 << code, code);
        code += 1;
    }
    values
}

impl Numbers {
    /// The number of a code and of the bits that come next.
    #[inline]
    pub(super) fn value(&self, code: u8, bits: &mut Backward<'_>) -> Result<usize, Failure> {
        let Some(&(base, added)) = self.values.get(usize::from(code)) else {
            return Err(Failure::malformed("a code that is not defined"));
        };
        let value = u64::from(base) + bits.take(u32::from(added))?;
        Ok(usize::try_from(value).unwrap_or(usize::MAX))
    }
}

/// What a state stands for, and which one is next.
#[derive(Clone, Copy, Default)]
pub(super) struct State {
    pub(super) code: u8,
    bits: u8,
    base: u16,
}

/// The states of one kind of numbers.
pub(super) struct Table {
    states: [State; STATES_MAX],
    /// `None` as long as there is no table. One of a single state has the logarithm 0.
    log: Option<u32>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            states: [State::default(); STATES_MAX],
            log: None,
        }
    }
}

impl Table {
    /// As at the beginning of a frame. What is in the states is not looked at until there is a table again.
    pub(super) fn clear(&mut self) {
        self.log = None;
    }

    /// Takes what the lowest two bits of `mode` say off the front.
    pub(super) fn take<'a>(
        &mut self,
        numbers: &Numbers,
        mode: u8,
        bytes: &'a [u8],
    ) -> Result<&'a [u8], Failure> {
        match mode & 3 {
            0 => {
                let (log, weights) = numbers.predefined;
                self.build(log, weights)?;
                Ok(bytes)
            }
            1 => {
                let (&code, rest) = bytes.split_first().ok_or_else(cut)?;
                if usize::from(code) >= numbers.codes {
                    return Err(Failure::malformed("a code that is not defined"));
                }
                let only = State {
                    code,
                    bits: 0,
                    base: 0,
                };
                self.states[0] = only;
                self.log = Some(0);
                Ok(rest)
            }
            2 => {
                let mut weights = Weights::default();
                let read = weights.take(numbers, bytes)?;
                self.build(
                    weights.log,
                    weights.weights.get(..weights.count).unwrap_or_default(),
                )?;
                bytes.get(read..).ok_or_else(cut)
            }
            _ if self.log.is_some() => Ok(bytes),
            _ => Err(Failure::malformed("a table that was never there")),
        }
    }

    #[inline]
    pub(super) fn start(&self, bits: &mut Backward<'_>) -> Result<State, Failure> {
        let index = bits.take(self.log.unwrap_or_default())?;
        self.state(index)
    }

    #[inline]
    pub(super) fn next(&self, state: State, bits: &mut Backward<'_>) -> Result<State, Failure> {
        let index = u64::from(state.base) + bits.take(u32::from(state.bits))?;
        self.state(index)
    }

    #[inline]
    fn state(&self, index: u64) -> Result<State, Failure> {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        self.states.get(index).copied().ok_or_else(uneven)
    }

    /// Spreads the codes over the states by their weights; -1 is a weight below 1, which has one state at
    /// the end.
    fn build(&mut self, log: u32, weights: &[i16]) -> Result<(), Failure> {
        let size = 1_usize << log;
        let states = self.states.get_mut(..size).ok_or_else(uneven)?;
        let mut next = [0_usize; CODES_MAX];
        let mut end = size;
        for ((code, weight), next) in (0_u8..).zip(weights).zip(&mut next) {
            *next = usize::from(weight.unsigned_abs());
            if *weight < 0 {
                end = end.checked_sub(1).ok_or_else(uneven)?;
                states.get_mut(end).ok_or_else(uneven)?.code = code;
            }
        }
        let step = (size >> 1) + (size >> 3) + 3;
        let mut place = 0;
        for (code, weight) in (0_u8..).zip(weights) {
            for _ in 0..*weight {
                states.get_mut(place).ok_or_else(uneven)?.code = code;
                place = (place + step) & (size - 1);
                while place >= end {
                    place = (place + step) & (size - 1);
                }
            }
        }
        for state in states {
            let next = next.get_mut(usize::from(state.code)).ok_or_else(uneven)?;
            let bits = log
                .checked_sub(next.checked_ilog2().ok_or_else(uneven)?)
                .ok_or_else(uneven)?;
            state.bits = u8::try_from(bits).map_err(|_| uneven())?;
            state.base = u16::try_from((*next << bits) - size).map_err(|_| uneven())?;
            *next += 1;
        }
        self.log = Some(log);
        Ok(())
    }
}

/// A table as it is sent along.
struct Weights {
    weights: [i16; CODES_MAX],
    count: usize,
    log: u32,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            weights: [0; CODES_MAX],
            count: 0,
            log: 0,
        }
    }
}

impl Weights {
    /// Reads them, and returns how many bytes they took.
    fn take(&mut self, numbers: &Numbers, bytes: &[u8]) -> Result<usize, Failure> {
        let mut bits = Forward { bytes, at: 0 };
        self.log = 5 + bits.take(4)?;
        if self.log > numbers.log_max {
            return Err(Failure::malformed("a table larger than its kind may have"));
        }
        let mut left = 1_u32 << self.log;
        while left > 0 {
            // A number up to `most`; the lowest ones have a bit less.
            let most = left + 1;
            let width = u32::BITS - most.leading_zeros();
            let short = (1 << width) - 1 - most;
            let mut number = bits.take(width - 1)?;
            if number >= short {
                number |= bits.take(1)? << (width - 1);
                if number >= 1 << (width - 1) {
                    number -= short;
                }
            }
            let weight = i16::try_from(number).map_err(|_| uneven())? - 1;
            *self.weights.get_mut(self.count).ok_or_else(uneven)? = weight;
            self.count += 1;
            left = left
                .checked_sub(u32::from(weight.unsigned_abs()))
                .ok_or_else(uneven)?;
            let mut zeros = if weight == 0 { 3 } else { 0 };
            while zeros == 3 {
                zeros = bits.take(2)?;
                self.count += usize::try_from(zeros).unwrap_or_default();
            }
        }
        if self.count > numbers.codes {
            return Err(uneven());
        }
        Ok(bits.at.div_ceil(8))
    }
}

/// Bits from the first on.
struct Forward<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Forward<'_> {
    /// Up to 16 bits.
    fn take(&mut self, count: u32) -> Result<u32, Failure> {
        let end = self.at + usize::try_from(count).unwrap_or(usize::MAX);
        if end > self.bytes.len() * 8 {
            return Err(cut());
        }
        let mut word = [0; 4];
        let there = self.bytes.get(self.at / 8..).unwrap_or_default();
        for (to, from) in word.iter_mut().zip(there) {
            *to = *from;
        }
        let value = (u32::from_le_bytes(word) >> (self.at % 8)) & ((1 << count) - 1);
        self.at = end;
        Ok(value)
    }
}

/// Bits from the last on: the highest set bit of the last byte only says where they begin.
pub(super) struct Backward<'a> {
    bytes: &'a [u8],
    left: usize,
}

impl<'a> Backward<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Failure> {
        let mark = bytes.last().and_then(|last| last.checked_ilog2());
        let mark = mark.ok_or_else(|| Failure::malformed("bits without a beginning"))?;
        let left = (bytes.len() - 1) * 8 + usize::try_from(mark).unwrap_or_default();
        Ok(Self { bytes, left })
    }

    /// Up to 32 bits.
    #[inline]
    fn take(&mut self, count: u32) -> Result<u64, Failure> {
        let wanted = usize::try_from(count).unwrap_or(usize::MAX);
        self.left = self.left.checked_sub(wanted).ok_or_else(cut)?;
        let from = self.left / 8;
        let word = match self.bytes.get(from..).and_then(<[u8]>::first_chunk) {
            Some(word) => u64::from_le_bytes(*word),
            None => self.last_word(from),
        };
        Ok((word >> (self.left % 8)) & ((1 << count) - 1))
    }

    #[cold]
    fn last_word(&self, from: usize) -> u64 {
        let mut word = [0; 8];
        for (to, from) in word
            .iter_mut()
            .zip(self.bytes.get(from..).unwrap_or_default())
        {
            *to = *from;
        }
        u64::from_le_bytes(word)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left == 0
    }
}

#[cold]
fn uneven() -> Failure {
    Failure::malformed("a table that does not add up")
}

#[cold]
fn cut() -> Failure {
    Failure::malformed("the bits end inside the sequences")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_for_the_numbers_of_the_format() {
        let of = |numbers: &Numbers, code: usize| numbers.values[code];
        assert_eq!(of(&LITERAL_LENGTHS, 15), (15, 0));
        assert_eq!(of(&LITERAL_LENGTHS, 20), (24, 2));
        assert_eq!(of(&LITERAL_LENGTHS, 25), (64, 6));
        assert_eq!(of(&LITERAL_LENGTHS, 35), (65_536, 16));
        assert_eq!(of(&MATCH_LENGTHS, 31), (34, 0));
        assert_eq!(of(&MATCH_LENGTHS, 42), (99, 5));
        assert_eq!(of(&MATCH_LENGTHS, 43), (131, 7));
        assert_eq!(of(&MATCH_LENGTHS, 52), (65_539, 16));
        assert_eq!(of(&OFFSETS, 31), (1 << 31, 31));
        for numbers in [&LITERAL_LENGTHS, &MATCH_LENGTHS, &OFFSETS] {
            assert_eq!(numbers.values.len(), numbers.codes);
            let (log, weights) = numbers.predefined;
            let sum: u16 = weights.iter().map(|weight| weight.unsigned_abs()).sum();
            assert_eq!(sum, 1 << log);
        }
    }
}
