//! The wanted functions as DWARF describes them once: names and parameters.
//!
//! In: every unit of an image. Out: which entries stand for a wanted function, by their offset
//! into `.debug_info`, and which units may refer to one.

use gimli::{DW_AT_abstract_origin, DW_AT_decl_file, DW_AT_decl_line, DW_AT_name, DW_AT_specification};
use gimli::{DebugInfoOffset, DwTag};
use rustc_hash::FxHashMap;

use crate::debug::entry::{Cursor, DebugEntry, DebugUnit, Dwarf, bytes, each_child, place, reference, start};
use crate::debug::units::Units;
use crate::types::parameter;
use crate::{Parameter, SourceLine};

/// Most parameters of a function: C allows 127, the kernel's have some ten. Those behind are left out.
const PARAMETERS: usize = 64;
/// References from one entry to another chain no further in a sound image.
const CHAIN: usize = 8;

/// A function that may have been inlined.
pub struct Abstract {
    pub name: String,
    pub declared: Option<SourceLine>,
    /// Each with the offset of its entry.
    pub parameters: Vec<(u64, Parameter)>,
}

/// What one pass over the outermost entries found.
#[derive(Default)]
pub struct Abstracts {
    pub units: Units,
    /// By the offset of the entry.
    pub functions: FxHashMap<u64, Abstract>,
    /// The units in which instances may be.
    pub candidates: Vec<DebugInfoOffset>,
}

impl Abstracts {
    pub fn find(dwarf: &Dwarf<'_>, wanted: &dyn Fn(&str) -> bool) -> Result<Self, gimli::Error> {
        let mut found = Self::default();
        let mut headers = dwarf.units();
        while let Some(header) = headers.next()? {
            let Some(at) = header.debug_info_offset() else {
                continue;
            };
            let unit = dwarf.unit(header)?;
            found.units.push(start(&unit));
            let before = found.functions.len();
            found.add(dwarf, &unit, wanted)?;
            if found.functions.len() > before || refers_to_others(&unit) {
                found.candidates.push(at);
            }
        }
        Ok(found)
    }

    fn add<'a>(
        &mut self,
        dwarf: &Dwarf<'a>,
        unit: &DebugUnit<'a>,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<(), gimli::Error> {
        let mut cursor = unit.entries();
        cursor.next_dfs()?;
        let mut next = cursor.next_dfs()?;
        while let Some(entry) = next.filter(|e| e.depth() == 1) {
            if entry.tag() == gimli::DW_TAG_subprogram {
                let name = bytes(dwarf, unit, entry, DW_AT_name);
                let name = name.and_then(|name| std::str::from_utf8(name).ok());
                if let Some(name) = name.filter(|name| wanted(name)) {
                    let at = place(unit, entry);
                    let function = self.describe(dwarf, unit, cursor.clone(), name)?;
                    self.functions.insert(at, function);
                }
            }
            next = cursor.next_sibling()?;
        }
        Ok(())
    }

    fn describe<'a>(
        &self,
        dwarf: &Dwarf<'a>,
        unit: &DebugUnit<'a>,
        mut cursor: Cursor<'_, 'a>,
        name: &str,
    ) -> Result<Abstract, gimli::Error> {
        let declared = cursor.current().and_then(|e| line(dwarf, unit, e, DW_AT_decl_file, DW_AT_decl_line));
        let mut parameters = Vec::new();
        each_child(&mut cursor, |child| {
            if child.tag() == gimli::DW_TAG_formal_parameter && parameters.len() < PARAMETERS {
                // One that cannot be read must still count.
                let nothing = Parameter { name: String::new(), points_to: None, pointer: false, width: 0 };
                let described = parameter(dwarf, &self.units, unit, child).unwrap_or(nothing);
                parameters.push((place(unit, child), described));
            }
        })?;
        Ok(Abstract { name: name.to_string(), declared, parameters })
    }

    /// The function that the entry at `at` stands for, if it is wanted.
    pub fn function(&self, at: u64) -> Option<&Abstract> {
        self.functions.get(&at)
    }

    /// The name of a function that may have it from the entry it completes.
    pub fn name<'a>(
        &self,
        dwarf: &Dwarf<'a>,
        unit: &DebugUnit<'a>,
        entry: &DebugEntry<'a>,
    ) -> Option<String> {
        let own = bytes(dwarf, unit, entry, DW_AT_name);
        if let Some(name) = own {
            return Some(String::from_utf8_lossy(name).into_owned());
        }
        let mut at = origin(unit, entry);
        for _ in 0..CHAIN {
            let (unit, offset) = self.units.open(dwarf, at?).ok()??;
            let entry = unit.entry(offset).ok()?;
            if let Some(name) = bytes(dwarf, &unit, &entry, DW_AT_name) {
                return Some(String::from_utf8_lossy(name).into_owned());
            }
            at = origin(&unit, &entry);
        }
        None
    }
}

/// The entry that this one completes.
pub fn origin(unit: &DebugUnit<'_>, entry: &DebugEntry<'_>) -> Option<u64> {
    let at = |attribute| reference(unit, entry, attribute);
    at(DW_AT_abstract_origin).or_else(|| at(DW_AT_specification))
}

/// Are there inlined functions whose description is in another unit? (Link-time optimization
/// makes such.)
fn refers_to_others(unit: &DebugUnit<'_>) -> bool {
    let elsewhere = |spec: &gimli::AttributeSpecification| {
        spec.name() == DW_AT_abstract_origin && spec.form() == gimli::DW_FORM_ref_addr
    };
    let is_inlined = |tag: DwTag| tag == gimli::DW_TAG_inlined_subroutine;
    // Compilers number abbreviations from 1.
    let abbreviations = (1..).map_while(|code| unit.abbreviations.get(code));
    let mut inlined = abbreviations.filter(|a| is_inlined(a.tag()));
    inlined.any(|a| a.attributes().iter().any(elsewhere))
}

/// The place that two attributes of an entry name.
pub fn line<'a>(
    dwarf: &Dwarf<'a>,
    unit: &DebugUnit<'a>,
    entry: &DebugEntry<'a>,
    file: gimli::DwAt,
    line: gimli::DwAt,
) -> Option<SourceLine> {
    let file = match entry.attr_value(file)? {
        gimli::AttributeValue::FileIndex(index) => index,
        other => other.udata_value()?,
    };
    let line = u32::try_from(entry.attr_value(line)?.udata_value()?).ok()?;
    let header = unit.line_program.as_ref()?.header();
    let entry = header.file(file)?;
    let text = |value| Some(dwarf.attr_string(unit, value).ok()?.to_string_lossy());
    let build = unit.comp_dir.map(|dir| dir.to_string_lossy()).unwrap_or_default();
    let mut path = build.to_string();
    // Directory 0 is that of the build.
    if entry.directory_index() != 0 {
        append(&mut path, &text(entry.directory(header)?)?);
    }
    append(&mut path, &text(entry.path_name())?);
    Some(SourceLine { file: crate::source_line::tree_path(&path, &build), line })
}

fn append(path: &mut String, part: &str) {
    if part.starts_with('/') {
        path.clear();
    } else if !path.is_empty() {
        path.push('/');
    }
    path.push_str(part);
}
