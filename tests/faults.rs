//! Faults: a full disk, errors of writes, kill -9, two instances at once, folders that are mounted read-only. What is
//! injected and what must hold then is in `scripts/iotrace_scripts/faults`; here is a sample, and all of it.

use iotrace_tests::{built, run, said, script};

/// Injects faults. The seed of random moments is in what is printed.
fn inject(arguments: &[&str]) {
    let folder = built("libiotrace.so").parent().expect("a file is in a folder").to_owned();
    let output = run(script("faults").arg("--built").arg(folder).args(arguments));
    println!("{}", said(&output));
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_sample_of_faults_leaves_nothing_that_passes_as_whole() {
    let few = ["--most", "4", "--each", "4", "--kills", "2", "--pairs", "1"];
    inject(&[&few[..], &["index", "slice", "kernel"]].concat());
}

#[test]
#[ignore = "of ./scripts/test full"]
fn faults_of_the_analyzer_leave_nothing_that_passes_as_whole() {
    inject(&["index", "slice", "recover", "cat", "profile"]);
}

#[test]
#[ignore = "of ./scripts/test full"]
fn faults_of_scripts_leave_nothing_that_passes_as_whole() {
    let some = ["--most", "20", "--each", "10", "--kills", "20", "--pairs", "2"];
    inject(
        &[&some[..], &["kernel", "record", "replay", "replay-from", "record-cold", "boot", "compare"]]
            .concat(),
    );
}
