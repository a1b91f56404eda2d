//! Inputs of several parts, such as the sections of a file: a fuzzer that inserts and deletes bytes of one part leaves the
//! others as they are.

/// Stands before each part; the byte behind it is the part's number.
const MARK: &[u8] = b"\xf5\xf6\xf7";

/// The part of each number, of the first of that number; empty where there is none.
pub fn split<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut parts = [&[][..]; N];
    let mut rest = data;
    while let Some(at) = find(rest) {
        rest = &rest[at + MARK.len()..];
        let Some((number, part)) = rest.split_first() else { break };
        let part = &part[..find(part).unwrap_or(part.len())];
        if let Some(place) = parts.get_mut(usize::from(*number)).filter(|place| place.is_empty()) {
            *place = part;
        }
    }
    parts
}

/// The input with these parts.
pub fn join<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let numbered = (0..=u8::MAX).zip(parts);
    numbered.flat_map(|(number, part)| [MARK, &[number], part].concat()).collect()
}

fn find(bytes: &[u8]) -> Option<usize> {
    bytes.windows(MARK.len()).position(|window| window == MARK)
}
