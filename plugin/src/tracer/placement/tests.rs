//! Addresses, and modules that overlap.

use super::*;
use crate::qemu::heap;
use iotrace_kernel::SymbolKind;

fn symbol(name: &str, addr: u64, size: u64, kind: SymbolKind) -> KernelSymbol<'_> {
    KernelSymbol { name, addr, size, kind }
}

/// The function and the offset that a return address is named by.
fn site(placement: &mut Placement, profile: &Profile, address: u64) -> (String, u64) {
    let site = placement.new_site(profile, address);
    let Some(Definition::Site(site)) = site else { panic!("{site:?}") };
    (site.frames[0].function.clone(), site.offset)
}

#[test]
fn a_return_to_the_guests_own_tracing_is_named_by_it() {
    let symbols = SymbolTable::new([
        symbol("ftrace_regs_caller_end", 0x1000, 0x10, SymbolKind::Other),
        symbol("return_to_handler", 0x1010, 0x10, SymbolKind::Other),
    ]);
    let profile = Profile { symbols, ..Profile::default() };
    let mut placement = Placement { slide: 0x20_0000, ..Placement::default() };
    assert_eq!(site(&mut placement, &profile, 0x20_1010), ("return_to_handler".to_owned(), 0));
    assert_eq!(placement.new_site(&profile, 0x20_1010), None);
}

#[test]
fn a_call_at_the_end_of_a_function_is_in_it() {
    let symbols = SymbolTable::new([
        symbol("f", 0x1000, 0x0b, SymbolKind::Function),
        symbol("g", 0x1010, 0x10, SymbolKind::Function),
    ]);
    let profile = Profile { symbols, ..Profile::default() };
    let mut placement = Placement::default();
    assert_eq!(site(&mut placement, &profile, 0x100b), ("f".to_owned(), 0x0b));
}

#[test]
fn a_function_without_a_size_does_not_reach_into_another_module() {
    let module = |id, name: &str, start: u64, size: u64| {
        let module = Module { id, name: name.to_owned(), text: (start, start + size), probes: 0 };
        let functions = SymbolTable::new([symbol(name, start, size, SymbolKind::Function)]);
        Loaded { module, functions, kept: 0 }
    };
    let modules = vec![module(0, "higher", 0x3000, 0x100), module(1, "lower", 0x1000, 0)];
    let mut placement = Placement { modules, ..Placement::default() };
    assert_eq!(site(&mut placement, &Profile::default(), 0x3010), ("higher".to_owned(), 0x10));
}

/// A profile with one function over all addresses from `start` on.
fn everywhere(start: u64, size: u64) -> Profile {
    Profile {
        symbols: SymbolTable::new([symbol("f", start, size, SymbolKind::Function)]),
        ..Profile::default()
    }
}

#[test]
fn addresses_are_defined_as_long_as_there_is_room() {
    let budget = Arc::new(Budget::new(2 * ADDRESS));
    let mut placement = Placement::new(Arc::clone(&budget));
    for address in [0x1000, 0x2000, 0x2000, 0x3000] {
        placement.new_symbol(&everywhere(address, 0x10), address);
        placement.new_site(&everywhere(address, 0x10), address);
    }
    assert_eq!((placement.named.len(), placement.told.len()), (1, 1));
    assert_eq!(budget.left_out().as_deref(), Some("6 names of addresses"));
}

/// A guest that calls from more places than can be defined, and from as many that are nowhere.
#[test]
fn return_addresses_are_bounded() {
    let budget = Arc::new(Budget::default());
    let mut placement = Placement::new(Arc::clone(&budget));
    let profile = everywhere(0x1000, 16 << 20);
    let (grown, peak) = heap::growth(|| {
        for address in 0..2 * ADDRESSES as u64 {
            placement.new_site(&profile, 0x1000 + address);
            placement.new_site(&profile, 1 << 40 | address << 8);
        }
    });
    assert_eq!((placement.told.len(), placement.named.len()), (ADDRESSES, 0));
    assert!(grown < 6 << 20 && peak < 12 << 20, "{grown} bytes more, {peak} at most");
    assert_eq!(budget.left_out(), Some(format!("{ADDRESSES} names of addresses")));
}

/// A module that says that it reaches over the image and over another module takes nothing of theirs with it.
#[test]
fn what_a_module_reaches_over_stays_when_it_is_unloaded() {
    let module = |name: &str, text| {
        let module = Module { id: 0, name: name.to_owned(), text, probes: 0 };
        Loaded { module, functions: SymbolTable::default(), kept: 0 }
    };
    let modules = vec![module("small", (0x3000, 0x3100)), module("large", (0, 0x10000))];
    let budget = Arc::new(Budget::default());
    assert!(budget.take(Kept::Module, 2 * MODULE));
    let mut placement = Placement { modules, image: 0x1000..0x2000, budget, ..Placement::default() };
    let (mut places, site) = (Places::default(), ProbeSite::Halt.keep());
    for address in [0x1800, 0x3010, 0x5000] {
        places.add_entry(address, site);
        placement.placed.insert(address);
    }
    placement.remove_module("large", &mut places);
    let left = |address: &u64| placement.placed.contains(address);
    assert_eq!([0x1800, 0x3010, 0x5000].map(|address| left(&address)), [true, true, false]);
    assert_eq!([0x1800, 0x3010, 0x5000].map(|address| places.has_entry(address)), [true, true, false]);
    placement.remove_module("small", &mut places);
    assert!(!places.has_entry(0x3010) && places.has_entry(0x1800));
}
