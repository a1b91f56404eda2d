//! Whole traces of a guest that is made up.

use super::*;
use crate::args::Capture;
use crate::clock::GoneBack;
use crate::qemu::fake::Lie;
use crate::qemu::{fake, heap};
use iotrace_arch::{FIRST, Reg};
use iotrace_format::definition::Definition;
use iotrace_format::event::FIRST_PROBE;
use iotrace_format::trace::columns::Columns;
use iotrace_format::trace::reader::{Content, Decoder, TraceFile};
use iotrace_format::trace::walk::WalkStep;
use iotrace_profile::plan::{ArgumentLocation, EntryPlan, EventField, FieldSource};
use iotrace_profile::{ContextAccess, ModuleAccess, plan};
use std::path::{Path, PathBuf};

/// A tracer that has found its kernel, of one vCPU, and its file.
fn tracing(name: &str, profile: Profile) -> (Tracer, PathBuf) {
    fake::start(0);
    let out = std::env::temp_dir().join(format!("iotrace-{name}-{}.iot", std::process::id()));
    let (kernel, capture) = (PathBuf::from("vmlinux"), Capture::default());
    let args = PluginArgs {
        kernel,
        modules: None,
        debug: None,
        catalogs: vec![],
        out: out.clone(),
        capture,
        memory: crate::budget::DEFAULT,
        save_state: None,
        resume: None,
        notes: vec![],
    };
    let guest = GuestInfo { target: FIRST.name.to_owned(), api: 4, system: true, vcpus: 1, max_vcpus: 1 };
    let clock = Arc::new(GuestClock::new(1));
    let tracer = tracer(guest, args, Arc::new(profile), clock, None)
        .expect("the folder for temporary files is writable");
    tracer.begin(0, &fake::cpu(0));
    (tracer, out)
}

/// What a whole trace has: how many events, and its warnings.
fn held(path: &Path) -> (u64, Vec<Note>) {
    let trace = TraceFile::from_bytes(std::fs::read(path).expect("the trace is there")).expect("it is one");
    let events = trace.index().expect("it is whole").kinds().map(|(_, count)| count).sum();
    let note = |definition| match definition {
        Definition::Note(note) if note.severity != Severity::Info => Some(note),
        _ => None,
    };
    (events, definitions(path).into_iter().filter_map(note).collect())
}

/// The definitions of a whole trace.
fn definitions(path: &Path) -> Vec<Definition> {
    let trace = TraceFile::from_bytes(std::fs::read(path).expect("the trace is there")).expect("it is one");
    let (mut decoder, mut all) = (Decoder::new().expect("there is memory"), Vec::new());
    for step in trace.walk() {
        let WalkStep::Chunk(_, chunk) = step else { panic!("{step:?}") };
        let content = decoder.decode(&chunk, Columns::ALL, Box::default()).expect("the chunk is whole");
        if let Content::Definitions(definitions, _) = content {
            all.extend(definitions);
        }
    }
    all
}

#[test]
fn a_guest_that_goes_back_ends_its_trace_and_says_so_in_it() {
    let (tracer, path) = tracing("past", Profile::default());
    let cpu = fake::cpu(0);
    let record = |clock| tracer.record(&cpu, |r| r.builtin(&cpu, clock, event::IDLE, &[]));
    [1000, 2000, 3000].into_iter().for_each(record);
    assert_eq!(tracer.last_event(), 3000);
    tracer.end_in_the_past(GoneBack { from: 3000, to: Some(1500) });
    let whole = held(&path);
    assert!(!tracer.session.is_active());
    let halt = ProbeSite::Halt.keep();
    [halt; 3].into_iter().for_each(|site| tracer.executed(&cpu, site));
    tracer.end_in_the_past(GoneBack { from: 3000, to: Some(1200) });
    tracer.exit(false);
    let (events, notes) = held(&path);
    assert_eq!((events, &notes), (whole.0, &whole.1), "nothing comes after the end");
    std::fs::remove_file(path).expect("it was just read");
    assert_eq!((events, notes.len()), (3, 2), "{notes:?}");
    assert!(notes[1].text.contains("went back from instruction 3000 to 1500"), "{notes:?}");
    // This kernel's preemption count is not known, nor is then any event's context.
    assert_eq!((notes[0].severity, notes[0].topic.as_str()), (Severity::Warning, "contexts"));
}

