//! The state dump of LTTng: what is known besides the events. Tasks stand where the export begins, later ones before their
//! first event (lttng-analyses takes a thread whose process it does not know for a new process); a file at the first I/O on its
//! descriptor, a device at its first bio.
//!
//! Fields are those that LTTng's modules have (`lttng-statedump.h` in `instrumentation/events/lttng-module`), as far as readers
//! need them; what a trace does not have is 0, which for the states of a task is LTTng's value for unknown.

use super::comm;
use super::metadata::FieldType;
use iotrace::analysis::records::RecordScope;
use iotrace::hash::{Map, Set};
use iotrace::model::{Bio, Io, Task};

/// Begin and end of the tasks.
pub const BEGIN: &str = "lttng_statedump_start";
/// See [`BEGIN`].
pub const END: &str = "lttng_statedump_end";
/// A task.
pub const TASK: &str = "lttng_statedump_process_state";
/// An open file.
pub const FILE: &str = "lttng_statedump_file_descriptor";
/// A disk.
pub const DEVICE: &str = "lttng_statedump_block_device";

/// No fields.
pub const NOTHING: &[(&str, FieldType)] = &[];
/// Fields of [`TASK`].
pub const TASK_FIELDS: &[(&str, FieldType)] = &[
    ("tid", FieldType::I32),
    ("pid", FieldType::I32),
    ("ppid", FieldType::I32),
    ("name", FieldType::Comm),
    ("mode", FieldType::I32),
    ("submode", FieldType::I32),
    ("status", FieldType::I32),
];
/// Fields of [`FILE`].
pub const FILE_FIELDS: &[(&str, FieldType)] = &[
    ("pid", FieldType::I32),
    ("fd", FieldType::I32),
    ("flags", FieldType::U32),
    ("fmode", FieldType::U32),
    ("filename", FieldType::Text),
];
/// Fields of [`DEVICE`].
pub const DEVICE_FIELDS: &[(&str, FieldType)] = &[("dev", FieldType::U32), ("diskname", FieldType::Text)];

/// Descriptors and devices that are remembered; with more, a name is written again.
const KNOWN: usize = 1 << 16;

/// What was written of the state dump.
#[derive(Debug, Default)]
pub struct StateDump {
    begun: bool,
    /// Thread and process ids.
    tasks: Set<(u32, u32)>,
    /// The name of the file that each process has at a descriptor.
    files: Map<(u32, u64), String>,
    devices: Set<u64>,
}

impl StateDump {
    /// The tasks to write, the first time.
    pub fn begin(&mut self, scope: &RecordScope) -> Option<Vec<Task>> {
        (!std::mem::replace(&mut self.begun, true)).then(|| scope.tasks.all())
    }

    /// Whether a task was not written before; it is from here on.
    pub fn is_new(&mut self, task: &Task) -> bool {
        if self.tasks.len() >= KNOWN {
            self.tasks.clear();
        }
        self.tasks.insert((task.pid, task.tgid))
    }

    /// The payload of a file, if it is another one than was known at the descriptor.
    pub fn file(&mut self, io: &Io) -> Option<Vec<u8>> {
        let (fd, file) = (io.fd?, io.file.as_ref().filter(|file| !file.name.is_empty())?);
        if self.files.len() >= KNOWN {
            self.files.clear();
        }
        let before = self.files.insert((io.task.tgid, fd), file.name.clone());
        let mut payload = Vec::new();
        payload.extend(io.task.tgid.to_le_bytes());
        payload.extend((fd as u32).to_le_bytes());
        payload.extend([0; 8]);
        payload.extend(text(&file.name));
        (before.as_ref() != Some(&file.name)).then_some(payload)
    }

    /// The payload of a bio's device, if it was not written before.
    pub fn device(&mut self, bio: &Bio) -> Option<Vec<u8>> {
        let name = bio.device.as_ref()?;
        if self.devices.len() >= KNOWN {
            self.devices.clear();
        }
        let payload = || [&(bio.dev as u32).to_le_bytes()[..], &text(name)].concat();
        self.devices.insert(bio.dev).then(payload)
    }
}

/// The payload of a task.
pub fn task(task: &Task) -> Vec<u8> {
    let mut payload = Vec::new();
    payload.extend(task.pid.to_le_bytes());
    payload.extend(task.tgid.to_le_bytes());
    payload.extend([0; 4]);
    payload.extend(comm(task));
    payload.extend([0; 12]);
    payload
}

/// Text as CTF has it: with a zero behind it, and none in it.
fn text(text: &str) -> Vec<u8> {
    let plain = text.bytes().take_while(|byte| *byte != 0);
    plain.chain([0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use iotrace::model::File;

    fn io(fd: u64, name: &str) -> Io {
        let task = Task { pid: 8, tgid: 7, ..Task::default() };
        let file = File { name: name.to_owned(), ..File::default() };
        Io { fd: Some(fd), file: Some(file), task, ..Io::default() }
    }

    #[test]
    fn a_file_is_written_when_it_is_new_at_its_descriptor() {
        let mut dump = StateDump::default();
        let known = [(3, "a"), (3, "a"), (4, "a"), (3, "b"), (3, ""), (3, "b")];
        let written: Vec<_> = known.iter().map(|(fd, name)| dump.file(&io(*fd, name)).is_some()).collect();
        assert_eq!(written, [true, false, true, true, false, false]);
        let payload = StateDump::default().file(&io(3, "a\0b")).unwrap();
        assert_eq!(payload, [7, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'a', 0]);
    }

    #[test]
    fn a_task_is_written_once() {
        let mut dump = StateDump::default();
        let task = |pid, tgid| Task { pid, tgid, ..Task::default() };
        let new = [task(7, 7), task(8, 7), task(7, 7), task(8, 8)].map(|task| dump.is_new(&task));
        assert_eq!(new, [true, true, false, true]);
    }

    #[test]
    fn a_task_has_the_fields_that_are_described() {
        let size = |kind: &FieldType| if *kind == FieldType::Comm { 16 } else { 4 };
        let described: usize = TASK_FIELDS.iter().map(|(_, kind)| size(kind)).sum();
        assert_eq!(task(&Task::default()).len(), described);
    }
}
