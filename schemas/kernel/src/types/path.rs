//! From a path to offsets, over any source of types.
//!
//! In: a source, a type's name, a path. Out: [`Field`]. See [`super`] for the grammar.

use super::layout::{DEPTH, member, size, strip};
use super::shape::{Aggregate, TypeShape};
use super::source::{TypeId, TypeSource};
use super::{Field, FieldKind};
use crate::{TypeError, ValueAccess};

/// Resolves `path` from a pointer to `type_name`. Where the name is not unique the first
/// definition that has the whole path counts.
pub fn resolve(source: &impl TypeSource, type_name: &str, path: &str) -> Result<Field, TypeError> {
    let mut first_error = None;
    for id in definitions(source, type_name)? {
        match Walk::new(source, path, id).run() {
            Ok(found) => return Ok(found),
            Err(e) => _ = first_error.get_or_insert(e),
        }
    }
    Err(first_error.unwrap_or_else(|| unknown(type_name)))
}

/// The size of a type in bytes.
pub fn size_of(source: &impl TypeSource, type_name: &str) -> Result<u64, TypeError> {
    let ids = definitions(source, type_name)?;
    let id = *ids.first().ok_or_else(|| unknown(type_name))?;
    match size(source, id, DEPTH)? {
        Some(size) => Ok(size),
        None => Err(TypeError::OnlyDeclared { name: type_name.to_string() }),
    }
}

fn unknown(name: &str) -> TypeError {
    TypeError::UnknownType { name: name.to_string() }
}

fn definitions(source: &impl TypeSource, type_name: &str) -> Result<Vec<TypeId>, TypeError> {
    let name = type_name.trim();
    let tag = name.strip_prefix("struct ").or_else(|| name.strip_prefix("union "));
    source.find(tag.unwrap_or(name).trim())
}

/// The state on the way through a path.
struct Walk<'a, S> {
    source: &'a S,
    path: &'a str,
    /// Bytes of `path` read so far.
    at: usize,
    id: TypeId,
    steps: Vec<i64>,
    /// From the last pointer followed, in bits.
    offset: u64,
    bits: Option<u8>,
}

impl<'a, S: TypeSource> Walk<'a, S> {
    fn new(source: &'a S, path: &'a str, id: TypeId) -> Self {
        Self { source, path, at: 0, id, steps: Vec::new(), offset: 0, bits: None }
    }

    fn run(mut self) -> Result<Field, TypeError> {
        let address_of = self.accept("&");
        self.field()?;
        while self.at < self.path.len() {
            if self.accept("->") {
                self.follow("`->` needs a pointer (use `.`)")?;
                self.field()?;
            } else if self.accept(".") {
                self.field()?;
            } else if self.accept("[") {
                self.index()?;
            } else {
                return Err(self.syntax("expected `.`, `->` or `[`"));
            }
        }
        if address_of { self.address() } else { self.end() }
    }

