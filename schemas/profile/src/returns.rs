//! What the functions of a kernel and of its modules return.
//!
//! In: types by address in the image, by name in a module. Out: the type of a function that was found in a guest.

use bincode::{Decode, Encode};
use iotrace_format::definition::ReturnType;
use std::collections::BTreeMap;

/// What functions return, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct ReturnTypes {
    /// By address in the image, as linked; ascending.
    image: Vec<(u64, ReturnType)>,
    /// By module and symbol; ascending.
    modules: BTreeMap<String, Vec<(String, ReturnType)>>,
}

impl ReturnTypes {
    /// Of functions in any order.
    #[must_use]
    pub fn new(
        mut image: Vec<(u64, ReturnType)>,
        mut modules: BTreeMap<String, Vec<(String, ReturnType)>>,
    ) -> Self {
        image.sort_unstable();
        image.dedup();
        // Of an address with several names of different types, nothing is known.
        let same = |one: &(u64, ReturnType), other: &(u64, ReturnType)| one.0 == other.0;
        let runs = image.chunk_by(same).filter(|run| run.len() == 1);
        let image = runs.flatten().copied().collect();
        modules.values_mut().for_each(|functions| functions.sort_unstable());
        Self { image, modules }
    }

    /// What the function of the image returns that is linked at an address.
    #[must_use]
    pub fn in_image(&self, address: u64) -> Option<ReturnType> {
        let at = self.image.binary_search_by_key(&address, |(address, _)| *address).ok()?;
        Some(self.image[at].1)
    }

    /// What the function of a module returns that has this symbol.
    #[must_use]
    pub fn in_module(&self, module: &str, symbol: &str) -> Option<ReturnType> {
        let functions = self.modules.get(module)?;
        let at = functions.binary_search_by_key(&symbol, |(symbol, _)| symbol).ok()?;
        Some(functions[at].1)
    }

    /// How many functions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.image.len() + self.modules.values().map(Vec::len).sum::<usize>()
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_address_or_by_module_and_name() {
        let module = |functions: &[(&str, ReturnType)]| {
            functions.iter().map(|(name, of)| ((*name).to_owned(), *of)).collect()
        };
        let modules = BTreeMap::from([
            ("one".to_owned(), module(&[("g", ReturnType::Bool), ("f", ReturnType::Void)])),
            ("two".to_owned(), module(&[("f", ReturnType::S32)])),
        ]);
        let types = ReturnTypes::new(
            vec![
                (9, ReturnType::Pointer),
                (5, ReturnType::Void),
                (7, ReturnType::S32),
                (5, ReturnType::Void),
                (7, ReturnType::Void),
            ],
            modules,
        );
        assert_eq!(types.in_image(7), None);
        assert_eq!(
            [5, 6, 9].map(|at| types.in_image(at)),
            [Some(ReturnType::Void), None, Some(ReturnType::Pointer)]
        );
        let of = |module, name| types.in_module(module, name);
        assert_eq!((of("one", "f"), of("one", "g")), (Some(ReturnType::Void), Some(ReturnType::Bool)));
        assert_eq!((of("two", "f"), of("two", "g"), of("three", "f")), (Some(ReturnType::S32), None, None));
        assert_eq!((types.len(), ReturnTypes::default().is_empty()), (5, true));
    }
}
