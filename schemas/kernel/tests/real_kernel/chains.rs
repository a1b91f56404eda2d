//! Call sites of a real kernel, with binutils as witness.

use std::time::Instant;

use iotrace_kernel::{Kernel, SourceFrame};

use super::kernel;
use super::witness::{addr2line, disassembled};

/// The addresses that the calls of a function return to.
fn calls(kernel: &Kernel, name: &str) -> Option<Vec<u64>> {
    let function = kernel.symbols().variants(name).next()?;
    let end = function.addr + function.size;
    let code = disassembled(kernel.image().path(), function.addr, end)?;
    let next = code.iter().skip(1).map(|(at, _)| *at).chain([end]);
    let calls = code.iter().zip(next).filter(|((_, text), _)| text.starts_with("call"));
    Some(calls.map(|(_, next)| next).collect())
}

fn same(ours: &[SourceFrame], theirs: &[(String, String)]) -> bool {
    let agree = |(frame, (function, place)): (&SourceFrame, &(String, String))| {
        let line = frame.place.as_ref().map(|p| format!("{}:{}", p.file, p.line));
        // addr2line has the symbol with its suffix, and the path as the compiler had it.
        function.starts_with(&frame.function) && line.is_some_and(|line| place.ends_with(&line))
    };
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(agree)
}

#[test]
#[ignore = "needs IOTRACE_TEST_KERNEL"]
fn calls_are_in_the_functions_that_addr2line_says() {
    let kernel = kernel();
    let Some(lines) = kernel.lines().expect("sound") else {
        return println!("no DWARF: nothing to compare");
    };
    for name in ["submit_bio_noacct", "vfs_write", "blk_mq_submit_bio", "vfs_read", "filemap_read", "do_exit"]
    {
        let Some(returns) = calls(&kernel, name) else {
            return println!("no objdump: nothing to compare");
        };
        let before: Vec<u64> = returns.iter().map(|at| at - 1).collect();
        let Some(witness) = addr2line(kernel.image().path(), None, &before) else {
            return println!("no addr2line: nothing to compare");
        };
        let chains: Vec<_> = returns.iter().map(|at| lines.chain(*at).expect("sound")).collect();
        let differ = returns.iter().zip(chains.iter().zip(&witness)).filter(|(_, (a, b))| !same(a, b));
        let differ: Vec<_> = differ.collect();
        let deep = chains.iter().filter(|c| c.len() > 1).count();
        println!("{name}: {} calls, {deep} of them inlined", returns.len());
        assert!(differ.is_empty(), "{name}: {differ:#x?}");
    }
}

#[test]
#[ignore = "needs IOTRACE_TEST_KERNEL"]
fn twenty_thousand_calls_take_seconds() {
    let kernel = kernel();
    let start = Instant::now();
    let Some(lines) = kernel.lines().expect("sound") else {
        return println!("no DWARF: nothing to ask");
    };
    println!("lines ready in {:?}", start.elapsed());
    let functions: Vec<_> = kernel.symbols().functions().filter(|s| s.size > 8).collect();
    let step = (functions.len() / 20_000).max(1);
    let mut asked: Vec<u64> = functions.iter().step_by(step).map(|s| s.addr + s.size / 2).collect();
    // In no order.
    asked.sort_by_key(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let (start, mut frames) = (Instant::now(), 0);
    for at in &asked {
        frames += lines.chain(*at).expect("sound").len();
    }
    println!("{} chains, {frames} frames in {:?}", asked.len(), start.elapsed());
    assert!(frames > asked.len() / 2);
}
