//! Bios that came of others: on stacked devices, and copies that a file system makes.

use iotrace_tests::{analyze, folder, recording, script, succeed, trace_of};
use serde_json::Value;
use std::fs;

/// Where the linear device begins on the disk, and the one above it on that, in sectors.
const LINEAR: u64 = 2048;
const UPPER: u64 = 1024;
/// A chunk of the striped device, in sectors and bytes, and where its two stripes begin on the disk.
const CHUNK: u64 = 128;
const CHUNK_BYTES: u64 = CHUNK * 512;
const STRIPES: [u64; 2] = [200_000, 400_000];

fn report(arguments: &[&str]) -> Value {
    let trace = trace_of(&recording(arguments));
    let text = succeed(&mut analyze(&["report", "--format", "json"], &trace));
    let report: Value = serde_json::from_str(&text).expect("it is JSON");
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
    let kernel = succeed(script("kernel").arg("debian-6.1"));
    let module = format!("{}/modules/dm-mod.ko", kernel.trim());
    let [first, second] = STRIPES;
    let program = folder("stacked").join("stack.sh");
    let commands = format!(
        "insmod /files/dm-mod.ko || exit 1\n\
         make='dmsetup --noudevsync --noudevrules create'\n\
         echo \"0 131072 linear $DISK {LINEAR}\" | $make lin\n\
         echo \"0 131072 striped 2 {CHUNK} $DISK {first} $DISK {second}\" | $make str\n\
         echo \"0 65536 linear 254:0 {UPPER}\" | $make up\n\
         direct-io /dev/dm-0 write seq 8192 3 && direct-io /dev/dm-0 read rand 4096 3 &&\n\
         direct-io /dev/dm-1 write seq 262144 2 && direct-io /dev/dm-2 write seq 4096 2\n"
    );
    fs::write(&program, commands).expect("the build folder is writable");
    let program = program.display().to_string();
    let report = report(&[
        "debian-6.1",
        "--fs",
        "raw",
        "--program",
        "dmsetup",
        "--add",
        &module,
        "--add",
        &program,
        "--workload",
        "sh:sh /files/stack.sh",
    ]);
    let totals: Vec<_> = report["device_totals"].as_array().expect("a list").iter().collect();
    let totals: Vec<_> = totals
        .into_iter()
        .map(|device| {
            (device["device"].as_str().expect("text"), number(device, "bytes"), device["on"].to_string())
        })
        .collect();
    let (linear, striped, upper) = (3 * 8192 + 3 * 4096 + 2 * 4096, 2 * 262_144, 2 * 4096);
    let expected = [
        ("8:0", linear + striped, "[]"),
        ("254:0", linear, "[\"8:0\"]"),
        ("254:1", striped, "[\"8:0\"]"),
        ("254:2", upper, "[\"254:0\"]"),
    ];
    assert_eq!(totals, expected.map(|(device, bytes, on)| (device, bytes, on.to_owned())));
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
    let report = report(&[&["debian-6.1"][..], &mkfs, &["--workload", "loop-write:count=5"]].concat());
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
