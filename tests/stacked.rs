//! Bios that came of others: on stacked devices, and copies that a file system makes.

use iotrace_tests::{folder, json, recording, script, succeed, trace_of};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the linear device begins on the disk, and the one above it on that, in sectors.
const LINEAR: u64 = 2048;
const UPPER: u64 = 1024;
/// A chunk of the striped device, in sectors and bytes, and where its two stripes begin on the disk.
const CHUNK: u64 = 128;
const CHUNK_BYTES: u64 = CHUNK * 512;
const STRIPES: [u64; 2] = [200_000, 400_000];

/// The trace of a guest that brings modules, then runs commands.
fn trace_of_stack(name: &str, fs: &str, program: &str, modules: &[&str], commands: &str) -> PathBuf {
    let kernel = succeed(script("kernel").arg("debian-6.1"));
    let script = folder("stacked").join(format!("{name}.sh"));
    let load: String =
        modules.iter().map(|module| format!("insmod /files/{module}.ko || exit 1\n")).collect();
    fs::write(&script, load + commands).expect("the build folder is writable");
    let (script, workload) = (script.display().to_string(), format!("sh:sh /files/{name}.sh"));
    let modules: Vec<_> =
        modules.iter().map(|module| format!("{}/modules/{module}.ko", kernel.trim())).collect();
    let mut arguments = vec!["debian-6.1", "--fs", fs, "--program", program, "--strict"];
    modules.iter().for_each(|module| arguments.extend(["--add", module]));
    arguments.extend(["--add", &script, "--workload", &workload]);
    trace_of(&recording(&arguments))
}

fn report(trace: &Path) -> Value {
    let report = json(trace, &["report"]);
    let lost = report["not_attributed"].as_array().expect("a list").iter().filter(|r| r["loss"] != false);
    assert_eq!(lost.count(), 0, "{}", report["not_attributed"]);
    report
}

fn bios(report: &Value) -> &Vec<Value> {
    report["bios"].as_array().expect("a list")
}

/// The bio that a bio came of, and how.
fn came_of<'r>(report: &'r Value, bio: &'r Value) -> Option<(&'r Value, &'r str)> {
    let (id, how) = (&bio["came_of"]["bio"], bio["came_of"]["how"].as_str()?);
    Some((bios(report).iter().find(|other| other["id"] == *id).expect("it is in the report"), how))
}

