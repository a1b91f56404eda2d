//! Calls that came in a row, with the same calls inside, in one line.
//!
//! In: lines in the order in which they began, each as deep as it stands. Out: the same, fewer of them. A line and the
//! deeper ones that follow it are a block; blocks that follow one another and are alike become one. Each line is looked
//! at once, however deep it stands.

use super::Line;
use crate::hash::Map;

/// A line and what is inside it.
#[derive(Debug, Clone, Copy)]
struct Block {
    lines: usize,
    /// Equal for blocks that are alike; none if one of its lines stays by itself.
    class: Option<u32>,
}

/// A row of blocks inside of one line.
struct Row {
    /// Behind the last of them.
    end: usize,
    /// The block that those behind it become one with, if they are like it.
    first: Option<usize>,
}

/// Puts calls that came in a row, with the same calls inside, into one line. Lines about an object stay.
pub fn fold(lines: &[Line]) -> Vec<Line> {
    let blocks = blocks(lines);
    let mut folded: Vec<Line> = Vec::with_capacity(lines.len());
    // Where each line is among those.
    let mut places = vec![0; lines.len()];
    let mut rows = vec![Row { end: lines.len(), first: None }];
    let mut at = 0;
    loop {
        while rows.pop_if(|row| row.end <= at).is_some() {}
        let Some(row) = rows.last_mut() else { break };
        let Block { lines: count, class } = blocks[at];
        if let Some(first) = row.first.filter(|first| class.is_some() && blocks[*first].class == class) {
            for line in 0..count {
                places[at + line] = places[first + line];
                folded[places[at + line]].add(&lines[at + line]);
            }
            at += count;
            continue;
        }
        row.first = Some(at);
        rows.push(Row { end: at + count, first: None });
        places[at] = folded.len();
        folded.push(lines[at].clone());
        at += 1;
    }
    folded
}

/// The block that begins with each line.
fn blocks(lines: &[Line]) -> Vec<Block> {
    let mut names = Map::<&str, usize>::default();
    let mut classes = Map::<(usize, usize, bool, Vec<u32>), u32>::default();
    let mut blocks = vec![Block { lines: 1, class: None }; lines.len()];
    // Blocks behind the line at hand, the nearest last.
    let mut behind: Vec<usize> = Vec::new();
    for (at, line) in lines.iter().enumerate().rev() {
        let (mut count, mut inside) = (1, Some(Vec::new()).filter(|_| !line.matters()));
        while let Some(next) = behind.pop_if(|next| lines[*next].depth > line.depth) {
            count += blocks[next].lines;
            inside = inside.zip(blocks[next].class).map(|(mut inside, class)| {
                inside.push(class);
                inside
            });
        }
        let class = inside.map(|inside| {
            let (name, class) = (names.len(), classes.len() as u32);
            let name = *names.entry(&line.name).or_insert(name);
            *classes.entry((name, line.depth, line.inlined, inside)).or_insert(class)
        });
        blocks[at] = Block { lines: count, class };
        behind.push(at);
    }
    blocks
}

impl Line {
    /// It is about an object, or where something was handed over.
    fn matters(&self) -> bool {
        self.marked || !self.handovers.is_empty() || !self.stops.is_empty()
    }

    fn add(&mut self, other: &Self) {
        self.times += other.times;
        self.total += other.total;
        self.own += other.own;
        self.end = other.end;
        if self.words != other.words {
            self.words.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::shape::tests::line;
    use super::*;

    fn folded(lines: &[(usize, &str, bool)]) -> Vec<(usize, String, u64, u64)> {
        let lines: Vec<_> = lines.iter().map(|(depth, name, marked)| line(*depth, name, *marked)).collect();
        fold(&lines).into_iter().map(|l| (l.depth, l.name, l.times, l.total)).collect()
    }

    #[test]
    fn calls_in_a_row_with_the_same_calls_inside_are_one() {
        let lines = [
            (0, "f", false),
            (1, "g", false),
            (2, "h", false),
            (2, "h", false),
            (1, "g", false),
            (2, "h", false),
            (2, "h", false),
            (1, "k", false),
        ];
        let expected = [(0, "f", 1, 10), (1, "g", 2, 20), (2, "h", 4, 40), (1, "k", 1, 10)];
        assert_eq!(folded(&lines), expected.map(|(d, n, t, c)| (d, n.to_owned(), t, c)));
    }

    #[test]
    fn what_differs_or_matters_stays_apart() {
        let lines = [(0, "f", false), (0, "f", true), (0, "f", false), (1, "g", false)];
        assert_eq!(folded(&lines).len(), 4);
    }

    /// The same, level by level.
    fn by_level(lines: &[Line]) -> Vec<Line> {
        let block =
            |at: usize| 1 + lines[at + 1..].iter().take_while(|line| line.depth > lines[at].depth).count();
        let with_inside = |at: usize, end: usize| [&lines[at..=at], &by_level(&lines[at + 1..end])].concat();
        let same = |(a, b): (&Line, &Line)| {
            (&a.name, a.depth, a.inlined) == (&b.name, b.depth, b.inlined) && !a.matters() && !b.matters()
        };
        let (mut all, mut at) = (Vec::new(), 0);
        while at < lines.len() {
            let (count, mut next) = (block(at), at + block(at));
            let mut first = with_inside(at, next);
            while next < lines.len() && block(next) == count {
                let (a, b) = (&lines[at..at + count], &lines[next..next + count]);
                if !a.iter().zip(b).all(same) {
                    break;
                }
                let more = with_inside(next, next + count);
                first.iter_mut().zip(&more).for_each(|(line, more)| line.add(more));
                next += count;
            }
            all.append(&mut first);
            at = next;
        }
        all
    }

    #[test]
    fn it_is_what_folding_level_by_level_gives() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..2000 {
            let count = random.usize(..24);
            let lines: Vec<_> = (0..count as u64)
                .map(|at| Line {
                    end: Some(at),
                    words: vec![("word".into(), random.u8(..2).to_string())],
                    ..line(random.usize(..4), ["f", "g"][random.usize(..2)], random.u8(..9) == 0)
                })
                .collect();
            assert_eq!(fold(&lines), by_level(&lines));
        }
    }
}
