//! Hash maps by what a file names: addresses, names, clocks.
//!
//! Whoever made the file chose them. Where the hash function is known, keys that all fall into one place are easily
//! made, and each look-up then compares all of them. Here a secret of the run takes part. (Numbers that this program
//! gives itself need no secret: `rustc_hash` serves for them. Those of I/Os, bios, requests and calls are not among them: a
//! part of a trace states them.) The order of the elements is another one in each run; encoded they are in the order of their
//! keys, so that the same state gives the same bytes.

mod encoded;

use std::collections::hash_map::{IntoIter, Iter};
use std::collections::{HashMap, HashSet, hash_set};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

/// A map by what a file names.
#[derive(Debug, Clone)]
pub struct Map<K, V>(HashMap<K, V, Secret>);
/// A set of what a file names.
#[derive(Debug, Clone)]
pub struct Set<K>(HashSet<K, Secret>);

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K, V> Deref for Map<K, V> {
    type Target = HashMap<K, V, Secret>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<K, V> DerefMut for Map<K, V> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<K: Eq + Hash, V> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl<K, V> IntoIterator for Map<K, V> {
    type Item = (K, V);
    type IntoIter = IntoIter<K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, K, V> IntoIterator for &'a Map<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<K: Eq + Hash, V: PartialEq> PartialEq for Map<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K: Eq + Hash, V: Eq> Eq for Map<K, V> {}

impl<K> Default for Set<K> {
    fn default() -> Self {
        Self(HashSet::default())
    }
}

impl<K> Deref for Set<K> {
    type Target = HashSet<K, Secret>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<K> DerefMut for Set<K> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<K: Eq + Hash> FromIterator<K> for Set<K> {
    fn from_iter<I: IntoIterator<Item = K>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

impl<'a, K> IntoIterator for &'a Set<K> {
    type Item = &'a K;
    type IntoIter = hash_set::Iter<'a, K>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<K> IntoIterator for Set<K> {
    type Item = K;
    type IntoIter = hash_set::IntoIter<K>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<K: Eq + Hash> PartialEq for Set<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K: Eq + Hash> Eq for Set<K> {}

/// What the hash values of this run depend on.
#[derive(Debug, Clone, Copy)]
pub struct Secret {
    begin: u64,
    times: u64,
}

impl Default for Secret {
    fn default() -> Self {
        static SECRET: OnceLock<Secret> = OnceLock::new();
        *SECRET.get_or_init(|| {
            let random = RandomState::new();
            Self { begin: random.hash_one(0), times: random.hash_one(1) | 1 }
        })
    }
}

impl BuildHasher for Secret {
    type Hasher = Mixer;

    fn build_hasher(&self) -> Mixer {
        Mixer { state: self.begin, times: self.times }
    }
}

/// Mixes a key with the secret, by 64 bits: both halves of a product.
#[derive(Debug, Clone, Copy)]
pub struct Mixer {
    state: u64,
    times: u64,
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.write_u64(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.write_u64(u64::from_le_bytes(last));
        self.write_u64(bytes.len() as u64);
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        let product = u128::from(self.state ^ value) * u128::from(self.times);
        self.state = product as u64 ^ (product >> 64) as u64;
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values whose low bits (the place in a table) or high bits (the tag) are like those of many others.
    fn alike(hashes: impl Iterator<Item = u64>) -> usize {
        let mut places = HashMap::<u64, usize>::new();
        hashes.for_each(|hash| *places.entry(hash & 0xfff | hash >> 57 << 12).or_default() += 1);
        places.into_values().max().unwrap_or(0)
    }

    /// Inverse of the constant that `rustc_hash` multiplies by.
    const INVERSE: u64 = 0x7814_94a5_5daa_ed0d;

    #[test]
    fn keys_in_a_row_are_apart() {
        let most = |step: u64, hash: &dyn Fn(u64) -> u64| {
            alike((1..=1 << 16).map(|at: u64| hash(at.wrapping_mul(step))))
        };
        assert_eq!(most(INVERSE, &|key| rustc_hash::FxBuildHasher.hash_one(key)), 1 << 16);
        for step in [INVERSE, 1, 8, 4096, 1 << 40] {
            let most = most(step, &|key| Secret::default().hash_one(key));
            assert!(most < 16, "{most} of 65536 keys, {step:#x} apart, are in one of 524288 places");
        }
    }

    #[test]
    fn texts_of_any_length_are_apart() {
        let secret = Secret::default();
        let texts = ["", "a", "ab", "aaaaaaaa", "aaaaaaaa\0", "aaaaaaaaaaaaaaaa", "\0", "\0\0"];
        let hashes: HashSet<_> = texts.iter().map(|text| secret.hash_one(text)).collect();
        assert_eq!(hashes.len(), texts.len());
    }
}
