//! Attempts that failed on the critical path: hand-offs tell who ran meanwhile, the attempts what it was for.
//!
//! In: spans without a gap, and the requests of the I/O. Out: the same time, in which what the I/O waits for between
//! two attempts is named: the device that works on a command that fails, its recovery, the requeued request.

use super::{Doing, Span, push};
use crate::analysis::describe::error_cause;
use crate::hash::Set;
use crate::model::{Attempt, CommandError, DeviceStart, Request};

/// A part of the time of a request that was tried more than once.
#[derive(Debug, Clone)]
struct Part {
    from: u64,
    to: u64,
    doing: Doing,
}

/// The commands of an I/O's requests that failed, by number.
pub fn errors(requests: &[Request]) -> Vec<CommandError> {
    CommandError::of(requests.iter().flat_map(|request| &request.attempts))
}

/// The spans, with what attempts that failed say of them. `handler` names an interrupt's handler by its address.
pub fn name_retries(spans: Vec<Span>, requests: &[Request], handler: impl Fn(u64) -> String) -> Vec<Span> {
    let parts = parts(&spans, requests, handler);
    let mut named = Vec::with_capacity(spans.len());
    for span in spans {
        if parts.is_empty() || is_own(&span) {
            push(&mut named, span);
            continue;
        }
        let mut at = span.from;
        let first = parts.partition_point(|part| part.to <= at);
        for part in parts[first..].iter().take_while(|part| part.from < span.to) {
            push(&mut named, Span { from: at, to: part.from.max(at), ..span.clone() });
            let (from, to) = (part.from.max(at), part.to.min(span.to));
            push(&mut named, Span { from, to, doing: part.doing.clone(), depth: 1, place: String::new() });
            at = to;
        }
        push(&mut named, Span { from: at, ..span });
    }
    named
}

/// The I/O's own task runs, or could: it does not wait for a request.
fn is_own(span: &Span) -> bool {
    let runs =
        matches!(span.doing, Doing::Running { .. } | Doing::Runnable { .. } | Doing::Interrupted { .. });
    span.depth == 0 && runs
}

/// The parts of the requests on the path, by time, none over another.
fn parts(spans: &[Span], requests: &[Request], handler: impl Fn(u64) -> String) -> Vec<Part> {
    let device = |span: &Span| match span.doing {
        Doing::Device { command, .. } => Some(command),
        _ => None,
    };
    let on_path: Set<u64> = spans.iter().filter_map(device).collect();
    let has = |request: &&Request| request.attempts.iter().any(|attempt| on_path.contains(&attempt.command));
    let any = requests.iter().any(|request| has(&request));
    // Without a device on the path (the error handler ended the last command) each request may be waited for.
    let mut parts = Vec::new();
    for request in requests.iter().filter(|request| !any || has(request)) {
        for (at, attempt) in request.attempts.iter().enumerate() {
            add(&mut parts, attempt, request.attempts.get(at + 1), &handler);
        }
    }
    parts.sort_by_key(|part| part.from);
    let mut end = 0;
    for part in &mut parts {
        part.from = part.from.max(end);
        end = end.max(part.to);
    }
    parts.retain(|part| part.from < part.to);
    parts
}