/// Where a fake `struct module` has its name, its symbols and how many they are.
fn module_access() -> ModuleAccess {
    let load = |offset| plan::ValueAccess { offset, width: 8, ..plan::ValueAccess::default() };
    let name = plan::ValueAccess::default();
    ModuleAccess { name, symtab: load(64), num_symtab: load(72), strtab: load(80), has_typetab: true }
}

/// Maps a module of this name at `address` with as many functions, all of one name of 500 bytes.
fn map_module(address: u64, name: &str, functions: u64) {
    const TEXT: u64 = 0xffff_ffff_c000_0000;
    let (symtab, strtab) = (address + 0x1000_0000, address + 0x2000_0000);
    let mut module = vec![0; 96];
    module[..name.len()].copy_from_slice(name.as_bytes());
    for (at, value) in [(64, symtab), (72, functions), (80, strtab)] {
        module[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    fake::map(address, &module);
    // st_name, st_info (STT_FUNC), st_other, st_shndx; st_value; st_size.
    let symbol = |at| {
        [1_u64 | 2 << 32 | 1 << 48, TEXT + address % 0x1000_0000 + at * 16, 16].map(u64::to_le_bytes).concat()
    };
    fake::map(symtab, &Vec::from_iter((0..functions).flat_map(symbol)));
    let names = [&[0][..], &[b'f'; 500], &[0; 8192]].concat();
    fake::map(strtab, &names);
}

/// A guest that says of a module that it has 2^20 functions, with 512 MiB of names, and of others the same.
#[test]
fn what_a_guest_says_of_its_modules_does_not_exhaust_memory() {
    let profile = Profile { module: Some(module_access()), ..Profile::default() };
    let (tracer, path) = tracing("large", profile);
    let cpu = fake::cpu(0);
    let address = |module| 0xffff_8880_0000_0000 + module * 0x4000_0000;
    for module in 0..3 {
        map_module(address(module), &format!("large_{module}"), 1 << 20);
    }
    let (grown, peak) = heap::growth(|| {
        for module in [0, 1, 2, 2, 1, 0] {
            tracer.module_loaded(&cpu, 1000 + module, address(module));
        }
    });
    // A string that grows doubles, and does not touch what it has to spare.
    assert!(grown < 64 << 20 && peak < 96 << 20, "{grown} bytes more, {peak} at most");
    let left_out = tracer.budget.left_out().expect("there is no room for all");
    let (count, rest) = left_out.split_once(' ').expect("a number and what");
    assert!(count.parse::<u64>().is_ok_and(|count| count > 900_000), "{left_out}");
    assert_eq!(rest, "functions of modules, 5 modules");
    tracer.exit(false);
    let notes = held(&path).1;
    std::fs::remove_file(path).expect("it was just read");
    let told = notes.iter().filter(|note| note.topic == "memory").map(|note| note.text.as_str());
    let told = Vec::from_iter(told);
    assert!(
        told.len() == 2 && told[0].contains("limit of 64 MiB") && told[1].contains(&left_out),
        "{told:?}"
    );
}

/// What is kept of a module is given back when it is unloaded.
#[test]
fn modules_that_come_and_go_take_no_memory() {
    let profile = Profile { module: Some(module_access()), ..Profile::default() };
    let (tracer, path) = tracing("coming", profile);
    let (cpu, address) = (fake::cpu(0), 0xffff_8880_0000_0000);
    map_module(address, "coming", 1 << 16);
    let once = || {
        tracer.module_loaded(&cpu, 1000, address);
        tracer.module_unloaded(&cpu, 1000, address);
    };
    once();
    let (grown, peak) = heap::growth(|| (0..50).for_each(|_| once()));
    // Tables that have grown once stay as large.
    assert!(grown < 1 << 20 && peak < 64 << 20, "{grown} bytes more, {peak} at most");
    assert_eq!(tracer.budget.left_out(), None);
    std::fs::remove_file(path).expect("it was made");
}

/// As module_finalize(header, sections, module) has it, in the place of do_init_module(module).
#[test]
fn what_an_action_is_about_is_the_argument_that_the_catalog_names() {
    let arguments =
        FIRST.registers.arguments.iter().map(|register| ArgumentLocation::Register(register.number()));
    let word = |name: &str, source| EventField { name: name.into(), role: None, source, symbol: false };
    let plan = EntryPlan {
        arguments: arguments.collect(),
        words: vec![word("caller", FieldSource::Caller), word("module", FieldSource::Argument(2))],
        ..EntryPlan::default()
    };
    let function = iotrace_profile::ProbedFunction {
        name: "do_init_module".into(),
        symbols: vec!["module_finalize".into()],
        inside: Vec::new(),
        place: iotrace_profile::FunctionLocation::Image(0),
        size: 0,
        cold: None,
        offset: 0,
        layer: iotrace_format::layer::Layer::Kernel,
        stage: None,
        label: String::new(),
        action: Action::ModuleLoad,
        file: String::new(),
        line: 0,
        entry: plan.clone(),
        exit: None,
    };
    let entry = EntryProbe {
        kind: None,
        // A thin trace has no words.
        plan: EntryPlan { words: Vec::new(), ..plan },
        action: function.action,
        exit: None,
        begins: None,
        always: false,
        lasting: false,
        next: None,
        subject: placement::subject(&function),
    };
    let cpu = fake::cpu(0);
    fake::set(FIRST.registers.arguments[0], 0x1000);
    fake::set(FIRST.registers.arguments[2], 0x3000);
    assert_eq!((entry.subject, subject(&cpu, &entry)), (Some(2), 0x3000));
    assert_eq!(subject(&cpu, &EntryProbe { subject: None, ..entry }), 0);
}

/// The functions of a module in guest memory whose kernel wrote the letters of nm over their types, or over their sizes.
#[test]
fn the_functions_of_an_old_kernels_module_are_found() {
    let (address, text) = (0xffff_8880_0000_0000, 0xffff_ffff_c000_0000_u64);
    let letter = u64::from(b't');
    for (info, read_only, sizes, expected) in
        [(letter, u64::from(b'r'), [0x10, 0x20], [0x10, 0x20]), (2, 1, [letter, letter], [0x30, 0])]
    {
        map_module(address, "old", 3);
        let entry = |info: u64, value: u64, size: u64| [1 | info << 32 | 1 << 48, value, size];
        let table = [
            entry(info, text + 0x100, sizes[0]),
            entry(info, text + 0x130, sizes[1]),
            entry(read_only, text + 0x200, 8),
        ];
        fake::map(
            address + 0x1000_0000,
            &table.concat().into_iter().flat_map(u64::to_le_bytes).collect::<Vec<_>>(),
        );
        let access = ModuleAccess { has_typetab: false, ..module_access() };
        let budget = Budget::new(1 << 20);
        let module =
            guest::read_module(&access, address, &fake::cpu(0), &(0..0), &budget).expect("it can be read");
        let found: Vec<_> = module.functions.iter().map(|f| (f.addr - text, f.size)).collect();
        assert_eq!(found, [(0x100, expected[0]), (0x130, expected[1])]);
    }
}

/// Clock, task, stack and words of an event.
type Record = (u64, u64, u64, Vec<u64>);

/// A QEMU's lie, and before which of the guest's returns it begins.
type LieFrom = (u64, Option<Lie>);

/// The events of a whole trace.
fn records(path: &Path) -> Vec<Record> {
    let trace = TraceFile::from_bytes(std::fs::read(path).expect("the trace is there")).expect("it is one");
    let (mut decoder, mut all) = (Decoder::new().expect("there is memory"), Vec::new());
    for step in trace.walk() {
        let WalkStep::Chunk(_, chunk) = step else { panic!("{step:?}") };
        if let Content::Events(block) =
            decoder.decode(&chunk, Columns::ALL, Box::default()).expect("it is whole")
        {
            all.extend(block.events().map(|e| (e.clock, e.task, e.stack, e.words.to_vec())));
        }
    }
    all
}

/// What a guest leaves behind that returns from functions for as long as it takes to fill two buffers, of which
/// everything is read that can be read without the plugin API: its records and what its trace says of the API. `lies`
/// has the QEMU's lies and before which of the returns they begin; without any, there is the API alone.
fn returns(name: &str, lies: &[LieFrom]) -> (Vec<Record>, Vec<String>) {
    const RETURNS: u64 = 60_000;
    const CODE: u64 = 0xffff_ffff_8100_0000;
    let [base, task, stack] = [0xffff_8880_1f60_0000_u64, 0xffff_8880_0010_0000, 0xffff_c900_0001_0000];
    if lies.is_empty() {
        fake::hide_symbols();
    }
    let begin = |at| {
        lies.iter().filter(|(from, _)| *from == at).for_each(|(_, lie)| fake::expose(*lie));
        fake::execute(0);
    };
    begin(0);
    fake::map(base, &[task.to_le_bytes(), [0; 8]].concat());
    fake::map(CODE, &[0x90; 64]);
    let context = ContextAccess { current_task: Some(0), ..ContextAccess::default() };
    let (tracer, path) = tracing(name, Profile { context, ..Profile::default() });
    let exit = ExitProbe { kind: FIRST_PROBE, value: true, always: true, renames: false };
    for at in 0..RETURNS {
        begin(at);
        for register in 0..FIRST.registers.names.len() as u8 {
            fake::set(Reg::new(register), 0xffff_9000_0000_0000 + (at << 12) + u64::from(register) * 8);
        }
        fake::set(FIRST.registers.stack, stack - at % 64 * 8);
        fake::set(FIRST.registers.per_cpu, base);
        let cpu = fake::callback(0);
        assert!(cpu.read(CODE, &mut [0; 8]));
        tracer.record(&cpu, |r| r.exit(&cpu, 1000 + at, cpu.stack(), exit));
        tracer.tell_of_fallbacks();
    }
    tracer.exit(false);
    let notes = held(&path).1.into_iter().filter(|note| note.topic == "plugin-api").map(|note| note.text);
    let (notes, records) = (notes.collect(), records(&path));
    std::fs::remove_file(path).expect("it was just read");
    (records, notes)
}

/// On a thread of its own, as a QEMU of its own would be.
fn returns_elsewhere(name: &str, lies: &'static [LieFrom]) -> (usize, bool, Vec<String>) {
    let run = |name: String, lies| {
        std::thread::spawn(move || returns(&name, lies)).join().expect("the guest is traced")
    };
    let (expected, none) = run(format!("{name}-api"), &[]);
    let (found, notes) = run(name.to_owned(), lies);
    assert!(none.is_empty(), "{none:?}");
    (found.len(), found == expected, notes)
}

#[test]
fn what_qemus_own_objects_say_is_recorded_as_what_the_plugin_api_says() {
    let (count, same, notes) = returns_elsewhere("honest", &[(0, None)]);
    assert!(count > 60_000 && same && notes.is_empty(), "{count} {notes:?}");
}

#[test]
fn where_qemus_own_objects_differ_from_the_plugin_api_it_alone_is_used_and_the_trace_says_so() {
    let kinds: [(&str, &'static [LieFrom], &str); 5] = [
        ("no-registers", &[(0, Some(Lie::Registers))], "registers in QEMU's objects"),
        ("other-registers", &[(0, None), (20, Some(Lie::Registers))], "registers in QEMU's objects"),
        ("other-memory", &[(0, Some(Lie::Mapped))], "guest memory mapped from QEMU"),
        ("wrong-memory", &[(0, Some(Lie::Memory))], "QEMU's map of memory and devices"),
        ("no-memory", &[(0, Some(Lie::NothingMapped))], "QEMU's map of memory and devices"),
    ];
    for (name, lies, expected) in kinds {
        let (count, same, notes) = returns_elsewhere(name, lies);
        assert!(count > 60_000 && same, "{name}");
        assert!(notes.len() == 1 && notes[0].starts_with(expected), "{name}: {notes:?}");
    }
}

/// What differs only later is noticed when a buffer is full.
#[test]
fn registers_that_differ_after_they_were_proved_are_given_up() {
    let (_, _, notes) = returns_elsewhere("later", &[(0, None), (2000, Some(Lie::Registers))]);
    assert!(notes.len() == 1 && notes[0].starts_with("registers"), "{notes:?}");
}

/// Two vCPUs that find the kernel at the same time begin one trace.
#[test]
fn a_kernel_that_is_found_twice_is_defined_once() {
    let (tracer, path) = tracing("twice", Profile::default());
    tracer.begin(0, &fake::cpu(0));
    // A third one, which has looked before the others were done.
    tracer.wrong_kernel("unknown");
    assert!(tracer.session.is_active());
    tracer.exit(false);
    let definitions = definitions(&path);
    let traces = definitions.iter().filter(|definition| matches!(definition, Definition::Trace(_)));
    assert_eq!(traces.count(), 1, "{definitions:?}");
    std::fs::remove_file(path).expect("it was just read");
}
