//! Numbers of both sides as cells.

use crate::view::table::{Align, Table};
use crate::view::text::{grouped, marked, micros};
use iotrace::analysis::diff::{Both, CostTest, Diff, Evidence};

/// A number with its sign.
pub fn signed(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "+" };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

/// Heads of [`numbers`].
pub const NUMBERS: [&str; 4] = ["A", "B", "B - A", "%"];
/// The same of instructions without callees.
pub const OWN: [&str; 4] = ["own A", "own B", "B - A", "%"];
/// The same of instructions with callees.
pub const TOTAL: [&str; 4] = ["total A", "total B", "B - A", "%"];

/// Columns that a narrow terminal does without, the first to go first, of every table.
const DROPPED: [&str; 25] = [
    "share",
    "interval",
    "p",
    "device B",
    "device A",
    "MMIO",
    "interrupts",
    "waits",
    "bios",
    "layer",
    "part",
    "each I/O",
    "times",
    "pairs",
    "recording",
    "calls",
    "total B - A",
    "µs B",
    "µs A",
    "µs B - A",
    "test",
    "change",
    "%",
    "for",
    "B - A",
];

/// Columns A, B, difference and per cent.
pub fn numbers(both: Both) -> [String; 4] {
    let percent = both.percent().map_or_else(String::new, |percent| format!("{percent:+.1}%"));
    [grouped(both.a), grouped(both.b), signed(both.difference()), percent]
}

/// Heads of [`times`].
pub const TIMES: [&str; 5] = ["µs A", "µs B", "µs B - A", "device A", "device B"];

/// Virtual nanoseconds of both sides as microseconds: guest time and its difference, and device time. A tilde is before
/// what is approximate.
pub fn times(diff: &Diff, elapsed: Both, device: Both) -> [String; 5] {
    let guest = elapsed.without(device);
    let [a, b] = [diff.a.approximate_times, diff.b.approximate_times];
    let cell = |is_approximate, ns| marked(is_approximate, &micros(ns));
    let sign = if guest.difference() < 0 { "-" } else { "+" };
    let difference = marked(a || b, &format!("{sign}{}", micros(guest.difference().unsigned_abs())));
    let devices = match device == Both::default() {
        true => [String::new(), String::new()],
        false => [cell(a, device.a), cell(b, device.b)],
    };
    let [device_a, device_b] = devices;
    [cell(a, guest.a), cell(b, guest.b), difference, device_a, device_b]
}

/// A pair of small counts, in one column if they are equal.
pub fn counts(both: Both) -> String {
    if both.is_equal() { grouped(both.a) } else { format!("{} → {}", grouped(both.a), grouped(both.b)) }
}

/// What part of a whole B's is.
pub fn share(part: Both, whole: Both) -> String {
    if whole.b == 0 { String::new() } else { format!("{:.1}%", part.b as f64 * 100.0 / whole.b as f64) }
}

/// Heads of [`statistics`].
pub const STATISTICS: [&str; 4] = ["each I/O", "interval", "p", "<test"];

/// Statistics of several recordings; empty cells where there are too few.
pub fn statistics(test: &CostTest) -> [String; 4] {
    let interval = test.interval.map_or_else(String::new, |i| match i.low == i.high {
        true => signed(i.low),
        false => format!("{}..{}", signed(i.low), signed(i.high)),
    });
    let Some(p) = test.p else { return [signed(test.difference), interval, String::new(), String::new()] };
    let verdict = if test.differs { "differs" } else { "chance" };
    [signed(test.difference), interval, format!("{p:.4}"), verdict.to_owned()]
}

/// The same of what one side alone may have, which the verdict says then.
pub fn judged(test: &CostTest, evidence: Evidence) -> [String; 4] {
    let [difference, interval, p, verdict] = statistics(test);
    let verdict = match evidence {
        Evidence::OnlyInA => "only in A".to_owned(),
        Evidence::OnlyInB => "only in B".to_owned(),
        Evidence::BeyondChance | Evidence::None => verdict,
    };
    [difference, interval, p, verdict]
}

/// A table whose columns stand as their heads say: `<` before one is for text, the others are for numbers.
pub fn table(heads: &[&str]) -> Table {
    let columns = heads.iter().map(|head| match head.strip_prefix('<') {
        Some(head) => (head, Align::Left),
        None => (*head, Align::Right),
    });
    Table::new(columns).dropping(DROPPED)
}
