//! Tables of text.
//!
//! In: columns with heads, rows of cells. Out: lines, as wide as the widest cells. On a terminal that is narrower,
//! columns are left out in the order that [`Table::dropping`] gives, and named below; the flexible column, of text, is
//! continued on further lines. Cells of other columns are never shortened. Widths are in columns.

use super::text::Style;
use super::wrap::{self, broken, columns};
use std::io::{self, Write};

/// Columns between two cells.
const GAP: usize = 2;
/// Least columns of a flexible column, as long as others can be left out.
const FLEXIBLE: usize = 24;

/// A table of columns as wide as they need to be.
#[derive(Debug, Clone, Default)]
pub struct Table {
    heads: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
    /// Heads of columns that a narrow terminal does without, the first to go first.
    order: Vec<String>,
    /// Head of the column whose cells may take several lines.
    flexible: Option<String>,
}

/// On which side a column is straight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// For text.
    Left,
    /// For numbers.
    Right,
}

impl Table {
    /// A table with these columns. The last one is flexible if it is for text.
    #[must_use]
    pub fn new(heads: impl IntoIterator<Item = (impl Into<String>, Align)>) -> Self {
        let heads: Vec<_> = heads.into_iter().map(|(head, align)| (head.into(), align)).collect();
        let last = heads.last().filter(|(_, align)| *align == Align::Left);
        Self { flexible: last.map(|(head, _)| head.clone()), heads, ..Self::default() }
    }

    /// The same, whose columns a narrow terminal does without in this order.
    #[must_use]
    pub fn dropping<'a>(mut self, order: impl IntoIterator<Item = &'a str>) -> Self {
        self.order = order.into_iter().map(str::to_owned).collect();
        self
    }

    /// The same with another flexible column.
    #[must_use]
    pub fn flexible(mut self, head: &str) -> Self {
        self.flexible = Some(head.to_owned());
        self
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table without columns in which no row has anything.
    #[must_use]
    pub fn without_empty(self) -> Self {
        let used = |at: &usize| self.rows.iter().any(|row| row.get(*at).is_some_and(|cell| !cell.is_empty()));
        let kept: Vec<usize> = (0..self.heads.len()).filter(used).collect();
        self.with_columns(&kept)
    }

    fn with_columns(self, kept: &[usize]) -> Self {
        let of = |row: &Vec<String>| kept.iter().filter_map(|at| row.get(*at).cloned()).collect();
        Self {
            heads: kept.iter().map(|at| self.heads[*at].clone()).collect(),
            rows: self.rows.iter().map(of).collect(),
            ..self
        }
    }

    /// The columns.
    #[must_use]
    pub fn heads(&self) -> &[(String, Align)] {
        &self.heads
    }

    /// The rows.
    #[must_use]
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// Writes it, with `indent` before each line; nothing if it has no rows.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write, style: Style, indent: &str) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut widths: Vec<_> = (0..self.heads.len()).map(|at| self.width(at)).collect();
        let Some(width) = style.width.map(|width| width.saturating_sub(indent.len())) else {
            return self.write_lines(out, style, indent, &widths);
        };
        let (kept, dropped) = self.fitting(&widths, width);
        let table = self.clone().with_columns(&kept);
        widths = kept.iter().map(|at| widths[*at]).collect();
        let excess = taken(widths.iter().copied()).saturating_sub(width);
        if let Some(at) = table.flexible_column() {
            widths[at] = widths[at].saturating_sub(excess).max(1);
        }
        table.write_lines(out, style, indent, &widths)?;
        if dropped.is_empty() {
            return Ok(());
        }
        let line = format!("not shown at this width: {}", dropped.join(", "));
        wrap::write(out, indent, &style.faint(&line).to_string(), style)
    }

    /// Columns that fit, and the heads of those that do not.
    fn fitting(&self, widths: &[usize], width: usize) -> (Vec<usize>, Vec<&str>) {
        let flexible = self.flexible_column();
        let needed = |at: &usize| if Some(*at) == flexible { widths[*at].min(FLEXIBLE) } else { widths[*at] };
        let mut kept: Vec<usize> = (0..self.heads.len()).collect();
        let mut order = self.order.iter();
        while taken(kept.iter().map(needed)) > width
            && let Some(head) = order.next()
        {
            kept.retain(|at| self.heads[*at].0 != *head);
        }
        let dropped = (0..self.heads.len()).filter(|at| !kept.contains(at));
        let dropped = dropped.map(|at| self.heads[at].0.as_str()).collect();
        (kept, dropped)
    }

    fn flexible_column(&self) -> Option<usize> {
        let head = self.flexible.as_ref()?;
        self.heads.iter().rposition(|(other, _)| other == head)
    }

    /// Columns of the widest cell.
    fn width(&self, at: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| columns(cell));
        cells.max().unwrap_or(0).max(columns(&self.heads[at].0))
    }

    fn write_lines(
        &self,
        out: &mut dyn Write,
        style: Style,
        indent: &str,
        widths: &[usize],
    ) -> io::Result<()> {
        let heads: Vec<_> = self.heads.iter().map(|(head, _)| head.clone()).collect();
        for line in self.lines(&heads, widths) {
            writeln!(out, "{indent}{}", style.heading(&line))?;
        }
        let mut lines = self.rows.iter().flat_map(|row| self.lines(row, widths));
        lines.try_for_each(|line| writeln!(out, "{indent}{line}"))
    }

    /// The lines of a row: several if a cell is wider than its column.
    fn lines(&self, cells: &[String], widths: &[usize]) -> Vec<String> {
        let parts: Vec<_> = cells.iter().zip(widths).map(|(cell, width)| cell_lines(cell, *width)).collect();
        let count = parts.iter().map(Vec::len).max().unwrap_or(0);
        (0..count).map(|at| self.line(&parts, widths, at)).collect()
    }

    fn line(&self, parts: &[Vec<String>], widths: &[usize], at: usize) -> String {
        let mut line = String::new();
        for ((lines, width), (_, align)) in parts.iter().zip(widths).zip(&self.heads) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            let text = lines.get(at).map_or("", String::as_str);
            let blanks = " ".repeat(width.saturating_sub(columns(text)));
            match align {
                Align::Left => line.extend([text, &blanks]),
                Align::Right => line.extend([blanks.as_str(), text]),
            }
        }
        line.truncate(line.trim_end_matches(' ').len());
        line
    }
}

