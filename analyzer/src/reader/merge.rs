//! Puts the blocks of several vCPUs into one order of clocks.
//!
//! With one vCPU events pass straight through. With several, an event is given once every vCPU has shown
//! what it does next, or once so many blocks are waiting that one of the vCPUs must be asleep.

use super::Flow;
use iotrace_schemas::event::Event;
use iotrace_schemas::trace::columns::Block;
use std::collections::VecDeque;

/// Blocks that may wait for a vCPU that has none.
const MOST_WAITING: usize = 64;

/// What is still to be given of each vCPU.
#[derive(Debug, Default)]
pub struct Merger {
    vcpus: usize,
    queues: Vec<VecDeque<Box<Block>>>,
    /// Next event in the first block of each queue.
    next: Vec<usize>,
    waiting: usize,
}

impl Merger {
    /// The trace is one of so many vCPUs.
    pub fn expect(&mut self, vcpus: u32) {
        self.vcpus = vcpus as usize;
    }

    /// Adds a block and gives what can be given. A block whose events were all given at once comes back.
    pub fn add(
        &mut self,
        block: Box<Block>,
        back: &mut Option<Box<Block>>,
        give: &mut dyn FnMut(&Event<'_>) -> Flow,
    ) -> Flow {
        if block.is_empty() {
            return Flow::Continue;
        }
        let vcpu = usize::from(block.vcpu());
        if self.vcpus <= 1 && self.waiting == 0 && vcpu == 0 {
            let flow = give_all(&block, give);
            *back = Some(block);
            return flow;
        }
        if self.queues.len() <= vcpu {
            self.queues.resize_with(vcpu + 1, VecDeque::new);
            self.next.resize(vcpu + 1, 0);
        }
        self.queues[vcpu].push_back(block);
        self.waiting += 1;
        let mut flow = Flow::Continue;
        while flow == Flow::Continue && (self.all_have_one() || self.waiting > MOST_WAITING) {
            flow = self.give_earliest(give);
        }
        flow
    }

    /// Gives what is left.
    pub fn finish(&mut self, give: &mut dyn FnMut(&Event<'_>) -> Flow) -> Flow {
        let mut flow = Flow::Continue;
        while flow == Flow::Continue && self.waiting > 0 {
            flow = self.give_earliest(give);
        }
        flow
    }

    fn all_have_one(&self) -> bool {
        self.queues.len() >= self.vcpus && self.queues.iter().all(|q| !q.is_empty())
    }

    fn head(&self, vcpu: usize) -> Option<Event<'_>> {
        self.queues[vcpu].front().and_then(|block| block.get(self.next[vcpu]))
    }

    fn give_earliest(&mut self, give: &mut dyn FnMut(&Event<'_>) -> Flow) -> Flow {
        let heads = (0..self.queues.len()).filter_map(|v| self.head(v).map(|e| (e.clock, v)));
        let Some((_, vcpu)) = heads.min() else {
            self.waiting = 0;
            return Flow::Continue;
        };
        let flow = self.head(vcpu).map_or(Flow::Continue, |event| give(&event));
        self.next[vcpu] += 1;
        if self.queues[vcpu].front().is_some_and(|block| self.next[vcpu] >= block.len()) {
            self.queues[vcpu].pop_front();
            self.next[vcpu] = 0;
            self.waiting -= 1;
        }
        flow
    }
}

fn give_all(block: &Block, give: &mut dyn FnMut(&Event<'_>) -> Flow) -> Flow {
    for event in block.events() {
        if give(&event) == Flow::Stop {
            return Flow::Stop;
        }
    }
    Flow::Continue
}
