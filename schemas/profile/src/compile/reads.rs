//! The catalog's paths as accesses.
//!
//! In: an object, a field, the types of the kernel and of the module. Out: an [`Access`], or the reason
//! why this kernel has no such field.

use crate::plan::Access;
use iotrace_kernel::{TypeError, Types};
use iotrace_schemas::catalog::Object;

/// The access to `field` of `object`, by the first of its paths that one of `types` has.
pub fn access(object: &Object, field: &str, types: &[&Types]) -> Result<Access, String> {
    let paths = object.fields.get(field).ok_or_else(|| format!("{} has no {field}", object.name))?;
    let mut reasons = Vec::new();
    for path in paths.list() {
        for types in types {
            match one(object, path, types) {
                Ok(access) => return Ok(access),
                Err(reason) => reasons.push(reason),
            }
        }
    }
    reasons.dedup();
    Err(reasons.join("; "))
}

fn one(object: &Object, path: &str, types: &Types) -> Result<Access, String> {
    if let Some(sum) = path.strip_prefix('@') {
        return relative(sum, types);
    }
    if let Some(place) = path.strip_prefix('+') {
        return plain(place).ok_or_else(|| format!("{path:?} is not of the form +OFFSET:WIDTH"));
    }
    let structure = object.structure.as_deref().ok_or_else(|| format!("{} has no struct", object.name))?;
    if let Some((pointer, place)) = path.split_once('@') {
        return behind(structure, pointer, place, types);
    }
    let (path, bit) = path.split_once('#').map_or((path, None), |(path, bit)| (path, Some(bit)));
    let access = types.resolve(structure, path).map_err(|e| e.to_string())?.access;
    match bit {
        None => Ok(access),
        Some(name) => {
            let number = types.enumerator(name).ok_or_else(|| format!("there is no enumerator {name}"))?;
            let bit = u8::try_from(number).map_err(|_| format!("{name} = {number} is not a bit"))?;
            Ok(Access { bits: Some((bit, 1)), signed: false, ..access })
        }
    }
}

/// `OFFSET:WIDTH` behind the pointer that a path leads to.
fn behind(structure: &str, pointer: &str, place: &str, types: &Types) -> Result<Access, String> {
    let pointer = types.resolve(structure, pointer).map_err(|e| e.to_string())?.access;
    let plain = plain(place).ok_or_else(|| format!("{place:?} is not of the form OFFSET:WIDTH"))?;
    Ok(pointer.then(plain))
}

/// `+sizeof(structure)` or `-sizeof(structure)`.
fn relative(sum: &str, types: &Types) -> Result<Access, String> {
    let (sign, rest) = sum.split_at_checked(1).ok_or("an empty sum")?;
    let structure = rest
        .strip_prefix("sizeof(")
        .and_then(|r| r.strip_suffix(')'))
        .ok_or_else(|| format!("{sum:?} is not of the form +sizeof(structure)"))?;
    let size = types.size_of(structure).map_err(|e: TypeError| e.to_string())?.cast_signed();
    Ok(Access { offset: if sign == "-" { -size } else { size }, ..Access::default() })
}

/// `OFFSET:WIDTH`.
fn plain(place: &str) -> Option<Access> {
    let (offset, width) = place.split_once(':')?;
    let width = width.parse().ok().filter(|w| (1..=8).contains(w))?;
    Some(Access { offset: offset.parse().ok()?, width, ..Access::default() })
}
