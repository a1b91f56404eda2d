//! Two traces compared, as one HTML file: the tables of the text, a flame graph of the differences, timelines.
//!
//! The file needs nothing but a browser. A guest chooses the names in it: all text is escaped, in the data too,
//! and the script only sets text. What draws is in `html/script.js`.

#[cfg(test)]
mod tests;

use super::text::{legend, method, signed, tables};
use crate::view::html::{begin, escaped};
use crate::view::table::{Align, Table};
use crate::view::text::plain;
use iotrace::analysis::diff::{Diff, DiffSide, FlameNode, Timelines};
use iotrace::model::BioStage;
use serde::Serialize;
use std::io::{self, Write};

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");

/// What the script draws.
#[derive(Debug, Serialize)]
struct Data<'a> {
    /// Short and long names of the stages, in their order.
    stages: Vec<(&'static str, &'static str)>,
    classes: Vec<Flame<'a>>,
    pairs: Vec<Pair<'a>>,
}

/// The flame graph of a system call.
#[derive(Debug, Serialize)]
struct Flame<'a> {
    syscall: &'a str,
    pairs: usize,
    nodes: &'a [FlameNode],
}

/// The timelines of a pair of I/Os.
#[derive(Debug, Serialize)]
struct Pair<'a> {
    title: String,
    timelines: &'a Timelines,
}

/// As HTML: every row.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, diff: &Diff) -> io::Result<()> {
    begin(out, &format!("{} and {} compared", diff.a.name, diff.b.name), STYLE)?;
    summary(out, diff)?;
    out.write_all(FIND.as_bytes())?;
    let data = data(diff);
    for (title, table) in tables(diff, true) {
        if title.starts_with("By function") && !data.classes.is_empty() {
            out.write_all(FLAME.as_bytes())?;
        }
        if title.starts_with("By I/O") && !data.pairs.is_empty() {
            out.write_all(TIMELINE.as_bytes())?;
        }
        section(out, &title, &table)?;
    }
    writeln!(out, "<p class=\"note\">Keys: / search, Escape all rows again. Click a head: sort.</p>")?;
    legend(diff).iter().try_for_each(|line| writeln!(out, "<p class=\"note\">{}</p>", escaped(line)))?;
    writeln!(out, "<script type=\"application/json\" id=\"data\">{}</script>", embedded(&data)?)?;
    writeln!(out, "<script type=\"module\">\n{SCRIPT}</script>\n</body>\n</html>")
}

/// The search.
const FIND: &str = r#"<p class="controls" id="find">
<label>search <input id="search" type="search" placeholder="function, call, file, #number"></label>
<span id="found" class="note"></span>
</p>
"#;

/// The flame graph, empty.
const FLAME: &str = r#"<section>
<h2>Flame graph of instructions</h2>
<p class="controls">
<label>system call <select id="class"></select></label>
<label>width <select id="width">
<option value="max">the larger of A and B</option><option value="a">A</option><option value="b">B</option>
</select></label>
<button type="button" id="whole">whole</button>
</p>
<p class="note">Width: total instructions of a function, of all pairs. Colour: own instructions of B minus A, <span class="swatch more"></span> more, <span class="swatch less"></span> less,
<span class="swatch equal"></span> equal. Before a name: + only in B, − only in A, ⇄ moved,
≈ renamed. Click: zoom; with a search: functions that match, others are pale.</p>
<svg id="flame" role="img" aria-label="flame graph of the differences"></svg>
<p id="flame-note" class="note"></p>
</section>
"#;

/// The timelines, empty.
const TIMELINE: &str = r#"<section>
<h2>Timelines of an I/O pair</h2>
<p class="controls"><label>I/O <select id="pair"></select></label></p>
<p class="note">Instructions of all contexts since entry of the system call. Colour: stage of the bio.</p>
<svg id="timeline" role="img" aria-label="timelines of the I/O in A and B"></svg>
<p id="legend" class="note"></p>
<table id="stages"><thead></thead><tbody></tbody></table>
</section>
"#;

fn summary(out: &mut dyn Write, diff: &Diff) -> io::Result<()> {
    writeln!(out, "<ul class=\"headline\">")?;
    for line in diff.headline.iter().chain(&diff.cut) {
        writeln!(out, "<li>{}</li>", escaped(line))?;
    }
    writeln!(out, "</ul>\n<dl>")?;
    for (letter, DiffSide { name, kernel, .. }) in [("A", &diff.a), ("B", &diff.b)] {
        writeln!(out, "<dt>{letter}</dt><dd>{} <span>{}</span></dd>", escaped(name), escaped(kernel))?;
    }
    writeln!(out, "</dl>\n<p class=\"note\">{}</p>", escaped(&method(diff).join(". ")))?;
    writeln!(out, "<noscript><p>The graphs need JavaScript; the tables do not.</p></noscript>")
}

/// A table under its title; nothing if it has no rows.
fn section(out: &mut dyn Write, title: &str, table: &Table) -> io::Result<()> {
    if table.is_empty() {
        return Ok(());
    }
    // What the numbers are of stands below the title.
    let (title, about) = title.split_once(": ").unwrap_or((title, ""));
    writeln!(out, "<section>\n<h2>{}</h2>", escaped(title))?;
    if !about.is_empty() {
        writeln!(out, "<p class=\"note\">{}</p>", escaped(about))?;
    }
    writeln!(out, "<table class=\"sortable\">\n<thead><tr>")?;
    let class = |align: Align| if align == Align::Right { " class=\"number\"" } else { "" };
    for (head, align) in table.heads() {
        writeln!(out, "<th scope=\"col\"{}>{}</th>", class(*align), escaped(head))?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    for row in table.rows() {
        write!(out, "<tr>")?;
        for (cell, (_, align)) in row.iter().zip(table.heads()) {
            write!(out, "<td{}>{}</td>", class(*align), escaped(cell))?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody>\n</table>\n</section>")
}

fn data(diff: &Diff) -> Data<'_> {
    let classes = diff.classes.iter().filter(|class| !class.flame.is_empty());
    Data {
        stages: BioStage::ALL.iter().map(|stage| (stage.short(), stage.name())).collect(),
        classes: classes
            .map(|class| Flame { syscall: &class.syscall, pairs: class.pairs, nodes: &class.flame })
            .collect(),
        pairs: diff
            .pairs
            .iter()
            .map(|pair| {
                let difference = signed(pair.costs.instructions.difference());
                let title = format!("{difference}: {} = {}, {}", pair.ios.a, pair.ios.b, plain(&pair.what));
                Pair { title, timelines: &pair.timelines }
            })
            .collect(),
    }
}

/// Data as JSON in which no tag begins or ends.
fn embedded(data: &Data<'_>) -> io::Result<String> {
    let json = serde_json::to_string(data)?;
    Ok(json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"))
}
