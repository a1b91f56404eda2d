//! The HTML of two runs built by hand.

use iotrace::Session;
use iotrace::analysis::diff::{Both, CallChange, Diff, compare, gather};
use iotrace_synthetic_guest::{SyntheticGuest, direct_write};
use serde_json::Value;

const ALERT: &str = "</script><script>alert(1)</script>\"&'";

/// The same write with one more call before the plug is flushed, which delays all that comes after.
fn with_a_call() -> SyntheticGuest {
    const DELAY: u64 = 100;
    let mut guest = direct_write();
    for event in guest.events.iter_mut().filter(|event| event.clock > 1120) {
        event.clock += DELAY;
    }
    guest.call(1130, 2, "rq.extra", &[]);
    guest.back(1130 + DELAY, 2, "rq.extra", 0);
    guest.events.sort_by_key(|event| event.clock);
    guest
}

/// Names that the guest's task and its file get.
fn named(mut guest: SyntheticGuest) -> SyntheticGuest {
    let word = |name: &[u8; 8]| u64::from_le_bytes(*name);
    let names = [(word(b"dd\0\0\0\0\0\0"), word(b"<i>&\"\0\0\0")), (word(b"test.bin"), word(b"<script>"))];
    for found in guest.events.iter_mut().flat_map(|event| event.words.iter_mut()) {
        let new = names.iter().find(|(old, _)| old == found);
        *found = new.map_or(*found, |(_, new)| *new);
    }
    guest
}

fn compared(a: &SyntheticGuest, b: &SyntheticGuest) -> Diff {
    let run =
        |guest: &SyntheticGuest| gather(&Session::from_bytes(guest.file()).unwrap(), &mut |_| {}).unwrap();
    compare(vec![(run(a), run(b))], ["a.iot", ALERT])
}

fn html(diff: &Diff) -> String {
    let mut out = Vec::new();
    super::write(&mut out, diff).unwrap();
    let html = String::from_utf8(out).unwrap();
    balanced(&html);
    html
}

/// What stands between the first `from` and the next `to`.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, after) = text.split_once(from).unwrap();
    after.split_once(to).unwrap().0
}

fn data(html: &str) -> Value {
    serde_json::from_str(between(html, "id=\"data\">", "</script>")).unwrap()
}

/// Every tag that is opened is closed, in turn; what is in a script or a style is none.
fn balanced(html: &str) {
    let (mut open, mut rest) = (Vec::<&str>::new(), html);
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, after) = after.split_once('>').unwrap();
        rest = after;
        let name = tag.split_whitespace().next().unwrap();
        if let Some(closed) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "in {rest:.80}");
        } else if name == "script" || name == "style" {
            let (_, after) = rest.split_once(&format!("</{name}>")).unwrap();
            rest = after;
        } else if !["meta", "input"].contains(&name) && !name.starts_with('!') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} stay open");
}

#[test]
fn a_further_call_is_new_in_the_flame_graph_and_delays_the_stages() {
    let html = html(&compared(&direct_write(), &with_a_call()));
    let data = data(&html);
    let nodes = data["classes"][0]["nodes"].as_array().unwrap();
    let extra = nodes.iter().find(|node| node["function"] == "rq_extra_function").unwrap();
    assert_eq!((&extra["change"], &extra["own"]["a"]), (&Value::from("new"), &Value::from(0)));
    assert_eq!(extra["own"]["b"], 100);
    let parent = extra["parent"].as_u64().unwrap() as usize;
    assert_eq!(nodes[parent]["function"], "vfs_write_function");
    let timelines = &data["pairs"][0]["timelines"];
    assert_eq!((&timelines["a"]["length"], &timelines["b"]["length"]), (&2050.into(), &2150.into()));
    let issued = |side: &str| {
        let stages = timelines[side]["bios"][0]["stages"].as_array().unwrap();
        stages.iter().find(|stage| stage[0] == "D").unwrap()[1].as_i64().unwrap()
    };
    assert_eq!((issued("a"), issued("b")), (200, 300));
    for piece in [
        "<li>I/O pairs 1",
        "<h2>By function</h2>\n<p class=\"note\">own instructions</p>",
        "<td class=\"number\">+100</td>",
        "+ rq_extra_function</td>",
    ] {
        assert!(html.contains(piece), "no {piece} in {html}");
    }
}

