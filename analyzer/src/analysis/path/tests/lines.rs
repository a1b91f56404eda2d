//! How deep lines stand, and what they say.

use super::*;
use iotrace_format::definition::{At, CallSite, Definition, ReturnType, SiteFrame};

const IN_H: u64 = 0xffff_ffff_8100_0100;
const IN_F: u64 = 0xffff_ffff_8100_0200;

/// Makes the function of a stage one that the compiler inlined into others.
fn inline(guest: &mut SyntheticGuest, stage: &str, inside: &[&str]) {
    let function = format!("{stage}_function");
    for definition in &mut guest.definitions {
        if let Definition::Probe(probe) = definition
            && probe.function == function
        {
            probe.at = At::Inlined;
            probe.inside = inside.iter().map(|name| format!("{name}_function")).collect();
        }
    }
}

fn site(guest: &mut SyntheticGuest, address: u64, functions: &[&str]) {
    let frame = |name: &&str| SiteFrame { function: format!("{name}_function"), ..frame() };
    let frames = functions.iter().map(frame).collect();
    guest.definitions.push(Definition::Site(CallSite { address, offset: 0, frames }));
}

fn frame() -> SiteFrame {
    SiteFrame { function: String::new(), file: "fs/sync.c".into(), line: 7 }
}

/// In a system call: g is inlined, in it h, which calls k; then the system call itself calls m; then n is inlined.
fn inlined() -> SyntheticGuest {
    let mut guest = SyntheticGuest::default();
    site(&mut guest, IN_H, &["h", "g", "sys_fsync"]);
    site(&mut guest, IN_F, &["sys_fsync"]);
    guest.entry(100, "sys.fsync", &[("regs.fd", 3)]);
    guest.entry(110, "g", &[]);
    guest.entry(120, "h", &[]);
    guest.entry(130, "k", &[("caller", IN_H)]);
    guest.exit(140, "k", 0);
    guest.entry(150, "m", &[("caller", IN_F)]);
    guest.exit(160, "m", 0);
    guest.entry(170, "n", &[]);
    guest.exit(200, "sys.fsync", 0);
    inline(&mut guest, "g", &["sys_fsync"]);
    inline(&mut guest, "h", &["g", "sys_fsync"]);
    inline(&mut guest, "n", &["g", "sys_fsync"]);
    guest
}

#[test]
fn what_an_inlined_function_calls_is_inside_it() {
    let path = listing(&inlined(), &Wanted::Io(1));
    let expected = [(0, "sys_fsync"), (1, "g"), (2, "h"), (3, "k"), (1, "m"), (1, "n")];
    assert_eq!(names(&path), [expected]);
    let inlined: Vec<_> = path.segments[0].lines.iter().map(|line| (line.inlined, line.instant)).collect();
    let (call, instance) = ((false, false), (true, true));
    assert_eq!(inlined, [call, instance, instance, call, call, instance]);
    assert_eq!(path.segments[0].lines[3].site, ("fs/sync.c".into(), 7));
}

// Without call sites only the functions that an inlined one is inside of are known.
#[test]
fn an_inlined_function_is_inside_those_that_the_debug_information_names() {
    let mut guest = SyntheticGuest::default();
    guest.entry(100, "sys.fsync", &[("regs.fd", 3)]);
    for (clock, stage) in [(110, "g"), (120, "h"), (130, "n"), (140, "o")] {
        guest.entry(clock, stage, &[]);
    }
    guest.exit(200, "sys.fsync", 0);
    inline(&mut guest, "g", &["sys_fsync"]);
    inline(&mut guest, "h", &["g", "sys_fsync"]);
    inline(&mut guest, "n", &["g", "sys_fsync"]);
    inline(&mut guest, "o", &[]);
    let expected = [(0, "sys_fsync"), (1, "g"), (2, "h"), (2, "n"), (1, "o")];
    assert_eq!(names(&listing(&guest, &Wanted::Io(1))), [expected]);
}

#[test]
fn words_are_those_that_the_objects_the_head_and_the_place_do_not_say() {
    let mut guest = SyntheticGuest::default();
    let name = u64::from_le_bytes(*b"test.txt");
    guest.entry(100, "sys.write", &[("regs.fd", 3), ("regs.buf", 0x7000), ("regs.count", 59)]);
    let file = [("file", 0xffff_8880_0000_7000), ("file.ino", 131), ("file.dev", 8 << 20), ("file.flags", 2)];
    let more = [("file.name0", name), ("file.name1", 0), ("iocb.flags", 4), ("iocb.pos", 10), ("data.rq", 5)];
    guest.entry(110, "vfs.write", &[&file[..], &more].concat());
    guest.entry(120, "f", &[("bio.sector", 8), ("rq.size", 512), ("rq.rq", 9), ("x.size", 7), ("caller", 1)]);
    guest.exit(130, "vfs.write", 59);
    guest.exit(140, "sys.write", 59);
    let path = listing(&guest, &Wanted::Io(1));
    let words = |at: usize| -> Vec<_> {
        let words = &path.segments[0].lines[at].words;
        words.iter().map(|(name, text)| format!("{name}={text}")).collect()
    };
    assert_eq!(words(0), ["fd=3", "count=59"]);
    assert_eq!(words(1), ["file=test.txt", "file.ino=131", "iocb.pos=10", "data.rq=5"]);
    assert_eq!(words(2), ["rq.rq=9", "x.size=7"]);
}

#[test]
fn a_line_shows_so_many_words() {
    let mut guest = SyntheticGuest::default();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
    guest.entry(100, "sys.fsync", &[("regs.fd", 3)]);
    guest.entry(110, "f", &names.map(|name| (name, 1)));
    guest.exit(140, "sys.fsync", 59);
    let path = listing(&guest, &Wanted::Io(1));
    let shown: Vec<_> = path.segments[0].lines[1].words.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(shown, names[..10]);
}

#[test]
fn what_a_call_returned_is_as_wide_as_its_type() {
    let mut guest = SyntheticGuest::default();
    let garbage = 0xaaaa_bbbb_ffff_fffb_u64;
    guest.entry(100, "sys.fsync", &[("regs.fd", 3)]);
    for (at, function) in ["g", "h", "k", "m"].into_iter().enumerate() {
        let clock = 110 + 20 * at as u64;
        guest.entry(clock, function, &[]);
        guest.exit(clock + 10, function, garbage);
    }
    guest.exit(200, "sys.fsync", 0);
    let types = [("g", ReturnType::S32), ("h", ReturnType::Void), ("k", ReturnType::Bool)];
    for definition in &mut guest.definitions {
        if let Definition::Probe(probe) = definition
            && let Some((_, returns)) =
                types.iter().find(|(name, _)| probe.function.trim_end_matches("_function") == *name)
            && probe.at == At::Exit
        {
            probe.returns = Some(*returns);
        }
    }
    let path = listing(&guest, &Wanted::Io(1));
    let returned: Vec<_> = path.segments[0].lines.iter().map(|line| line.returned.as_deref()).collect();
    let unknown = garbage.cast_signed().to_string();
    assert_eq!(returned, [Some("0"), Some("-5(EIO)"), None, Some("true"), Some(&*unknown)]);
}
