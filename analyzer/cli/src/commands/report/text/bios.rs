//! The table of bios.

use super::{CellTime, Options, TimeUnit, outcomes, unit};
use crate::view::table::{self, Align, Table};
use crate::view::{stages, text};
use iotrace::analysis::report::Report;
use iotrace::model::{Bio, BioStage, Join, StageMark};
use std::io::{self, Write};

/// Columns that a narrow terminal does without, the first to go first.
const DROPPED: [&str; 17] = [
    "driver",
    "doorbell",
    "done",
    "G",
    "P",
    "preflush",
    "postflush",
    "I",
    "dev",
    "M",
    "rq",
    "task",
    "irq",
    "sector",
    "C",
    "attempts",
    "bytes",
];

/// Writes the bios, a line each; nothing if there are none.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, report: &Report, options: Options) -> io::Result<()> {
    if report.bio_count == 0 {
        return Ok(());
    }
    let title = super::title("Bios", report.bio_count, report);
    writeln!(out, "\n{}", options.style.heading(&title))?;
    let list = &report.bios;
    let used = |stage: &BioStage| list.iter().any(|bio| bio.at(*stage).is_some());
    let stages: Vec<_> = BioStage::ALL.into_iter().skip(1).filter(used).collect();
    let fixed = [
        ("bio", Align::Right),
        ("op", Align::Left),
        ("dev", Align::Left),
        ("sector", Align::Right),
        ("bytes", Align::Right),
        ("task", Align::Left),
        ("rq", Align::Right),
    ];
    let heads = stages.iter().map(|stage| (stage.short(), Align::Right));
    let outcome = [("attempts", Align::Right), ("outcome", Align::Left)];
    let outcome = outcome.into_iter().filter(|_| has_outcomes(report));
    let table = Table::new(fixed.into_iter().chain(heads).chain(outcome));
    let mut table = table.dropping(DROPPED).flexible("outcome");
    for bio in list {
        let mut row = bio_row(bio, &stages, report, options);
        if has_outcomes(report) {
            row.extend([bio.attempts.to_string(), outcomes::outcome(bio)]);
        }
        table.row(row);
    }
    table.write(out, options.style, "  ")?;
    table::more(out, report.bio_count, list.len())?;
    legend(out, report, options)
}

/// Whether a bio in the table failed, or was tried more than once.
fn has_outcomes(report: &Report) -> bool {
    report.bios.iter().any(outcomes::is_remarkable)
}

/// Whether the table names a stage.
pub(super) fn is_used(report: &Report, stage: BioStage) -> bool {
    stage == BioStage::Queued || report.bios.iter().any(|bio| bio.at(stage).is_some())
}

fn legend(out: &mut dyn Write, report: &Report, options: Options) -> io::Result<()> {
    let unit = match unit(report, options) {
        TimeUnit::Ns => "µs of virtual time",
        TimeUnit::Instructions => "instructions of all contexts",
    };
    let since = match options.times {
        CellTime::SinceQueued => "since Q",
        CellTime::Delta => "since the previous stage",
    };
    let joined = |join: fn(Join) -> bool| report.bios.iter().any(|bio| bio.join.is_some_and(join));
    let mut parts = vec![format!("{unit} {since}")];
    if report.bios.iter().any(|bio| bio.stages.iter().any(|mark| mark.shared > 1)) {
        parts.push("*: shared with other bios".to_owned());
    }
    for (is_used, part) in [
        (
            has_outcomes(report),
            "attempts: times issued to the driver; outcome: commands that failed, what was done for them, and how the bio ended",
        ),
        (joined(|join| matches!(join, Join::Back | Join::Discard)), "rq N<: merged at the end of request N"),
        (joined(|join| join == Join::Front), "rq >N: merged at the front of request N"),
        (joined(|join| join == Join::WithRequest), "rq N+: merged with its request into request N"),
    ] {
        parts.extend(is_used.then(|| part.to_owned()));
    }
    writeln!(out, "  {}", options.style.faint(parts.join("; ")))?;
    writeln!(out, "  {}", options.style.faint(stages::legend(|stage| is_used(report, stage))))?;
    let [disk, tick, recording] = ["disk", "tick", "recording"].map(|key| report.definitions.note(key));
    match device_time(disk, tick, recording) {
        Some(line) => writeln!(out, "  {}", options.style.faint(&line)),
        None => Ok(()),
    }
}

/// What the times of the device are, by the notes of `scripts/replay` and `scripts/record --trace`.
fn device_time(disk: Option<&str>, tick: Option<&str>, recording: Option<&str>) -> Option<String> {
    match disk? {
        "host" if recording.is_some() => {
            Some("irq, and elapsed while waiting: device time of the host that traced the guest".to_owned())
        }
        "host" => {
            let tick = tick.map_or(String::new(), |tick| format!(" of {tick}"));
            Some(format!(
                "irq, and elapsed while waiting: device time of the recording host, rounded up to the next timer \
                 interrupt{tick}"
            ))
        }
        "instant" => {
            Some("irq: the disk completes requests instantly; all times follow from instructions".to_owned())
        }
        _ => None,
    }
}

fn bio_row(bio: &Bio, stages: &[BioStage], report: &Report, options: Options) -> Vec<String> {
    let id = match bio.origin.of() {
        None => format!("#{}", bio.id),
        Some(of) => format!("#{of}/#{}", bio.id),
    };
    let mut row = vec![
        id,
        bio.op.rwbs(),
        text::device_name(bio.device.as_deref(), bio.dev),
        bio.sector.to_string(),
        bio.bytes.to_string(),
        format!("{}/{}", bio.task.comm, bio.task.pid),
        request(bio),
    ];
    row.extend(stages.iter().map(|stage| cell(bio, *stage, report, options)));
    row
}

fn request(bio: &Bio) -> String {
    let Some(request) = bio.request else { return "-".into() };
    match bio.join {
        Some(Join::Back | Join::Discard) => format!("{request}<"),
        Some(Join::Front) => format!(">{request}"),
        Some(Join::WithRequest) => format!("{request}+"),
        _ => request.to_string(),
    }
}

fn cell(bio: &Bio, stage: BioStage, report: &Report, options: Options) -> String {
    let Some(at) = bio.stages.iter().position(|mark| mark.stage == stage) else { return "-".into() };
    let StageMark { clock, shared, .. } = bio.stages[at];
    let from = match options.times {
        CellTime::SinceQueued => bio.queued(),
        CellTime::Delta => bio.stages[at.saturating_sub(1)].clock,
    };
    let span = match unit(report, options) {
        TimeUnit::Ns => text::micros_span(&report.time, from, clock),
        TimeUnit::Instructions => text::grouped(clock - from),
    };
    if shared > 1 { format!("{span}*") } else { span }
}

#[cfg(test)]
mod tests {
    use super::device_time;

    #[test]
    fn the_disk_says_what_its_times_are() {
        let host = device_time(Some("host"), Some("8192 Hz"), None).expect("a line");
        assert!(host.ends_with("rounded up to the next timer interrupt of 8192 Hz"), "{host}");
        let instant = device_time(Some("instant"), None, None).expect("a line");
        assert!(instant.contains("follow from instructions"), "{instant}");
        let live = device_time(Some("host"), None, Some("not replayable")).expect("a line");
        assert!(live.ends_with("of the host that traced the guest"), "{live}");
        assert_eq!(device_time(None, Some("8192 Hz"), None), None);
    }
}
