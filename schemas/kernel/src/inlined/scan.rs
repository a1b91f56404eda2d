//! Finds the inlined instances.
//!
//! In: the DWARF of an image. Out: [`Inlined`]s. One pass over the outermost entries of every
//! unit finds what is wanted; the units that have some of it are then walked through, and of
//! what is met there only functions, inlined functions and the parameters of wanted ones are
//! decoded.

use gimli::{AttributeValue, EntriesRaw, Operation};
use gimli::{
    DW_AT_call_file, DW_AT_call_line, DW_AT_entry_pc, DW_AT_frame_base, DW_AT_high_pc, DW_AT_low_pc,
    DW_AT_ranges,
};

use iotrace_arch::Reg;

use super::abstracts::{Abstract, Abstracts, line, origin};
use super::frame::Frames;
use super::value::{ValueQuery, value};
use super::{Inlined, InlinedArgument, Stretch, ValueLocation};
use crate::KernelError;
use crate::budget::WorkBudget;
use crate::debug::entry::{DebugEntry, DebugUnit, Dwarf};
use crate::debug::{DebugSections, Slice};

type Raw<'u, 'a> = EntriesRaw<'u, Slice<'a>>;

/// A range list of a sound image is no longer.
const RANGES: usize = 10_000;
/// Most bytes that the instances take; all of Debian's 6.1 would take half of it.
const BYTES: u64 = 256 << 20;

/// All instances of the wanted functions.
pub(crate) fn scan(
    debug: &DebugSections,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Inlined>, KernelError> {
    debug.check_entries()?;
    let budget = WorkBudget::new(BYTES);
    let found = find(debug, wanted, &budget).map_err(|source| debug.error(source))?;
    if budget.is_spent() {
        return Err(debug.beyond(format!("its inlined functions would take more than {BYTES} bytes")));
    }
    Ok(found)
}

fn find(
    debug: &DebugSections,
    wanted: &dyn Fn(&str) -> bool,
    budget: &WorkBudget,
) -> Result<Vec<Inlined>, gimli::Error> {
    let dwarf = debug.dwarf();
    let abstracts = Abstracts::find(&dwarf, wanted)?;
    let frames = Frames::new(debug.frames(), &debug.arch().registers);
    let mut found = Vec::new();
    if abstracts.functions.is_empty() {
        return Ok(found);
    }
    for at in abstracts.candidates.iter().take_while(|_| !budget.is_spent()) {
        let unit = dwarf.unit(dwarf.unit_header(*at)?)?;
        let open = Vec::new();
        Walk { debug, dwarf: &dwarf, frames: &frames, abstracts: &abstracts, unit: &unit, budget, open }
            .run(&mut found)?;
    }
    Ok(found)
}

/// An entry that the walk is in.
struct Open<'f> {
    depth: isize,
    scope: Scope<'f>,
}

enum Scope<'f> {
    /// A function; its name, once somebody asked.
    Function { at: gimli::UnitOffset, name: Option<String> },
    /// A wanted instance: its index among those found, where it begins.
    Wanted { index: usize, entry: u64, function: &'f Abstract },
    /// An instance of something else.
    Other,
}

struct Walk<'w, 'a> {
    debug: &'w DebugSections,
    dwarf: &'w Dwarf<'a>,
    frames: &'w Frames<'a>,
    abstracts: &'w Abstracts,
    unit: &'w DebugUnit<'a>,
    budget: &'w WorkBudget,
    open: Vec<Open<'w>>,
}

