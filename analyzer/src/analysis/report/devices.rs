//! What each block device had to do, and which devices lie on which.
//!
//! In: bios that are over, those that came of another one before that. Out: totals by device, as a tree: the physical ones
//! first, below each what lies on it.
//! Memory: an entry for each device, and for each bio in flight that others came of.

use crate::hash::Map;
use crate::model::{Bio, BioId, BioStage, Origin};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most devices, and most bios whose parts are over and which are not: what is beyond is not counted.
const MOST: usize = 1 << 12;

/// A block device and its bios.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceTotals {
    /// `dev_t`.
    pub dev: u64,
    /// The kernel's name of it; none if the trace does not have it.
    pub name: Option<Arc<str>>,
    /// How many devices it lies on, one on the other; 0 for a physical one.
    pub depth: usize,
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
    /// Those whose requests a driver has handed to a device, or whose interrupts are known.
    driven: BTreeSet<u64>,
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
        if bio.device.is_some() {
            totals.name.clone_from(&bio.device);
        }
        totals.has_requests |= bio.request.is_some();
        if [BioStage::Driver, BioStage::Doorbell, BioStage::Interrupt]
            .iter()
            .any(|stage| bio.at(*stage).is_some())
        {
            self.driven.insert(bio.dev);
        }
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

    /// All devices as a tree: those that lie on no other, behind each of them those that lie on it. One that lies on several
    /// is behind the first. First come those with a driver, then those with requests, each by number.
    #[must_use]
    pub fn into_devices(self) -> Vec<DeviceTotals> {
        let mut rest = self.devices;
        let mut devices = Vec::with_capacity(rest.len());
        let physical = rest.values().filter(|device| device.on.iter().all(|on| !rest.contains_key(on)));
        let mut physical: Vec<_> = physical.map(|device| (device.has_requests, device.dev)).collect();
        physical.sort_by_key(|(has_requests, dev)| (!self.driven.contains(dev), !has_requests, *dev));
        let physical = physical.into_iter().map(|(_, dev)| dev);
        physical.for_each(|dev| move_tree(dev, 0, &mut rest, &mut devices));
        // Devices that lie on one another in a circle, as no kernel has them.
        while let Some(dev) = rest.keys().next().copied() {
            move_tree(dev, 0, &mut rest, &mut devices);
        }
        devices
    }
}

/// Moves a device and those that lie on it.
fn move_tree(dev: u64, depth: usize, from: &mut BTreeMap<u64, DeviceTotals>, to: &mut Vec<DeviceTotals>) {
    let Some(device) = from.remove(&dev) else { return };
    to.push(DeviceTotals { depth, ..device });
    let upper: Vec<_> =
        from.values().filter(|upper| upper.on.contains(&dev)).map(|upper| upper.dev).collect();
    upper.into_iter().for_each(|upper| move_tree(upper, depth + 1, from, to));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::conditions::tests::bio;
    use crate::model::StageMark;

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
        let totals = |dev, depth, bios, bytes, has_requests, on: &[u64]| DeviceTotals {
            dev,
            name: None,
            depth,
            bios,
            bytes,
            has_requests,
            on: on.iter().copied().collect(),
        };
        let expected = [totals(DISK, 0, 3, 12288, true, &[]), totals(STACKED, 1, 1, 8192, false, &[DISK])];
        assert_eq!(devices.into_devices(), expected);
    }

    // 1 and 2 are disks, 3 lies on both, 4 on 1, 5 on 3, 6 on 4 and 2; 7 and 8 lie on each other.
    #[test]
    fn what_lies_on_a_device_is_behind_it() {
        let mut devices = DeviceCollector::default();
        let on = [(1, 3), (2, 3), (1, 4), (3, 5), (4, 6), (2, 6), (7, 8), (8, 7)];
        for (n, (lower, upper)) in (1..).zip(on) {
            devices.add(&part(2 * n, Origin::Clone { of: 2 * n + 1 }, lower, None));
            let name = Some(Arc::from(format!("dev{upper}")));
            devices.add(&Bio { device: name, ..part(2 * n + 1, Origin::Queued, upper, None) });
        }
        let found = devices.into_devices();
        let found = found.iter().map(|device| (device.dev, device.depth, device.name.as_deref()));
        let expected = [
            (1, 0, None),
            (3, 1, Some("dev3")),
            (5, 2, Some("dev5")),
            (4, 1, Some("dev4")),
            (6, 2, Some("dev6")),
            (2, 0, None),
            (7, 0, Some("dev7")),
            (8, 1, Some("dev8")),
        ];
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_a_driver_has_comes_first() {
        let mut devices = DeviceCollector::default();
        devices.add(&part(1, Origin::Queued, 1, None));
        devices.add(&part(2, Origin::Queued, 2, Some(1)));
        let mut driven = part(3, Origin::Queued, 3, Some(2));
        driven.stages.push(StageMark { stage: BioStage::Driver, clock: 900, shared: 1 });
        devices.add(&driven);
        let found: Vec<_> = devices.into_devices().iter().map(|device| device.dev).collect();
        assert_eq!(found, [3, 2, 1]);
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
