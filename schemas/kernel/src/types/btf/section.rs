//! One BTF section: where each type begins, and the head of a type.
//!
//! In: its bytes, and for a module the kernel's section before it. Out: [`Head`]s by index.

use std::hash::Hasher;
use std::sync::OnceLock;

use rustc_hash::FxHasher;

use super::super::source::TypeId;
use crate::bytes::{u16_at, u32_at};
use crate::{Bytes, TypeError};

const MAGIC: u16 = 0xeb9f;

/// BTF_KIND_*.
pub mod kind {
    pub const INT: u32 = 1;
    pub const PTR: u32 = 2;
    pub const ARRAY: u32 = 3;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const FWD: u32 = 7;
    pub const TYPEDEF: u32 = 8;
    pub const VOLATILE: u32 = 9;
    pub const CONST: u32 = 10;
    pub const RESTRICT: u32 = 11;
    pub const FUNC: u32 = 12;
    pub const FUNC_PROTO: u32 = 13;
    pub const FLOAT: u32 = 16;
    pub const TYPE_TAG: u32 = 18;
    pub const ENUM64: u32 = 19;

    /// Bytes of one type: its 12 byte head and what follows. `None`: not known.
    pub fn size(kind: u32, vlen: usize) -> Option<usize> {
        Some(match kind {
            PTR | FWD | TYPEDEF | VOLATILE | CONST | RESTRICT | FUNC | FLOAT | TYPE_TAG => 12,
            INT | 14 | 17 => 16,
            ARRAY => 24,
            STRUCT | UNION | 15 | ENUM64 => 12 + 12 * vlen,
            ENUM | FUNC_PROTO => 12 + 8 * vlen,
            _ => return None,
        })
    }
}

/// One `.BTF` section, shared by the modules split from it.
#[derive(Debug)]
pub struct BtfSection {
    pub types: Bytes,
    pub strings: Bytes,
    /// Where each type begins in `types`.
    pub offsets: Vec<u32>,
    /// Id of the first type.
    pub first_id: u64,
    /// Offset of the first string.
    pub first_string: u64,
    /// Hash of a function's name, index into `offsets`; sorted. Made when first asked for.
    functions: OnceLock<Vec<(u64, u32)>>,
}

/// The head of a type: `struct btf_type`.
pub struct Head<'a> {
    pub name: u32,
    pub vlen: usize,
    pub kind: u32,
    pub flag: bool,
    /// Its size in bytes, or the id of the type it refers to.
    pub value: u32,
    /// What follows the head.
    pub tail: &'a [u8],
}

impl<'a> Head<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let info = u32_at(bytes, 4)?;
        Some(Self {
            name: u32_at(bytes, 0)?,
            vlen: (info & 0xffff) as usize,
            kind: info >> 24 & 0x1f,
            flag: info >> 31 != 0,
            value: u32_at(bytes, 8)?,
            tail: bytes.get(12..)?,
        })
    }

    pub fn is_aggregate(&self) -> bool {
        self.kind == kind::STRUCT || self.kind == kind::UNION
    }
}

pub fn damaged(what: &'static str, at: u64, limit: usize) -> TypeError {
    TypeError::Damaged { what, at, limit: limit as u64 }
}

impl BtfSection {
    pub fn parse(bytes: &Bytes, base: Option<&BtfSection>) -> Result<Self, TypeError> {
        let header = |at| u32_at(bytes, at).map(u64::from);
        let short = || damaged("the BTF header", 0, bytes.len());
        if u16_at(bytes, 0) != Some(MAGIC) || bytes.get(2) != Some(&1) {
            return Err(damaged("the BTF magic and version", 0, bytes.len()));
        }
        let header_len = header(4).ok_or_else(short)?;
        let part = |offset: usize, len: usize| {
            let (at, len) = (header(offset)?.checked_add(header_len)?, header(len)?);
            bytes.cut(at, len)
        };
        let types = part(8, 12).ok_or_else(|| damaged("the BTF types", 8, bytes.len()))?;
        let strings = part(16, 20).ok_or_else(|| damaged("the BTF strings", 16, bytes.len()))?;
        let offsets = offsets(&types)?;
        // Id 0 is void, and belongs to the kernel's.
        let first_id = base.map_or(1, |b| b.first_id + b.offsets.len() as u64);
        let first_string = base.map_or(0, |b| b.first_string + b.strings.len() as u64);
        Ok(Self { types, strings, offsets, first_id, first_string, functions: OnceLock::new() })
    }

    pub fn head(&self, index: usize) -> Option<Head<'_>> {
        Head::read(self.types.get(*self.offsets.get(index)? as usize..)?)
    }

    /// The functions whose name may be `name`: the hash is that of the name. `text` finds a
    /// string, which may be in the kernel's section.
    pub fn functions<'a>(
        &'a self,
        name: &[u8],
        text: impl Fn(u32) -> Option<&'a [u8]>,
    ) -> impl Iterator<Item = Head<'a>> {
        let index = self.functions.get_or_init(|| self.index_functions(text));
        let key = hash(name);
        let first = index.partition_point(|(h, _)| *h < key);
        let bucket = index.iter().skip(first).take_while(move |(h, _)| *h == key);
        bucket.filter_map(|(_, i)| self.head(*i as usize))
    }

    fn index_functions<'a>(&self, text: impl Fn(u32) -> Option<&'a [u8]>) -> Vec<(u64, u32)> {
        let heads = (0u32..).map_while(|i| Some((i, self.head(i as usize)?)));
        let functions = heads.filter(|(_, head)| head.kind == kind::FUNC);
        let mut index: Vec<_> = functions.filter_map(|(i, head)| Some((hash(text(head.name)?), i))).collect();
        index.sort_unstable();
        index
    }

    /// All types, in order, with their ids.
    pub fn heads(&self) -> impl Iterator<Item = (TypeId, Head<'_>)> {
        let heads = (0..self.offsets.len()).map_while(|i| self.head(i));
        (self.first_id..).zip(heads)
    }
}

/// Where each type begins.
fn offsets(types: &[u8]) -> Result<Vec<u32>, TypeError> {
    let mut offsets = Vec::with_capacity(types.len() / 24);
    let mut at = 0usize;
    while at < types.len() {
        let wrong = |what| damaged(what, at as u64, types.len());
        let head = types.get(at..).and_then(Head::read).ok_or_else(|| wrong("a BTF type"))?;
        let size = kind::size(head.kind, head.vlen);
        let size = size.ok_or_else(|| wrong("a BTF type of an unknown kind"))?;
        let next = at.checked_add(size).filter(|next| *next <= types.len());
        let start = u32::try_from(at).map_err(|_| wrong("a BTF type"))?;
        at = next.ok_or_else(|| wrong("a BTF type"))?;
        offsets.push(start);
    }
    Ok(offsets)
}

fn hash(name: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(name);
    hasher.finish()
}
