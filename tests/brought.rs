//! Programs and files of the host that a recording brings into its guest.

use iotrace_tests::{folder, run, said, script, succeed, with_plugin};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const SMALL: [&str; 6] = ["debian-6.1", "--bare", "--fs", "ext4", "--disk-size", "32"];

/// A file in a folder of the test's own.
fn file(place: &Path, name: &str, contents: &[u8]) -> PathBuf {
    let path = place.join(name);
    fs::write(&path, contents).expect("the build folder is writable");
    path
}

/// More bytes than pass through a port in short time, none of them predictable by position.
fn megabytes() -> Vec<u8> {
    let mut state = 1_u64;
    Vec::from_iter((0..3_000_001).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    }))
}

/// Large files arrive whole, at the paths asked for; programs find their libraries, scripts their interpreters.
#[test]
fn files_and_programs_reach_the_guest() {
    let place = folder("brought");
    let large = file(&place, "megabytes", &megabytes());
    let text = file(&place, "with:colon", b"from a name with a colon\n");
    let long = "a-name-that-is-longer-than-the-hundred-bytes-which-the-header-of-a-tar-archive-has-room-for/"
        .repeat(2);
    let bash = file(&place, "of-bash.sh", b"#!/bin/bash\nnames=(one two); echo \"bash ${names[1]}\"\n");
    fs::set_permissions(&bash, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let sum = succeed(Command::new("md5sum").arg(&large));
    let sum = sum.split_whitespace().next().expect("a sum");
    let workload = format!(
        "sh:md5sum /files/megabytes /mnt/deep/er; cat /files/with:colon '/etc/{long}with:colon'; \
         env printf 'it %s\\n' ran; of-bash.sh; ls -l /files/of-bash.sh"
    );
    let recording = folder("recordings").join("brought");
    let mut record = script("record");
    record.args(SMALL).args(with_plugin()).args(["--workload", &workload, "--force", "-o"]).arg(&recording);
    record.args(["--program", "env", "--program"]).arg(&bash);
    for (source, target) in
        [(&large, ""), (&large, ":/mnt/deep/er"), (&text, ""), (&text, &*format!(":/etc/{long}"))]
    {
        record.arg("--add").arg(format!("{}{target}", source.display()));
    }
    succeed(&mut record);
    let console = fs::read_to_string(recording.join("console.txt")).expect("the recording is whole");
    for (text, times) in
        [(sum, 2), ("from a name with a colon", 2), ("it ran", 1), ("bash two", 1), ("-rwxr-xr-x", 1)]
    {
        assert_eq!(console.matches(text).count(), times, "{text}: {console}");
    }
}

/// What scripts/record says to arguments that it refuses, before anything is booted.
fn refused(arguments: &[&str]) -> String {
    let place = folder("recordings").join("refused");
    let output = run(script("record").args(SMALL).args(arguments).arg("-o").arg(&place));
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
    assert!(!place.exists() && !text.contains("Traceback"), "{arguments:?}: {text}");
    text
}

/// A file that cannot be brought is named, with what to do instead.
#[test]
fn files_that_cannot_be_brought_are_refused() {
    let place = folder("refused");
    let path = |name: &str, contents: &[u8]| file(&place, name, contents).display().to_string();
    let text = path("text", b"x");
    let at = |target: &str| format!("{text}:{target}");
    let missing = place.join("missing").display().to_string();
    let no_shell = path("no-shell", b"#!/no/such/shell\n");
    let env = path("env-script", b"#!/usr/bin/env python3\n");
    let mut elf = fs::read("/usr/bin/env").expect("every Debian has it");
    let loader = loader(&elf);
    (elf[16], elf[18]) = (1, 62);
    let object = path("object", &elf);
    (elf[16], elf[18]) = (2, 183);
    let foreign = path("foreign", &elf);
    for (arguments, expected) in [
        (["--add", &missing, "", ""], "no such file"),
        (["--add", place.to_str().expect("text"), "", ""], "a directory: specify each of its files"),
        (["--add", "/dev/null", "", ""], "not a regular file"),
        (["--add", &at("relative"), "", ""], "must begin with a slash"),
        (["--add", &at("/a/../b"), "", ""], "specify the plain path"),
        (["--add", &at(&format!("/{}", "n".repeat(256))), "", ""], "too long"),
        (["--add", &at("/init"), "", ""], "the guest's own"),
        (["--add", &at("/iotrace/options"), "", ""], "the guest's own"),
        (["--add", &at("/bin/dd"), "", ""], "the guest's own"),
        (["--add", &at("/mnt"), "", ""], "the guest's own"),
        (["--add", &text, "--add", &text], "give one of them another path"),
        (["--add", &at("/a"), "--add", &at("/a/b")], "give one of them another path"),
        (["--program", "env", "--add", &at("/files/env")], "give one of them another path"),
        (["--program", "env", "--add", &at(&loader)], "give one of them another path"),
        (["--program", "no-such-program", "", ""], "no such program in PATH"),
        (["--program", place.to_str().expect("text"), "", ""], "a directory"),
        (["--program", &text, "", ""], "use --add for files that are not programs"),
        (["--program", &object, "", ""], "not a program"),
        (["--program", &foreign, "", ""], "another processor"),
        (["--program", &no_shell, "", ""], "a script for '/no/such/shell'"),
        (["--program", &env, "", ""], "the path of the interpreter"),
    ] {
        let arguments: Vec<&str> = arguments.into_iter().filter(|word| !word.is_empty()).collect();
        let text = refused(&arguments);
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
    let broken = place.join("broken");
    let _ = fs::remove_file(&broken);
    symlink("nowhere", &broken).expect("the build folder is writable");
    assert!(refused(&["--add", &broken.display().to_string()]).contains("no such file"));
}

/// The path of the program that loads a program (`PT_INTERP`): the first text in it that has the loader's name.
fn loader(program: &[u8]) -> String {
    let at = program.windows(4).position(|bytes| bytes == b"/ld-").expect("it is linked dynamically");
    let begin = program[..at].iter().rposition(|byte| *byte == 0).map_or(0, |before| before + 1);
    let end = at + program[at..].iter().position(|byte| *byte == 0).expect("a string ends");
    String::from_utf8(program[begin..end].to_vec()).expect("a path in ASCII")
}