impl<'w, 'a> Walk<'w, 'a> {
    fn run(mut self, found: &mut Vec<Inlined>) -> Result<(), gimli::Error> {
        let mut entries = self.unit.entries_raw(None)?;
        let mut entry = DebugEntry::null();
        while !entries.is_empty() && !self.budget.is_spent() {
            let (depth, at) = (entries.next_depth(), entries.next_offset());
            let mut ahead = entries.clone();
            let Some(abbreviation) = ahead.read_abbreviation()? else {
                entries = ahead;
                continue;
            };
            while self.open.last().is_some_and(|open| open.depth >= depth) {
                self.open.pop();
            }
            let scope = match abbreviation.tag() {
                gimli::DW_TAG_subprogram => Some(Scope::Function { at, name: None }),
                gimli::DW_TAG_inlined_subroutine => {
                    entries.read_entry(&mut entry)?;
                    let scope = self.instance(&entry, found).unwrap_or(Scope::Other);
                    self.open.push(Open { depth, scope });
                    continue;
                }
                gimli::DW_TAG_formal_parameter if self.is_parameter_of_wanted(depth) => {
                    entries.read_entry(&mut entry)?;
                    self.argument(&entry, found);
                    continue;
                }
                _ => None,
            };
            self.open.extend(scope.map(|scope| Open { depth, scope }));
            skip(&mut ahead, abbreviation)?;
            entries = ahead;
        }
        Ok(())
    }

    fn is_parameter_of_wanted(&self, depth: isize) -> bool {
        let outer = self.open.last().filter(|open| open.depth + 1 == depth);
        outer.is_some_and(|open| matches!(open.scope, Scope::Wanted { .. }))
    }

    /// Adds an instance of a wanted function to those found.
    fn instance(&mut self, entry: &DebugEntry<'a>, found: &mut Vec<Inlined>) -> Option<Scope<'w>> {
        let function = self.abstracts.function(origin(self.unit, entry)?)?;
        let ranges = self.ranges(entry);
        let begin = self.entry(entry, &ranges)?;
        let stretch = |(begin, end): &(u64, u64)| {
            Some(Stretch { begin: self.debug.locate(*begin)?, len: end.checked_sub(*begin)? })
        };
        let argument = |(position, (_, p)): (usize, &(u64, crate::Parameter))| InlinedArgument {
            name: p.name.clone(),
            position,
            points_to: p.points_to.clone(),
            width: p.width,
            value: ValueLocation::Unknown,
        };
        let instance = Inlined {
            function: function.name.clone(),
            inside: self.inside(),
            entry: self.debug.locate(begin)?,
            ranges: ranges.iter().filter_map(stretch).collect(),
            call: line(self.dwarf, self.unit, entry, DW_AT_call_file, DW_AT_call_line),
            declared: function.declared.clone(),
            arguments: function.parameters.iter().enumerate().map(argument).collect(),
        };
        self.budget.spend(bytes(&instance))?;
        found.push(instance);
        Some(Scope::Wanted { index: found.len() - 1, entry: begin, function })
    }

    /// The name of the innermost function around that was not inlined.
    fn inside(&mut self) -> String {
        let (dwarf, unit, abstracts) = (self.dwarf, self.unit, self.abstracts);
        for open in self.open.iter_mut().rev() {
            if let Scope::Function { at, name } = &mut open.scope {
                let read = || abstracts.name(dwarf, unit, &unit.entry(*at).ok()?);
                return name.get_or_insert_with(|| read().unwrap_or_default()).clone();
            }
        }
        String::new()
    }

    /// Notes where an argument of the innermost instance is.
    fn argument(&self, entry: &DebugEntry<'a>, found: &mut [Inlined]) {
        let Some(Scope::Wanted { index, entry: begin, function }) = self.open.last().map(|o| &o.scope) else {
            return;
        };
        let origin = origin(self.unit, entry);
        let mut parameters = function.parameters.iter();
        let Some(position) = parameters.position(|(at, _)| Some(*at) == origin) else {
            return;
        };
        let instance = found.get_mut(*index);
        if let Some(argument) = instance.and_then(|instance| instance.arguments.get_mut(position)) {
            let frame = || self.frame(*begin);
            let (width, registers) = (argument.width, &self.debug.arch().registers);
            let asked = ValueQuery { address: *begin, width, registers, frame: &frame };
            argument.value = value(self.dwarf, self.unit, entry, &asked);
        }
    }

    /// Where the frame of the function around is, at an address in it.
    fn frame(&self, address: u64) -> Option<(Reg, i64)> {
        let mut around = self.open.iter().rev();
        let at = around.find_map(|open| match open.scope {
            Scope::Function { at, .. } => Some(at),
            _ => None,
        });
        let base = self.unit.entry(at?).ok()?.attr_value(DW_AT_frame_base)?.exprloc_value()?;
        match base.operations(self.unit.encoding()).next().ok()?? {
            Operation::CallFrameCFA => self.frames.cfa(address),
            Operation::Register { register } => Some((self.debug.arch().registers.dwarf(register.0)?, 0)),
            _ => None,
        }
    }

    /// The non-empty ranges, in DWARF's order. What was thrown away when the image was linked
    /// is at an address where there are no instructions.
    fn ranges(&self, entry: &DebugEntry<'a>) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        if let Some(low) = self.address(entry, DW_AT_low_pc) {
            let high = entry.attr_value(DW_AT_high_pc);
            let size = high.and_then(|value| value.udata_value());
            let end = size.map_or_else(|| self.address(entry, DW_AT_high_pc), |size| low.checked_add(size));
            found.extend(end.map(|end| (low, end)));
        }
        let list = entry.attr_value(DW_AT_ranges);
        let list = list.and_then(|value| self.dwarf.attr_ranges(self.unit, value).ok()?);
        if let Some(mut list) = list {
            while let Ok(Some(range)) = list.next() {
                found.push((range.begin, range.end));
                if found.len() > RANGES {
                    break;
                }
            }
        }
        found.retain(|(begin, end)| begin < end && self.debug.locate(*begin).is_some());
        found
    }

