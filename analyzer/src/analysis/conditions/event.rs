//! Conditions on single events: by their words, as breakpoints look at arguments.

use super::{Conditions, given, is_task, sectors_touch};
use crate::model::{Definitions, NAME_WORDS, OpCodes, OpField, Task, name_of_words};
use iotrace_format::event::{Event, KindId};
use iotrace_format::stage::Stage;

/// What is asked of the events of one kind: where the words of interest are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConditionFields {
    fds: Vec<usize>,
    sizes: Vec<usize>,
    /// Where an operation is, and in which field.
    ops: Vec<(usize, OpField)>,
    /// Where a sector is, and where the bytes of the same object are.
    sectors: Vec<(usize, Option<usize>)>,
    inodes: Vec<usize>,
    /// Parts of a file's name, in order.
    names: Vec<usize>,
}

impl Conditions {
    /// What is asked of the events of a kind; none if none of them can be wanted. To be asked once per kind.
    #[must_use]
    pub fn of_kind(&self, definitions: &Definitions, kind: KindId) -> Option<ConditionFields> {
        let probe = definitions.probes.get(&kind);
        let fits = given(&self.layer, |layer| probe.is_some_and(|p| p.layer == *layer))
            && given(
                &self.syscall,
                |name| matches!(probe.and_then(|p| p.stage.as_ref()), Some(Stage::Syscall(of)) if **of == **name),
            );
        let words = definitions.word_names(kind);
        let named = |wanted: &[&str]| -> Vec<usize> {
            let last = |word: &&str| word.rsplit('.').next().unwrap_or(word).to_owned();
            (0..words.len()).filter(|at| wanted.contains(&last(&words[*at]).as_str())).collect()
        };
        let size_of = |at: usize| {
            let object = words[at].strip_suffix("sector")?;
            words.iter().position(|word| word.strip_prefix(object) == Some("size"))
        };
        let of_kind = ConditionFields {
            fds: named(&["fd"]),
            sizes: named(&["count", "size", "bytes", "len", "nbytes"]),
            ops: named(&["op"]).into_iter().map(|at| (at, OpField::of_word(words[at]))).collect(),
            sectors: named(&["sector"]).into_iter().map(|at| (at, size_of(at))).collect(),
            inodes: named(&["ino"]),
            names: named(&NAME_WORDS),
        };
        let has = self.fd.is_none_or(|_| !of_kind.fds.is_empty())
            && given(&self.size, |_| !of_kind.sizes.is_empty())
            && given(&self.op, |_| !of_kind.ops.is_empty())
            && given(&self.sector, |_| !of_kind.sectors.is_empty())
            && given(&self.file, |_| !of_kind.inodes.is_empty());
        (fits && has).then_some(of_kind)
    }

    /// Whether an event is wanted that happened while a task ran.
    #[must_use]
    pub fn event(&self, of_kind: &ConditionFields, event: &Event<'_>, task: &Task, codes: &OpCodes) -> bool {
        let word = |at: usize| event.words.get(at).copied();
        let any = |places: &[usize], holds: &dyn Fn(u64) -> bool| {
            places.iter().filter_map(|at| word(*at)).any(holds)
        };
        given(&self.clock, |range| range.contains(&event.clock))
            && given(&self.task, |name| is_task(task, name))
            && given(&self.fd, |fd| any(&of_kind.fds, &|value| value & u64::from(u32::MAX) == *fd))
            && given(&self.size, |range| any(&of_kind.sizes, &|value| range.contains(&value)))
            && given(&self.op, |op| {
                let mut values = of_kind.ops.iter().filter_map(|(at, field)| Some((word(*at)?, *field)));
                values.any(|(value, field)| op.is(codes.decode(value, field)))
            })
            && given(&self.sector, |range| {
                of_kind.sectors.iter().any(|(sector, size)| {
                    let bytes = size.map_or(Some(1), word);
                    word(*sector)
                        .zip(bytes)
                        .is_some_and(|(sector, bytes)| sectors_touch(range, sector, bytes))
                })
            })
            && given(&self.file, |file| {
                any(&of_kind.inodes, &|ino| file.parse() == Ok(ino)) || name(of_kind, event) == *file
            })
    }
}

fn name(of_kind: &ConditionFields, event: &Event<'_>) -> String {
    name_of_words(of_kind.names.iter().filter_map(|at| event.words.get(*at).copied()))
}
