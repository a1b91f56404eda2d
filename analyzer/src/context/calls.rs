//! Open calls: which function was called from which, and what each cost.
//!
//! In: entries, exits, task switches, in the order of their clocks. Out: calls that ended, with how they did.
//!
//! All calls of a task stand on one stack, those of the interrupts that came while it ran on top of them. A
//! call that begins a context of its own (a system call, an interrupt, a softirq, a work item) is a boundary: what it
//! costs is not its caller's. Where a call's return address lies on the guest's stack tells the calls apart:
//!
//! ```text
//! entry of f at stack S                 open: f
//! entry of g at stack S, same caller    f has jumped to g (a tail call): open: f, g
//! exit at stack S                       both have returned
//! entry at stack > S of the same stack  whatever was open at S and below has returned unseen
//! ```
//!
//! A guest that traces itself puts the address of a trampoline in the place of a return address: a function that
//! is entered with it there has been jumped to.

use crate::hash::{Map, Set};
use crate::model::{Ending, Level};
use crate::unsaved::Unsaved;
use bincode::de::{BorrowDecoder, Decoder};
use bincode::error::DecodeError;
use bincode::{BorrowDecode, Decode, Encode};
use iotrace_format::definition::{CallCost, Layout, PartBegin, RunningTask};
use iotrace_format::event::{Event, KindId};
use std::cmp::Ordering;

/// Calls that may be open in one task; more means that returns are missing.
pub const DEEPEST: usize = 512;
/// So many more are kept, and dropped at once: to make room for each call by itself would take as long as all that are open.
const SPARE: usize = 64;

/// An open call.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CallFrame<T> {
    /// Number: from 1, in the order of the entries.
    pub number: u64,
    /// The function.
    pub function: u16,
    /// Kind of its entry's event.
    pub kind: KindId,
    /// When it was entered, in instructions.
    pub clock: u64,
    /// Where its return address lies; 0 if not known.
    pub stack: u64,
    /// The return address; 0 if not known.
    pub caller: u64,
    /// What the CPU was in.
    pub level: Level,
    /// It begins a context of its own.
    pub boundary: bool,
    /// How many calls of its context were open when it was entered.
    pub depth: usize,
    /// Instructions executed in it so far, without those in the calls it made.
    pub own: u64,
    /// Instructions executed in the calls it made that have ended.
    pub nested: u64,
    /// What its exit will need.
    pub data: T,
}

/// A call that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left<T> {
    /// The call.
    pub frame: CallFrame<T>,
    /// How.
    pub ending: Ending,
}

#[derive(Debug, Clone, Copy, Encode, Decode)]
struct Vcpu {
    /// Key of the task that runs.
    task: u64,
    /// Where its calls are.
    place: usize,
    clock: u64,
}

/// Open calls of all tasks.
#[derive(Debug, Clone, Encode)]
pub struct Calls<T> {
    /// The calls of each task, in the order in which the tasks were met. Their addresses are used again, so there
    /// are never more than the guest's memory holds.
    stacks: Vec<Vec<CallFrame<T>>>,
    /// How the guest's kernel lays out its memory.
    layout: Unsaved<Layout>,
    /// Which of them are a task's.
    places: Map<u64, usize>,
    /// Which of them are those of the task that the event at hand happened in.
    current: usize,
    vcpus: Vec<Vcpu>,
    trampolines: Unsaved<Set<u64>>,
    last: u64,
    /// Calls whose exit never came.
    pub without_exit: u64,
    /// Exits whose entry was not seen.
    pub without_entry: u64,
}

impl<T> Default for Calls<T> {
    fn default() -> Self {
        Self {
            stacks: vec![Vec::new()],
            layout: Unsaved::default(),
            places: Map::default(),
            current: 0,
            vcpus: Vec::new(),
            trampolines: Unsaved::default(),
            last: 0,
            without_exit: 0,
            without_entry: 0,
        }
    }
}

