"""Read a trace of Perfetto with the official schema, and print what it has as JSON: packets, fields that the schema does not
have, slices that are not balanced, flows without two ends, slices by name."""

import collections
import json
import sys

try:
    from google.protobuf.unknown_fields import UnknownFieldSet
    from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as schema
except ImportError:
    sys.exit(77)


def unknown(message) -> int:
    """Fields in a message and in those in it that the schema does not have."""
    count = len(UnknownFieldSet(message))
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            count += sum(unknown(inner) for inner in (value if field.is_repeated else [value]))
    return count


def main() -> None:
    trace = schema.Trace()
    with open(sys.argv[1], "rb") as file:
        trace.ParseFromString(file.read())
    tracks, names, events = set(), {}, []
    for number, packet in enumerate(trace.packet):
        if packet.HasField("track_descriptor"):
            tracks.add(packet.track_descriptor.uuid)
        names.update((name.iid, name.name) for name in packet.interned_data.event_names)
        if packet.HasField("track_event"):
            assert packet.track_event.track_uuid in tracks, "the track is described before"
            events.append((packet.timestamp, number, packet.track_event))
    depth, flows, slices, unbalanced = collections.Counter(), collections.defaultdict(list), collections.Counter(), 0
    kinds = schema.TrackEvent
    for _, _, event in sorted(events, key=lambda event: event[:2]):
        if event.type == kinds.TYPE_SLICE_BEGIN:
            depth[event.track_uuid] += 1
            slices[event.name or names[event.name_iid]] += 1
        elif event.type == kinds.TYPE_SLICE_END:
            depth[event.track_uuid] -= 1
            unbalanced += depth[event.track_uuid] < 0
        for flow in event.flow_ids:
            flows[flow].append("begin")
        for flow in event.terminating_flow_ids:
            flows[flow].append("end")
    unbalanced += sum(1 for open_slices in depth.values() if open_slices)
    json.dump({
        "packets": len(trace.packet),
        "unknown": unknown(trace),
        "unbalanced": unbalanced,
        "flows": len(flows),
        "half_flows": sum(1 for ends in flows.values() if sorted(ends) != ["begin", "end"]),
        "slices": slices,
    }, sys.stdout)


main()
