//! Writes packets: one sequence, names and places in the source interned when they are met first.

use super::proto::{
    DebugAnnotation, EventCategory, EventName, EventType, InternedData, NEEDS_STATE, STATE_CLEARED,
    SourceLocation, TracePacket, TrackDescriptor, TrackEvent,
};
use crate::commands::export::output::{ExportFile, FirstError};
use iotrace::model::Definitions;
use iotrace_format::event::KindId;
use prost::Message;
use rustc_hash::FxHashSet;
use std::io::Write;

/// The only sequence.
const SEQUENCE: u32 = 1;
/// `Trace.packet`: field 1, with a length before it.
const PACKET: u8 = 1 << 3 | 2;

/// A file of packets.
pub struct PacketWriter {
    out: ExportFile,
    begun: bool,
    known: FxHashSet<KindId>,
    buffer: Vec<u8>,
    /// Packets with events.
    pub events: u64,
    /// What could not be written.
    pub error: FirstError,
}

impl PacketWriter {
    /// Nothing yet.
    pub fn new(out: ExportFile) -> Self {
        Self {
            out,
            begun: false,
            known: FxHashSet::default(),
            buffer: Vec::new(),
            events: 0,
            error: FirstError::default(),
        }
    }

    /// The file.
    pub fn into_file(self) -> ExportFile {
        self.out
    }

    /// A track, before its first event.
    pub fn track(&mut self, descriptor: TrackDescriptor) {
        self.put(TracePacket { track_descriptor: Some(descriptor), ..TracePacket::default() });
    }

    /// An event on a track.
    pub fn event(&mut self, at: u64, track: u64, kind: EventType, event: TrackEvent) {
        let event = TrackEvent { r#type: Some(kind as i32), track_uuid: Some(track), ..event };
        self.events += 1;
        self.put(TracePacket { timestamp: Some(at), track_event: Some(event), ..TracePacket::default() });
    }

    /// A slice begins that has the name and the place of a kind of event.
    pub fn begin_of_kind(&mut self, at: u64, track: u64, kind: KindId, definitions: &Definitions) {
        let iid = u64::from(kind) + 1;
        let probe = definitions.probes.get(&kind).filter(|probe| !probe.file.is_empty());
        if self.known.insert(kind) {
            let name = definitions.title(kind).into_owned();
            let place = probe.map(|probe| SourceLocation {
                iid: Some(iid),
                file_name: Some(probe.file.clone()),
                function_name: Some(name.clone()),
                line_number: Some(probe.line),
            });
            let layer = definitions.probes.get(&kind).map_or("", |probe| probe.layer.name());
            let data = InternedData {
                // Each kind has its own: what names a layer again is the same to a reader.
                event_categories: vec![EventCategory { iid: Some(iid), name: Some(layer.to_owned()) }],
                event_names: vec![EventName { iid: Some(iid), name: Some(name) }],
                source_locations: place.into_iter().collect(),
            };
            self.put(TracePacket { interned_data: Some(data), ..TracePacket::default() });
        }
        let event = TrackEvent {
            category_iids: vec![iid],
            name_iid: Some(iid),
            source_location_iid: probe.map(|_| iid),
            ..TrackEvent::default()
        };
        self.event(at, track, EventType::SliceBegin, event);
    }

    fn put(&mut self, packet: TracePacket) {
        let first = !std::mem::replace(&mut self.begun, true);
        let packet = TracePacket {
            trusted_packet_sequence_id: Some(SEQUENCE),
            sequence_flags: Some(if first { STATE_CLEARED | NEEDS_STATE } else { NEEDS_STATE }),
            ..packet
        };
        self.buffer.clear();
        self.buffer.push(PACKET);
        let (out, buffer) = (&mut self.out, &mut self.buffer);
        self.error.attempt(|| {
            packet.encode_length_delimited(buffer)?;
            out.write_all(buffer)
        });
    }
}

/// An event with a name of its own and arguments.
pub fn named(name: String, arguments: Vec<DebugAnnotation>) -> TrackEvent {
    TrackEvent { name: Some(name), debug_annotations: arguments, ..TrackEvent::default() }
}

/// A number as an argument.
pub fn number(name: &str, value: u64) -> DebugAnnotation {
    DebugAnnotation { name: Some(name.to_owned()), uint_value: Some(value), ..DebugAnnotation::default() }
}

/// Text as an argument.
pub fn text(name: &str, value: String) -> DebugAnnotation {
    DebugAnnotation { name: Some(name.to_owned()), string_value: Some(value), ..DebugAnnotation::default() }
}
