//! Words of a processor belong into `schemas/arch`: the rest of the workspace's Rust code has none.

use super::{read, sources};

/// Words that are a processor's, in small letters: on their own, or in a name between underscores.
const WORDS: &[&str] = &[
    "iret",
    "iretq",
    "cpuid",
    "hlt",
    "retpoline",
    "lfence",
    "swapgs",
    "sysret",
    "rdtsc",
    "endbr64",
    "rip",
    "eip",
    "gs",
    "gsbase",
    "rflags",
    "eflags",
    "cr0",
    "cr2",
    "cr3",
    "cr4",
    "msr",
    "ia32",
    "i386",
    "rex",
    "modrm",
    "rax",
    "rbx",
    "rcx",
    "rdx",
    "rsi",
    "rdi",
    "rsp",
    "rbp",
    "eax",
    "ebx",
    "ecx",
    "edx",
    "esi",
    "edi",
    "esp",
    "ebp",
    "r8",
    "r9",
    "r10",
    "r11",
    "r12",
    "r13",
    "r14",
    "r15",
];

/// Parts of words that are a processor's, in small letters.
const PARTS: &[&str] = &["x86", "x64", "start_kernel_map", "fs_base", "cpuid"];

/// The crate that has them.
const CRATE: &str = "schemas/arch";

/// Files that have some, and why.
const ALLOWED: &[(&str, &str)] = &[
    ("tests/tidy/words.rs", "the words themselves"),
    ("schemas/kernel/src/inlined/tests.rs", "registers that are in the DWARF of a compiled file"),
    ("schemas/kernel/src/source_line.rs", "a path in the kernel's tree"),
    ("schemas/kernel/src/kallsyms/addresses.rs", "a form of kallsyms that one architecture has"),
];

/// The words of a processor in a text, each with its line.
fn words_in(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for word in
            line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
        {
            let small = word.to_ascii_lowercase();
            let mut pieces = word.split('_').chain(humps(word)).map(str::to_ascii_lowercase);
            if PARTS.iter().any(|part| small.contains(part))
                || pieces.any(|piece| WORDS.contains(&piece.as_str()))
            {
                found.push((number, word.to_owned()));
            }
        }
    }
    found
}

/// The parts of a name that each begin with a large letter.
fn humps(word: &str) -> impl Iterator<Item = &str> {
    let begins = |at: usize| word.as_bytes().get(at).is_none_or(u8::is_ascii_uppercase);
    let mut from = 0;
    (1..=word.len()).filter(move |at| begins(*at)).map(move |to| &word[std::mem::replace(&mut from, to)..to])
}

#[test]
fn only_one_crate_has_words_of_a_processor() {
    let (mut wrong, mut used) = (String::new(), Vec::new());
    for file in sources().iter().filter(|file| !file.starts_with(CRATE)) {
        let found = words_in(&read(file));
        match ALLOWED.iter().position(|(allowed, _)| file.ends_with(allowed)) {
            Some(allowed) if !found.is_empty() => used.push(allowed),
            Some(_) => {}
            None => {
                let line = |(number, word): (usize, String)| format!("{}:{number}: {word}\n", file.display());
                wrong.extend(found.into_iter().map(line));
            }
        }
    }
    assert!(wrong.is_empty(), "words of a processor outside of {CRATE}:\n{wrong}");
    let needless = (0..ALLOWED.len()).filter(|at| !used.contains(at)).map(|at| ALLOWED[at].0);
    assert_eq!(Vec::from_iter(needless), [""; 0], "these have none");
}

#[test]
fn words_of_a_processor_are_found_wherever_they_are_in_a_name() {
    for (text, expected) in [
        ("/// IRET of the kernel", &["IRET"][..]),
        ("Site::Iret => iret(gs_base)", &["Iret", "iret", "gs_base"]),
        ("cpu.register(Register::RSP)", &["RSP"]),
        ("fn from_rax() {}", &["from_rax"]),
        ("struct SavedRsp;", &["SavedRsp"]),
        ("\"qemu-system-x86_64\"", &["x86_64"]),
        ("\"__x64_sys_read\", KernelX86", &["__x64_sys_read", "KernelX86"]),
        ("let ripple = stripe + rexes + interrupt + R16;", &[]),
        ("the kernel returns; the parameter is in a register", &[]),
    ] {
        let found: Vec<_> = words_in(text).into_iter().map(|(_, word)| word).collect();
        assert_eq!(found, expected, "{text}");
    }
    assert_eq!(words_in("a\n\nlet rax = 0;"), [(3, "rax".to_owned())]);
}
