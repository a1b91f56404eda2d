//! Stacks of calls, each kept once: its innermost frame, and the stack below that.

use iotrace::analysis::records::{ContextCall, RecordScope};
use iotrace::hash::Map;
use iotrace::model::Level;
use iotrace_format::event::{Event, KindId};
use iotrace_format::role::Role;
use rustc_hash::FxHashMap;

use crate::view::cause;

/// The frame of what runs outside of the functions that are probed: user code, and the rest of the kernel.
pub const OUTSIDE: &str = "(outside of probed calls)";
/// The frame of the stacks that are too many.
const FURTHER: &str = "(further stacks)";

/// Most different stacks that are kept; what else there is of a context is in one stack.
const MOST: usize = 1 << 18;
/// Most contexts that have a stack of their own.
const BOTTOMS: usize = 1 << 16;

/// A stack: its innermost frame, and the stack below. By its place among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stack {
    /// The stack below; none if there is one frame.
    pub below: Option<u32>,
    /// The innermost frame: its name by its place among all, or what an export makes of an outermost one.
    pub frame: u32,
}

/// Stacks and the names of their frames. A stack comes behind the one below it.
#[derive(Debug, Default)]
pub struct StackTable {
    /// Names of frames.
    pub names: Vec<String>,
    by_name: Map<String, u32>,
    /// All stacks.
    pub stacks: Vec<Stack>,
    by_stack: FxHashMap<Stack, u32>,
    bottoms: usize,
    /// The names of kinds, by number.
    kinds: FxHashMap<KindId, u32>,
}

impl StackTable {
    /// The number of a name.
    pub fn name(&mut self, name: &str) -> u32 {
        if let Some(number) = self.by_name.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.to_owned());
        self.by_name.insert(name.to_owned(), number);
        number
    }

    /// The stack with one more frame; if there are too many, the one of its context that they are all put into.
    pub fn stack(&mut self, below: Option<u32>, frame: u32) -> u32 {
        let mut stack = Stack { below, frame };
        if let Some(known) = self.by_stack.get(&stack) {
            return *known;
        }
        let is_full = if below.is_some() { self.stacks.len() >= MOST } else { self.bottoms >= BOTTOMS };
        if is_full {
            stack = Stack { below: below.map(|below| self.bottom(below)), frame: self.name(FURTHER) };
        }
        let next = self.stacks.len() as u32;
        let number = *self.by_stack.entry(stack).or_insert(next);
        if number == next {
            self.bottoms += usize::from(stack.below.is_none());
            self.stacks.push(stack);
        }
        number
    }

    /// The stack of the outermost frame.
    pub fn bottom(&self, mut at: u32) -> u32 {
        while let Some(below) = self.stacks.get(at as usize).and_then(|stack| stack.below) {
            at = below;
        }
        at
    }

    /// The frame of a function.
    pub fn function(&mut self, kind: KindId, scope: &RecordScope) -> u32 {
        if let Some(name) = self.kinds.get(&kind) {
            return *name;
        }
        let name = self.name(&scope.definitions.title(kind));
        self.kinds.insert(kind, name);
        name
    }

    /// The names of a stack's frames, the outermost first.
    pub fn frames(&self, at: u32) -> Vec<&str> {
        let mut frames = Vec::new();
        let mut next = Some(at);
        while let Some(Stack { below, frame }) = next.and_then(|at| self.stacks.get(at as usize)) {
            frames.push(self.names[*frame as usize].as_str());
            next = *below;
        }
        frames.reverse();
        frames
    }
}

/// The work item whose function an outermost call is, as a frame.
pub fn work(call: &ContextCall, event: &Event<'_>, scope: &RecordScope) -> Option<String> {
    let probe = scope.definitions.probes.get(&event.kind).filter(|_| call.level == Level::Task)?;
    let function = probe.word(Role::WorkFunction).and_then(|at| event.words.get(at))?;
    Some(format!("work {}", cause::function(*function, &scope.definitions)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_that_are_too_many_are_one_of_their_context() {
        let mut table = StackTable::default();
        let [one, other] = ["one", "other"].map(|name| table.name(name));
        let (one, other) = (table.stack(None, one), table.stack(None, other));
        let mut at = one;
        for _ in 2..MOST {
            at = table.stack(Some(at), 0);
        }
        assert_eq!((table.stacks.len(), table.bottom(at)), (MOST, one));
        let further = [at, at, other].map(|below| table.stack(Some(below), 7));
        assert_eq!(
            further.map(|at| table.frames(at).join(";")),
            ["one;(further stacks)", "one;(further stacks)", "other;(further stacks)"]
        );
        assert_eq!(table.stacks.len(), MOST + 2);
        // What is known is still itself.
        assert_eq!(table.stack(Some(one), 0), 2);
    }
}
