//! Events of hand-made probes in words.

use super::*;
use iotrace_format::definition::{AddressName, Constant, Success};

const TASK: u64 = 0xffff_8880_0100_0000;

/// An event of a probe with these words, after a task was named and others were made known.
struct Scene {
    definitions: Definitions,
    describer: Describer,
}

impl Scene {
    fn new(probe: Probe) -> Self {
        let mut scene = Self { definitions: Definitions::default(), describer: Describer::default() };
        scene.define(Definition::Probe(Probe { id: FIRST_PROBE, function: "f".into(), ..probe }));
        let words = [TASK, 7, 7, u64::from_le_bytes(*b"fio\0\0\0\0\0"), 0];
        scene.describer.follow(&event(event::TASK.id, &words));
        scene
    }

    fn define(&mut self, definition: Definition) {
        self.definitions.add(&definition);
        self.describer.define(&definition);
    }

    fn words(&self, words: &[u64]) -> Vec<(String, String, FieldForm)> {
        let described = self.describer.describe(&self.definitions, &event(FIRST_PROBE, words));
        described.words.into_iter().map(|w| (w.name.into_owned(), w.text.into_owned(), w.form)).collect()
    }
}

fn event(kind: KindId, words: &[u64]) -> Event<'_> {
    Event { kind, vcpu: 0, clock: 1, context: 0, task: 0, stack: 0, words }
}

fn entry(stage: &str, names: &[&str]) -> Probe {
    let roles = names.iter().map(|name| Role::of_word(name, Role::usually)).collect();
    let words = names.iter().map(|name| (*name).to_owned()).collect();
    Probe { stage: Stage::parse(stage).ok(), words, roles, ..Probe::default() }
}

fn exit(name: &str, returns: Option<ReturnType>) -> Probe {
    let success = Some(Success::Equals(0));
    Probe { at: At::Exit, words: vec![name.into()], returns, success, ..Probe::default() }
}

/// The text of one word of an entry with this stage.
fn text(stage: &str, name: &str, value: u64) -> String {
    let words = Scene::new(entry(stage, &[name])).words(&[value]);
    let [(of, text, form)] = &words[..] else { panic!("{words:?}") };
    assert_eq!(of, name);
    if *form == FieldForm::Raw { format!("raw {text}") } else { text.clone() }
}

#[test]
fn a_function_that_returns_nothing_has_no_value() {
    assert_eq!(Scene::new(exit("ret", Some(ReturnType::Void))).words(&[5]), []);
    assert_eq!(Scene::new(exit("ret", Some(ReturnType::Void))).words(&[]), []);
}

#[test]
fn what_is_returned_is_as_wide_as_its_type() {
    use ReturnType::{Bool, Pointer, S32, S64, U8, U32, U64};
    let garbage = 0xaaaa_bbbb_ffff_fffb;
    let pointer = 0xffff_8880_1234_5678;
    for (name, returns, value, expected) in [
        ("ret", Some(S32), garbage, "-5(EIO)"),
        ("ret", Some(S32), 0xf_0000_0003, "3"),
        ("ret", Some(S32), u64::MAX, "-1"),
        ("ret", Some(S64), (-529_i64).cast_unsigned(), "-529(EIOCBQUEUED)"),
        ("ret", Some(S64), 4096, "4096"),
        ("ret", Some(S64), (-5000_i64).cast_unsigned(), "-5000"),
        ("ret", Some(U32), garbage, "4294967291"),
        ("ret", Some(U64), pointer, "0xffff888012345678"),
        ("ret", Some(Bool), 0xff01, "true"),
        ("success", Some(Bool), 0xff00, "false"),
        ("rq", Some(Pointer), pointer, "0xffff888012345678"),
        ("rq", Some(Pointer), 0, "0x0"),
        ("split", Some(Pointer), (-12_i64).cast_unsigned(), "-12(ENOMEM)"),
        ("status", Some(U8), 0xaa0a, "10(IOERR)"),
        ("status", Some(S32), 1, "1"),
        // As before types were known.
        ("ret", None, 0xffff_fffb, "4294967291"),
        ("ret", None, (-5_i64).cast_unsigned(), "-5"),
        ("rq", None, 0, "0"),
    ] {
        let words = Scene::new(exit(name, returns)).words(&[value]);
        assert_eq!((&*words[0].0, &*words[0].1), (name, expected), "{returns:?}");
    }
}

