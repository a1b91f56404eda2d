//! The traces that targets begin with: small guests, as definitions and events.

use iotrace_format::definition::{CallSite, Definition, Module, SiteFrame};
use iotrace_format::event::{BIO_PAGES, EXCEPTION_RETURN, INTERRUPT, MODULE_LOAD, MODULE_UNLOAD};
use iotrace_synthetic_guest::{
    SyntheticGuest, TASK, buffered, changed_write, direct_write, failing, reused, small,
};
use std::sync::OnceLock;

/// The guests, the smallest first.
pub fn guests() -> &'static [SyntheticGuest] {
    static GUESTS: OnceLock<Vec<SyntheticGuest>> = OnceLock::new();
    GUESTS.get_or_init(|| {
        vec![tiny(), small(), buffered(), failing(), reused(), direct_write(), changed_write(), builtins()]
    })
}

/// A few events.
fn tiny() -> SyntheticGuest {
    let mut guest = SyntheticGuest::default();
    for clock in 10..40 {
        guest.entry(clock, "hw.run", &[("hw", clock << 3)]);
    }
    guest
}

/// Events of the types that the others have not.
fn builtins() -> SyntheticGuest {
    let mut guest = small();
    let module = Module {
        id: 0,
        name: "sym53c8xx".into(),
        text: (0xffff_ffff_c000_0000, 0xffff_ffff_c000_8000),
        probes: 3,
    };
    let frame = SiteFrame { function: "submit_bio".into(), file: "block/blk-core.c".into(), line: 7 };
    let site = CallSite { address: 0xffff_ffff_8100_0040, offset: 0x40, frames: vec![frame] };
    guest.definitions.extend([Definition::Module(module), Definition::Site(site)]);
    guest.raw(1900, MODULE_LOAD.id, &[0]);
    guest.raw(1910, INTERRUPT.id, &[0x1000, 0x2000]);
    guest.raw(1920, EXCEPTION_RETURN.id, &[0x1000]);
    guest.raw(1930, BIO_PAGES.id, &[0xb1, 8 << 20, 131, 0, 4096, 1]);
    guest.entry(1940, "task.new", &[("task", TASK)]);
    guest.raw(1950, MODULE_UNLOAD.id, &[0]);
    guest
}
