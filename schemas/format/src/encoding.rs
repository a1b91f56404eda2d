//! Types that are encoded as their names.

/// Encodes a type as the text that it is displayed as, and decodes it by a function from that text: its value, or what
/// is wrong with it.
macro_rules! encode_by_name {
    ($type:ty, $parse:expr) => {
        impl bincode::Encode for $type {
            fn encode<E: bincode::enc::Encoder>(
                &self,
                encoder: &mut E,
            ) -> Result<(), bincode::error::EncodeError> {
                self.to_string().encode(encoder)
            }
        }

        impl<C> bincode::Decode<C> for $type {
            fn decode<D: bincode::de::Decoder<Context = C>>(
                decoder: &mut D,
            ) -> Result<Self, bincode::error::DecodeError> {
                let name = String::decode(decoder)?;
                ($parse)(&name).map_err(bincode::error::DecodeError::OtherString)
            }
        }

        bincode::impl_borrow_decode!($type);
    };
}

pub(crate) use encode_by_name;
