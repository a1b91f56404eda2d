//! The seeds of the corpora: small inputs that are sound, made from guests drawn by hand, from the files of the kernel
//! crate's tests and from a few texts.

use crate::guests::guests;
use crate::kernel::{data, dwarf_of};
use crate::parts::join;
use crate::trace::QUESTIONS;
use crate::{compile, corpus};
use iotrace_kernel::testing::ElfBuilder;
use iotrace_kernel::testing::kallsyms;
use iotrace_kernel::{Bytes, Image};
use std::path::Path;

/// The files of the kernel crate's tests that are a vmlinux.
const IMAGES: [&str; 5] =
    ["kernel.elf", "returns.elf", "inlined.elf", "inlined_lto.elf", "count_in_stack.elf"];
/// Those that are modules.
const MODULES: [&str; 2] = ["module.ko", "inlined.ko"];

const CONDITIONS: [&str; 14] = [
    "1..4k",
    "4KiB",
    "10..1_000",
    "1.2ms..3ms",
    "..=17µs",
    "0.000001s..",
    "FWFS",
    "discard",
    "sys_pwrite64",
    "page_cache",
    "softirq.block",
    "task.wait.page",
    "write.calls>10%\nxfs_ilock.own<3 # a comment\nnew>0",
    "read=80us+0.3us/KiB,write=10us,flush=1ms,discard=0ns,depth=32",
];

const TRACEPOINTS: [&str; 2] = [
    "# tracer: nop\n  loop-write-85  [000] .....  3.123456: block_bio_queue: 8,0 WS 1234 + 8 [loop-write]\n \
     sh-1 [000] d..2. 3.2: block_rq_issue: 8,0 WS 4096 () 1234 + 8 none,0,0 [kworker/0:1]\n \
     x-1 [000] d.h1. 3.3: block_rq_complete: 8,0 WS () 1234 + 8 [0]\n",
    "# tracer: function_graph\n# traced: vfs_write\n# CPU  TASK/PID     DURATION       FUNCTION CALLS\n \
     0)  init-1     |               |  vfs_write() {\n \
     0)  init-1     |   2.764 us    |    xfs_ilock [xfs]();\n \
     0)  init-1     |               |    /* block_plug: [dd] */\n \
     0)  init-1     | + 13.536 us   |  } /* vfs_write */\n \
     ------------------------------------------\n \
     0)  init-1     =>  sh-120\n",
];

const CATALOG: &str = r#"
arch = "ARCH"
constants = ["REQ_OP_WRITE"]
callers = ["blk_mq_end_request"]

[[object]]
name = "bio"
type = "bio"
fields = { sector = "bi_iter.bi_sector", dev = ["bi_bdev->bd_dev", "bi_disk->major"] }

[[function]]
name = "submit_bio_noacct"
aliases = ["generic_make_request"]
layer = "block"
stage = "bio.enter"
args = ["bio:bio"]
reads = ["bio.sector"]

[[function]]
name = "blk_mq_dispatch_rq_list"
layer = "block"
label = "dispatch"
args = ["-", "list"]
exit = true
ret = "queued"
success = ["1"]

[[device]]
name = "lsi53c895a"
vendor = 0x1000
device = 0x12
registers = [{ name = "ISTAT", bar = 1, offset = 0x14, width = 1, doorbell = true, mask = 0x20 }]

[[mmio]]
functions = ["iowrite8"]
record = true
"#;

/// Writes all seeds into the corpora.
///
/// # Errors
/// Those of the file system.
pub fn write() -> std::io::Result<()> {
    for (target, name, bytes) in all() {
        let folder = corpus().join(target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(format!("seed-{name}")), bytes)?;
    }
    Ok(())
}

/// All seeds: the target, a name, the bytes.
#[must_use]
pub fn all() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut seeds = Vec::new();
    let mut add = |target, name: String, bytes: Vec<u8>| seeds.push((target, name, bytes));
    for question in 0..QUESTIONS as u8 {
        let guest = &guests()[usize::from(question) % guests().len()];
        add("trace", question.to_string(), [&[question], &guest.file()[..]].concat());
        let changes = [question, question / 2, 0, 1, 3, 9, 4, 1, 200, 0, 2, 7, 1, 1, 5, 6, 3, 3, 13, 30];
        add("semantic", question.to_string(), changes.into());
        add("index", question.to_string(), [&[question, question], &changes[..]].concat());
    }
    add("profile", "small".into(), [&[1], &compile::seed().plain().expect("it encodes")[..]].concat());
    add("catalog", "small".into(), CATALOG.replace("ARCH", iotrace_arch::FIRST.name).into());
    for (at, text) in CONDITIONS.iter().enumerate() {
        add("conditions", at.to_string(), text.as_bytes().into());
    }
    for (at, text) in TRACEPOINTS.iter().enumerate() {
        add("tracepoints", at.to_string(), text.as_bytes().into());
    }
    images(&mut add);
    seeds
}

/// Inlined functions within each other, more than a stack has room for.
fn nested() -> Vec<u8> {
    /// DW_TAG_compile_unit, DW_TAG_subprogram of 64 bytes from 0x1000, DW_TAG_inlined_subroutine; with children.
    const ABBREVIATIONS: &[u8] =
        &[1, 0x11, 1, 0x11, 1, 0x12, 0x0b, 0, 0, 2, 0x2e, 1, 0x11, 1, 0x12, 0x0b, 0, 0, 3, 0x1d, 1, 0, 0, 0];
    let address = 0x1000_u64.to_le_bytes();
    let mut body = [&[4, 0, 0, 0, 0, 0, 8][..], &[1], &address, &[64], &[2], &address, &[64]].concat();
    body.resize(body.len() + 20_000, 3);
    let info = [&(body.len() as u32).to_le_bytes()[..], &body].concat();
    join([&[0][..], &info, ABBREVIATIONS])
}

fn images(add: &mut impl FnMut(&'static str, String, Vec<u8>)) {
    for name in IMAGES {
        add("elf", name.into(), data(name));
        add("compile", name.into(), compile::compile_of(name, MODULES[0]));
    }
    for name in IMAGES.into_iter().chain(MODULES) {
        let image = Image::parse(Path::new(name), Bytes::from(data(name))).expect("it is sound");
        add("dwarf", name.into(), dwarf_of(&image));
    }
    add("dwarf", "nested".into(), nested());
    for name in MODULES {
        add("module", name.into(), data(name));
    }
    let types = |name: &str| {
        let image = Image::parse(Path::new(name), Bytes::from(data(name))).expect("it is sound");
        image.section_data(".BTF").unwrap_or_default().to_vec()
    };
    add("btf", "kernel".into(), join([&types("kernel.elf")[..]]));
    add("btf", "module".into(), join([&types("kernel.elf")[..], &types("module.ko")]));
    for (at, layout) in kallsyms::ALL.into_iter().enumerate() {
        add("kallsyms", at.to_string(), kallsyms::write(layout));
    }
    let none = ElfBuilder::executable().loaded(".text", 0x1000, vec![0x90; 16]).build();
    add("elf", "no-symbols".into(), none);
    // Documentation/arch, "The Linux Boot Protocol": a boot image is refused with advice.
    add("elf", "boot-image".into(), [&[0; 0x202][..], b"HdrS"].concat());
}
