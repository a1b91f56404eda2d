//! Fields that no checkpoint has.

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use std::ops::{Deref, DerefMut};

/// A field of a tracker that is not part of its state: it follows from the definitions of the trace, or is empty between
/// two events. Decoded it has its default value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unsaved<T>(pub T);

impl<T> Deref for Unsaved<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Unsaved<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> Encode for Unsaved<T> {
    fn encode<E: Encoder>(&self, _: &mut E) -> Result<(), EncodeError> {
        Ok(())
    }
}

impl<T: Default, C> Decode<C> for Unsaved<T> {
    fn decode<D: Decoder<Context = C>>(_: &mut D) -> Result<Self, DecodeError> {
        Ok(Self::default())
    }
}

impl<'de, T: Default, C> BorrowDecode<'de, C> for Unsaved<T> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(_: &mut D) -> Result<Self, DecodeError> {
        Ok(Self::default())
    }
}
