//! Names of block devices, as bios that are queued for them tell.
//!
//! In: what an event says of its bio. Out: the name of a device, by its number. The last that was said counts: a number is
//! given to another device when the first is gone.

use crate::hash::Map;
use crate::model::device_name;
use crate::trackers::probes::RoleValues;
use bincode::{Decode, Encode};
use iotrace_format::role::Role;
use std::sync::Arc;

/// Most devices whose names are known.
const MOST: usize = 1 << 12;

/// The words that say a device's name: of its disk's, and of which partition it is.
type NameWords = ([u64; 2], u64);

/// Names of devices by their numbers, with the words that say them.
#[derive(Debug, Default, Encode, Decode)]
pub struct DeviceNames {
    known: Map<u64, (NameWords, Option<Arc<str>>)>,
}

impl DeviceNames {
    /// Takes in what an event says of its bio's device.
    pub fn learn(&mut self, roles: &RoleValues<'_>) {
        let (Some(dev), Some(first)) = (roles.bio_dev(), roles.get(Role::BioDisk0)) else { return };
        let disk = [first, roles.get(Role::BioDisk1).unwrap_or(0)];
        let words = (disk, roles.get(Role::BioPartition).unwrap_or(0));
        if self.known.get(&dev).is_some_and(|(known, _)| *known == words) {
            return;
        }
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(dev, (words, device_name(disk, words.1).map(Arc::from)));
    }

    /// The name of a device.
    pub fn name(&self, dev: u64) -> Option<Arc<str>> {
        self.known.get(&dev)?.1.clone()
    }
}
