//! Lists that are never in memory as a whole.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// Makes the elements, from the first one on.
type Elements<'a, T> = Box<dyn Fn() -> Box<dyn Iterator<Item = T> + 'a> + 'a>;

/// A list whose elements are made as they are written.
pub struct List<'a, T>(Elements<'a, T>);

impl<'a, T> List<'a, T> {
    /// A list of what an iterator gives.
    pub fn new(elements: impl Iterator<Item = T> + Clone + 'a) -> Self {
        Self(Box::new(move || Box::new(elements.clone())))
    }
}

impl<T> fmt::Debug for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("List")
    }
}

impl<T: Serialize> Serialize for List<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

impl<T: JsonSchema> JsonSchema for List<'_, T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Vec::<T>::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        Vec::<T>::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<T>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn one_element_is_there_at_a_time() {
        struct Element<'a>(&'a Cell<usize>);
        impl<'a> Element<'a> {
            fn new(alive: &'a Cell<usize>) -> Self {
                alive.set(alive.get() + 1);
                assert_eq!(alive.get(), 1);
                Self(alive)
            }
        }
        impl Drop for Element<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        impl Serialize for Element<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u8(7)
            }
        }
        let alive = Cell::new(0);
        let list = List::new((0..3).map(|_| Element::new(&alive)));
        for _ in 0..2 {
            assert_eq!(serde_json::to_string(&list).unwrap(), "[7,7,7]");
        }
        assert_eq!(serde_json::to_string(&List::new(std::iter::empty::<u8>())).unwrap(), "[]");
    }
}