/// A state that names stacks which it does not have was not written by this program.
impl<T: Decode<C>, C> Decode<C> for Calls<T> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let calls = Self {
            stacks: Decode::decode(decoder)?,
            layout: Decode::decode(decoder)?,
            places: Decode::decode(decoder)?,
            current: Decode::decode(decoder)?,
            vcpus: Decode::decode(decoder)?,
            trampolines: Decode::decode(decoder)?,
            last: Decode::decode(decoder)?,
            without_exit: Decode::decode(decoder)?,
            without_entry: Decode::decode(decoder)?,
        };
        let running = calls.vcpus.iter().map(|vcpu| vcpu.place);
        let farthest = calls.places.values().copied().chain(running).fold(calls.current, usize::max);
        if farthest < calls.stacks.len() {
            Ok(calls)
        } else {
            Err(DecodeError::Other("calls are on a stack that is not there"))
        }
    }
}

impl<'de, T: Decode<C>, C> BorrowDecode<'de, C> for Calls<T> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

/// Before there is a current task every vCPU is its own.
fn key(event: &Event<'_>) -> u64 {
    if event.task == 0 { u64::from(event.vcpu) } else { event.task }
}

/// Whether two stack pointers are of one stack: kernel stacks are aligned to their size, a power of two.
fn same(a: u64, b: u64, size: u64) -> bool {
    a ^ b < size
}

impl<T> Calls<T> {
    /// How the guest's kernel lays out its memory.
    pub fn set_layout(&mut self, layout: Layout) {
        *self.layout = layout;
    }

    /// The guest's own tracing puts this address in the place of return addresses.
    pub fn trampoline(&mut self, address: u64) {
        self.trampolines.insert(address);
    }

    /// Time passes: what was executed since the last event belongs to the call that was innermost. This event is
    /// the one at hand from here on. Tells which call it was, and since when, if anything was executed in one.
    pub fn advance(&mut self, event: &Event<'_>) -> Option<(u64, u64)> {
        let (at, task) = (usize::from(event.vcpu), key(event));
        while self.vcpus.len() <= at {
            let place = self.place(task);
            self.vcpus.push(Vcpu { task, place, clock: event.clock });
        }
        let before = self.vcpus[at];
        let ran = self.stacks[before.place].last_mut().map(|frame| {
            frame.own += event.clock.saturating_sub(before.clock);
            (frame.number, before.clock)
        });
        self.current = if before.task == task { before.place } else { self.place(task) };
        self.vcpus[at] = Vcpu { task, place: self.current, clock: event.clock };
        ran.filter(|(_, since)| *since < event.clock)
    }

    fn place(&mut self, task: u64) -> usize {
        let next = self.stacks.len();
        let place = *self.places.entry(task).or_insert(next);
        if place == next {
            self.stacks.push(Vec::new());
        }
        place
    }

    /// From here on, another task runs.
    pub fn switch(&mut self, event: &Event<'_>, next: u64) {
        let place = self.place(next);
        if let Some(vcpu) = self.vcpus.get_mut(usize::from(event.vcpu)) {
            (vcpu.task, vcpu.place) = (next, place);
        }
    }

    /// Where a function that is entered will return to in the end: for one with a trampoline's address there, that
    /// is where the one returns that has jumped to it.
    #[must_use]
    pub fn caller(&self, event: &Event<'_>, caller: u64) -> u64 {
        if !self.trampolines.contains(&caller) {
            return caller;
        }
        let jumped = self.all().iter().rev().find(|frame| frame.stack == event.stack);
        jumped.map_or(caller, |frame| frame.caller)
    }

    /// Ends the calls that must be over for a function to be entered here.
    pub fn settle(&mut self, event: &Event<'_>, function: u16, caller: u64, left: &mut Vec<Left<T>>) {
        let (stack, size) = (&mut self.stacks[self.current], self.layout.stack_size);
        if event.stack == 0 {
            self.without_exit += drop_oldest(stack);
            return;
        }
        let over = |frame: &CallFrame<T>| {
            // Where a caller is not known, it was a jump: the exit of what returned has been seen.
            let elsewhere = frame.caller != caller && frame.caller != 0 && caller != 0;
            let again = frame.stack == event.stack && (elsewhere || frame.function == function);
            same(frame.stack, event.stack, size) && (frame.stack < event.stack || again)
        };
        // A stack above the others' end is another one (an interrupt's): what is below it is still open.
        while let Some(frame) = stack.pop_if(|frame| over(frame)) {
            self.without_exit += 1;
            close(stack, frame, Ending::Unseen, left);
        }
        self.without_exit += drop_oldest(stack);
    }

