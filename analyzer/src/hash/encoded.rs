//! Maps and sets as bytes: like those of bincode, in the order of their keys.

use super::{Map, Set};
use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

impl<K: Encode + Ord, V: Encode> Encode for Map<K, V> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        let mut pairs: Vec<_> = self.iter().collect();
        pairs.sort_unstable_by_key(|(key, _)| *key);
        pairs.encode(encoder)
    }
}

impl<K: Decode<C> + Eq + Hash, V: Decode<C>, C> Decode<C> for Map<K, V> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        HashMap::decode(decoder).map(Self)
    }
}

impl<'de, K: Decode<C> + Eq + Hash, V: Decode<C>, C> BorrowDecode<'de, C> for Map<K, V> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

impl<K: Encode + Ord> Encode for Set<K> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        let mut keys: Vec<_> = self.iter().collect();
        keys.sort_unstable();
        keys.encode(encoder)
    }
}

impl<K: Decode<C> + Eq + Hash, C> Decode<C> for Set<K> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        HashSet::decode(decoder).map(Self)
    }
}

impl<'de, K: Decode<C> + Eq + Hash, C> BorrowDecode<'de, C> for Set<K> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Secret;

    fn encoded(value: impl Encode) -> Vec<u8> {
        bincode::encode_to_vec(value, bincode::config::standard()).unwrap()
    }

    /// The same in whatever order the elements are: those of two secrets, or of two histories.
    #[test]
    fn equal_maps_give_equal_bytes() {
        let there: Map<u64, u64> = (0..1000).map(|key| (key << 40, key)).collect();
        let mut back = Map(HashMap::with_capacity_and_hasher(1 << 14, Secret::default()));
        back.extend((0..1000).rev().map(|key| (key << 40, key)));
        assert_ne!(there.keys().collect::<Vec<_>>(), back.keys().collect::<Vec<_>>());
        assert_eq!(encoded(&there), encoded(&back));
        let keys = |map: &Map<u64, u64>| map.keys().copied().collect::<Set<u64>>();
        assert_eq!(encoded(keys(&there)), encoded(keys(&back)));
    }

    #[test]
    fn maps_are_decoded_as_they_were() {
        let map: Map<u64, String> = (0..100).map(|key| (key * 7, key.to_string())).collect();
        let (read, _): (Map<u64, String>, _) =
            bincode::decode_from_slice(&encoded(&map), bincode::config::standard()).unwrap();
        assert_eq!(*read, *map);
    }
}
