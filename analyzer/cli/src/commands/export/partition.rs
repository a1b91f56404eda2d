//! Where a run is kept among many: a folder for its kernel, its workload, its host and itself, named as Hive does, which
//! engines of SQL read as columns.
//!
//! A value is any text; what has a meaning in the name of a folder is escaped, so that a folder is always below the one
//! that it belongs to.

use iotrace::model::Definitions;
use std::fmt::Write;
use std::path::PathBuf;
use xxhash_rust::xxh3::xxh3_64;

/// What stands for no value (Hive's `hive.exec.default.partition.name`).
const UNKNOWN: &str = "__HIVE_DEFAULT_PARTITION__";

/// Longest value in bytes, escaped: the name of a folder has 255.
const LONGEST: usize = 160;

/// Which run it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunPartition {
    /// Release of the kernel.
    pub kernel: Option<String>,
    /// The workload, as the recording names it.
    pub workload: Option<String>,
    /// The host.
    pub host: Option<String>,
    /// The run.
    pub run: String,
}

impl RunPartition {
    /// That of a trace.
    pub fn new(definitions: &Definitions, host: Option<String>, run: String) -> Self {
        let workload = definitions.note("workload").map(str::to_owned);
        Self { kernel: definitions.release().map(str::to_owned), workload, host, run }
    }

    /// The folder of the runs of its kernel and workload.
    pub fn of_workload(&self) -> PathBuf {
        [level("kernel", self.kernel.as_deref()), level("workload", self.workload.as_deref())]
            .iter()
            .collect()
    }

    /// The name of the folder that is its host's, in that.
    pub fn of_host(&self) -> String {
        level("host", self.host.as_deref())
    }

    /// The name of its own folder, in that.
    pub fn of_run(&self) -> String {
        level("run", Some(&self.run))
    }
}

/// The name of a folder.
fn level(key: &str, value: Option<&str>) -> String {
    format!("{key}={}", value.map_or_else(|| UNKNOWN.to_owned(), escaped))
}

/// A value as a part of a folder's name. What Hive and Spark escape (`ExternalCatalogUtils.escapePathName`), and as them.
fn escaped(value: &str) -> String {
    let mut out = String::new();
    for (at, c) in value.char_indices() {
        let is_special =
            c.is_ascii_control() || "\"#%'*/:=?\\{[]^".contains(c) || at == 0 && value == UNKNOWN;
        if out.len() > LONGEST {
            // Values that begin alike are told apart.
            _ = write!(out, "~{:016x}", xxh3_64(value.as_bytes()));
            break;
        }
        match is_special {
            true => _ = write!(out, "%{:02X}", u32::from(c)),
            false => out.push(c),
        }
    }
    // An empty name is none to Hive.
    if out.is_empty() { UNKNOWN.to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Component;

    fn path(kernel: &str, workload: &str, host: &str) -> PathBuf {
        let value = |text: &str| Some(text.to_owned());
        let partition = RunPartition {
            kernel: value(kernel),
            workload: value(workload),
            host: value(host),
            run: "trace-1".to_owned(),
        };
        partition.of_workload().join(partition.of_host()).join(partition.of_run())
    }

    #[test]
    fn a_run_is_below_its_kernel_workload_and_host() {
        let expected = "kernel=6.1.0-50-amd64/workload=fio%3Amixed/host=lab 1/run=trace-1";
        assert_eq!(path("6.1.0-50-amd64", "fio:mixed", "lab 1"), PathBuf::from(expected));
        let none = RunPartition::default();
        let all = [none.of_host(), none.of_run(), none.of_workload().display().to_string()];
        assert!(all.iter().all(|name| name.ends_with("=__HIVE_DEFAULT_PARTITION__")), "{all:?}");
    }

    #[test]
    fn no_name_leads_elsewhere() {
        let long = "ä/".repeat(4000);
        let hostile =
            ["..", "../../etc/passwd", "/etc", "a/../..", "a=b/c=d", "\0", "a\0/b", "", ".", "%2F..", "a\nb"];
        for name in
            hostile.into_iter().chain([UNKNOWN, &long, "..\\..", "*", "?", "[a]", "'; drop table ios; --"])
        {
            let path = path(name, name, name);
            let parts: Vec<_> = path.components().collect();
            assert_eq!(parts.len(), 4, "{path:?}");
            for (part, key) in parts.iter().zip(["kernel=", "workload=", "host=", "run="]) {
                let Component::Normal(part) = part else { panic!("{path:?}") };
                let part = part.to_str().unwrap();
                let value = part.strip_prefix(key).unwrap();
                assert!(
                    !value.is_empty() && part.len() < 255 && !value.contains(['=', '\0', '\n']),
                    "{part:?}"
                );
            }
        }
        assert_ne!(path(UNKNOWN, "a", "a"), path("", "a", "a"));
        assert_ne!(path(&long, "a", "a"), path(&format!("{long}b"), "a", "a"));
    }
}
