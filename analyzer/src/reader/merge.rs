//! Puts the blocks of several vCPUs into one order of clocks.
//!
//! With one vCPU events pass straight through. With several, an event is given once every vCPU has shown
//! what it does next, or once so many blocks are waiting that one of the vCPUs must be asleep. What an event takes
//! does not depend on how many vCPUs there are, or on their numbers: only those that have a block are looked at.

use super::Flow;
use iotrace_format::event::Event;
use iotrace_format::trace::columns::EventBlock;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Blocks that may wait for a vCPU that has none.
const MOST_WAITING: usize = 64;

/// What is still to be given of each vCPU.
#[derive(Debug, Default)]
pub struct Merger {
    vcpus: usize,
    queues: Vec<Queue>,
    /// The vCPUs that have a block, by what their next event is put in its place by, the earliest first.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    waiting: usize,
}

/// Blocks of one vCPU.
#[derive(Debug, Default)]
struct Queue {
    blocks: VecDeque<Box<EventBlock>>,
    /// Next event in the first of them.
    next: usize,
}

impl Queue {
    /// What the next event is put in its place by.
    fn head(&self) -> Option<u64> {
        order(self.blocks.front()?, self.next)
    }
}

/// Takes an event, and its number if that is not the one after the last.
pub type Give<'g> = &'g mut dyn FnMut(Option<u64>, &Event<'_>) -> Flow;

/// What an event of a block is put in its place by: its number, which tells the order in the whole trace, or else its
/// clock.
fn order(block: &EventBlock, at: usize) -> Option<u64> {
    block.number(at).or_else(|| block.get(at).map(|event| event.clock))
}

impl Merger {
    /// The trace is one of so many vCPUs.
    pub fn expect(&mut self, vcpus: u32) {
        self.vcpus = vcpus as usize;
    }

    /// Adds a block and gives what can be given. A block whose events were all given at once comes back.
    pub fn add(
        &mut self,
        block: Box<EventBlock>,
        back: &mut Option<Box<EventBlock>>,
        give: Give<'_>,
    ) -> Flow {
        if self.vcpus <= 1 && self.waiting == 0 && block.vcpu() == 0 {
            let flow = give_all(&block, give);
            *back = Some(block);
            return flow;
        }
        self.wait(block, give)
    }

    /// Adds a block to those that wait and gives what can be given.
    fn wait(&mut self, block: Box<EventBlock>, give: Give<'_>) -> Flow {
        if block.is_empty() {
            return Flow::Continue;
        }
        let vcpu = usize::from(block.vcpu());
        if self.queues.len() <= vcpu {
            self.queues.resize_with(vcpu + 1, Queue::default);
        }
        let queue = &mut self.queues[vcpu];
        queue.blocks.push_back(block);
        if queue.blocks.len() == 1 {
            self.heads.extend(queue.head().map(|clock| Reverse((clock, vcpu))));
        }
        self.waiting += 1;
        let mut flow = Flow::Continue;
        while flow == Flow::Continue && (self.all_have_one() || self.waiting > MOST_WAITING) {
            flow = self.give_earliest(give);
        }
        flow
    }

    /// Gives what is left.
    pub fn finish(&mut self, give: Give<'_>) -> Flow {
        let mut flow = Flow::Continue;
        while flow == Flow::Continue && self.waiting > 0 {
            flow = self.give_earliest(give);
        }
        flow
    }

    fn all_have_one(&self) -> bool {
        self.queues.len() >= self.vcpus && self.heads.len() == self.queues.len()
    }

    /// Gives the events of the vCPU that has the earliest, up to the first that another vCPU has before, or up to the
    /// end of its block.
    fn give_earliest(&mut self, give: Give<'_>) -> Flow {
        let Some(Reverse((_, vcpu))) = self.heads.pop() else {
            self.waiting = 0;
            return Flow::Continue;
        };
        let other = self.heads.peek().map(|Reverse(head)| *head);
        let Queue { blocks, next } = &mut self.queues[vcpu];
        let Some(block) = blocks.front() else { return Flow::Continue };
        let mut flow = Flow::Continue;
        while let (Flow::Continue, Some(event)) = (flow, block.get(*next))
            && other.is_none_or(|other| (order(block, *next).unwrap_or(event.clock), vcpu) < other)
        {
            flow = give(block.number(*next), &event);
            *next += 1;
        }
        if *next >= block.len() {
            blocks.pop_front();
            *next = 0;
            self.waiting -= 1;
        }
        self.heads.extend(self.queues[vcpu].head().map(|clock| Reverse((clock, vcpu))));
        flow
    }
}

fn give_all(block: &EventBlock, give: Give<'_>) -> Flow {
    // Blocks of whole traces have no numbers, and are most.
    let numbered = block.number(0).is_some();
    for (at, event) in block.events().enumerate() {
        let number = if numbered { block.number(at) } else { None };
        if give(number, &event) == Flow::Stop {
            return Flow::Stop;
        }
    }
    Flow::Continue
}
