//! Addresses that mean a bio, a request or a command, each for as long as it lives.

use crate::model::{Bio, Request};

struct Lifetime {
    pointer: u64,
    name: String,
    from: u64,
    to: u64,
}

/// Objects by their addresses.
#[derive(Default)]
pub struct Objects(Vec<Lifetime>);

impl Objects {
    /// Bios (`#7`), their requests (`rq9`) and commands (`cmd9`).
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
        objects
    }

    /// An object that lives from one clock to another.
    pub fn add(&mut self, pointer: u64, name: String, from: u64, to: u64) {
        self.0.push(Lifetime { pointer, name, from, to });
    }

    /// What an address means at a clock, in instructions.
    #[must_use]
    pub fn name(&self, address: u64, clock: u64) -> Option<&str> {
        let alive = |o: &&Lifetime| o.pointer == address && (o.from..=o.to).contains(&clock);
        self.0.iter().find(alive).map(|object| object.name.as_str())
    }
}
