//! Guests whose kernel ends or stops otherwise than by a power-off: another kernel by kexec, a reset from outside, suspend.

use iotrace_arch::FIRST;
use iotrace_tests::qmp::ControlledQemu;
use iotrace_tests::{analyze, built, checkout, folder, json, script, succeed};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MODULES: [&str; 6] =
    ["virtio", "virtio_ring", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk"];

/// Reads and writes the disk, does what its command line says, and does it again unless the kernel or the machine is another.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install /bin
export PATH=/bin
mkdir -p /proc /sys /dev
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for name in $(cat /modules/order); do insmod /modules/$name.ko; done
until [ -b /dev/vda ]; do usleep 1000; done
io() { direct-io /dev/vda write seq 4096 4; direct-io /dev/vda read rand 4096 4; }
io
case $(cat /proc/cmdline) in
*kexec*) kexec /vmlinuz /initrd "$(sed s/kexec// /proc/cmdline)" ;;
*suspend*) echo mem >/sys/power/state ;;
*tested*) echo 1 >/sys/module/suspend/parameters/pm_test_delay; echo devices >/sys/power/pm_test; echo freeze >/sys/power/state ;;
*reset*) hwclock -w; while :; do direct-io /dev/vda read rand 4096 4; done ;;
esac
io
poweroff -f
"#;

/// A guest with a virtio disk.
struct Guest {
    kernel: PathBuf,
    folder: PathBuf,
}

impl Guest {
    fn make(name: &str) -> Self {
        let kernel = PathBuf::from(succeed(script("kernel").args(["debian-6.1", "--bare"])));
        let folder = folder("traces").join(name);
        let root = folder.join("root");
        for part in ["bin", "modules"] {
            fs::create_dir_all(root.join(part)).expect("the folder is writable");
        }
        let copy = |from: &Path, to: &str| _ = fs::copy(from, root.join(to)).expect("both are there");
        copy(Path::new("/bin/busybox"), "bin/busybox");
        for module in MODULES {
            copy(&kernel.join(format!("modules/{module}.ko")), &format!("modules/{module}.ko"));
        }
        for (source, program) in
            [("tests/programs/kexec.c", "kexec"), ("scripts/guest/direct_io.c", "direct-io")]
        {
            let mut gcc = Command::new("gcc");
            gcc.args(["-static", "-O2", "-D_GNU_SOURCE", "-o"]).arg(root.join("bin").join(program));
            succeed(gcc.arg(checkout().join(source)));
        }
        fs::write(root.join("modules/order"), MODULES.join("\n")).expect("the folder is writable");
        fs::write(root.join("init"), INIT).expect("the folder is writable");
        // The guest's own copy has no copy.
        let pack = "cd root && rm -f vmlinuz initrd && chmod +x init && find . | busybox cpio -o -H newc >../small && \
                    cp ../small initrd && cp \"$0\" vmlinuz && find . | busybox cpio -o -H newc >../initrd";
        succeed(Command::new("sh").args(["-c", pack]).arg(kernel.join("vmlinuz")).current_dir(&folder));
        let disk = fs::File::create(folder.join("disk")).expect("the folder is writable");
        disk.set_len(16 << 20).expect("the folder is writable");
        Self { kernel, folder }
    }

    fn trace(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.iot"))
    }

    /// Starts it: the traces of its boots are called by this name.
    fn start(&self, name: &str, append: &str, arguments: &[&str]) -> ControlledQemu {
        for boot in ["", ".2", ".3"] {
            _ = fs::remove_file(self.trace(&format!("{name}{boot}")));
        }
        let (kernel, folder) = (self.kernel.display(), self.folder.display());
        let mut command = Command::new(FIRST.qemu);
        command.args(["-nodefaults", "-display", "none", "-M", "q35", "-m", "512", "-append", append]);
        command.args(["-kernel", &format!("{kernel}/vmlinuz"), "-initrd", &format!("{folder}/initrd")]);
        command.args(["-drive", &format!("file={folder}/disk,format=raw,if=none,id=disk,snapshot=on")]);
        command.args(["-device", "virtio-blk-pci,drive=disk"]).args(arguments);
        let (plugin, trace) = (built("libiotrace.so"), self.trace(name));
        let modules = format!("kernel={kernel}/vmlinux,modules={kernel}/modules");
        command.arg("-plugin").arg(format!("{},{modules},out={}", plugin.display(), trace.display()));
        let mut qemu = ControlledQemu::start(&mut command, &self.folder);
        qemu.run("cont", &json!({}));
        qemu
    }

