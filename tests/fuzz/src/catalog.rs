//! Catalogs: TOML that users write.

use iotrace_arch::FIRST;
use iotrace_catalog::Catalog;
use std::sync::OnceLock;

/// The catalog that is compiled in.
pub fn built_in() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| Catalog::load(&[], FIRST).expect("it is sound"))
}

/// A catalog file, on its own: the entries of the one that is compiled in are not among what it may refer to.
pub fn catalog(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let files = [("fuzz.toml".to_owned(), text.to_owned())];
    match Catalog::default().extended(&files, FIRST) {
        Ok(catalog) => catalog.functions.iter().for_each(|function| _ = function.names().count()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
