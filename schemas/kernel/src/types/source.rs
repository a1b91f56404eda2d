//! What a back-end must answer, so that paths are resolved the same way over both.

use crate::TypeError;

/// A type's place: a BTF id, or an offset into `.debug_info`.
pub type TypeId = u64;

/// Most steps of all questions to one source: a step is a member that is read, or some heads of types that are looked at.
/// All of the catalog takes some millions.
pub const WORK: u64 = 1 << 27;

/// One source of types.
pub trait TypeSource {
    /// The definitions of that name: structures and unions first, then typedefs. More than one
    /// if unrelated parts of the kernel use the same name. Declarations only if there is
    /// nothing else.
    fn find(&self, name: &str) -> Result<Vec<TypeId>, TypeError>;

    /// What the type is, one level deep.
    fn describe(&self, id: TypeId) -> Result<super::shape::TypeShape, TypeError>;

    /// The parameters of a function, each with its name and its type; `None` if it is not
    /// described.
    fn parameters(&self, function: &str) -> Result<Option<Vec<(String, TypeId)>>, TypeError>;

    /// What each function of that name returns, `None` for void: several static ones may have one name.
    /// Of a module, its own functions alone. Empty if none is described.
    fn returned(&self, function: &str) -> Result<Vec<Option<TypeId>>, TypeError>;

    /// The value of an enumerator.
    fn enumerator(&self, name: &str) -> Option<i64>;
}