/// Name, bytes, depth and lower devices of each device.
fn devices(report: &Value) -> Vec<(String, u64, u64, String)> {
    let totals = report["device_totals"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let row = |device: &Value| {
        let on: Vec<_> = device["on"].as_array().expect("a list").iter().map(text).collect();
        (text(&device["name"]), number(device, "bytes"), number(device, "depth"), on.join(" "))
    };
    totals.map(row).collect()
}

/// The I/O that a bio goes back to.
fn io_of(bio: &Value) -> Option<u64> {
    let mut origin = bio["origin"].as_array().expect("a list").iter();
    origin.find_map(|context| context["io"].as_u64())
}

/// Whether the I/O that a bio goes back to has it among its bios.
fn is_listed(report: &Value, bio: &Value) -> bool {
    let mut ios = report["ios"].as_array().expect("a list").iter();
    let io = ios.find(|io| io["id"].as_u64() == io_of(bio));
    io.is_some_and(|io| io["bios"].as_array().expect("a list").contains(&bio["id"]))
}

fn number(bio: &Value, key: &str) -> u64 {
    bio[key].as_u64().expect("a number")
}

/// Whether a bio has what a driver and its device do.
fn was_served(bio: &Value) -> bool {
    let reached = |stage: &str| {
        bio["stages"].as_array().expect("a list").iter().any(|reached| reached["stage"] == stage)
    };
    ["driver", "doorbell", "interrupt", "completed"].into_iter().all(reached)
}

// Device mapper numbers its devices by the order in which they are made: 0 linear, 1 striped, 2 linear on 0.
#[test]
#[ignore = "of ./scripts/test full"]
fn each_layer_of_stacked_devices_has_its_own_bios() {
    let [first, second] = STRIPES;
    let commands = format!(
        "make='dmsetup --noudevsync --noudevrules create'\n\
         echo \"0 131072 linear $DISK {LINEAR}\" | $make lin\n\
         echo \"0 131072 striped 2 {CHUNK} $DISK {first} $DISK {second}\" | $make str\n\
         echo \"0 65536 linear 254:0 {UPPER}\" | $make up\n\
         direct-io /dev/dm-0 write seq 8192 3 && direct-io /dev/dm-0 read rand 4096 3 &&\n\
         direct-io /dev/dm-1 write seq 262144 2 && direct-io /dev/dm-2 write seq 4096 2\n"
    );
    let report = report(&trace_of_stack("stack", "raw", "dmsetup", &["dm-mod"], &commands));
    let (linear, striped, upper) = (3 * 8192 + 3 * 4096 + 2 * 4096, 2 * 262_144, 2 * 4096);
    let expected = [
        ("sda", linear + striped, 0, ""),
        ("dm-0", linear, 1, "8:0"),
        ("dm-2", upper, 2, "254:0"),
        ("dm-1", striped, 1, "8:0"),
    ];
    let expected = expected.map(|(name, bytes, depth, on)| (name.to_owned(), bytes, depth, on.to_owned()));
    assert_eq!(devices(&report), expected);
    let mut layers = [0; 3];
    for bio in bios(&report) {
        assert_eq!(
            (was_served(bio), &bio["complete"]),
            (bio["device"] == "8:0", &Value::Bool(true)),
            "{bio}"
        );
        let Some((upper, how)) = came_of(&report, bio) else { continue };
        assert_eq!((how, &bio["op"]), ("clone", &upper["op"]), "{bio}");
        let (sector, above) = (number(bio, "sector"), number(upper, "sector"));
        match upper["device"].as_str() {
            Some("254:0") => assert_eq!((layers[0] += 1, sector), ((), above + LINEAR), "{bio}"),
            Some("254:2") => assert_eq!((layers[2] += 1, sector), ((), above + UPPER), "{bio}"),
            _ => {
                layers[1] += 1;
                let place =
                    |stripe: u64| sector.checked_sub(stripe).filter(|at| *at < 4096).map(|at| at / CHUNK);
                let chunk = STRIPES.into_iter().zip(0..).find_map(|(stripe, n)| Some(2 * place(stripe)? + n));
                let within = number(upper, "sector") / CHUNK..(number(upper, "sector") + 512) / CHUNK;
                assert!(chunk.is_some_and(|chunk| within.contains(&chunk)), "{bio} of {upper}");
                assert_eq!(number(bio, "bytes"), CHUNK_BYTES, "{bio}");
            }
        }
    }
    assert_eq!(layers, [8, 8, 2], "direct on the linear device and from above, chunks, on the uppermost");
}

// Btrfs submits one copy for each mirror but the last, whose bio is the one that the copies are made of.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_bio_whose_copies_end_first_keeps_its_way() {
    let mkfs = ["--fs", "btrfs", "--mkfs-options", "-m dup", "--disk", "instant"];
    let arguments = [&["debian-6.1"][..], &mkfs, &["--workload", "loop-write:count=5"]].concat();
    let report = report(&trace_of(&recording(&arguments)));
    let mut copies = 0;
    for bio in bios(&report) {
        assert!(was_served(bio) || number(bio, "bytes") == 0, "{bio}");
        let Some((of, how)) = came_of(&report, bio) else { continue };
        copies += 1;
        assert_eq!((how, number(bio, "bytes")), ("clone", number(of, "bytes")), "{bio}");
        assert!(number(bio, "sector") != number(of, "sector") && number(of, "parts") == 1, "{bio} of {of}");
    }
    assert!(copies >= 4, "{copies}: trees and log of a commit are there twice");
}

