//! The document of a profile, made of what was kept.

use super::{Kept, Marker, ThreadKey};
use fxprof_processed_profile::{
    CategoryColor, CategoryHandle, CategoryPairHandle, CpuDelta, Frame, FrameFlags, FrameInfo,
    MarkerFieldFlags, MarkerFieldFormat, MarkerTiming, Profile, ReferenceTimestamp, SamplingInterval,
    StackHandle, StaticSchemaMarker, StaticSchemaMarkerField, StringHandle, ThreadHandle, Timestamp,
    WeightType,
};
use iotrace::hash::{Map, Set};
use iotrace_format::layer::Layer;

/// The colours of layers, again from the first one where there are more layers.
const COLORS: [CategoryColor; 10] = [
    CategoryColor::Blue,
    CategoryColor::Green,
    CategoryColor::Orange,
    CategoryColor::Purple,
    CategoryColor::Yellow,
    CategoryColor::Red,
    CategoryColor::LightBlue,
    CategoryColor::Brown,
    CategoryColor::Magenta,
    CategoryColor::LightGreen,
];

/// An I/O, as the profiler shows it.
struct IoMarker {
    name: StringHandle,
    about: StringHandle,
    id: u64,
}

/// A bio, as the profiler shows it.
struct BioMarker(IoMarker);

macro_rules! shown_as {
    ($marker:ty, $name:literal, $description:literal, |$self:ident| $inner:expr) => {
        impl StaticSchemaMarker for $marker {
            const UNIQUE_MARKER_TYPE_NAME: &'static str = $name;
            const DESCRIPTION: Option<&'static str> = Some($description);
            const CHART_LABEL: Option<&'static str> = Some("{marker.data.about}");
            const TABLE_LABEL: Option<&'static str> = Some("{marker.name}: {marker.data.about}");
            const FIELDS: &'static [StaticSchemaMarkerField] = &[
                StaticSchemaMarkerField {
                    key: "about",
                    label: "About",
                    format: MarkerFieldFormat::String,
                    flags: MarkerFieldFlags::SEARCHABLE,
                },
                StaticSchemaMarkerField {
                    key: "number",
                    label: "Number",
                    format: MarkerFieldFormat::Integer,
                    flags: MarkerFieldFlags::SEARCHABLE,
                },
            ];

            fn name(&$self, _: &mut Profile) -> StringHandle {
                $inner.name
            }

            fn category(&self, _: &mut Profile) -> CategoryHandle {
                CategoryHandle::OTHER
            }

            fn string_field_value(&$self, _: u32) -> StringHandle {
                $inner.about
            }

            fn number_field_value(&$self, _: u32) -> f64 {
                $inner.id as f64
            }
        }
    };
}

shown_as!(IoMarker, "io", "An I/O, from call to return.", |self| self);
shown_as!(BioMarker, "bio", "A bio, from queue to end.", |self| self.0);

fn time(ns: u64) -> Timestamp {
    Timestamp::from_nanos_since_reference(ns)
}

/// The document.
pub fn profile(kept: Kept) -> Profile {
    // No clock of the host is in a trace; time is that of the guest since it started.
    let interval = SamplingInterval::from_nanos(1000);
    let mut profile =
        Profile::new("iotrace", ReferenceTimestamp::from_millis_since_unix_epoch(0.0), interval);
    let begin = kept
        .samples
        .iter()
        .map(|sample| sample.at)
        .chain(kept.markers.iter().map(|marker| marker.from))
        .min();
    let threads = threads(&mut profile, &kept, time(begin.unwrap_or(0)));
    let stacks = stacks(&mut profile, &kept, &threads);
    for sample in &kept.samples {
        let Some(thread) = threads[thread_of(&kept, sample.stack)] else { continue };
        let mut cpu = CpuDelta::from_nanos(sample.lasted);
        let mut rest = sample.instructions;
        // A weight has 31 bits.
        while rest > 0 {
            let weight = i32::try_from(rest).unwrap_or(i32::MAX);
            rest -= u64::from(weight.unsigned_abs());
            profile.add_sample(thread, time(sample.at), stacks[sample.stack as usize], cpu, weight);
            cpu = CpuDelta::ZERO;
        }
    }
    for Marker { thread, is_bio, id, from, to, name, about } in &kept.markers {
        let (name, about) = (profile.intern_string(name), profile.intern_string(about));
        let (timing, marker) =
            (MarkerTiming::Interval(time(*from), time(*to)), IoMarker { name, about, id: *id });
        let Some(thread) = threads[*thread as usize] else { continue };
        _ = if *is_bio {
            profile.add_marker(thread, timing, BioMarker(marker))
        } else {
            profile.add_marker(thread, timing, marker)
        };
    }
    profile
}

