//! Registers by number: general ones have DWARF's, others come behind them.

/// A register of an architecture: its place among [`Registers::names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reg(u8);

impl Reg {
    /// By its place.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        Self(number)
    }

    /// Its place; of a general register its DWARF number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// The registers that are read, and what they are for.
#[derive(Debug, Clone)]
pub struct Registers {
    /// gdb's names: of the general registers by their DWARF numbers, then of the others.
    pub names: &'static [&'static str],
    /// Of each general register, its place in the array that QEMU has for them.
    pub in_qemu: &'static [u8],
    /// The stack pointer.
    pub stack: Reg,
    /// What a function returns.
    pub result: Reg,
    /// A function's arguments.
    pub arguments: &'static [Reg],
    /// Base of the per-CPU data while in the kernel; no general register.
    pub per_cpu: Reg,
    /// Bytes that a return takes from the stack.
    pub return_slot: u64,
}

impl Registers {
    /// How many general registers there are.
    #[must_use]
    pub const fn general(&self) -> usize {
        self.in_qemu.len()
    }

    /// The general register with this DWARF number.
    #[must_use]
    pub fn dwarf(&self, number: u16) -> Option<Reg> {
        u8::try_from(number).ok().filter(|number| usize::from(*number) < self.general()).map(Reg)
    }

    /// A register's name in small letters.
    #[must_use]
    pub fn name(&self, register: Reg) -> Option<&'static str> {
        self.names.get(usize::from(register.0)).copied()
    }

    /// The register of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Reg> {
        let place = self.names.iter().position(|other| *other == name)?;
        u8::try_from(place).ok().map(Reg)
    }
}
