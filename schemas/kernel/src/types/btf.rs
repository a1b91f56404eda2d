//! Types from BTF, the compact type information that the kernel keeps for BPF.
//!
//! In: the `.BTF` section of a vmlinux, or of a module together with its vmlinux's. Out: a
//! [`TypeSource`]. The format is that of Documentation/bpf/btf.rst. Opening notes where each type
//! begins and nothing else; a type is decoded when it is asked for, straight from the mapping.
//! (The crate btf-rs decodes all of it beforehand: 70 ms and 40 MB for Debian's 6.1, against
//! 0.5 ms and 4 bytes per type. It is the tests' witness.)
//!
//! A module's BTF is split: its type ids and string offsets go on where the kernel's end.

mod section;

use std::sync::Arc;

use super::shape::{Aggregate, ScalarKind, StructMember, TypeShape};
use super::source::{TypeId, TypeSource, WORK};
use crate::budget::WorkBudget;
use crate::bytes::{cstr_at, u32_at};
use crate::{Bytes, TypeError};
use section::{BtfSection, Head, damaged, kind};

/// Heads of types that are looked at in the time that a member takes.
const HEADS: usize = 256;

/// The types of a kernel, or of a kernel and one module.
#[derive(Debug, Clone)]
pub struct Btf {
    /// The module's own section first, then the kernel's.
    sections: Vec<Arc<BtfSection>>,
    /// Of all questions.
    work: Arc<WorkBudget>,
}

impl Btf {
    /// Reads a section; `base` is the kernel's for a module's.
    pub fn parse(bytes: Bytes, base: Option<&Btf>) -> Result<Self, TypeError> {
        let base = base.and_then(|b| b.sections.last());
        let own = BtfSection::parse(&bytes, base.map(|b| &**b))?;
        let sections = std::iter::once(Arc::new(own)).chain(base.cloned());
        Ok(Self { sections: sections.collect(), work: Arc::new(WorkBudget::new(WORK)) })
    }

    fn head(&self, id: TypeId) -> Option<Head<'_>> {
        let section = self.sections.iter().find(|s| s.first_id <= id)?;
        section.head(usize::try_from(id - section.first_id).ok()?)
    }

    fn spend(&self, steps: usize) -> Result<(), TypeError> {
        self.work.spend(steps as u64).ok_or(TypeError::Work { steps: WORK })
    }

    /// One more than the last id.
    fn limit(&self) -> usize {
        self.sections.first().map_or(0, |s| s.first_id as usize + s.offsets.len())
    }

    fn name(&self, offset: u32) -> Option<&[u8]> {
        let offset = u64::from(offset);
        let section = self.sections.iter().find(|s| s.first_string <= offset)?;
        cstr_at(&section.strings, usize::try_from(offset - section.first_string).ok()?)
    }

    fn text(&self, offset: u32) -> String {
        String::from_utf8_lossy(self.name(offset).unwrap_or_default()).into_owned()
    }

    fn aggregate(&self, head: &Head<'_>) -> Option<Aggregate> {
        let member = |i: usize| {
            let at = 12 * i;
            let id = u32_at(head.tail, at + 4)?;
            let place = u32_at(head.tail, at + 8)?;
            let (mut bit_offset, mut bits) = (u64::from(place), None);
            if head.flag {
                bit_offset = u64::from(place & 0xff_ffff);
                bits = u8::try_from(place >> 24).ok().filter(|b| *b > 0);
            } else if let Some((first, count)) = self.old_bitfield(id) {
                bit_offset += u64::from(first);
                bits = Some(count);
            }
            let name = self.text(u32_at(head.tail, at)?);
            Some(StructMember { name, bit_offset, bits, id: u64::from(id) })
        };
        let members = (0..head.vlen).map(member).collect::<Option<Vec<_>>>()?;
        Some(Aggregate { name: self.text(head.name), size: u64::from(head.value), members })
    }

    /// Where a structure has no flag, an int type of fewer bits than bytes is a bitfield.
    fn old_bitfield(&self, id: u32) -> Option<(u8, u8)> {
        let head = self.head(u64::from(id)).filter(|h| h.kind == kind::INT)?;
        let encoding = u32_at(head.tail, 0)?;
        let (first, count) = (encoding >> 16 & 0xff, encoding & 0xff);
        let whole = first == 0 && u64::from(count) == u64::from(head.value) * 8;
        (!whole).then_some((u8::try_from(first).ok()?, u8::try_from(count).ok()?))
    }

    fn shape(&self, head: &Head<'_>) -> Option<TypeShape> {
        let size = u64::from(head.value);
        let target = u64::from(head.value);
        Some(match head.kind {
            kind::INT => integer(size, u32_at(head.tail, 0)? >> 24),
            kind::ENUM | kind::ENUM64 => {
                TypeShape::Scalar { size, signed: head.flag, kind: ScalarKind::Integer }
            }
            kind::FLOAT => TypeShape::Scalar { size, signed: false, kind: ScalarKind::Float },
            kind::PTR => TypeShape::Pointer((target != 0).then_some(target)),
            kind::ARRAY => TypeShape::Array {
                element: u64::from(u32_at(head.tail, 0)?),
                count: u64::from(u32_at(head.tail, 8)?),
            },
            kind::STRUCT | kind::UNION => TypeShape::Aggregate(self.aggregate(head)?),
            kind::FWD => TypeShape::Declaration(self.text(head.name)),
            kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                TypeShape::Alias(target)
            }
            _ => TypeShape::Nothing,
        })
    }

    /// The parameters of the prototype with that id.
    fn prototype(&self, id: TypeId) -> Option<Vec<(String, TypeId)>> {
        let head = self.head(id).filter(|head| head.kind == kind::FUNC_PROTO)?;
        let rows = head.tail.chunks_exact(8).take(head.vlen);
        // The `...` of a variadic function is a last parameter without a type.
        let typed = rows.filter(|row| u32_at(row, 4) != Some(0));
        typed.map(|row| Some((self.text(u32_at(row, 0)?), u64::from(u32_at(row, 4)?)))).collect()
    }

    /// The value of the enumerator `name` in this enum.
    fn in_enum(&self, head: &Head<'_>, name: &[u8]) -> Option<i64> {
        let (width, wide) = match head.kind {
            kind::ENUM => (8, false),
            kind::ENUM64 => (12, true),
            _ => return None,
        };
        let mut rows = head.tail.chunks_exact(width).take(head.vlen);
        let row = rows.find(|row| u32_at(row, 0).and_then(|at| self.name(at)) == Some(name))?;
        let low = u32_at(row, 4)?;
        Some(match (wide, head.flag) {
            (true, _) => (u64::from(u32_at(row, 8)?) << 32 | u64::from(low)).cast_signed(),
            (false, true) => i64::from(low.cast_signed()),
            (false, false) => i64::from(low),
        })
    }
}