    /// A call begins. [`Calls::settle`] comes before.
    pub fn enter(
        &mut self,
        event: &Event<'_>,
        function: u16,
        caller: u64,
        boundary: bool,
        data: T,
    ) -> &CallFrame<T> {
        self.last += 1;
        let stack = &mut self.stacks[self.current];
        let depth = stack.last().filter(|_| !boundary).map_or(0, |outer| outer.depth + 1);
        stack.push(CallFrame {
            number: self.last,
            function,
            kind: event.kind,
            clock: event.clock,
            stack: event.stack,
            caller,
            level: Level::of(event.context),
            boundary,
            depth,
            own: 0,
            nested: 0,
            data,
        });
        &stack[stack.len() - 1]
    }

    /// Whether the innermost call is this entry, recorded once more for another element of its list.
    #[must_use]
    pub fn is_repeated(&self, event: &Event<'_>, function: u16) -> bool {
        self.all().last().is_some_and(|f| {
            f.function == function && f.clock == event.clock && f.stack == event.stack && f.stack != 0
        })
    }

    /// A function returns: ends its call, those that had jumped to it, and those inside that did not end.
    pub fn leave(&mut self, event: &Event<'_>, function: u16, left: &mut Vec<Left<T>>) {
        let stack = &mut self.stacks[self.current];
        let found = stack.iter().rposition(|frame| match (frame.stack, event.stack) {
            (0, _) | (_, 0) => frame.function == function,
            (ours, theirs) => ours == theirs,
        });
        let Some(found) = found else {
            self.without_entry += 1;
            return;
        };
        // Those below it that stand at the same place have jumped to one another, and to it.
        let is_here = |frame: &&CallFrame<T>| event.stack != 0 && frame.stack == event.stack;
        let at = found - stack[..found].iter().rev().take_while(is_here).count();
        let returned = at + stack[at..=found].iter().rposition(|f| f.function == function).unwrap_or(0);
        while stack.len() > at {
            let Some(frame) = stack.pop() else { break };
            let ending = match stack.len().cmp(&returned) {
                Ordering::Less => Ending::Jumped,
                Ordering::Equal => Ending::Returned,
                Ordering::Greater => Ending::Unseen,
            };
            self.without_exit += u64::from(ending == Ending::Unseen);
            close(stack, frame, ending, left);
        }
    }

    /// An interrupt or exception returns: ends its call, entered at one of the `entries`. A return to user mode
    /// ends all calls of the task.
    pub fn leave_interrupt(
        &mut self,
        event: &Event<'_>,
        is_entry: impl Fn(&CallFrame<T>) -> bool,
        left: &mut Vec<Left<T>>,
    ) {
        let stack = &mut self.stacks[self.current];
        let to_user = event.words.first().is_some_and(|to| *to < self.layout.kernel_start);
        // The processor has pushed five words, and with some exceptions an error code below them.
        let fits = |f: &CallFrame<T>| {
            is_entry(f) && (f.stack == event.stack || f.stack.wrapping_add(8) == event.stack)
        };
        let begin = if to_user { stack.iter().position(&is_entry) } else { stack.iter().rposition(fits) };
        let at = begin.unwrap_or(if to_user { 0 } else { stack.len() });
        while stack.len() > at {
            let Some(frame) = stack.pop() else { break };
            let ending = if is_entry(&frame) { Ending::Returned } else { Ending::Unseen };
            self.without_exit += u64::from(ending == Ending::Unseen);
            close(stack, frame, ending, left);
        }
    }