    fn rest(&self) -> &'a str {
        self.path.get(self.at..).unwrap_or_default()
    }

    fn accept(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    /// Takes the longest run of word characters; it may be empty.
    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        let word = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        self.at += word.len();
        word
    }

    fn field(&mut self) -> Result<(), TypeError> {
        let start = self.at;
        let name = self.word();
        if name.is_empty() {
            return Err(self.syntax("expected the name of a field"));
        }
        let owner = match strip(self.source, self.id)?.1 {
            TypeShape::Aggregate(owner) => owner,
            TypeShape::Declaration(name) => return Err(TypeError::OnlyDeclared { name }),
            other => {
                self.at = start;
                return Err(self.mismatch("a field needs a structure (`->` for a pointer)", &other));
            }
        };
        let found = member(self.source, &owner, name)?;
        let found = found.ok_or_else(|| self.no_field(&owner, name))?;
        self.offset = self.offset.saturating_add(found.bit_offset);
        self.bits = found.bits;
        self.id = found.id;
        Ok(())
    }

    /// Loads the pointer that has been reached.
    fn follow(&mut self, reason: &'static str) -> Result<(), TypeError> {
        match strip(self.source, self.id)?.1 {
            TypeShape::Pointer(Some(target)) => {
                self.steps.push(self.byte_offset(self.offset / 8)?.into());
                self.offset = 0;
                self.id = target;
                Ok(())
            }
            other => Err(self.mismatch(reason, &other)),
        }
    }

    fn index(&mut self) -> Result<(), TypeError> {
        let digits = self.word();
        let index: u64 = digits.parse().map_err(|_| self.syntax("expected a number"))?;
        if !self.accept("]") {
            return Err(self.syntax("expected `]`"));
        }
        if let TypeShape::Array { element, count } = strip(self.source, self.id)?.1 {
            if count > 0 && index >= count {
                return Err(TypeError::Index { path: self.path.to_string(), index, count });
            }
            self.id = element;
        } else {
            self.follow("`[` needs an array or a pointer")?;
        }
        let size = self.size()?;
        let skip = size.checked_mul(index).and_then(|bytes| bytes.checked_mul(8));
        let offset = skip.and_then(|bits| self.offset.checked_add(bits));
        self.offset = offset.ok_or_else(|| self.too_far(u64::MAX))?;
        Ok(())
    }

    fn size(&self) -> Result<u64, TypeError> {
        let size = size(self.source, self.id, DEPTH)?;
        size.ok_or_else(|| self.mismatch("a size is needed here", &TypeShape::Nothing))
    }

    fn address(self) -> Result<Field, TypeError> {
        if self.bits.is_some() {
            return Err(self.syntax("a bitfield has no address"));
        }
        let bytes = self.offset / 8;
        self.result(bytes, 8, None, false, FieldKind::Address)
    }

    fn end(self) -> Result<Field, TypeError> {
        let bytes = self.offset / 8;
        match strip(self.source, self.id)?.1 {
            TypeShape::Scalar { size, signed, .. } => self.scalar(size, signed),
            TypeShape::Pointer(_) => self.result(bytes, 8, None, false, FieldKind::Pointer),
            TypeShape::Array { .. } | TypeShape::Aggregate(_) => {
                let size = self.size()?;
                self.result(bytes, size, None, false, FieldKind::Aggregate)
            }
            TypeShape::Declaration(name) => Err(TypeError::OnlyDeclared { name }),
            other => Err(self.mismatch("only data can be read", &other)),
        }
    }

    fn scalar(self, size: u64, signed: bool) -> Result<Field, TypeError> {
        let Some(count) = self.bits else {
            // A number wider than a register (__int128) is bytes.
            let kind = if size > 8 { FieldKind::Aggregate } else { FieldKind::Scalar };
            let bytes = self.offset / 8;
            return self.result(bytes, size, None, signed, kind);
        };
        // Read the unit that was declared, if the bits lie within one; else whole bytes.
        let unit = size.clamp(1, 8);
        let end = self.offset.saturating_add(u64::from(count));
        let start = self.offset / 8 / unit * unit;
        let (start, width) = match end <= (start + unit).saturating_mul(8) {
            true => (start, unit),
            false => {
                let start = self.offset / 8;
                (start, (end.div_ceil(8) - start).next_power_of_two())
            }
        };
        let first = u8::try_from(self.offset - start * 8).unwrap_or(u8::MAX);
        self.result(start, width, Some((first, count)), signed, FieldKind::Scalar)
    }

    fn result(
        self,
        offset: u64,
        size: u64,
        bits: Option<(u8, u8)>,
        signed: bool,
        kind: FieldKind,
    ) -> Result<Field, TypeError> {
        let offset = self.byte_offset(offset)?;
        let size = self.byte_offset(size)?;
        let width = match kind {
            FieldKind::Aggregate | FieldKind::Address => 0,
            FieldKind::Scalar | FieldKind::Pointer => self.width(size)?,
        };
        let access = ValueAccess { steps: self.steps, offset: offset.into(), width, bits, signed };
        Ok(Field { access, size, kind })
    }

    fn width(&self, size: u32) -> Result<u8, TypeError> {
        let width = u8::try_from(size).ok().filter(|width| *width <= 8);
        width.ok_or_else(|| TypeError::Wide { path: self.path.to_string(), bytes: size })
    }

    fn byte_offset(&self, offset: u64) -> Result<u32, TypeError> {
        u32::try_from(offset).map_err(|_| self.too_far(offset))
    }

    fn too_far(&self, offset: u64) -> TypeError {
        TypeError::TooFar { path: self.path.to_string(), offset }
    }

    fn syntax(&self, reason: &'static str) -> TypeError {
        TypeError::Syntax { path: self.path.to_string(), at: self.at, reason }
    }

    fn mismatch(&self, reason: &'static str, found: &TypeShape) -> TypeError {
        let path = self.path.to_string();
        TypeError::Mismatch { path, at: self.at, reason, found: found.what() }
    }

    fn no_field(&self, owner: &Aggregate, field: &str) -> TypeError {
        let named = owner.members.iter().map(|m| m.name.as_str()).filter(|n| !n.is_empty());
        TypeError::UnknownField {
            owner: owner.name.clone(),
            field: field.to_string(),
            path: self.path.to_string(),
            known: named.take(24).collect::<Vec<_>>().join(" "),
        }
    }
}
