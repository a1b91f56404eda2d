//! What an event says of a bio or a request at that moment.

use crate::model::{BlockEvent, BlockKind, Op, OpCodes, OpField, Task};
use crate::trackers::fact::Context;
use crate::trackers::probes::RoleValues;
use bincode::{Decode, Encode};
use iotrace_format::role::Role;

/// Bytes of a sector.
pub const SECTOR: u64 = 512;

/// When a tracepoint fires, in instructions, and the task that runs then.
pub type ClockAndTask = (u64, Task);

/// When a tracepoint fires that does at this event.
pub fn now(context: &Context<'_>) -> ClockAndTask {
    (context.clock(), context.task())
}

/// A bio or a request, as an event shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct ObjectState {
    /// `dev_t` of the disk.
    pub dev: u64,
    /// First sector.
    pub sector: u64,
    /// Bytes.
    pub bytes: u64,
    /// Operation.
    pub op: Op,
}

impl ObjectState {
    /// Of the event's bio; what is not in it reads as 0.
    pub fn bio(roles: &RoleValues<'_>, codes: &OpCodes) -> Self {
        let get = |role| roles.get(role).unwrap_or(0);
        let (dev, sector, bytes) = (roles.bio_dev().unwrap_or(0), get(Role::BioSector), get(Role::BioSize));
        Self { dev, sector, bytes, op: codes.decode(get(Role::BioOp), OpField::Bio) }
    }

    /// Of the event's request; none if the event does not say.
    pub fn request(roles: &RoleValues<'_>, codes: &OpCodes) -> Option<Self> {
        let get = |role| roles.get(role);
        let (sector, bytes) = (get(Role::RequestSector)?, get(Role::RequestSize)?);
        let op = codes.decode(get(Role::RequestOp)?, OpField::Request);
        Some(Self { dev: roles.request_dev()?, sector, bytes, op })
    }

    /// Of the request that the event's request may swallow.
    pub fn next_request(roles: &RoleValues<'_>, codes: &OpCodes) -> Self {
        let get = |role| roles.get(role).unwrap_or(0);
        let (dev, sector, bytes) =
            (roles.request_dev().unwrap_or(0), get(Role::NextSector), get(Role::NextSize));
        Self { dev, sector, bytes, op: codes.decode(get(Role::NextOp), OpField::Request) }
    }

    /// As the tracepoints of bios print it.
    pub fn block_event(&self, kind: BlockKind, (clock, task): ClockAndTask) -> BlockEvent {
        let Self { dev, sector, bytes, op } = *self;
        BlockEvent { kind, clock, task, dev, sector, sectors: bytes / SECTOR, op }
    }

    /// As the tracepoints of requests print it (`blk_rq_trace_sector`, `blk_rq_trace_nr_sectors`).
    pub fn request_event(&self, kind: BlockKind, at: ClockAndTask) -> BlockEvent {
        let mut event = self.block_event(kind, at);
        if self.op.is_passthrough() {
            (event.sector, event.sectors) = (0, 0);
        } else if event.sector == u64::MAX {
            event.sector = 0;
        }
        event
    }
}