/// The threads that have samples or markers, below their processes: those of tasks, one of what interrupts them, one of
/// devices.
fn threads(profile: &mut Profile, kept: &Kept, begin: Timestamp) -> Vec<Option<ThreadHandle>> {
    let of_samples = kept.samples.iter().map(|sample| thread_of(kept, sample.stack));
    let used: Set<usize> =
        of_samples.chain(kept.markers.iter().map(|marker| marker.thread as usize)).collect();
    let mut processes = Map::default();
    let mut all = Vec::new();
    // A process has the name of its first thread, if that is there.
    let main = |tgid| kept.threads.iter().find(|thread| thread.key == ThreadKey::Task(tgid, tgid));
    for (at, thread) in kept.threads.iter().enumerate() {
        if !used.contains(&at) {
            all.push(None);
            continue;
        }
        let (group, pid, tid, name) = match thread.key {
            ThreadKey::Task(tgid, pid) => {
                (tgid, tgid, pid, main(tgid).map_or(thread.name.as_str(), |main| main.name.as_str()))
            }
            ThreadKey::Level(..) => (u32::MAX, 0, 0, "interrupts"),
            ThreadKey::Device(_) => (u32::MAX - 1, 0, 0, "devices"),
            ThreadKey::Others => (u32::MAX - 2, 0, 0, "others"),
        };
        let process = *processes.entry(group).or_insert_with(|| profile.add_process(name, pid, begin));
        let is_main = matches!(thread.key, ThreadKey::Task(tgid, pid) if tgid == pid);
        let handle = profile.add_thread(process, tid, begin, is_main);
        profile.set_thread_name(handle, &thread.name);
        profile.set_thread_samples_weight_type(handle, WeightType::Samples);
        profile.set_thread_show_markers_in_timeline(handle, true);
        all.push(Some(handle));
    }
    all
}

/// The number of a stack's thread.
fn thread_of(kept: &Kept, stack: u32) -> usize {
    kept.table.stacks[kept.table.bottom(stack) as usize].frame as usize
}

/// The stacks; none for those that are only a thread, and those of threads that are not there.
fn stacks(profile: &mut Profile, kept: &Kept, threads: &[Option<ThreadHandle>]) -> Vec<Option<StackHandle>> {
    let mut categories = Map::<Layer, CategoryHandle>::default();
    let mut all: Vec<Option<StackHandle>> = Vec::with_capacity(kept.table.stacks.len());
    for (at, stack) in (0..).zip(&kept.table.stacks) {
        let handle = threads[thread_of(kept, at)].zip(stack.below).map(|(thread, below)| {
            let layer = kept.layers.get(&stack.frame).copied();
            let category = layer.map(|layer| {
                let color = COLORS[categories.len() % COLORS.len()];
                *categories.entry(layer).or_insert_with(|| profile.add_category(layer.name(), color))
            });
            let name = profile.intern_string(&kept.table.names[stack.frame as usize]);
            let category_pair = CategoryPairHandle::from(category.unwrap_or(CategoryHandle::OTHER));
            let info = FrameInfo { frame: Frame::Label(name), category_pair, flags: FrameFlags::empty() };
            let frame = profile.intern_frame(thread, info);
            profile.intern_stack(thread, all[below as usize], frame)
        });
        all.push(handle);
    }
    all
}