#[test]
fn widths_of_a_flame_graph_are_the_sums_of_the_costs() {
    let diff = compared(&direct_write(), &with_a_call());
    for class in &diff.classes {
        let mut sum = Both::default();
        for node in class.flame.iter().filter(|node| node.parent.is_none()) {
            (sum.a, sum.b) = (sum.a + node.total.a, sum.b + node.total.b);
        }
        assert_eq!(sum, class.costs.instructions);
        assert!(class.flame.iter().enumerate().all(|(at, node)| node.parent.is_none_or(|p| p < at)));
    }
}

#[test]
fn a_guests_names_are_text() {
    let mut diff = compared(&named(direct_write()), &named(with_a_call()));
    let before = html(&diff);
    assert!(before.contains("pwrite by &lt;i&gt;&amp;&quot; of &lt;script&gt;, 4096 bytes"), "{before}");
    let title = data(&before)["pairs"][0]["title"].as_str().unwrap().to_owned();
    assert!(title.ends_with("pwrite by <i>&\" of <script>, 4096 bytes at 0"), "{title}");

    let scripts = before.matches("<script").count();
    for name in [&mut diff.a.kernel, &mut diff.pairs[0].what, &mut diff.functions[0].name] {
        ALERT.clone_into(name);
    }
    diff.headline.push(ALERT.into());
    diff.cut = vec![ALERT.into()];
    let class = &mut diff.classes[0];
    ALERT.clone_into(&mut class.syscall);
    class.places[0].path = vec![ALERT.into()];
    class.flame[0].function = ALERT.into();
    class.flame[0].change = Some(CallChange::Renamed { from: ALERT.into() });
    let after = html(&diff);
    assert_eq!((after.matches("<script").count(), after.matches("</script").count()), (scripts, scripts));
    assert!(!after.contains("<script>alert") && !after.contains("\"&'"));
    assert_eq!(data(&after)["classes"][0]["nodes"][0]["change"]["renamed"]["from"], ALERT);
}

#[test]
fn the_page_needs_nothing_else() {
    let html = html(&compared(&direct_write(), &with_a_call()));
    for outside in ["http:", "https:", "src=", "href=", "url(", "@import", "fetch(", "innerHTML", "eval("] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(html.contains("default-src 'none'") && html.contains("prefers-color-scheme: dark"));
    assert!(html.contains("id=\"search\"") && html.contains("dataset.ready"));
}

#[test]
fn equal_runs_have_no_differences_to_show() {
    let html = html(&compared(&direct_write(), &direct_write()));
    assert!(html.contains("<li>no difference</li>") && !html.contains("id=\"timeline\""));
    assert!(data(&html)["pairs"].as_array().unwrap().is_empty());
}

/// Twenty-five more functions and pairs than a table in a terminal has rows.
#[test]
fn all_rows_are_there_under_short_titles() {
    let mut diff = compared(&direct_write(), &with_a_call());
    let (function, pair) = (diff.functions[0].clone(), diff.pairs[0].clone());
    for number in 0..25 {
        diff.functions
            .push(iotrace::analysis::diff::FunctionDiff { name: format!("f{number}"), ..function.clone() });
        diff.pairs.push(pair.clone());
    }
    let html = html(&diff);
    assert!((0..25).all(|number| html.contains(&format!("<td>f{number}</td>"))), "{html}");
    assert_eq!(data(&html)["pairs"].as_array().unwrap().len(), diff.pairs.len());
    let titles: Vec<_> = html.split("<h2>").skip(1).map(|rest| rest.split_once("</h2>").unwrap().0).collect();
    assert!(titles.contains(&"Call tree differences"), "{titles:?}");
    assert!(titles.iter().all(|title| title.len() <= 40 && !title.contains("--all")), "{titles:?}");
}

/// The page without its script and its style, which are files of their own.
#[test]
fn a_page_is_its_tables_under_a_search() {
    let html = html(&compared(&direct_write(), &with_a_call()));
    let body = between(&html, "<body>", "<script");
    insta::assert_snapshot!(body);
}