/// The parts of an attempt that failed or was requeued, up to the next one.
fn add(parts: &mut Vec<Part>, attempt: &Attempt, next: Option<&Attempt>, handler: impl Fn(u64) -> String) {
    let command = attempt.command;
    let began = attempt.doorbell.or(attempt.driver).or(attempt.issued);
    let recovery = attempt.recovery.first().map(|mark| mark.clock);
    let mut part = |from: Option<u64>, to: Option<u64>, doing: Doing| {
        if let Some((from, to)) = from.zip(to) {
            parts.push(Part { from, to, doing });
        }
    };
    if attempt.error().is_some() {
        let irq = attempt.interrupt;
        let handler = irq.and_then(|irq| irq.handler).filter(|address| *address != 0).map(handler);
        let until = irq.map(|irq| irq.clock).or(recovery);
        let handler = handler.unwrap_or_else(|| "?".to_owned());
        let since = if attempt.doorbell.is_some() { DeviceStart::Doorbell } else { DeviceStart::Issue };
        part(began, until, Doing::Device { command, handler, since });
    }
    part(recovery, attempt.requeued.or(attempt.finished), Doing::Recovery { command });
    let reason = match attempt.error() {
        Some(cause) => error_cause(cause),
        None if attempt.refused => "the driver was busy".to_owned(),
        None => "an attempt without an error".to_owned(),
    };
    let until = next.and_then(|next| next.left_queue().or(next.driver));
    part(attempt.requeued, until, Doing::Requeued { command, reason });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{IrqRef, RecoveryMark, RecoveryStep, RequestKind, Sense};

    fn span(from: u64, to: u64, depth: usize, doing: Doing) -> Span {
        Span { from, to, doing, depth, place: String::new() }
    }

    fn running(task: &str) -> Doing {
        Doing::Running { task: task.to_owned(), work: None }
    }

    fn device(command: u64, handler: &str) -> Doing {
        Doing::Device { command, handler: handler.to_owned(), since: DeviceStart::Doorbell }
    }

    fn requeued(command: u64, reason: &str) -> Doing {
        Doing::Requeued { command, reason: reason.to_owned() }
    }

    fn irq(clock: u64) -> Option<IrqRef> {
        let handler = Some(0x99);
        Some(IrqRef { id: 1, clock, vector: None, line: None, handler, call: None })
    }

    /// Issued at 20, doorbell at 25; found done by an interrupt at 40, requeued at 45.
    fn failed() -> Attempt {
        let sense = Some(Sense { key: 0xb, asc: 0, ascq: 6 });
        let (issued, doorbell, requeued) = (Some(20), Some(25), Some(45));
        Attempt { command: 1, issued, doorbell, interrupt: irq(40), sense, requeued, ..Attempt::default() }
    }

    fn request(attempts: Vec<Attempt>) -> Request {
        let mut request = Request::new(1, 0xa000, RequestKind::Data, 10);
        request.attempts = attempts;
        request
    }

    fn named(spans: Vec<Span>, requests: &[Request]) -> Vec<(u64, u64, Doing)> {
        let named = name_retries(spans, requests, |address| format!("handler_{address:x}"));
        named.into_iter().map(|span| (span.from, span.to, span.doing)).collect()
    }

    // The retry is issued at 70 by whoever runs then: the idle task, as far as hand-offs tell.
    // task   idle                  cmd2        task
    // 0      22                    75          90   100
    #[test]
    fn time_between_attempts_is_that_of_a_requeued_request() {
        let retry = Attempt { command: 2, dispatched: Some(70), issued: Some(71), ..Attempt::default() };
        let spans = vec![
            span(0, 22, 0, running("dd/1")),
            span(22, 75, 2, running("swapper/0")),
            span(75, 90, 1, device(2, "irq")),
            span(90, 100, 0, running("dd/1")),
        ];
        let expected = [
            (0, 22, running("dd/1")),
            (22, 25, running("swapper/0")),
            (25, 40, device(1, "handler_99")),
            (40, 45, running("swapper/0")),
            (45, 70, requeued(1, "Aborted Command b/00/06")),
            (70, 75, running("swapper/0")),
            (75, 90, device(2, "irq")),
            (90, 100, running("dd/1")),
        ];
        assert_eq!(named(spans, &[request(vec![failed(), retry])]), expected);
    }

    // A request that is not on the path, and time in which the task itself runs, stay as they are.
    #[test]
    fn what_is_not_waited_for_is_not_named() {
        let retry = Attempt { command: 2, dispatched: Some(70), ..Attempt::default() };
        let requests =
            [request(vec![failed(), retry]), request(vec![Attempt { command: 3, ..Attempt::default() }])];
        let other = vec![span(0, 50, 1, running("swapper/0")), span(50, 100, 1, device(3, "irq"))];
        let same: Vec<_> = other.iter().map(|span| (span.from, span.to, span.doing.clone())).collect();
        assert_eq!(named(other, &requests), same);
        let own = vec![span(0, 100, 0, running("dd/1"))];
        assert_eq!(named(own, &requests), [(0, 100, running("dd/1"))]);
    }

    // doorbell 25   timeout 50   bus reset 60   requeued 65   refused   dispatched 80
    #[test]
    fn a_timeout_its_recovery_and_a_refusal_are_told_apart() {
        let marks = [(RecoveryStep::Timeout, 50), (RecoveryStep::ResetBus, 60)];
        let recovery = marks.map(|(step, clock)| RecoveryMark { step, clock }).to_vec();
        let late = Attempt { interrupt: None, sense: None, recovery, requeued: Some(65), ..failed() };
        let refused = Attempt {
            command: 2,
            dispatched: Some(68),
            refused: true,
            requeued: Some(70),
            ..Attempt::default()
        };
        let third = Attempt { command: 3, dispatched: Some(80), ..Attempt::default() };
        let spans = vec![span(0, 100, 0, Doing::Unknown { task: "dd/1".to_owned() })];
        let unknown = || Doing::Unknown { task: "dd/1".to_owned() };
        let expected = [
            (0, 25, unknown()),
            (25, 50, device(1, "?")),
            (50, 65, Doing::Recovery { command: 1 }),
            (65, 68, requeued(1, "timeout")),
            (68, 70, unknown()),
            (70, 80, requeued(2, "the driver was busy")),
            (80, 100, unknown()),
        ];
        assert_eq!(named(spans, &[request(vec![late, refused, third])]), expected);
    }
}
