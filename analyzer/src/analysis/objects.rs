//! Addresses that mean a bio, a request or a command, each for as long as it lives.

use crate::hash::Map;
use crate::model::{Bio, Request};
use crate::ranges::Ranges;

struct Lifetime {
    pointer: u64,
    name: String,
    from: u64,
    to: u64,
}

/// Objects by their addresses. Where two live at one address at the same time, the first counts.
#[derive(Default)]
pub struct Objects {
    all: Vec<Lifetime>,
    /// Of each address, when it means which of them.
    at: Map<u64, Ranges>,
}

impl Objects {
    /// Bios (`#7`, their copies as well), their requests (`rq9`) and commands (`cmd9`).
    #[must_use]
    pub fn new(bios: &[Bio], requests: &[Request]) -> Self {
        let mut objects = Self::default();
        for bio in bios {
            objects.add(bio.pointer, format!("#{}", bio.id), bio.queued(), bio.ended().unwrap_or(u64::MAX));
        }
        for request in requests {
            let (from, to) = (request.got, request.freed.unwrap_or(u64::MAX));
            objects.add(request.pointer, format!("rq{}", request.id), from, to);
            for attempt in request.attempts.iter().filter(|a| a.pointer != 0) {
                objects.add(attempt.pointer, format!("cmd{}", attempt.command), from, to);
            }
        }
        for bio in bios {
            let end = bio.ended().unwrap_or(u64::MAX);
            for copy in &bio.copies {
                objects.add(copy.pointer, format!("#{}", bio.id), copy.from, copy.to.unwrap_or(end));
            }
        }
        let mut lifetimes = Map::<u64, Vec<_>>::default();
        for (number, Lifetime { pointer, from, to, .. }) in objects.all.iter().enumerate() {
            lifetimes.entry(*pointer).or_default().push((number, *from, *to));
        }
        objects.at = lifetimes.into_iter().map(|(pointer, all)| (pointer, Ranges::new(all))).collect();
        objects
    }

    fn add(&mut self, pointer: u64, name: String, from: u64, to: u64) {
        self.all.push(Lifetime { pointer, name, from, to });
    }

    /// What an address means at a clock, in instructions.
    #[must_use]
    pub fn name(&self, address: u64, clock: u64) -> Option<&str> {
        let object = self.at.get(&address)?.find(clock)?;
        self.all.get(object).map(|object| object.name.as_str())
    }
}
