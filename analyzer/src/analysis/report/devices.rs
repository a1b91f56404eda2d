//! What each block device had to do, and which devices lie on which.
//!
//! In: bios that are over, those that came of another one before that. Out: totals by device, the physical ones first.
//! Memory: an entry for each device, and for each bio in flight that others came of.

use crate::hash::Map;
use crate::model::{Bio, BioId, Origin};
use std::collections::{BTreeMap, BTreeSet};

/// Most devices, and most bios whose parts are over and which are not: what is beyond is not counted.
const MOST: usize = 1 << 12;

/// A block device and its bios.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceTotals {
    /// `dev_t`.
    pub dev: u64,
    /// Its bios; of those that were split, the whole alone.
    pub bios: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Some of its bios became requests: a driver has them. A stacked device has none.
    pub has_requests: bool,
    /// The devices that its bios were passed on to.
    pub on: BTreeSet<u64>,
}

/// Adds up bios by device.
#[derive(Debug, Default)]
pub struct DeviceCollector {
    devices: BTreeMap<u64, DeviceTotals>,
    /// Devices of the bios that came of a bio which is not over.
    lower: Map<BioId, BTreeSet<u64>>,
}

impl DeviceCollector {
    /// Takes in a bio that is over.
    pub fn add(&mut self, bio: &Bio) {
        if self.devices.len() >= MOST && !self.devices.contains_key(&bio.dev) {
            return;
        }
        let totals = self.devices.entry(bio.dev).or_default();
        totals.dev = bio.dev;
        totals.has_requests |= bio.request.is_some();
        if !matches!(bio.origin, Origin::Split { .. } | Origin::Rest { .. }) {
            totals.bios += 1;
            totals.bytes = totals.bytes.saturating_add(bio.bytes);
        }
        let on = self.lower.remove(&bio.id).unwrap_or_default();
        totals.on.extend(on.into_iter().filter(|dev| *dev != bio.dev));
        if let Some(of) = bio.origin.of()
            && (self.lower.len() < MOST || self.lower.contains_key(&of))
        {
            self.lower.entry(of).or_default().insert(bio.dev);
        }
    }

    /// All devices: those with requests first, then those that lie on others, by number.
    #[must_use]
    pub fn into_devices(self) -> Vec<DeviceTotals> {
        let mut devices: Vec<_> = self.devices.into_values().collect();
        devices.sort_by_key(|device| (!device.has_requests, device.dev));
        devices
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::conditions::tests::bio;

    const DISK: u64 = 8 << 20;
    const STACKED: u64 = 254 << 20;

    fn part(id: u64, origin: Origin, dev: u64, request: Option<u64>) -> Bio {
        Bio { id, origin, dev, request, bytes: 4096, ..bio() }
    }

    // #1 is on the stacked device and split in two, each of which is passed on; #6 is the disk's own.
    #[test]
    fn each_layer_has_its_own_bytes() {
        let mut devices = DeviceCollector::default();
        devices.add(&part(4, Origin::Remap { of: 2 }, DISK, Some(7)));
        devices.add(&part(2, Origin::Split { of: 1 }, STACKED, None));
        devices.add(&part(5, Origin::Clone { of: 3 }, DISK, Some(8)));
        devices.add(&part(3, Origin::Rest { of: 1 }, STACKED, None));
        devices.add(&Bio { bytes: 8192, ..part(1, Origin::Queued, STACKED, None) });
        devices.add(&part(6, Origin::Queued, DISK, Some(9)));
        let totals = |dev, bios, bytes, has_requests, on: &[u64]| DeviceTotals {
            dev,
            bios,
            bytes,
            has_requests,
            on: on.iter().copied().collect(),
        };
        let expected = [totals(DISK, 3, 12288, true, &[]), totals(STACKED, 1, 8192, false, &[DISK])];
        assert_eq!(devices.into_devices(), expected);
    }

    #[test]
    fn the_devices_are_bounded() {
        let mut devices = DeviceCollector::default();
        for dev in 0..2 * MOST as u64 {
            devices.add(&part(dev, Origin::Clone { of: dev + 1_000_000 }, dev, None));
        }
        assert_eq!((devices.devices.len(), devices.lower.len()), (MOST, MOST));
    }
}
