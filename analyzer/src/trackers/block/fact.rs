//! What the trackers of bios and of requests tell each other.

use crate::model::{BioId, CommandError, IrqRef, Join, Op, RequestId, StageMark};
use bincode::{Decode, Encode};

/// A bio in flight, as far as requests need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct BioState {
    /// Its address.
    pub pointer: u64,
    /// Its number.
    pub id: BioId,
    /// When it was queued, in instructions.
    pub queued: u64,
    /// `dev_t` it was queued for.
    pub dev: u64,
    /// First sector of what is left of it.
    pub sector: u64,
    /// Bytes of what is left of it.
    pub bytes: u64,
    /// Operation.
    pub op: Op,
    /// It is in a request.
    pub has_request: bool,
}

/// The time that a bio is in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Membership {
    /// The request's address.
    pub pointer: u64,
    /// Its number.
    pub request: RequestId,
    /// Since when, in instructions.
    pub from: u64,
    /// How it came in.
    pub join: Join,
}

/// What a request went through while a bio was in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct MembershipOutcome {
    /// Times the request was issued.
    pub attempts: u32,
    /// Its commands that failed.
    pub errors: Vec<CommandError>,
    /// When a device had its commands, and those of the flushes that it waited for.
    pub at_device: Vec<(u64, u64)>,
    /// The stages that the bio reached in it, by time.
    pub stages: Vec<StageMark>,
    /// Times the request went back to the queue.
    pub requeues: u32,
    /// The interrupt that told of its completion.
    pub interrupt: Option<IrqRef>,
    /// Flush requests that it waited for.
    pub flushes: Vec<RequestId>,
}

/// A bio is in a request from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct JoinedBio {
    /// The bio's address.
    pub bio: u64,
    /// Where it is.
    pub membership: Membership,
}

/// A request was merged into another one: its bios go there.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct MergedBios {
    /// When, in instructions.
    pub clock: u64,
    /// Numbers and addresses of the bios.
    pub bios: Vec<(BioId, u64)>,
    /// Address of the request that they are in from here on.
    pub into: u64,
}

/// What the tracker of requests tells of bios.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum RequestFact {
    /// A bio joined a request.
    Joined(JoinedBio),
    /// Bios have another request.
    Merged(MergedBios),
    /// The bio at this address is that of a passthrough request: it is mapped, not queued.
    Mapped(u64),
}