#[test]
fn a_name_is_one_word() {
    let part = |text: &[u8; 8]| u64::from_le_bytes(*text);
    let names = ["file", "file.name0", "file.name1", "file.name2", "file.name3", "pos"];
    let scene = Scene::new(entry("", &names));
    let words = scene.words(&[1, part(b"writebac"), part(b"k.dat\0\0\0"), 0, 0, 9]);
    let names: Vec<_> = words.iter().map(|(name, text, _)| (name.as_str(), text.as_str())).collect();
    assert_eq!(names, [("file", "1"), ("file.name", "writeback.dat"), ("pos", "9")]);
    let scene_of_bio = Scene::new(entry("", &["bio", "bio.dev", "bio.disk0", "bio.disk1"]));
    let words = scene_of_bio.words(&[1, 8 << 20, part(b"sda\0\0\0\0\0"), 0]);
    assert_eq!(words[2], ("bio.disk".into(), "sda".into(), FieldForm::Decoded));
    // What has none prints none; a short event ends where it ends.
    assert_eq!(scene.words(&[1, 0, 0, 0, 0, 9])[1], ("file.name".into(), String::new(), FieldForm::Raw));
    assert_eq!(scene.words(&[1, part(b"longer n")])[1].1, "longer n");
}

#[test]
fn a_task_has_its_name_until_another_one_is_at_its_address() {
    let mut scene = Scene::new(entry("task.new", &["task"]));
    assert_eq!(scene.words(&[TASK])[0].1, "fio/7");
    let unknown = |at: &str| ("task".to_owned(), at.to_owned(), FieldForm::Address);
    assert_eq!(scene.words(&[0xffff_8880_0200_0000]), [unknown("0xffff888002000000")]);
    scene.describer.follow(&event(FIRST_PROBE, &[TASK]));
    assert_eq!(scene.words(&[TASK]), [unknown("0xffff888001000000")]);
}

#[test]
fn values_are_what_they_mean() {
    let s32 = |value: i32| u64::from(value.cast_unsigned());
    for (stage, name, value, expected) in [
        ("", "file.dev", 8 << 20 | 3, "8:3"),
        ("", "bio.page_dev", 8 << 20, "8:0"),
        ("", "mapping.ino", 131, "131"),
        ("", "file.flags", 0o100_002, "O_RDWR|O_LARGEFILE"),
        ("sys.openat", "regs.flags", 0o102, "O_RDWR|O_CREAT"),
        ("sys.openat", "regs.mode", 0o644, "0o644"),
        ("sys.openat", "regs.filename", 0x1000, "0x1000"),
        ("sys.openat", "regs.dfd", s32(-100), "AT_FDCWD"),
        ("sys.read", "regs.fd", 3, "3"),
        ("sys.io_submit", "nr", 3, "3"),
        ("sys.fallocate", "regs.mode", 3, "KEEP_SIZE|PUNCH_HOLE"),
        ("sys.sync_file_range", "regs.flags", 7, "WAIT_BEFORE|WRITE|WAIT_AFTER"),
        ("sys.sync_file_range", "regs.offset", 4096, "4096"),
        ("sys.sendfile64", "regs.offset", 4096, "0x1000"),
        ("", "cmd.result", 2, "CHECK_CONDITION"),
        ("", "bio.status", 10, "10(IOERR)"),
        ("", "error", s32(-5), "-5(EIO)"),
        ("", "rq.sector", u64::MAX, "none"),
        ("", "rq.tag", s32(-1), "-1"),
        ("", "state", 3, "INTERRUPTIBLE|UNINTERRUPTIBLE"),
        ("", "pci.bar1", 0xfebf_e000, "0xfebfe000"),
        // Their names are another kernel's.
        ("", "rq.flags", 0x2880, "raw 0x2880"),
        ("", "bp.flags", 1, "raw 0x1"),
        ("", "rq.flags", 0, "0"),
    ] {
        assert_eq!(text(stage, name, value), expected, "{stage} {name}");
    }
}

#[test]
fn functions_and_softirqs_are_named() {
    let mut scene = Scene::new(entry("", &["work.func", "nr"]));
    let function = AddressName { address: 9, name: "blk_mq_run_work_fn".into() };
    scene.define(Definition::Symbol(function));
    scene.define(Definition::Constant(Constant { name: "BLOCK_SOFTIRQ".into(), value: 4 }));
    let probe = scene.definitions.probes[&FIRST_PROBE].clone();
    let roles = vec![None, Some(Role::SoftirqNumber)];
    scene.define(Definition::Probe(Probe { roles, ..probe }));
    let texts: Vec<_> = scene.words(&[9, 4]).into_iter().map(|(_, text, _)| text).collect();
    assert_eq!(texts, ["blk_mq_run_work_fn", "BLOCK"]);
}
