//! Traces of Perfetto, decoded again.

use super::proto::{EventType, TracePacket};
use crate::commands::export::format::FormatName;
use crate::commands::export::rows::RecordTable;
use crate::commands::export::tests::one;
use iotrace::analysis::records::RecordQuery;
use iotrace_synthetic_guest::{buffered, direct_write, small};
use prost::Message;
use std::collections::BTreeMap;

/// `trace.proto`
#[derive(Clone, PartialEq, Message)]
struct PacketList {
    #[prost(message, repeated, tag = "1")]
    packet: Vec<TracePacket>,
}

#[test]
fn slices_are_balanced_and_flows_have_two_ends() {
    for guest in [direct_write(), buffered(), small()] {
        let file = one(&guest, FormatName::Perfetto, RecordTable::Ios, &RecordQuery::default());
        let mut packets = PacketList::decode(&file[..]).unwrap().packet;
        // Readers put packets in order, those of one time as they are.
        packets.sort_by_key(|packet| packet.timestamp);
        let (mut depths, mut flows) = (BTreeMap::<u64, i64>::new(), BTreeMap::<u64, i64>::new());
        for event in packets.iter().filter_map(|packet| packet.track_event.as_ref()) {
            let depth = depths.entry(event.track_uuid.unwrap()).or_default();
            match event.r#type {
                Some(kind) if kind == EventType::SliceBegin as i32 => *depth += 1,
                Some(kind) if kind == EventType::SliceEnd as i32 => *depth -= 1,
                _ => {}
            }
            assert!(*depth >= 0, "{event:?}");
            event.flow_ids.iter().for_each(|flow| *flows.entry(*flow).or_default() += 1);
            event.terminating_flow_ids.iter().for_each(|flow| *flows.entry(*flow).or_default() -= 1);
        }
        assert!(
            depths.len() > 1 && depths.values().chain(flows.values()).all(|sum| *sum == 0),
            "{depths:?} {flows:?}"
        );
    }
}
