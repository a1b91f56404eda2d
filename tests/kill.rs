//! QEMU is killed at random moments of a replay: what is in the trace by then stays.

use iotrace::analysis::verify::verify;
use iotrace::reader::Trace;
use iotrace_tests::{SMALL_GUEST, analyze, built, folder, recording, script, succeed};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// QEMU, replaying a recording with the plugin.
fn replaying(recorded: &Path, profile: &Path, trace: &Path) -> Child {
    let plugin = built("libiotrace.so");
    let plugin = format!("{},kernel={},out={}", plugin.display(), profile.display(), trace.display());
    let stage = folder("stages").join("killed");
    let qemu = succeed(script("replay").arg(recorded).arg("--no-plugin").arg("--stage").arg(&stage));
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("exec {qemu} -plugin \"$0\"")).arg(plugin).current_dir(stage);
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("QEMU starts")
}

/// The profile of the kernel of a recording, so that no replay has to compile it.
fn profile(recorded: &Path) -> PathBuf {
    let manifest = fs::read_to_string(recorded.join("manifest.json")).expect("the recording is whole");
    let manifest: Value = serde_json::from_str(&manifest).expect("it is JSON");
    let kernel = Path::new(manifest["kernel"]["folder"].as_str().expect("a folder")).to_owned();
    let profile = folder("profiles").join("killed.profile");
    let mut command = analyze(&["check"], &kernel.join("vmlinux"));
    command.arg("--modules").arg(kernel.join("modules"));
    succeed(command.arg("-o").arg(&profile));
    profile
}

/// Ends a QEMU as nothing can be done about, after a while; sooner if it ends by itself.
fn kill_after(mut qemu: Child, time: Duration) {
    let (ended, end) = channel::<()>();
    let killer = thread::spawn(move || {
        // What is waited for is a moment: any is right.
        let _ = end.recv_timeout(time);
        qemu.kill().expect("it is ours");
        qemu.wait().expect("it ends");
    });
    killer.join().expect("no panic");
    drop(ended);
}

/// Lets a QEMU run to its end; returns when its trace began to grow, and when it was whole.
fn watched(mut qemu: Child, trace: &Path) -> (Duration, Duration) {
    let (_open, never) = channel::<()>();
    let (began, mut grown, mut length) = (Instant::now(), Vec::new(), 16);
    while qemu.try_wait().expect("it is ours").is_none() {
        // Looks at the file now and then; what it sees is a matter of chance, and may be.
        let _ = never.recv_timeout(Duration::from_millis(10));
        let now = fs::metadata(trace).map_or(0, |file| file.len());
        grown.extend((now > length).then(|| began.elapsed()));
        length = length.max(now);
    }
    (grown[0], grown[grown.len() - 1])
}

/// `IOTRACE_KILLS=N` does it N times.
#[test]
#[ignore = "of ./scripts/test full"]
fn what_was_written_before_a_kill_is_the_beginning_of_the_whole() {
    let kills = std::env::var("IOTRACE_KILLS").map_or(5, |kills| kills.parse().expect("a number"));
    let recorded = recording(&["debian-6.1", "--bare", "--workload", "loop-write", "--fresh"]);
    let profile = profile(&recorded);
    let [complete, cut] = ["complete", "killed"].map(|name| folder("traces").join(format!("{name}.iot")));
    let _ = fs::remove_file(&complete);
    let (first, last) = watched(replaying(&recorded, &profile, &complete), &complete);
    let whole = fs::read(&complete).expect("the trace is there");
    let blocks: Vec<_> = {
        let trace = Trace::open(&complete, None).expect("it is a trace");
        assert!(verify(&trace, &mut |_| {}).expect("it is read").is_sound());
        let index = trace.index().expect("it is complete");
        index
            .events()
            .map(|block| (block.offset + u64::from(block.length), block.number + u64::from(block.count)))
            .collect()
    };
    assert!(blocks.len() > 3, "{} blocks", blocks.len());
    let mut random = fastrand::Rng::new();
    let mut lengths = Vec::new();
    for _ in 0..kills {
        let _ = fs::remove_file(&cut);
        kill_after(replaying(&recorded, &profile, &cut), first + (last - first).mul_f64(random.f64()));
        let bytes = fs::read(&cut).unwrap_or_default();
        assert!(whole.starts_with(&bytes), "{} bytes are not the beginning of the whole", bytes.len());
        lengths.push(bytes.len());
        if bytes.len() < 16 {
            continue;
        }
        let told = verify(&Trace::open(&cut, None).expect("it is a trace"), &mut |_| {}).expect("it is read");
        let written =
            blocks.iter().rfind(|(end, _)| *end <= bytes.len() as u64).map_or(0, |(_, events)| *events);
        assert_eq!(told.events, written, "all whole blocks are read");
        let at_the_end = |offset: usize| {
            offset as u64
                >= blocks
                    .iter()
                    .map(|(end, _)| *end)
                    .filter(|end| *end <= bytes.len() as u64)
                    .max()
                    .unwrap_or(0)
        };
        assert!(told.findings.iter().all(|finding| at_the_end(finding.offset)), "{:?}", told.findings);
    }
    lengths.sort_unstable();
    println!(
        "killed {kills} times between {first:?} and {last:?}, at these bytes of {}: {lengths:?}",
        whole.len()
    );
}

/// The processes that a process has started.
fn children(of: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{of}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| Vec::from_iter(list.split_whitespace().filter_map(|pid| pid.parse().ok())))
        .collect()
}

/// Whether a process runs, and is a QEMU.
fn is_qemu(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let ended = stat.rsplit(") ").next().is_none_or(|rest| rest.starts_with(['Z', 'X']));
    stat.contains("(qemu-system") && !ended
}

/// Looks again and again until something is there.
fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let (_open, never) = channel::<()>();
    loop {
        if let Some(found) = look() {
            return found;
        }
        // Between two looks: whatever is seen later is as good.
        let _ = never.recv_timeout(Duration::from_millis(20));
    }
}

/// A script that is killed takes its QEMU with it; its folders are deleted by the next run, those of a live one are not.
#[test]
fn a_killed_script_leaves_nothing_for_long() {
    let place = folder("recordings").join("killed-script");
    let _ = fs::remove_dir_all(&place);
    let start = |name: &str| {
        let mut command = script("record");
        command
            .args(SMALL_GUEST)
            .arg("--no-verify")
            .args(["--fresh", "-o"])
            .arg(place.join(name))
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        command.stdout(Stdio::null()).spawn().expect("it starts")
    };
    let hidden = || {
        let entries = fs::read_dir(&place).expect("it is there").flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".killed.making-")).count()
    };
    let mut script_process = start("killed");
    let qemu = until(|| children(script_process.id()).into_iter().find(|pid| is_qemu(*pid)));
    script_process.kill().expect("it is ours");
    script_process.wait().expect("it ends");
    until(|| (!is_qemu(qemu)).then_some(()));
    assert_eq!(hidden(), 1);
    assert!(start("next").wait().expect("it ends").success());
    let left: Vec<_> =
        fs::read_dir(&place).expect("it is there").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["next"]);
}