/// An integer whose encoding has these bits: 0 signed, 1 char, 2 bool.
fn integer(size: u64, encoding: u32) -> TypeShape {
    let kind = if encoding & 4 != 0 { ScalarKind::Bool } else { ScalarKind::Integer };
    TypeShape::Scalar { size, signed: encoding & 1 != 0, kind }
}

impl TypeSource for Btf {
    fn find(&self, name: &str) -> Result<Vec<TypeId>, TypeError> {
        let (mut tags, mut typedefs, mut declared) = (Vec::new(), Vec::new(), Vec::new());
        self.spend(1 + self.limit() / HEADS)?;
        let heads = self.sections.iter().flat_map(|s| s.heads());
        for (id, head) in heads.filter(|(_, h)| h.name != 0) {
            let list = match head.kind {
                _ if head.is_aggregate() => &mut tags,
                kind::TYPEDEF => &mut typedefs,
                kind::FWD => &mut declared,
                _ => continue,
            };
            if self.name(head.name) == Some(name.as_bytes()) {
                list.push(id);
            }
        }
        tags.append(&mut typedefs);
        Ok(if tags.is_empty() { declared } else { tags })
    }

    fn describe(&self, id: TypeId) -> Result<TypeShape, TypeError> {
        if id == 0 {
            return Ok(TypeShape::Nothing);
        }
        let head = self.head(id);
        self.spend(head.as_ref().map_or(1, |head| 1 + head.vlen))?;
        let shape = head.and_then(|head| self.shape(&head));
        shape.ok_or_else(|| damaged("a BTF type id", id, self.limit()))
    }

    fn parameters(&self, function: &str) -> Result<Option<Vec<(String, TypeId)>>, TypeError> {
        let name = function.as_bytes();
        Ok(self.sections.iter().find_map(|section| {
            let mut functions = section.functions(name, |offset| self.name(offset));
            let head = functions.find(|head| self.name(head.name) == Some(name))?;
            self.prototype(u64::from(head.value))
        }))
    }

    /// Of the section's own functions: one of the kernel that has a module's function's name is another one.
    fn returned(&self, function: &str) -> Result<Vec<Option<TypeId>>, TypeError> {
        let Some(own) = self.sections.first() else { return Ok(Vec::new()) };
        let name = function.as_bytes();
        let functions = own.functions(name, |offset| self.name(offset));
        let named = functions.filter(|head| self.name(head.name) == Some(name));
        let returned = named.map(|head| {
            self.spend(1)?;
            let id = u64::from(head.value);
            let prototype = self.head(id).filter(|head| head.kind == kind::FUNC_PROTO);
            let prototype = prototype.ok_or_else(|| damaged("a BTF prototype's id", id, self.limit()))?;
            Ok(Some(u64::from(prototype.value)).filter(|id| *id != 0))
        });
        returned.collect()
    }

    fn enumerator(&self, name: &str) -> Option<i64> {
        let mut heads = self.sections.iter().flat_map(|s| s.heads());
        heads.find_map(|(_, head)| self.in_enum(&head, name.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Image;
    use std::path::Path;

    #[test]
    fn types_that_take_too_long_are_an_error() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kernel.elf");
        let image = Image::open(&file).expect("checked in");
        let btf = Btf::parse(image.section_bytes(".BTF").expect("there").clone(), None).expect("sound");
        let id = btf.find("bio").expect("there")[0];
        assert!(btf.describe(id).is_ok());
        assert_eq!(btf.work.spend(WORK), None);
        assert_eq!(btf.describe(id), Err(TypeError::Work { steps: WORK }));
        assert_eq!(btf.find("bio"), Err(TypeError::Work { steps: WORK }));
    }
}