    /// Where the instance begins. The address that DWARF gives may be that of an instruction of
    /// the function around, after which the body comes: then it is the next that is in a range.
    fn entry(&self, entry: &DebugEntry<'a>, ranges: &[(u64, u64)]) -> Option<u64> {
        let first = ranges.first()?.0;
        let base = self.address(entry, DW_AT_low_pc).unwrap_or(first);
        let given = self.address(entry, DW_AT_entry_pc).or_else(|| {
            // DWARF 5 allows a distance from where it begins.
            base.checked_add(entry.attr_value(DW_AT_entry_pc)?.udata_value()?)
        });
        let given = given.unwrap_or(base);
        if ranges.iter().any(|(begin, end)| (*begin..*end).contains(&given)) {
            return Some(given);
        }
        let next = ranges.iter().map(|(begin, _)| *begin).filter(|begin| *begin > given).min();
        Some(next.unwrap_or(first))
    }

    fn address(&self, entry: &DebugEntry<'a>, at: gimli::DwAt) -> Option<u64> {
        match entry.attr_value(at)? {
            AttributeValue::Udata(_) => None,
            value => self.dwarf.attr_address(self.unit, value).ok()?,
        }
    }
}

/// About how many bytes an instance takes.
fn bytes(instance: &Inlined) -> u64 {
    let argument =
        |a: &InlinedArgument| size_of_val(a) + a.name.len() + a.points_to.as_ref().map_or(0, String::len);
    let line = |line: &Option<crate::SourceLine>| line.as_ref().map_or(0, |line| line.file.len());
    let names =
        instance.function.len() + instance.inside.len() + line(&instance.call) + line(&instance.declared);
    let arguments: usize = instance.arguments.iter().map(argument).sum();
    (size_of_val(instance) + names + arguments + size_of_val(&instance.ranges[..])) as u64
}

fn skip(entries: &mut Raw<'_, '_>, abbreviation: &gimli::Abbreviation) -> Result<(), gimli::Error> {
    entries.skip_attributes(abbreviation.attributes())
}
