//! Choices that an input makes: a fuzzer changes what is chosen by changing a byte.

/// The bytes of an input that no choice was made of yet. Behind the last, every choice is the first.
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// All of an input.
    #[must_use]
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// Whether the last one was made.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    /// A number below `count`; 0 if that is 0.
    pub fn below(&mut self, count: usize) -> usize {
        let high = if count > 256 { usize::from(self.byte()) << 8 } else { 0 };
        (high | usize::from(self.byte())).checked_rem(count).unwrap_or(0)
    }

    /// One of them.
    pub fn one<'b, T: ?Sized>(&mut self, of: &'b [&'b T]) -> &'b T {
        of[self.below(of.len())]
    }

    /// A number: small ones, large ones, single bits, what limits are near.
    pub fn number(&mut self) -> u64 {
        let form = self.byte();
        let bytes = |choices: &mut Self, count: u32| {
            (0..count).fold(0, |number, _| number << 8 | u64::from(choices.byte()))
        };
        match form % 8 {
            0 => u64::from(form >> 3),
            1 => bytes(self, 1),
            2 => bytes(self, 2),
            3 => bytes(self, 4),
            4 => bytes(self, 8),
            5 => u64::MAX - bytes(self, 1),
            6 => 1 << (form >> 3),
            // The largest clock (columns::MAX_CLOCK), and what is near.
            _ => iotrace_format::trace::columns::MAX_CLOCK.wrapping_add(bytes(self, 1)).wrapping_sub(16),
        }
    }

    /// What is left, up to so many bytes.
    pub fn bytes(&mut self, most: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        bytes
    }
}
