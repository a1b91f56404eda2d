//! Where a function's stack frame is, from call frame information.
//!
//! In: `.debug_frame`, an instruction's address. Out: the canonical frame address there (what
//! the stack pointer was before the call) as a register and a distance. The kernel keeps no
//! frame pointer: compilers describe what is on the stack relative to this.

use std::cell::OnceCell;

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, DebugFrame, FrameDescriptionEntry, UnwindContext, UnwindSection,
};

use iotrace_arch::{Reg, Registers};

use crate::debug::Slice;

type Described<'a> = (u64, u64, FrameDescriptionEntry<Slice<'a>>);

/// The call frame information of an image.
pub struct Frames<'a> {
    section: DebugFrame<Slice<'a>>,
    registers: &'static Registers,
    /// Where each description begins and ends, by address. Made when first asked for.
    index: OnceCell<Vec<Described<'a>>>,
}

impl<'a> Frames<'a> {
    /// Nothing is read yet.
    pub fn new(section: Slice<'a>, registers: &'static Registers) -> Self {
        let mut section = DebugFrame::from(section);
        section.set_address_size(8);
        Self { section, registers, index: OnceCell::new() }
    }

    /// The canonical frame address before the instruction at `address`.
    pub fn cfa(&self, address: u64) -> Option<(Reg, i64)> {
        let index = self.index.get_or_init(|| self.read());
        let after = index.partition_point(|(begin, ..)| *begin <= address);
        let (_, end, fde) = index.get(after.checked_sub(1)?)?;
        if address >= *end {
            return None;
        }
        let mut context = UnwindContext::new();
        let bases = BaseAddresses::default();
        let row = fde.unwind_info_for_address(&self.section, &bases, &mut context, address).ok()?;
        match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                Some((self.registers.dwarf(register.0)?, *offset))
            }
            CfaRule::Expression(_) => None,
        }
    }

    /// Damage ends the list.
    fn read(&self) -> Vec<Described<'a>> {
        let bases = BaseAddresses::default();
        let mut found = Vec::new();
        let mut entries = self.section.entries(&bases);
        while let Ok(Some(entry)) = entries.next() {
            let CieOrFde::Fde(partial) = entry else {
                continue;
            };
            let fde = partial.parse(|section, bases, offset| section.cie_from_offset(bases, offset));
            if let Ok(fde) = fde {
                let begin = fde.initial_address();
                found.push((begin, begin.saturating_add(fde.len()), fde));
            }
        }
        found.sort_by_key(|(begin, ..)| *begin);
        found
    }
}