/// Columns of cells with gaps between them.
fn taken(cells: impl Iterator<Item = usize>) -> usize {
    cells.map(|cell| cell + GAP).sum::<usize>().saturating_sub(GAP)
}

/// A cell in lines; the further ones are indented by a little more than the first.
fn cell_lines(cell: &str, width: usize) -> Vec<String> {
    if columns(cell) <= width {
        return vec![cell.to_owned()];
    }
    let indent = columns(cell) - columns(cell.trim_start());
    let hanging = (indent + GAP).min(width / 2);
    let lines = broken(cell, 0, hanging, width).into_iter().enumerate();
    lines.map(|(at, line)| if at == 0 { line } else { " ".repeat(hanging) + &line }).collect()
}

/// Line below a table that has only the first rows.
pub fn more(out: &mut dyn Write, count: u64, shown: usize) -> io::Result<()> {
    match count - shown as u64 {
        0 => Ok(()),
        more => writeln!(out, "  ({more} more: raise --top)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(table: &Table, width: Option<usize>) -> String {
        let mut out = Vec::new();
        table.write(&mut out, Style { colour: false, width }, "").unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_straight_and_lines_have_no_tail() {
        let mut table = Table::new([("name", Align::Left), ("n", Align::Right), ("x", Align::Left)]);
        table.row(["µ".into(), "10".into(), String::new()]);
        table.row(["long".into(), "1".into(), "y".into()]);
        assert_eq!(written(&table, None), "name   n  x\nµ     10\nlong   1  y\n");
    }

    fn wide() -> Table {
        let heads = ["a", "b", "c"].map(|head| (head, Align::Right));
        let table = Table::new(heads.into_iter().chain([("text", Align::Left)]));
        let mut table = table.dropping(["b", "a", "c"]);
        table.row(
            ["1,000", "2,000,000", "3", "some text that takes many columns of a line"].map(String::from),
        );
        table
    }

    #[test]
    fn columns_are_dropped_in_order_and_named() {
        assert_eq!(written(&wide(), Some(80)), written(&wide(), None));
        let expected = "    a  c  text
1,000  3  some text that takes many
            columns of a line
not shown at this width: b
";
        assert_eq!(written(&wide(), Some(36)), expected);
        let narrow = written(&wide(), Some(30));
        assert!(narrow.contains("not shown at this width: a, b\n"), "{narrow}");
        assert!(narrow.lines().all(|line| columns(line) <= 30), "{narrow}");
    }
}
