//! What is attached to the instructions of made-up code.

use super::*;
use crate::qemu::fake;

#[test]
fn what_lay_in_a_module_goes_with_it() {
    let mut places = Places::default();
    let site = ProbeSite::Halt.keep();
    places.add_entry(0x1000, site);
    places.add_entry(0x3000, site);
    places.code.insert(0x1000, Range { end: 0x1010, what: () });
    assert!(at(&places.code, 0x100f).is_some() && at(&places.code, 0x1010).is_none());
    places.remove(|address| (0x1000..0x2000).contains(&address));
    assert!(at(&places.code, 0x1000).is_none());
    assert_eq!(places.entries.keys().collect::<Vec<_>>(), [&0x3000]);
}

#[test]
fn an_interrupt_returns_from_the_entry_text_or_from_a_known_label() {
    let (fixed, code) = (Fixed::new(), iotrace_arch::FIRST.code);
    let mut places = Places::default();
    places.set_entry_text(0x100..0x200);
    places.add_callers(std::iter::once(0x300..0x302));
    let mut is_return = |address| {
        matches!(
            places.by_bytes(address, &[0x48, 0xcf], true, false, code, &fixed),
            Some(Attached::Execution(ProbeSite::ExceptionReturn))
        )
    };
    assert_eq!([0x1fe, 0x200, 0x300, 0x302].map(&mut is_return), [true, false, true, false]);
}

/// With retbleed=stuff a call of the function at 0x..040 goes to 0x..036.
#[test]
fn a_call_that_goes_through_the_padding_is_one_of_the_function_behind_it() {
    let (text, mut places) = (0xffff_ffff_8100_0000_u64, Places::default());
    places.leaving.insert(text + 0x40);
    let follows = |target: u64| {
        let after = text + 0x205;
        let call = [&[0xe8][..], &(target.wrapping_sub(after) as u32).to_le_bytes()].concat();
        fake::map(text + 0x1f0, &[&[0x90; 0x10][..], &call].concat());
        places.follows_call(after, &fake::cpu(0))
    };
    assert_eq!([0x40, 0x36, 0x30, 0x50].map(|at| follows(text + at)), [true, true, false, false]);
}

#[test]
fn sites_of_devices_are_as_many_as_there_is_room_for() {
    let budget = Arc::new(Budget::new(10 * DEVICE));
    let mut places = Places::new(Arc::clone(&budget));
    let kept = (0..1000).filter(|pc| places.device_site(*pc, true).is_some()).count();
    assert_eq!((kept, budget.left_out().as_deref()), (10, Some("990 instructions that may access devices")));
    // The same instruction of a module that is loaded again has its site already.
    places.remove(|address| address < 1000);
    assert!(places.device_site(5, true).is_some() && places.device_site(5, false).is_none());
}

#[test]
fn of_too_much_code_only_the_beginning_is_looked_through() {
    let functions = [0..LOOKED_THROUGH / 2, 5..5 + LOOKED_THROUGH / 2, 9..10];
    assert_eq!(looked_through(&functions), &functions[..2]);
    assert_eq!(looked_through(&[7..u64::MAX, 0..9]), &[]);
}

// A call through a pointer, and what does nothing.
#[test]
fn a_module_with_probed_functions_may_call_them_through_pointers() {
    let (cpu, text) = (fake::cpu(0), 0xffff_ffff_c000_0000_u64);
    fake::map(text, &[[0x90; 14].as_slice(), &[0xff, 0xd0, 0x90]].concat());
    let behind = text + 16;
    let mut places = Places::default();
    assert!(!places.follows_call(behind, &cpu));
    places.add_module(text..text + 0x100);
    assert!(places.follows_call(behind, &cpu) && !places.follows_call(behind - 2, &cpu));
    places.remove(|address| (text..text + 0x100).contains(&address));
    assert!(!places.follows_call(behind, &cpu));
}
