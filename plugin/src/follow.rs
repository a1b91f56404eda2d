//! Reads what the profile describes from guest memory, when a probe is hit: no names, no look-ups, no allocation.
//!
//! In: an access, an object's address, the vCPU whose memory is read. Out: the value.

use crate::qemu::Cpu;
use iotrace_profile::plan::ValueAccess;

/// The value of an access from an object's address; none if a pointer leads nowhere.
pub fn follow(access: &ValueAccess, object: u64, cpu: &Cpu) -> Option<u64> {
    let mut address = object;
    for step in &access.steps {
        address = cpu.number(address.wrapping_add_signed(*step), 8)?;
    }
    let address = address.wrapping_add_signed(access.offset);
    match access.width {
        0 => Some(address),
        width => Some(access.decode(cpu.number(address, width)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qemu::fake;

    #[test]
    fn pointers_are_followed_to_a_value_or_nowhere() {
        let [object, next] = [0xffff_8880_0700_0000_u64, 0xffff_8880_0700_1000];
        let cpu = fake::cpu(0);
        fake::map(object, &[[0; 8], next.to_le_bytes()].concat());
        fake::map(next, &[0x34, 0x92, 0xff, 0xff]);
        let value = ValueAccess { steps: vec![8], offset: 0, width: 2, ..ValueAccess::default() };
        assert_eq!(follow(&value, object, &cpu), Some(0x9234));
        let signed = ValueAccess { signed: true, ..value.clone() };
        assert_eq!(follow(&signed, object, &cpu), Some(0xffff_ffff_ffff_9234));
        let bits = ValueAccess { bits: Some((4, 8)), ..value.clone() };
        assert_eq!(follow(&bits, object, &cpu), Some(0x23));
        // The container of a member, and a member's address: nothing is loaded at the end.
        let address = ValueAccess { offset: -0x10, width: 0, ..value.clone() };
        assert_eq!(follow(&address, object, &cpu), Some(next - 0x10));
        assert_eq!(follow(&value, object + 0x10_0000, &cpu), None);
        let far = ValueAccess { offset: 0x10_0000, ..value };
        assert_eq!(follow(&far, object, &cpu), None);
    }
}
