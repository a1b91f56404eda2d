//! Sums by name, in bounded memory.

use super::BreakdownRow;
use crate::hash::Map;
use std::cmp::Reverse;

/// Most names of a table; what has none of them is in one row.
const MOST: usize = 1 << 16;
/// The row of further names.
const FURTHER: &str = "(further)";

/// Sums by name.
#[derive(Debug, Default)]
pub struct CostTable {
    rows: Vec<BreakdownRow>,
    by_name: Map<String, usize>,
}

impl CostTable {
    /// The place of a name.
    pub fn place(&mut self, name: &str) -> usize {
        if let Some(at) = self.by_name.get(name) {
            return *at;
        }
        if self.rows.len() >= MOST && name != FURTHER {
            return self.place(FURTHER);
        }
        self.rows.push(BreakdownRow { name: name.to_owned(), ..BreakdownRow::default() });
        self.by_name.insert(name.to_owned(), self.rows.len() - 1);
        self.rows.len() - 1
    }

    /// Adds to a row.
    pub fn add(&mut self, at: usize, count: u64, own: u64, total: u64) {
        if let Some(row) = self.rows.get_mut(at) {
            row.count += count;
            row.own = row.own.saturating_add(own);
            row.total = row.total.saturating_add(total);
        }
    }

    /// The rows by their own part, the largest first. What is still open has no total of its own yet.
    pub fn into_rows(mut self) -> Vec<BreakdownRow> {
        self.rows.iter_mut().for_each(|row| row.total = row.total.max(row.own));
        self.rows.retain(|row| row.count > 0 || row.own > 0);
        self.rows.sort_by(|a, b| (Reverse(a.own), &a.name).cmp(&(Reverse(b.own), &b.name)));
        self.rows
    }
}