    /// How a boot ended, its sound trace, and how many direct reads and writes have a bio.
    fn ended(&self, name: &str) -> (Value, Value, usize) {
        let trace = self.trace(name);
        succeed(&mut analyze(&["verify"], &trace));
        let (info, report) = (json(&trace, &["info"]), json(&trace, &["report"]));
        let of_program = |io: &&Value| {
            ["pread", "pwrite"].contains(&io["syscall"].as_str().unwrap_or_default())
                && io["bios"].as_array().is_some_and(|bios| bios.len() == 1)
        };
        let count = report["ios"].as_array().expect("a list").iter().filter(of_program).count();
        assert_eq!(report["attribution"]["bios_without_origin"], 0, "{report}");
        (info["shutdown"]["reason"].clone(), info, count)
    }
}

/// Each boot has a trace of its own, whether the next kernel lies elsewhere or in the same place.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_kernel_that_kexec_starts_has_a_trace_of_its_own() {
    let guest = Guest::make("kexec");
    for (name, append, smp) in [("moved", "", "1"), ("same", "nokaslr", "2")] {
        let append = format!("noapictimer kexec {append}");
        guest.start(name, &append, &["-smp", smp, "-no-reboot"]).wait_for_end();
        let [first, second] = ["", ".2"].map(|boot| guest.ended(&format!("{name}{boot}")));
        assert_eq!((&first.0, first.2), (&json!("kexec"), 8), "{}", first.1);
        assert_eq!((&second.0, second.2), (&json!("power off"), 16), "{}", second.1);
        assert_eq!(second.1["trace"]["notes"]["boot"], "2");
    }
}

/// What the machine's user resets has ended by no doing of its kernel.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_reset_from_outside_ends_a_trace() {
    let guest = Guest::make("reset");
    for (name, append, smp) in [("moved", "", "1"), ("same", "nokaslr", "2")] {
        let mut qemu = guest.start(name, &format!("noapictimer reset {append}"), &["-smp", smp]);
        qemu.wait_for("RTC_CHANGE");
        qemu.run("system_reset", &json!({}));
        qemu.wait_for("RTC_CHANGE");
        qemu.quit();
        let [first, second] = ["", ".2"].map(|boot| guest.ended(&format!("{name}{boot}")));
        assert!(first.0 == "reset" && first.2 >= 8, "{}", first.1);
        assert!(second.0.is_null() && second.2 >= 8, "{}", second.1);
        assert_eq!(second.1["trace"]["notes"]["boot"], "2");
    }
}

/// A guest that sleeps and wakes is traced on. After it slept, this machine's firmware does not switch it off: its kernel goes
/// on, and panics as its first process ends.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_trace_goes_on_when_its_guest_wakes() {
    let guest = Guest::make("suspend");
    guest.start("tested", "noapictimer tested", &["-no-reboot"]).wait_for_end();
    let mut qemu = guest.start("suspended", "noapictimer panic=-1 suspend", &["-no-reboot"]);
    qemu.wait_for("SUSPEND");
    qemu.run("system_wakeup", &json!({}));
    qemu.wait_for_end();
    for name in ["tested", "suspended"] {
        let (reason, info, count) = guest.ended(name);
        assert_eq!((&reason, count), (&json!("power off"), 16), "{info}");
        let warnings = info["warnings"].as_array().expect("a list").iter();
        let went_on = warnings.filter(|warning| warning["topic"] == "went-on").count();
        assert_eq!(went_on, usize::from(name == "suspended"), "{info}");
        assert!(!guest.trace(&format!("{name}.2")).exists(), "{name}: there was no other boot");
    }
}
