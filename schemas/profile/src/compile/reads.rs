//! The catalog's paths as accesses.
//!
//! In: an object, a field, the types of the kernel and of the module. Out: a [`ValueAccess`], or the reason
//! why this kernel has no such field.

use crate::plan::ValueAccess;
use iotrace_catalog::Object;
use iotrace_kernel::{TypeError, Types};
use thiserror::Error;

/// Why a field cannot be read in this kernel.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AccessError {
    /// The catalog's object has no such field.
    #[error("{object} has no {field}")]
    NoField {
        /// The object.
        object: String,
        /// The field.
        field: String,
    },
    /// A path into a structure, of an object that is none.
    #[error("{object} has no struct")]
    NoStructure {
        /// The object.
        object: String,
    },
    /// A path that is not written as it must be.
    #[error("{text:?}: expected {form}")]
    Form {
        /// The path, or the part of it.
        text: String,
        /// How it must be.
        form: &'static str,
    },
    /// The kernel has no such enumerator.
    #[error("no enumerator {name}")]
    NoEnumerator {
        /// Its name.
        name: String,
    },
    /// The enumerator is no number of a bit.
    #[error("{name} = {number} is not a single bit")]
    NotABit {
        /// Its name.
        name: String,
        /// Its value.
        number: i64,
    },
    /// The kernel's types do not have it.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// None of the field's paths leads anywhere.
    #[error("{}", .0.iter().map(Self::to_string).collect::<Vec<_>>().join("; "))]
    NoPath(Vec<AccessError>),
}

/// The access to `field` of `object`, by the first of its paths that one of `types` has.
pub fn access(object: &Object, field: &str, types: &[&Types]) -> Result<ValueAccess, AccessError> {
    let paths = object
        .fields
        .get(field)
        .ok_or_else(|| AccessError::NoField { object: object.name.clone(), field: field.to_owned() })?;
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
    Err(AccessError::NoPath(reasons))
}

fn one(object: &Object, path: &str, types: &Types) -> Result<ValueAccess, AccessError> {
    if let Some(sum) = path.strip_prefix('@') {
        return relative(sum, types);
    }
    if let Some(place) = path.strip_prefix('+') {
        return plain(place)
            .ok_or_else(|| AccessError::Form { text: path.to_owned(), form: "+OFFSET:WIDTH" });
    }
    let no_structure = || AccessError::NoStructure { object: object.name.clone() };
    let structure = object.structure.as_deref().ok_or_else(no_structure)?;
    if let Some((pointer, place)) = path.split_once('@') {
        return behind(structure, pointer, place, types);
    }
    let (path, bit) = path.split_once('#').map_or((path, None), |(path, bit)| (path, Some(bit)));
    let access = types.resolve(structure, path)?.access;
    match bit {
        None => Ok(access),
        Some(name) => {
            let number =
                types.enumerator(name).ok_or_else(|| AccessError::NoEnumerator { name: name.to_owned() })?;
            let bit =
                u8::try_from(number).map_err(|_| AccessError::NotABit { name: name.to_owned(), number })?;
            Ok(ValueAccess { bits: Some((bit, 1)), signed: false, ..access })
        }
    }
}

/// `OFFSET:WIDTH` behind the pointer that a path leads to; of what is no value itself, an array or a structure, in it.
fn behind(structure: &str, path: &str, place: &str, types: &Types) -> Result<ValueAccess, AccessError> {
    let to = types.resolve(structure, path)?.access;
    let form = || AccessError::Form { text: place.to_owned(), form: "OFFSET:WIDTH" };
    let plain = plain(place).ok_or_else(form)?;
    let within = to.offset.saturating_add(plain.offset);
    Ok(if to.width == 0 { ValueAccess { steps: to.steps, offset: within, ..plain } } else { to.then(plain) })
}

/// `+sizeof(structure)` or `-sizeof(structure)`.
fn relative(sum: &str, types: &Types) -> Result<ValueAccess, AccessError> {
    let form = || AccessError::Form { text: sum.to_owned(), form: "+sizeof(structure)" };
    let (sign, rest) = match sum.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, sum.strip_prefix('+').ok_or_else(form)?),
    };
    let structure = rest.strip_prefix("sizeof(").and_then(|rest| rest.strip_suffix(')')).ok_or_else(form)?;
    let size = types.size_of(structure)?.cast_signed();
    Ok(ValueAccess { offset: sign * size, ..ValueAccess::default() })
}

/// `OFFSET:WIDTH`.
fn plain(place: &str) -> Option<ValueAccess> {
    let (offset, width) = place.split_once(':')?;
    let width = width.parse().ok().filter(|w| (1..=8).contains(w))?;
    Some(ValueAccess { offset: offset.parse().ok()?, width, ..ValueAccess::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use iotrace_catalog::Paths;
    use iotrace_kernel::Image;
    use std::path::Path;
    use std::sync::Arc;

    /// The access by the first of these paths from a bio of schemas/kernel/tests/data/kernel.c.
    fn read(paths: &[&str]) -> Result<ValueAccess, AccessError> {
        let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernel/tests/data/kernel.elf");
        let types = Types::of_dwarf(&Arc::new(Image::open(&image).expect("checked in"))).expect("sound");
        let paths = Paths::Any(paths.iter().map(|path| (*path).to_owned()).collect());
        let fields = [("field".to_owned(), paths)].into();
        let object =
            Object { name: "bio".into(), structure: Some("bio".into()), fields, symbols: Vec::new() };
        access(&object, "field", &[&types])
    }

    #[test]
    fn a_field_is_read_by_the_first_path_that_there_is() {
        let load = |steps: &[i64], offset, width| ValueAccess {
            steps: steps.to_vec(),
            offset,
            width,
            ..ValueAccess::default()
        };
        assert_eq!(read(&["bi_bdev", "bdev->dev"]), Ok(load(&[8], 8, 4)));
        assert_eq!(read(&["iter"]), Ok(load(&[], 16, 0)));
        assert_eq!(read(&["bdev->disk@4:2"]), Ok(load(&[8, 16], 4, 2)));
        assert_eq!(read(&["iter@4:2"]), Ok(load(&[], 20, 2)));
        assert_eq!(read(&["+12:4"]), Ok(load(&[], 12, 4)));
        assert_eq!(read(&["@-sizeof(bio)"]), Ok(load(&[], -240, 0)));
        let bit = ValueAccess { bits: Some((6, 1)), ..load(&[], 34, 1) };
        assert_eq!(read(&["status#BIO_TRACE_COMPLETION"]), Ok(bit));
    }

    #[test]
    fn what_is_wrong_with_a_path_is_said_of_each_once() {
        for (paths, expected) in [
            (&["+12"][..], "\"+12\": expected +OFFSET:WIDTH"),
            (&["+12:9"], "\"+12:9\": expected +OFFSET:WIDTH"),
            (&["bdev->disk@4"], "\"4\": expected OFFSET:WIDTH"),
            (&["@"], "\"\": expected +sizeof(structure)"),
            (&["@*sizeof(bio)"], "\"*sizeof(bio)\": expected +sizeof(structure)"),
            (&["status#NOWHERE"], "no enumerator NOWHERE"),
            (&["status#GOING"], "GOING = -2 is not a single bit"),
            (&["status#NOWHERE", "status#NOWHERE", "+1"], "no enumerator NOWHERE; \"+1\": expected"),
            (&["bi_bdev"], "\"bio\" has no field \"bi_bdev\""),
        ] {
            let message = read(paths).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