    /// The number of the call that begins next.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.last + 1
    }

    /// The tasks that run, of each vCPU.
    pub fn running(&self) -> impl Iterator<Item = u64> {
        self.vcpus.iter().map(|vcpu| vcpu.task)
    }

    /// The open calls of each task, the outermost first, in no particular order of the tasks.
    pub fn stacks(&self) -> impl Iterator<Item = (u64, &[CallFrame<T>])> {
        self.places.iter().map(|(task, place)| (*task, &self.stacks[*place][..]))
    }

    /// Where a part of a trace begins: what runs, and what the open calls have cost.
    pub fn begin_part(&mut self, begin: &PartBegin) {
        for running in &begin.running {
            let place = self.place(running.task);
            if let Some(vcpu) = self.vcpus.get_mut(usize::from(running.vcpu)) {
                *vcpu = Vcpu { task: running.task, place, clock: running.clock };
            }
        }
        for CallCost { task, call, own, nested } in &begin.calls {
            let stack = self.places.get(task).and_then(|place| self.stacks.get_mut(*place));
            let frame = stack.and_then(|stack| stack.iter_mut().find(|frame| frame.number == *call));
            if let Some(frame) = frame {
                (frame.own, frame.nested) = (*own, *nested);
            }
        }
    }

    /// What runs before an event, and what the open calls have cost: a part of the trace may begin with it.
    #[must_use]
    pub fn part(&self, event: u64) -> PartBegin {
        let running = self.vcpus.iter().zip(0..);
        let running =
            running.map(|(Vcpu { task, clock, .. }, vcpu)| RunningTask { vcpu, task: *task, clock: *clock });
        let costs = self.stacks().flat_map(|(task, calls)| {
            calls.iter().map(move |frame| {
                let CallFrame { number: call, own, nested, .. } = *frame;
                CallCost { task, call, own, nested }
            })
        });
        let mut calls: Vec<_> = costs.collect();
        calls.sort_unstable_by_key(|cost| cost.call);
        PartBegin { event, running: running.collect(), calls }
    }

    /// What the exit of a task's open call will need, by the call's number.
    pub fn data_mut(&mut self, task: u64, call: u64) -> Option<&mut T> {
        let stack = self.stacks.get_mut(*self.places.get(&task)?)?;
        stack.iter_mut().find(|frame| frame.number == call).map(|frame| &mut frame.data)
    }

    /// The number of the call that began last, to be changed: the next one goes on from there.
    pub fn last_mut(&mut self) -> &mut u64 {
        &mut self.last
    }

    /// All open calls of a task, the outermost first.
    #[must_use]
    pub fn of_task(&self, task: u64) -> &[CallFrame<T>] {
        self.places.get(&task).map_or(&[], |place| &self.stacks[*place])
    }

    /// A task's address belongs to another one now: what the old one left open will not end. Returns the number of its
    /// stack, if it had one.
    pub fn forget(&mut self, task: u64) -> Option<usize> {
        let place = *self.places.get(&task)?;
        self.stacks[place].clear();
        Some(place)
    }

    /// All open calls of the task at hand, the outermost first.
    #[must_use]
    pub fn all(&self) -> &[CallFrame<T>] {
        &self.stacks[self.current]
    }

    /// Which stack of calls that of the task at hand is: from 0, in the order in which the tasks were met.
    #[must_use]
    pub fn stack_number(&self) -> usize {
        self.current
    }

    /// Which stack of calls is a task's, if it has one.
    #[must_use]
    pub fn stack_number_of(&self, task: u64) -> Option<usize> {
        self.places.get(&task).copied()
    }

    /// The open calls of the context at hand, the outermost first.
    #[must_use]
    pub fn open(&self, event: &Event<'_>) -> &[CallFrame<T>] {
        let all = self.all();
        &all[begin(all, event)..]
    }

    /// The open calls of the context at hand, to be changed.
    pub fn open_mut(&mut self, event: &Event<'_>) -> &mut [CallFrame<T>] {
        let all = &mut self.stacks[self.current];
        let begin = begin(all, event);
        &mut all[begin..]
    }
}

/// Where the calls begin that are of the same context and level as an event.
fn begin<T>(all: &[CallFrame<T>], event: &Event<'_>) -> usize {
    let level = Level::of(event.context);
    let mut at = all.len();
    while at > 0 && all[at - 1].level == level {
        at -= 1;
        if all[at].boundary {
            break;
        }
    }
    at
}

/// Makes room for one more call; returns how many were dropped.
fn drop_oldest<T>(stack: &mut Vec<CallFrame<T>>) -> u64 {
    if stack.len() < DEEPEST + SPARE {
        return 0;
    }
    stack.drain(..SPARE);
    SPARE as u64
}

fn close<T>(stack: &mut [CallFrame<T>], frame: CallFrame<T>, ending: Ending, left: &mut Vec<Left<T>>) {
    if let Some(caller) = stack.last_mut().filter(|_| !frame.boundary) {
        caller.nested += frame.own + frame.nested;
    }
    left.push(Left { frame, ending });
}

#[cfg(test)]
mod tests;
