//! Symbols of the kernel's code that are no ordinary functions.

/// arch/x86/lib/retpoline.S
const THUNK: &str = "__x86_indirect_thunk_";

/// Bytes of `call rel32`.
const CALL: u64 = 5;

/// arch/x86/lib/retpoline.S: a jump to one of these is a return.
pub fn is_return_thunk(name: &str) -> bool {
    name.ends_with("_return_thunk")
}

/// A call of one of these is a call through a register.
pub fn is_call_thunk(name: &str) -> bool {
    name.starts_with("__x86_indirect_")
}

/// The kernel puts a call through the register in the place of one of a thunk where it needs no mitigation
/// (arch/x86/kernel/alternative.c, patch_retpoline). `call *%r8` and up need a prefix.
pub fn patched_call(name: &str, after: u64) -> Option<u64> {
    let register = name.strip_prefix(THUNK)?;
    let length = if register.get(1..)?.starts_with(|c: char| c.is_ascii_digit()) { 3 } else { 2 };
    Some(after.wrapping_sub(CALL).wrapping_add(length))
}

/// Where the kernel counts the depth of calls (retbleed=stuff; arch/x86/kernel/callthunks.c), they go to the end of the
/// padding before a function, whose alignment is 16 then (CONFIG_CALL_PADDING).
pub fn behind_padding(target: u64) -> u64 {
    const ALIGNMENT: u64 = 16;
    target.wrapping_add(ALIGNMENT - 1) & !(ALIGNMENT - 1)
}

/// Whether a symbol's code is called and returns.
pub fn is_called(name: &str) -> bool {
    // Thunks of calls, jumps and returns (arch/x86/lib/retpoline.S), static calls (include/linux/static_call_types.h),
    // padding before functions (CONFIG_CALL_PADDING).
    const BEGINNINGS: [&str; 4] = ["__x86_", "__SCT__", "__pfx_", "ret_from_fork"];
    // Switches of stacks and tasks (arch/x86/entry/entry_64.S, arch/x86/kernel/process_64.c); what calls of the
    // guest's own tracing go through (arch/x86/kernel/ftrace_64.S, rethook.c, kprobes/core.c).
    const NAMES: [&str; 11] = [
        "__switch_to_asm",
        "__switch_to",
        "rewind_stack_and_make_dead",
        "__fentry__",
        "ftrace_caller",
        "ftrace_regs_caller",
        "ftrace_graph_caller",
        "ftrace_stub",
        "return_to_handler",
        "arch_rethook_trampoline",
        "__kretprobe_trampoline",
    ];
    !BEGINNINGS.iter().any(|begin| name.starts_with(begin))
        && !is_return_thunk(name)
        && !NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thunks_are_known_by_their_names() {
        assert!(is_return_thunk("__x86_return_thunk") && is_return_thunk("srso_return_thunk"));
        assert!(is_call_thunk("__x86_indirect_thunk_rax") && is_call_thunk("__x86_indirect_call_thunk_r8"));
        for (name, called) in
            [("submit_bio", true), ("__pfx_submit_bio", false), ("__x86_return_thunk", false)]
        {
            assert_eq!(is_called(name), called, "{name}");
        }
    }

    #[test]
    fn a_call_that_is_counted_goes_through_the_padding() {
        assert_eq!([0x1006, 0x1010, 0x1011].map(behind_padding), [0x1010, 0x1010, 0x1020]);
    }

    #[test]
    fn a_call_through_a_register_is_shorter_than_that_of_its_thunk() {
        assert_eq!(patched_call("__x86_indirect_thunk_rax", 0x1005), Some(0x1002));
        assert_eq!(patched_call("__x86_indirect_thunk_r8", 0x1005), Some(0x1003));
        assert_eq!(patched_call("__x86_indirect_thunk_", 0x1005), None);
        assert_eq!(patched_call("submit_bio", 0x1005), None);
    }
}