// dm-crypt reads into the pages of the bio and writes pages of its own, which a work item encrypts and a thread submits.
#[test]
#[ignore = "of ./scripts/test full"]
fn what_dm_crypt_writes_is_of_the_io_whose_data_it_is() {
    let commands = format!(
        "echo \"0 65536 crypt aes-cbc-plain64 00112233445566778899aabbccddeeff 0 $DISK {LINEAR}\" |\
         dmsetup --noudevsync --noudevrules create c || exit 1\n\
         direct-io /dev/dm-0 write seq 16384 4 && direct-io /dev/dm-0 read rand 4096 4\n\
         dd if=/dev/zero of=/dev/dm-0 bs=64k count=2; sync\n"
    );
    let trace = trace_of_stack("crypt", "raw", "dmsetup", &["dm-mod", "dm-crypt"], &commands);
    let report = report(&trace);
    let bytes = 4 * 16384 + 4 * 4096 + 2 * 65536;
    let expected =
        [("sda".to_owned(), bytes, 0, String::new()), ("dm-0".to_owned(), bytes, 1, "8:0".to_owned())];
    assert_eq!(devices(&report), expected);
    for bio in bios(&report) {
        assert!(is_listed(&report, bio), "{bio}");
        assert_eq!(was_served(bio), bio["device_name"] == "sda", "{bio}");
        let Some((upper, how)) = came_of(&report, bio) else {
            assert_eq!((&bio["device_name"], number(bio, "parts")), (&Value::from("dm-0"), 1), "{bio}");
            continue;
        };
        assert_eq!((how, io_of(bio)), ("clone", io_of(upper)), "{bio}");
        assert_eq!(number(bio, "sector"), number(upper, "sector") + LINEAR, "{bio} of {upper}");
        assert_eq!(number(bio, "bytes"), number(upper, "bytes"), "{bio} of {upper}");
    }
    let is_kernel = |io: &&Value| io["kind"] == "kernel";
    assert_eq!(report["ios"].as_array().expect("a list").iter().find(is_kernel), None);
    let write = bios(&report).iter().find(|bio| bio["device_name"] == "dm-0" && bio["op"] == "write");
    let write = number(write.expect("it wrote"), "id").to_string();
    let path = json(&trace, &["path", "--bio", &write]);
    let works: Vec<_> =
        path["segments"].as_array().expect("a list").iter().map(|part| &part["work"]).collect();
    assert!(works.contains(&&Value::from("kcryptd_crypt")), "{works:?}");
}

