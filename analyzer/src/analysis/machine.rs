//! What of a QEMU machine is traced.
//!
//! In: QEMU's arguments, a [`KernelSummary`] of the kernel, the catalog's controllers. Out: a finding for each argument on which
//! tracing or replay depends, in their order. Arguments on which nothing depends have none.

use iotrace_profile::Controller;
use iotrace_profile::summary::KernelSummary;

/// What is found of a part of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineFinding {
    /// The argument.
    pub argument: String,
    /// What is traced.
    pub verdict: Verdict,
    /// Why not all; empty if all is traced.
    pub why: String,
    /// What to do; empty if there is nothing to be done.
    pub advice: String,
}

/// What is traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// All.
    Traced,
    /// All, while it runs: it cannot be replayed.
    LiveOnly,
    /// A part.
    Partly,
    /// Nothing.
    Not,
}

impl Verdict {
    /// As views print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Traced => "yes",
            Self::LiveOnly => "live only",
            Self::Partly => "partly",
            Self::Not => "no",
        }
    }
}

/// Options of QEMU that are looked at and have no value.
const FLAGS: [&str; 1] = ["-enable-kvm"];

/// Goes through QEMU's arguments, without the program's name.
#[must_use]
pub fn machine(
    arguments: &[String],
    summary: &KernelSummary,
    controllers: &[Controller],
) -> Vec<MachineFinding> {
    let mut findings = Vec::new();
    let mut has_icount = false;
    for (at, argument) in arguments.iter().enumerate() {
        let option = argument.replacen("--", "-", 1);
        let value = arguments.get(at + 1).map_or("", String::as_str);
        let shown = if FLAGS.contains(&&*option) { argument.clone() } else { format!("{argument} {value}") };
        has_icount |= option == "-icount";
        findings.extend(match option.as_str() {
            "-enable-kvm" => accelerated("kvm", shown),
            "-accel" => accelerated(value.split(',').next().unwrap_or_default(), shown),
            "-machine" | "-M" => accelerated(property(value, "accel").unwrap_or_default(), shown),
            "-smp" => several(value, shown),
            "-cpu" if value.split(',').next() == Some("host") => Some(finding(
                shown,
                Verdict::Not,
                "this model needs KVM, which plugins cannot use",
                "use -cpu max",
            )),
            "-device" => device(value.split(',').next().unwrap_or_default(), shown, summary, controllers),
            "-drive" => drive(value, shown, summary, controllers),
            _ => None,
        });
    }
    if !has_icount {
        let why = "without it the trace counts instructions and has no times";
        findings.push(finding("no -icount".into(), Verdict::Partly, why, "add -icount shift=2"));
    }
    findings
}

fn finding(argument: String, verdict: Verdict, why: &str, advice: &str) -> MachineFinding {
    MachineFinding { argument, verdict, why: why.to_owned(), advice: advice.to_owned() }
}

/// The value of a property in an option's value.
fn property<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

/// Plugins instrument what TCG translates.
fn accelerated(accelerator: &str, shown: String) -> Option<MachineFinding> {
    // QEMU takes the first of several that works: kvm:tcg.
    let first = accelerator.split(':').next().unwrap_or_default();
    (!matches!(first, "" | "tcg")).then(|| {
        finding(shown, Verdict::Not, &format!("plugins need TCG, {first} does without it"), "use -accel tcg")
    })
}

fn several(value: &str, shown: String) -> Option<MachineFinding> {
    let count = property(value, "cpus").or_else(|| value.split(',').next())?.parse::<u32>().ok()?;
    (count > 1).then(|| {
        finding(shown, Verdict::LiveOnly, "QEMU's record/replay has one vCPU", "use -smp 1 for recordings")
    })
}

fn drive(
    value: &str,
    shown: String,
    summary: &KernelSummary,
    controllers: &[Controller],
) -> Option<MachineFinding> {
    match property(value, "if")? {
        "virtio" => device("virtio-blk-pci", shown, summary, controllers),
        "scsi" => device("lsi53c895a", shown, summary, controllers),
        _ => None,
    }
}

