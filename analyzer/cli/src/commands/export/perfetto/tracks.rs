//! The tracks: one for each task, below its process; one for each level above tasks of each vCPU; lanes of each device, in
//! which no two bios overlap; a counter for each device.

use super::packets::PacketWriter;
use super::proto::{CounterDescriptor, ProcessDescriptor, ThreadDescriptor, TrackDescriptor};
use iotrace::hash::Map;
use iotrace::model::{Comm, Level, Task};

/// Most tasks that have tracks of their own under each of their names; further ones share one.
const TASKS: usize = 1 << 16;

/// What a track is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum TrackKey {
    /// A process, by its id; that of further tasks.
    Process(u32),
    Thread(u32, u32),
    /// What is above tasks, by the vCPU.
    Level(Level, u16),
    Device(u64),
    Lane(u64, usize),
    Counter(u64),
}

/// Tracks that were described.
#[derive(Debug, Default)]
pub struct Tracks {
    uuids: Map<TrackKey, u64>,
    /// The last names of tasks.
    names: Map<TrackKey, Comm>,
    /// Of each device, when the last bio of each lane ended.
    lanes: Map<u64, Vec<u64>>,
}

impl Tracks {
    /// The track of a context: its task, or what interrupts tasks on a vCPU.
    pub fn context(&mut self, level: Level, task: &Task, vcpu: u16, out: &mut PacketWriter) -> u64 {
        match level {
            Level::Task | Level::Unknown => self.thread(task, out),
            level => {
                let track = TrackDescriptor {
                    name: Some(format!("{} vCPU {vcpu}", level.name())),
                    ..TrackDescriptor::default()
                };
                self.track(TrackKey::Level(level, vcpu), track, out)
            }
        }
    }

    fn thread(&mut self, task: &Task, out: &mut PacketWriter) -> u64 {
        let (pid, tgid) = if self.uuids.len() < TASKS { (task.pid, task.tgid) } else { (u32::MAX, u32::MAX) };
        let name = || task.comm.to_string();
        let process = ProcessDescriptor { pid: Some(tgid as i32), process_name: Some(name()) };
        let process = TrackDescriptor { process: Some(process), ..TrackDescriptor::default() };
        let parent = self.named(TrackKey::Process(tgid), task.comm, process, out);
        let thread =
            ThreadDescriptor { pid: Some(tgid as i32), tid: Some(pid as i32), thread_name: Some(name()) };
        let track =
            TrackDescriptor { parent_uuid: Some(parent), thread: Some(thread), ..TrackDescriptor::default() };
        self.named(TrackKey::Thread(tgid, pid), task.comm, track, out)
    }

    /// A track with the name of a task, which may change: it is described again then.
    fn named(&mut self, key: TrackKey, comm: Comm, track: TrackDescriptor, out: &mut PacketWriter) -> u64 {
        let uuid = self.track(key.clone(), track.clone(), out);
        if self.names.insert(key, comm).is_some_and(|before| before != comm) {
            out.track(TrackDescriptor { uuid: Some(uuid), ..track });
        }
        uuid
    }

    /// A lane of a device that is free from one time to another.
    pub fn lane(&mut self, (dev, name): (u64, &str), from: u64, to: u64, out: &mut PacketWriter) -> u64 {
        let parent = self.device(dev, name, out);
        let lanes = self.lanes.entry(dev).or_default();
        let at = lanes.iter().position(|end| *end <= from).unwrap_or(lanes.len());
        if at == lanes.len() {
            lanes.push(0);
        }
        lanes[at] = to.max(from + 1);
        let track = TrackDescriptor {
            name: Some(format!("{name} bios")),
            parent_uuid: Some(parent),
            ..TrackDescriptor::default()
        };
        self.track(TrackKey::Lane(dev, at), track, out)
    }

    /// The counter of a device.
    pub fn counter(&mut self, dev: u64, name: &str, out: &mut PacketWriter) -> u64 {
        let parent = self.device(dev, name, out);
        let track = TrackDescriptor {
            name: Some(format!("{name} requests at the driver")),
            parent_uuid: Some(parent),
            counter: Some(CounterDescriptor { unit_name: Some("requests".to_owned()) }),
            ..TrackDescriptor::default()
        };
        self.track(TrackKey::Counter(dev), track, out)
    }

    fn device(&mut self, dev: u64, name: &str, out: &mut PacketWriter) -> u64 {
        let track = TrackDescriptor { name: Some(name.to_owned()), ..TrackDescriptor::default() };
        self.track(TrackKey::Device(dev), track, out)
    }

    fn track(&mut self, key: TrackKey, track: TrackDescriptor, out: &mut PacketWriter) -> u64 {
        let next = self.uuids.len() as u64 + 1;
        let uuid = *self.uuids.entry(key).or_insert(next);
        if uuid == next {
            out.track(TrackDescriptor { uuid: Some(uuid), ..track });
        }
        uuid
    }
}
