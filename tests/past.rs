//! Guests that go back to an earlier moment while they are traced.

use iotrace_arch::FIRST;
use iotrace_format::definition::Definition;
use iotrace_tests::{TraceItem, analyze, built, folder, for_each, script, succeed};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// A live guest with a disk for its snapshots, its monitor and its console.
struct Guest {
    qemu: Child,
    monitor: BufReader<UnixStream>,
    /// Lines as they come: a guest whose console is full waits, and with it a QEMU that replays.
    console: Receiver<Vec<u8>>,
}

impl Guest {
    /// Starts one, which writes a trace.
    fn start(name: &str, trace: &Path, arguments: &[&str]) -> Self {
        let kernel = PathBuf::from(succeed(script("kernel").args(["debian-6.1", "--bare"])));
        let disk = folder("snapshots").join(format!("{name}.qcow2"));
        succeed(Command::new("qemu-img").args(["create", "-q", "-f", "qcow2"]).arg(&disk).arg("1M"));
        let pair = || UnixStream::pair().expect("sockets can be made");
        let ((monitor, theirs), (console, printed)) = (pair(), pair());
        let mut qemu = Command::new(FIRST.qemu);
        qemu.args(["-nodefaults", "-display", "none", "-no-reboot", "-m", "256"]).args(arguments);
        qemu.arg("-kernel").arg(kernel.join("vmlinuz"));
        qemu.args(["-append", "panic=-1 noapictimer console=ttyS0"]);
        qemu.arg("-drive").arg(format!("if=none,id=snapshots,format=qcow2,file={}", disk.display()));
        qemu.args(["-chardev", "socket,id=monitor,fd=0", "-mon", "chardev=monitor,mode=control"]);
        qemu.args(["-chardev", "socket,id=console,fd=1", "-serial", "chardev:console"]);
        let (plugin, vmlinux) = (built("libiotrace.so"), kernel.join("vmlinux"));
        let plugin = format!("{},kernel={},out={}", plugin.display(), vmlinux.display(), trace.display());
        qemu.arg("-plugin").arg(plugin).stdin(OwnedFd::from(theirs)).stdout(OwnedFd::from(printed));
        let qemu = qemu.stderr(Stdio::piped()).spawn().expect("QEMU starts");
        let monitor = BufReader::new(monitor);
        let (line, lines) = channel();
        std::thread::spawn(move || {
            let console = BufReader::new(console).split(b'\n');
            console.map_while(Result::ok).try_for_each(|text| line.send(text))
        });
        let mut guest = Self { qemu, monitor, console: lines };
        guest.command(r#"{"execute":"qmp_capabilities"}"#);
        guest
    }

    /// Gives a command, and waits until it is carried out.
    fn command(&mut self, command: &str) {
        writeln!(self.monitor.get_mut(), "{command}").expect("QEMU reads");
        loop {
            let mut line = String::new();
            let length = self.monitor.read_line(&mut line).expect("QEMU answers");
            assert!(length != 0 && !line.contains(r#""error""#), "{command}: {line}");
            if line.starts_with(r#"{"return": "#) {
                let done =
                    [r#"{"return": {}"#, r#"{"return": """#].iter().any(|answer| line.starts_with(answer));
                assert!(done, "{command}: {line}");
                return;
            }
        }
    }

    /// Gives a command of the monitor for people.
    fn tell(&mut self, command: &str) {
        let command =
            format!(r#"{{"execute":"human-monitor-command","arguments":{{"command-line":"{command}"}}}}"#);
        self.command(&command);
    }

    /// Waits until the guest has printed this.
    fn printed(&mut self, text: &str) {
        let found = self.console.iter().any(|line| String::from_utf8_lossy(&line).contains(text));
        assert!(found, "the guest never printed {text:?}");
    }

    /// Waits for its end; returns what QEMU and the plugin printed, but for what of the guest has probes.
    fn end(self) -> String {
        let output = self.qemu.wait_with_output().expect("it is ours");
        assert!(output.status.success(), "{}", output.status);
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        printed.split_inclusive('\n').filter(|line| !line.starts_with("iotrace info: ")).collect()
    }
}

/// A guest loads a snapshot that is from before what it has printed meanwhile; then it runs to its end. Its trace is
/// whole up to where it went back, says so, and has nothing twice.
fn loads_a_snapshot(name: &str, arguments: &[&str]) {
    let trace = folder("traces").join(format!("past-{name}.iot"));
    let mut guest = Guest::start(name, &trace, arguments);
    guest.printed("Linux version");
    guest.tell("savevm early");
    guest.printed("clocksource: Switched");
    guest.tell("loadvm early");
    guest.printed("clocksource: Switched");
    guest.printed("Kernel panic");
    let printed = guest.end();
    assert_eq!(printed.lines().count(), 1, "{printed}");
    assert!(printed.starts_with("iotrace: the guest went back from instruction "), "{printed}");
    succeed(&mut analyze(&["verify"], &trace));
    let (mut notes, mut last, mut backwards) = (Vec::new(), 0, 0);
    for_each(&trace, &mut |held| match held {
        TraceItem::Definition(Definition::Note(note)) if note.topic == "went-back" => {
            notes.push(note.text.clone())
        }
        TraceItem::Definition(_) => {}
        TraceItem::Event(event) => {
            backwards += u64::from(event.clock < last);
            last = event.clock;
        }
    });
    assert_eq!((notes.len(), backwards), (1, 0), "{name}: {notes:?}");
    assert!(printed.contains(&notes[0]), "{notes:?}");
    let from = notes[0].split("from instruction ").nth(1).and_then(|text| text.split(' ').next());
    let from: u64 = from.and_then(|number| number.parse().ok()).expect("an instruction");
    assert!(0 < last && last <= from, "{name}: {last} {from}");
}

#[test]
#[ignore = "of ./scripts/test full"]
fn a_loaded_snapshot_ends_the_trace_with_qemus_count() {
    loads_a_snapshot("icount", &["-icount", "shift=2"]);
    loads_a_snapshot("icount-2", &["-smp", "2", "-icount", "shift=2"]);
}

#[test]
fn a_loaded_snapshot_ends_the_trace_without_qemus_count() {
    loads_a_snapshot("multi", &["-smp", "2", "-accel", "tcg,thread=multi"]);
}

/// The same in a replay. (A snapshot is loaded in a running replay only if the local APIC has no support for Windows XP.)
#[test]
#[ignore = "of ./scripts/test full"]
fn a_loaded_snapshot_ends_the_trace_of_a_replay() {
    let log = folder("snapshots").join("rr.log");
    let icount = |mode: &str| format!("shift=2,rr={mode},rrfile={}", log.display());
    let arguments = ["-net", "none", "-global", "apic-common.vapic=off", "-icount"];
    let recorded = folder("traces").join("past-recorded.iot");
    let mut guest = Guest::start("replay", &recorded, &[&arguments[..], &[&icount("record")]].concat());
    guest.printed("Kernel panic");
    assert_eq!(guest.end(), "");
    loads_a_snapshot("replay", &[&arguments[..], &[&icount("replay")]].concat());
}
