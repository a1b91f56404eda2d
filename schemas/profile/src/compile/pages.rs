//! How to find the bytes of files that are in a bio.
//!
//! In: the catalog's objects `bio_pages`, `bio_vec`, `page` and `mapping`, the types of the kernel. Out: a [`PagesPlan`],
//! or the reason why this kernel's bios cannot be read.

use super::reads::{AccessError, access};
use crate::plan::{PageAccess, PagesPlan, ValueAccess};
use iotrace_catalog::{Catalog, Object};
use iotrace_kernel::Types;

/// The plan for a bio that is the argument at a place.
pub fn plan(catalog: &Catalog, argument: u8, types: &[&Types]) -> Result<PagesPlan, AccessError> {
    let source = Source { catalog, types };
    Ok(PagesPlan {
        argument,
        vectors: source.read("bio_pages", "vectors")?,
        first: source.read("bio_pages", "first")?,
        done: source.read("bio_pages", "done").ok(),
        size: source.read("bio_pages", "size")?,
        vector: (
            source.size("bio_vec")?,
            source.read("bio_vec", "page")?,
            source.read("bio_vec", "offset")?,
            source.read("bio_vec", "length")?,
        ),
        page: PageAccess {
            size: source.size("page")?,
            head: source.read("page", "head").ok(),
            mapping: source.read("page", "mapping")?,
            index: source.read("page", "index")?,
            writeback: source.read("page", "writeback")?,
            inode: (source.read("mapping", "ino")?, source.read("mapping", "dev")?),
        },
    })
}

struct Source<'a> {
    catalog: &'a Catalog,
    types: &'a [&'a Types],
}

impl Source<'_> {
    fn object(&self, name: &str) -> Result<&Object, AccessError> {
        let missing = || AccessError::NoField { object: "the catalog".into(), field: name.to_owned() };
        self.catalog.objects.get(name).ok_or_else(missing)
    }

    fn read(&self, object: &str, field: &str) -> Result<ValueAccess, AccessError> {
        access(self.object(object)?, field, self.types)
    }

    fn size(&self, object: &str) -> Result<u64, AccessError> {
        let object = self.object(object)?;
        let no_structure = || AccessError::NoStructure { object: object.name.clone() };
        let structure = object.structure.as_deref().ok_or_else(no_structure)?;
        let mut reason = no_structure();
        for types in self.types {
            match types.size_of(structure) {
                Ok(size) => return Ok(size),
                Err(error) => reason = error.into(),
            }
        }
        Err(reason)
    }
}
