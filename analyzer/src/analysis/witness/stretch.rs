//! Where a list is a stretch of another one, in a time that follows their lengths.
//!
//! (D. E. Knuth, J. H. Morris, V. R. Pratt, Fast Pattern Matching in Strings, SIAM Journal on Computing 6, 1977.)

/// All places of `list` at which `part` begins, in order.
pub fn all<T: PartialEq>(part: &[T], list: &[T]) -> impl Iterator<Item = usize> {
    let borders = borders(part);
    let (mut same, mut next) = (0, 0);
    std::iter::from_fn(move || {
        if part.is_empty() {
            next += 1;
            return (next <= list.len() + 1).then(|| next - 1);
        }
        while next < list.len() {
            same = longer(part, &borders, same, &list[next]);
            next += 1;
            if same == part.len() {
                same = borders[same - 1];
                return Some(next - part.len());
            }
        }
        None
    })
}

/// So many elements of the part's beginning are the same behind one more, if `same` were before it.
fn longer<T: PartialEq>(part: &[T], borders: &[usize], mut same: usize, element: &T) -> usize {
    while same > 0 && part[same] != *element {
        same = borders[same - 1];
    }
    same + usize::from(part[same] == *element)
}

/// Of each beginning of a list: how many of its first elements, not all, are its last as well.
fn borders<T: PartialEq>(part: &[T]) -> Vec<usize> {
    let mut borders = vec![0; part.len()];
    for at in 1..part.len() {
        borders[at] = longer(part, &borders, borders[at - 1], &part[at]);
    }
    borders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_a_look_at_all_places_finds() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..2000 {
            let mut letters = |most| (0..random.usize(..most)).map(|_| random.u8(..2)).collect::<Vec<_>>();
            let (part, list) = (letters(5), letters(20));
            let places: Vec<_> = (0..=list.len()).filter(|at| list[*at..].starts_with(&part)).collect();
            assert_eq!(all(&part, &list).collect::<Vec<_>>(), places, "{part:?} in {list:?}");
        }
    }
}
