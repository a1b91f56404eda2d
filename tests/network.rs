//! File systems in a network: their I/Os have no bios of their own.

use iotrace_tests::{agrees, analyze, json, recording, script, succeed, trace_of};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The server and the client are one guest. The server keeps the names of its clients in a directory. Without a program that answers the server's questions, it is told beforehand who
/// may mount what (9218: `NFSEXP_FSID`, `NFSEXP_NOSUBTREECHECK`, `NFSEXP_INSECURE_PORT`, include/uapi/linux/nfsd/export.h).
const SHARE: &str = r#"busybox ip link set lo up
mkdir -p /nfs /var/lib/nfs/v4recovery
mount -t nfsd nfsd /proc/fs/nfsd && mkdir /mnt/shared || exit 1
echo "nfsd 127.0.0.1 2147483647 all" >/proc/net/rpc/auth.unix.ip/channel || exit 2
echo "all /mnt 2147483647 9218 65534 65534 0" >/proc/net/rpc/nfsd.export/channel || exit 3
echo 'all 1 \x00000000 2147483647 /mnt' >/proc/net/rpc/nfsd.fh/channel || exit 4
echo "-2 -3 +4" >/proc/fs/nfsd/versions && echo 2 >/proc/fs/nfsd/threads || exit 5
echo Y >/proc/fs/nfsd/v4_end_grace
busybox mount -t nfs4 -o addr=127.0.0.1,clientaddr=127.0.0.1,vers=4.2,sec=sys,proto=tcp 127.0.0.1:/ /nfs || exit 6
loop-write /nfs/shared/log.txt 5 0 || exit 7
direct-io /nfs/shared/direct write seq 16384 4 && direct-io /nfs/shared/direct read rand 4096 4 || exit 8
sync
umount /nfs; echo 0 >/proc/fs/nfsd/threads; umount /proc/fs/nfsd
"#;

/// The files of modules and of what they need, as they are to be loaded.
fn files_of(kernel: &Path, modules: &[&str]) -> Vec<PathBuf> {
    let table = fs::read_to_string(kernel.join("modules.dep")).expect("the kernel has modules");
    let (mut names, lines) = (Vec::<&str>::new(), table.lines().filter_map(|line| line.split_once(':')));
    for (name, needs) in lines.filter(|(name, _)| modules.contains(&name.trim_end_matches(".ko"))) {
        for name in needs.split_whitespace().chain([name]) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names.iter().map(|name| kernel.join("modules").join(name)).collect()
}

/// A call on a file of NFS waits for threads of the client and of the server, whose bios are the server's.
#[test]
#[ignore = "of ./scripts/test full"]
fn ios_of_nfs_wait_for_the_servers_threads() {
    let modules = ["nfsd", "nfsv4"];
    let named = modules.iter().flat_map(|module| ["--module", module]);
    let kernel = PathBuf::from(succeed(script("kernel").arg("debian-6.1").args(named)));
    let (mut options, mut workload) = (vec![], String::from("sh:"));
    for file in files_of(&kernel, &modules) {
        let name = file.file_stem().expect("it has a name").to_string_lossy().into_owned();
        workload +=
            &format!("[ -e /sys/module/{} ] || insmod /files/{name}.ko || exit 9\n", name.replace('-', "_"));
        options.extend(["--add".to_owned(), file.display().to_string()]);
    }
    workload += SHARE;
    let folder = kernel.display().to_string();
    let fixed = [&folder, "--strict", "--fs", "ext4", "--witness", "--workload", &workload];
    let arguments: Vec<_> = fixed.into_iter().chain(options.iter().map(String::as_str)).collect();
    let recorded = recording(&arguments);
    let trace = trace_of(&recorded);
    agrees(&recorded, &trace);

    let report = json(&trace, &["report"]);
    let lost = report["not_attributed"].as_array().expect("a list").iter().filter(|row| row["loss"] != false);
    assert_eq!(lost.count(), 0, "{}", report["not_attributed"]);
    let ios = report["ios"].as_array().expect("a list");
    let of_client = |task: &str| {
        let of_task = |io: &&Value| io["task"]["comm"] == *task && io["kind"] == "syscall";
        ios.iter().filter(of_task).collect::<Vec<_>>()
    };
    let (direct, appended) = (of_client("direct-io"), of_client("loop-write"));
    let calls = |ios: &[&Value], call: &str| ios.iter().filter(|io| io["syscall"] == *call).count();
    assert_eq!((calls(&direct, "pwrite"), calls(&direct, "pread")), (4, 4), "{direct:#?}");
    assert_eq!((calls(&appended, "write"), calls(&appended, "fsync")), (5, 1), "{appended:#?}");
    let without = |io: &&&Value| io["bios"].as_array().is_some_and(Vec::is_empty);
    assert_eq!(direct.iter().chain(&appended).filter(without).count(), direct.len() + appended.len());

    let bios = report["bios"].as_array().expect("a list");
    let is_of_server = |bio: &&Value| {
        let mut origin = bio["origin"].as_array().expect("a list").iter();
        origin.any(|context| context["kind"] == "thread" && context["task"]["comm"] == "nfsd")
    };
    assert!(bios.iter().filter(is_of_server).count() >= 5, "{bios:#?}");

    for io in
        direct.iter().chain(&appended).filter(|io| io["syscall"] == "pwrite" || io["syscall"] == "fsync")
    {
        let why = succeed(&mut analyze(&["why", &io["id"].to_string()], &trace));
        for expected in
            ["work item rpc_async_schedule", "runnable, woken by", "device of sym53c8xx_intr", "nfsd/"]
        {
            assert!(why.contains(expected), "{expected}: {why}");
        }
    }
}