/// A controller of the catalog; none for other devices.
fn device(
    name: &str,
    shown: String,
    summary: &KernelSummary,
    controllers: &[Controller],
) -> Option<MachineFinding> {
    let controller =
        controllers.iter().find(|controller| controller.qemu.iter().any(|known| known == name))?;
    let first = controller.qemu.first()?;
    let Some(driver) = summary.drivers.iter().find(|driver| driver.controller == *first) else {
        let why = "the catalog has no driver for it: device time begins with the issue of a request";
        return Some(finding(
            shown,
            Verdict::Partly,
            why,
            "add the driver to a catalog file (schemas/catalog/README.md)",
        ));
    };
    let module = &driver.module;
    Some(if driver.is_absent {
        let why =
            format!("its driver {module} is neither in the image nor among the modules that were looked at");
        finding(shown, Verdict::Partly, &why, "specify the directory that has the module (--modules)")
    } else if !driver.missing.is_empty() {
        let why = format!("without a probe in {module}: {}", driver.missing.join("; "));
        finding(
            shown,
            Verdict::Partly,
            &why,
            "use a vmlinux with debug info; otherwise device time begins with the issue of a request",
        )
    } else if driver.live_only {
        finding(shown, Verdict::LiveOnly, &driver.replay, "use scripts/record --trace")
    } else {
        finding(shown, Verdict::Traced, &driver.replay, "")
    })
}

/// The words of a command line as a shell has them: blanks separate, quotation marks and backslashes keep blanks.
#[must_use]
pub fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(characters.next()),
            (mark, Some(open)) if mark == open => quote = None,
            (mark @ ('"' | '\''), None) => {
                quote = Some(mark);
                word.get_or_insert_default();
            }
            (blank, None) if blank.is_whitespace() => words.extend(word.take()),
            (other, _) => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use iotrace_profile::summary::DriverSummary;

    fn driver(controller: &str, missing: &[&str], is_absent: bool, live_only: bool) -> DriverSummary {
        DriverSummary {
            controller: controller.into(),
            module: format!("{controller}_mod"),
            missing: missing.iter().map(|what| (*what).to_owned()).collect(),
            is_absent,
            replay: if live_only { "it stands still".into() } else { String::new() },
            live_only,
        }
    }

    fn findings(line: &str) -> Vec<String> {
        let controller = |names: &[&str]| Controller {
            qemu: names.iter().map(|name| (*name).to_owned()).collect(),
            module: String::new(),
            entry: Vec::new(),
            interrupt: Vec::new(),
            doorbell: String::new(),
            replay: String::new(),
            live_only: false,
        };
        let controllers =
            [&["whole", "also"][..], &["partly"], &["absent"], &["live"], &["unknown"]].map(controller);
        let summary = KernelSummary {
            release: String::new(),
            entries: 0,
            found: 0,
            parts: Vec::new(),
            drivers: vec![
                driver("whole", &[], false, false),
                driver("partly", &["interrupt (x)"], false, false),
                driver("absent", &[], true, false),
                driver("live", &[], false, true),
            ],
            lacks: Vec::new(),
        };
        let found = machine(&words(line), &summary, &controllers);
        found.iter().map(|f| format!("{}: {}: {}", f.argument, f.verdict.name(), f.why)).collect()
    }

    #[test]
    fn controllers_are_traced_in_whole_in_part_or_while_they_run() {
        assert_eq!(
            findings(
                "-icount shift=2 -device also,id=x -device partly -device absent --device live -device unknown -device vga"
            ),
            [
                "-device also,id=x: yes: ",
                "-device partly: partly: without a probe in partly_mod: interrupt (x)",
                "-device absent: partly: its driver absent_mod is neither in the image nor among the modules that were looked at",
                "--device live: live only: it stands still",
                "-device unknown: partly: the catalog has no driver for it: device time begins with the issue of a request",
            ]
        );
    }

    #[test]
    fn what_plugins_and_recordings_cannot_do_is_found() {
        assert_eq!(findings("-icount shift=2 -smp 1 -accel tcg -m 8G -machine any,accel=tcg"), [""; 0]);
        assert_eq!(
            findings("-enable-kvm -machine any,accel=kvm:tcg -smp cpus=4 -cpu host"),
            [
                "-enable-kvm: no: plugins need TCG, kvm does without it",
                "-machine any,accel=kvm:tcg: no: plugins need TCG, kvm does without it",
                "-smp cpus=4: live only: QEMU's record/replay has one vCPU",
                "-cpu host: no: this model needs KVM, which plugins cannot use",
                "no -icount: partly: without it the trace counts instructions and has no times",
            ]
        );
    }

    #[test]
    fn words_are_those_of_a_shell() {
        assert_eq!(words(r#" -append "a b" 'c "d' e\ f "" "#), ["-append", "a b", "c \"d", "e f", ""]);
    }
}
