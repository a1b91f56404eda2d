//! A place in the source of the kernel.
//!
//! In: a path as the compiler wrote it. Out: the path from the top of the kernel tree.

/// The directories at the top of a kernel tree that hold code.
const TOP: [&str; 21] = [
    "arch", "block", "certs", "crypto", "drivers", "fs", "include", "init", "io_uring", "ipc", "kernel",
    "lib", "mm", "net", "rust", "samples", "scripts", "security", "sound", "usr", "virt",
];

/// A place in the source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SourceLine {
    /// The path from the top of the kernel tree, `block/bio.c`.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// The path from the top of the kernel tree. The compiler may have been called anywhere, with
/// paths relative to the build directory or absolute: what the path shares with the build
/// directory goes, then what is left up to the first directory that a kernel tree has.
pub(crate) fn tree_path(file: &str, build: &str) -> String {
    let (file, build) = (normal(file), normal(build));
    let shared = file.iter().zip(&build).take_while(|(a, b)| a == b).count();
    let rest = file.get(shared..).unwrap_or_default();
    let top = rest.iter().position(|dir| TOP.contains(dir)).unwrap_or(0);
    rest.get(top..).unwrap_or_default().join("/")
}

/// The components of a path without `.` and `..`.
fn normal(path: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => _ = parts.pop(),
            _ => parts.push(part),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_tree() {
        let debian = "debian/build/build_amd64_none_amd64";
        let rows = [
            ("debian/build/build_amd64_none_amd64/block/bio.c", debian, "block/bio.c"),
            ("debian/build/build_amd64_none_amd64/./include/linux/bio.h", debian, "include/linux/bio.h"),
            (
                "/b/linux-6.1/arch/x86/entry/entry_64.S",
                "/b/linux-6.1/debian/build",
                "arch/x86/entry/entry_64.S",
            ),
            ("/home/me/kernel/linux/fs/xfs/xfs_aops.c", "/home/me/kernel/linux", "fs/xfs/xfs_aops.c"),
            ("/home/me/out/../linux/mm/filemap.c", "/home/me/out", "mm/filemap.c"),
            ("odd.c", "", "odd.c"),
            ("", "", ""),
        ];
        for (file, build, expected) in rows {
            assert_eq!(tree_path(file, build), expected);
        }
    }
}