// The mirrors are linear devices on one disk. They are made equal first: by a thread that reads one and a thread that
// writes the other.
#[test]
#[ignore = "of ./scripts/test full"]
fn a_bio_over_a_mirror_is_of_an_io_or_of_a_thread_of_the_mirrors() {
    let commands = "\
        make='dmsetup --noudevsync --noudevrules create'\n\
        echo \"0 4096 linear $DISK 2048\" | $make a && echo \"0 4096 linear $DISK 131072\" | $make b || exit 1\n\
        echo md0 > /sys/module/md_mod/parameters/new_array && cd /sys/block/md0/md || exit 1\n\
        echo none > metadata_version; echo 254:0 > new_dev; echo 254:1 > new_dev\n\
        echo raid1 > level; echo 2 > raid_disks; echo 2048 > component_size\n\
        echo 0 > dev-dm-0/slot; echo 1 > dev-dm-1/slot; echo active > array_state || exit 1\n\
        while [ $(cat sync_action) != idle ]; do usleep 10000; done\n\
        direct-io /dev/md0 write seq 16384 4 && direct-io /dev/md0 read rand 4096 4\n\
        dd if=/dev/zero of=/dev/md0 bs=64k count=2; sync\n";
    let report =
        report(&trace_of_stack("mirror", "raw", "dmsetup", &["dm-mod", "md-mod", "raid1"], commands));
    let found = devices(&report);
    let names: Vec<_> = found.iter().map(|(name, _, depth, on)| (&**name, *depth, &**on)).collect();
    let expected = [("sda", 0, ""), ("dm-0", 1, "8:0"), ("md0", 2, "254:0 254:1"), ("dm-1", 1, "8:0")];
    assert_eq!(names, expected);
    assert_eq!(found[0].1, found[1].1 + found[3].1, "what the mirrors have to do is the disk's");
    let (mut mirrored, mut own) = (0, 0);
    for bio in bios(&report) {
        assert!(is_listed(&report, bio) && bio["complete"] == true, "{bio}");
        match (bio["device_name"].as_str(), came_of(&report, bio)) {
            (Some("md0"), None) => {
                let mirrors = if bio["op"] == "write" { 2 } else { 1 };
                assert_eq!(number(bio, "parts"), mirrors, "{bio}");
            }
            (Some("dm-0" | "dm-1"), None) => {
                own += 1;
                let [_, thread, ..] = &bio["origin"].as_array().expect("a list")[..] else { panic!("{bio}") };
                assert_eq!(thread["kind"], "thread", "{bio}");
                let name = thread["task"]["comm"].as_str().expect("text");
                assert!(["md0_resync", "md0_raid1"].contains(&name), "{bio}");
            }
            (Some("dm-0" | "dm-1"), Some((upper, "clone"))) if upper["device_name"] == "md0" => {
                mirrored += 1;
                assert_eq!(
                    (io_of(bio), number(bio, "sector")),
                    (io_of(upper), number(upper, "sector")),
                    "{bio}"
                );
            }
            (Some("sda"), Some((upper, "clone"))) => assert_eq!(io_of(bio), io_of(upper), "{bio}"),
            other => panic!("{bio}: {other:?}"),
        }
    }
    assert!(mirrored >= 2 * 4 + 4 + 2 * 2 && own >= 2 * 2048 / 64, "{mirrored} and {own}");
}

// loop0 writes to the page cache, loop1 directly to the disk: that has to write what loop0 has left there first.
#[test]
#[ignore = "of ./scripts/test full"]
fn what_a_loop_device_does_with_its_file_comes_of_its_bios() {
    let commands = "\
        dd if=/dev/zero of=/mnt/image bs=64k count=4; sync\n\
        /files/losetup /dev/loop0 /mnt/image && direct-io /dev/loop0 write seq 16384 4 || exit 1\n\
        /files/losetup --direct-io=on /dev/loop1 /mnt/image || exit 1\n\
        direct-io /dev/loop1 write seq 16384 4 && direct-io /dev/loop1 read rand 4096 4\n\
        sync; losetup -d /dev/loop0; losetup -d /dev/loop1\n";
    let report = report(&trace_of_stack("loop", "xfs", "losetup", &["loop"], commands));
    let names: Vec<_> = devices(&report).into_iter().map(|(name, _, depth, on)| (name, depth, on)).collect();
    let expected = [("sda", 0, ""), ("loop1", 1, "8:0"), ("loop0", 0, "")];
    assert_eq!(names, expected.map(|(name, depth, on)| (name.to_owned(), depth, on.to_owned())));
    let ios_of = |device: &str| -> Vec<_> {
        bios(&report).iter().filter(|bio| bio["device_name"] == device).filter_map(io_of).collect()
    };
    let buffered = ios_of("loop0");
    let (mut served, mut written) = (0, Vec::new());
    for bio in bios(&report) {
        assert!(is_listed(&report, bio), "{bio}");
        let Some((upper, "serve")) = came_of(&report, bio) else { continue };
        served += 1;
        assert_eq!((&bio["device_name"], &upper["device_name"]), (&"sda".into(), &"loop1".into()), "{bio}");
        assert_eq!((io_of(bio), number(bio, "bytes")), (io_of(upper), number(upper, "bytes")), "{bio}");
        let carries = bio["carries"].as_array().expect("a list").iter();
        written.extend(carries.filter_map(|carried| carried["io"].as_u64()));
    }
    written.dedup();
    assert_eq!((served, written), (3 * 4, buffered), "what loop0 left, what loop1 wrote, what it read");
}
