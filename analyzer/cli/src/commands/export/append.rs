//! One more run in a folder of many: its files get their place together, when all are whole.
//!
//! Until then they are in a hidden folder, which an error removes. A program that is killed leaves it behind, empty (files
//! get their names when they are whole) or with whole files; the next one removes it: it is locked as long as somebody
//! writes there.

use super::partition::RunPartition;
use anyhow::{Context, Result, bail};
use std::cell::OnceCell;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What the name of a hidden folder begins with.
const HIDDEN: &str = ".new-";

/// A run that is written.
#[derive(Debug)]
pub struct NewRun {
    root: PathBuf,
    partition: RunPartition,
    hidden: OnceCell<HiddenFolder>,
}

/// The folder that its files are in. It is removed if they get no other place.
#[derive(Debug)]
struct HiddenFolder {
    path: PathBuf,
    /// Keeps the lock.
    _locked: File,
}

impl Drop for HiddenFolder {
    fn drop(&mut self) {
        // It is not there any more once the run has its place.
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl NewRun {
    /// Begins a run; nothing is written.
    ///
    /// # Errors
    /// If it is in the folder already, of whichever host.
    pub fn new(root: &Path, partition: RunPartition) -> Result<Self> {
        let run = Self { root: root.to_owned(), partition, hidden: OnceCell::new() };
        let hosts = fs::read_dir(root.join(run.partition.of_workload())).into_iter().flatten().flatten();
        match hosts.map(|host| host.path().join(run.partition.of_run())).find(|place| place.exists()) {
            Some(place) => Err(run.is_there(&place)),
            None => Ok(run),
        }
    }

    /// The folder that its files are to be in, made when it is first asked for.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn folder(&self) -> Result<&Path> {
        if self.hidden.get().is_none() {
            let making = || format!("cannot make a directory in {}", self.root.display());
            fs::create_dir_all(&self.root).with_context(making)?;
            remove_abandoned(&self.root);
            let path = self.root.join(format!("{HIDDEN}{}-{}", self.partition.of_run(), std::process::id()));
            fs::create_dir(&path).with_context(making)?;
            let locked = File::open(&path).with_context(making)?;
            locked.try_lock().with_context(making)?;
            let _ = self.hidden.set(HiddenFolder { path, _locked: locked });
        }
        Ok(self.hidden.get().map_or(&self.root, |hidden| &hidden.path))
    }

    /// The files are whole: they get their place.
    ///
    /// # Errors
    /// If another program was faster, and those of the system.
    pub fn keep(self) -> Result<()> {
        let Some(hidden) = self.hidden.get() else { return Ok(()) };
        let host = self.root.join(self.partition.of_workload()).join(self.partition.of_host());
        let place = host.join(self.partition.of_run());
        let writing = || format!("cannot make directory {}", place.display());
        fs::create_dir_all(&host).with_context(writing)?;
        match fs::rename(&hidden.path, &place) {
            Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {
                Err(self.is_there(&place))
            }
            renamed => renamed.with_context(writing),
        }
    }

    fn is_there(&self, place: &Path) -> anyhow::Error {
        anyhow::anyhow!(
            "the run of this trace is there already: delete {} to export it again",
            place.display()
        )
    }
}

/// Removes what programs that were killed have left.
fn remove_abandoned(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let is_hidden = entry.file_name().to_string_lossy().starts_with(HIDDEN);
        let locked = File::open(entry.path()).is_ok_and(|folder| is_hidden && folder.try_lock().is_ok());
        if locked {
            // Otherwise the next one tries it again.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The name of this host (proc_sys_kernel(5)); none if it has none.
pub fn host_name() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim_end().to_owned()).filter(|name| !matches!(name.as_str(), "" | "(none)"))
}

/// Refuses what is not kept in a folder of many runs.
///
/// # Errors
/// With what to do.
pub fn check(is_parquet: bool, is_whole_workload: bool) -> Result<()> {
    if !is_parquet {
        bail!("--append keeps runs as Parquet: add --to parquet");
    }
    if !is_whole_workload {
        bail!(
            "--append keeps the whole workload of each run: leave out --all and conditions, and select in queries"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn partition(host: &str) -> RunPartition {
        RunPartition { host: Some(host.to_owned()), run: "trace-1".to_owned(), ..RunPartition::default() }
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect()
    }

    fn begun(root: &Path, host: &str) -> NewRun {
        let run = NewRun::new(root, partition(host)).unwrap();
        fs::write(run.folder().unwrap().join("ios.parquet"), "rows").unwrap();
        run
    }

    #[test]
    fn a_run_has_its_place_when_it_is_whole_and_not_before() {
        let place = TempDir::new().unwrap();
        let root = place.path().join("runs");
        let run = begun(&root, "a");
        assert!(names(&root).iter().all(|name| name.starts_with(HIDDEN)));
        run.keep().unwrap();
        let partition = partition("a");
        let kept = root.join(partition.of_workload()).join(partition.of_host()).join(partition.of_run());
        assert_eq!(fs::read(kept.join("ios.parquet")).unwrap(), b"rows");
        assert!(names(&root).iter().all(|name| name.starts_with("kernel=")));
    }

    #[test]
    fn a_run_that_fails_leaves_nothing() {
        let place = TempDir::new().unwrap();
        drop(begun(place.path(), "a"));
        assert_eq!(names(place.path()), [""; 0]);
    }

    #[test]
    fn a_run_is_kept_once_also_of_two_hosts() {
        let place = TempDir::new().unwrap();
        let (first, second) = (begun(place.path(), "a"), NewRun::new(place.path(), partition("a")).unwrap());
        first.keep().unwrap();
        for host in ["a", "b"] {
            let again = NewRun::new(place.path(), partition(host)).unwrap_err().to_string();
            assert!(
                again.contains("there already: delete") && again.contains("host=a/run=trace-1"),
                "{again}"
            );
        }
        // One that began before the other was whole.
        fs::create_dir(second.root.join(".other")).unwrap();
        let hidden =
            HiddenFolder { path: second.root.join(".other"), _locked: File::open(place.path()).unwrap() };
        fs::write(hidden.path.join("ios.parquet"), "rows").unwrap();
        second.hidden.set(hidden).unwrap();
        assert!(second.keep().unwrap_err().to_string().contains("there already"));
        assert_eq!(names(place.path()).len(), 1);
    }

    #[test]
    fn what_a_killed_program_left_is_removed_and_what_another_one_writes_is_not() {
        let place = TempDir::new().unwrap();
        let abandoned = place.path().join(".new-run=trace-0-1");
        fs::create_dir(&abandoned).unwrap();
        fs::write(abandoned.join("ios.parquet"), "rows").unwrap();
        let writing = place.path().join(".new-run=trace-2-2");
        fs::create_dir(&writing).unwrap();
        let locked = File::open(&writing).unwrap();
        locked.lock().unwrap();
        begun(place.path(), "a").keep().unwrap();
        assert!(!abandoned.exists() && writing.exists());
    }
}
