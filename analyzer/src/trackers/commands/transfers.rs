//! Parts of a command that its controller carries out by themselves, as the transfers of a USB command.
//!
//! In: the calls in which a driver carries out a command, transfers that are submitted in them and complete, doorbells.
//! Out: of a transfer that completes, which request it is for and where the controller began with it.
//!
//! A transfer that is submitted outside of such a call (a hub's, say) is nobody's. Memory: [`MOST`] transfers.

use super::doorbells::Doorbells;
use crate::model::{DeviceStart, Point};
use crate::trackers::call_states::CallStates;
use crate::trackers::fact::{Context, EndFact, Fact};
use bincode::{Decode, Encode};
use iotrace_format::role::Role;
use std::collections::BTreeMap;

/// Most transfers that are kept: more than controllers have in flight (a USB host adapter of Linux has at most 16 to 256
/// for a storage device). What is submitted beyond them is not followed.
const MOST: usize = 1 << 12;

/// A transfer that its controller has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct PendingTransfer {
    /// Address of the request whose command it is a part of.
    pub request: u64,
    /// Its doorbell; where it was submitted as long as none is known.
    pub from: Point,
    /// Which of them.
    pub since: DeviceStart,
}

/// Follows the transfers of commands.
#[derive(Debug, Default, Encode, Decode)]
pub struct Transfers {
    /// Requests whose commands are being carried out, by the calls that do it.
    calls: CallStates<u64>,
    pending: BTreeMap<u64, PendingTransfer>,
    doorbells: Doorbells,
}

impl Transfers {
    /// A driver begins to carry out the command of a request.
    pub fn command_begun(&mut self, fact: &Fact<'_>, request: u64) {
        self.calls.insert(fact, request);
    }

    /// The call in which a driver did so is over.
    pub fn call_ended(&mut self, end: &EndFact<'_>) {
        self.calls.remove(end);
    }

    /// A transfer is submitted.
    pub fn submitted(&mut self, fact: &Fact<'_>) {
        let Some(transfer) = fact.roles.get(Role::Transfer) else { return };
        self.forget(transfer);
        let Some(request) = self.calls.of_context(&fact.context).next_back().copied() else { return };
        if self.pending.len() < MOST {
            self.doorbells.wait(&fact.context, transfer);
            let (from, since) = (fact.here(), DeviceStart::Issue);
            self.pending.insert(transfer, PendingTransfer { request, from, since });
        }
    }

    /// A doorbell is rung. Returns whether a transfer waited for it.
    pub fn rung(&mut self, context: &Context<'_>) -> bool {
        let passed_on = self.doorbells.ring(context);
        for transfer in &passed_on {
            if let Some(pending) = self.pending.get_mut(transfer) {
                (pending.from, pending.since) = (context.here(), DeviceStart::Doorbell);
            }
        }
        !passed_on.is_empty()
    }

    /// The transfer that a fact is about, if its controller has it.
    pub fn of(&self, fact: &Fact<'_>) -> Option<PendingTransfer> {
        self.pending.get(&fact.roles.get(Role::Transfer)?).copied()
    }

    /// The transfer that a fact is about is complete.
    pub fn completed(&mut self, fact: &Fact<'_>) -> Option<PendingTransfer> {
        self.forget(fact.roles.get(Role::Transfer)?)
    }

    fn forget(&mut self, transfer: u64) -> Option<PendingTransfer> {
        self.doorbells.forget(transfer);
        self.pending.remove(&transfer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trackers::fixture::FactSource;

    #[test]
    fn the_transfers_that_are_kept_are_bounded() {
        let (mut source, mut transfers) = (FactSource::default(), Transfers::default());
        source.enter(1, "cmd.start", &[("cmd", 1)], |fact| transfers.command_begun(fact, 7));
        for urb in 1..2 * MOST as u64 {
            source.reach_only(2, "transfer.start", &[("urb", urb)], |fact| transfers.submitted(fact));
        }
        assert_eq!(transfers.pending.len(), MOST);
        source.exit(3, "cmd.start", 0, |end| transfers.call_ended(end));
        for urb in 1..2 * MOST as u64 {
            source.reach_only(4, "transfer.done", &[("urb", urb)], |fact| {
                assert_eq!(transfers.completed(fact).is_some(), urb <= MOST as u64);
            });
        }
        assert!(transfers.pending.is_empty());
    }

    #[test]
    fn a_transfer_that_no_command_is_carried_out_with_is_not_kept() {
        let (mut source, mut transfers) = (FactSource::default(), Transfers::default());
        source.enter(1, "cmd.start", &[("cmd", 1)], |fact| transfers.command_begun(fact, 7));
        source.exit(2, "cmd.start", 0, |end| transfers.call_ended(end));
        source.reach_only(3, "transfer.start", &[("urb", 1)], |fact| transfers.submitted(fact));
        assert!(transfers.pending.is_empty());
    }
}
