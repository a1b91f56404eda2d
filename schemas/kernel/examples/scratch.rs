//! Scratch.
use iotrace_kernel::*;
use std::path::Path;
use std::time::Instant;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let kernel = Kernel::open(Path::new(&args[1])).unwrap();
    let names: Vec<String> = std::fs::read_to_string(&args[2]).unwrap().lines().map(str::to_string).collect();
    let set: std::collections::HashSet<&str> = names.iter().map(|s| s.as_str()).collect();
    let t = Instant::now();
    let r = kernel.inlined(&|n| set.contains(n)).unwrap();
    eprintln!("{} instances in {:?}; only inlined {:?}", r.instances.len(), t.elapsed(), r.only_inlined);
    if args.len() > 3 && args[3] == "all" {
        let t = Instant::now();
        let r = kernel.inlined(&|_| true).unwrap();
        eprintln!(
            "all: {} instances in {:?}; only inlined {}",
            r.instances.len(),
            t.elapsed(),
            r.only_inlined.len()
        );
        let mut kinds = std::collections::BTreeMap::new();
        for a in r.instances.iter().flat_map(|i| &i.arguments) {
            let k = format!("{:?}", a.value);
            let k = k.split(['(', ' ']).next().unwrap().to_string();
            *kinds.entry(k).or_insert(0) += 1;
        }
        eprintln!("{kinds:?}");
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        eprintln!("{}", status.lines().find(|l| l.starts_with("VmHWM")).unwrap());
        for i in &r.instances {
            println!("{:x} {} in {}", i.entry.offset, i.function, i.inside);
        }
    } else {
        for i in &r.instances {
            println!("{i:?}");
        }
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        eprintln!("{}", status.lines().find(|l| l.starts_with("VmHWM")).unwrap());
    }
}
