//! Pages of traces made by hand.

use super::{PageLimits, data_of, gathered, write};
use iotrace::Session;
use iotrace::analysis::records::RecordQuery;
use iotrace::analysis::report::{ReportQuery, report};
use iotrace_synthetic_guest::{SyntheticGuest, buffered, direct_write};

const ALERT: &str = "</script><script>alert(1)</script>\"&'";

fn page(guest: &SyntheticGuest, limits: PageLimits) -> String {
    let session = Session::from_bytes(guest.file()).unwrap();
    let (data, lost) = gathered(&session, &RecordQuery::default(), limits, &mut |_| {}).unwrap();
    assert_eq!(lost, None);
    let mut out = Vec::new();
    write(&mut out, ALERT, &data).unwrap();
    String::from_utf8(out).unwrap()
}

const LIMITS: PageLimits = PageLimits { rows: 1000, paths: 10 };

#[test]
fn the_page_has_the_numbers_of_the_report() {
    for guest in [direct_write(), buffered()] {
        let session = Session::from_bytes(guest.file()).unwrap();
        let report = report(&session, &ReportQuery::default(), &mut |_| {}).unwrap();
        let data = data_of(&page(&guest, LIMITS));
        let ids = |list: &serde_json::Value| {
            Vec::from_iter(list.as_array().unwrap().iter().map(|id| id.as_u64().unwrap()))
        };
        assert_eq!(ids(&data["ios"]["id"]), Vec::from_iter(report.ios.iter().map(|io| io.id)));
        assert_eq!(ids(&data["bios"]["id"]), Vec::from_iter(report.bios.iter().map(|bio| bio.id)));
        for (at, io) in report.ios.iter().enumerate() {
            let time = io.time(&report.time);
            assert_eq!(data["ios"]["elapsed"][at].as_u64(), time.map(|time| time.elapsed));
            assert_eq!(data["ios"]["device"][at].as_u64(), Some(time.map_or(0, |time| time.device)));
        }
        for (at, bio) in report.bios.iter().enumerate() {
            let stages = data["bios"]["stages"][at].as_array().unwrap();
            let sum: u64 = stages.iter().map(|stage| stage[1].as_u64().unwrap()).sum();
            assert_eq!(Some(sum), bio.time(&report.time).map(|time| time.elapsed));
        }
    }
}

#[test]
fn the_ways_of_the_slowest_are_in_the_page() {
    let data = data_of(&page(&direct_write(), LIMITS));
    let way = &data["ways"][0];
    assert_eq!(way["io"], 1);
    assert!(way["segments"].as_array().unwrap().len() > 3 && way["handoffs"].as_array().unwrap().len() > 2);
    let why = way["why"].as_array().unwrap();
    let length = |span: &serde_json::Value| span["to"].as_u64().unwrap() - span["from"].as_u64().unwrap();
    assert_eq!(Some(why.iter().map(length).sum()), data["ios"]["elapsed"][0].as_u64());
    let own: u64 = data["calls"].as_array().unwrap().iter().map(|call| call["own"].as_u64().unwrap()).sum();
    assert!(own > 0 && own < data["instructions"].as_u64().unwrap());
    let none = data_of(&page(&direct_write(), PageLimits { paths: 0, ..LIMITS }));
    assert_eq!(none["ways"].as_array().unwrap().len(), 0);
}

#[test]
fn what_is_left_out_is_counted() {
    let data = data_of(&page(&buffered(), PageLimits { rows: 1, paths: 0 }));
    assert_eq!(data["ios"]["id"].as_array().unwrap().len(), 1);
    assert!(data["left_out"][0].as_u64().unwrap() > 0);
}

#[test]
fn foreign_names_are_no_markup() {
    let mut guest = direct_write();
    let word = |name: &[u8; 8]| u64::from_le_bytes(*name);
    let names = [(word(b"dd\0\0\0\0\0\0"), word(b"<i>&\"\0\0\0")), (word(b"test.bin"), word(b"<script>"))];
    for found in guest.events.iter_mut().flat_map(|event| event.words.iter_mut()) {
        *found = names.iter().find(|(old, _)| old == found).map_or(*found, |(_, new)| *new);
    }
    let page = page(&guest, LIMITS);
    assert_eq!(page.matches("<script").count(), 2, "the data and the script");
    assert!(!page.contains("alert(1)<") && page.contains("&lt;/script&gt;"), "{page}");
    // The namespace of SVG is a name: nothing is loaded.
    assert_eq!((page.matches("://").count(), page.matches("http://www.w3.org/2000/svg").count()), (1, 1));
    let texts = data_of(&page)["texts"].to_string();
    assert!(texts.contains("<script>") && texts.contains("<i>&"), "they are data: {texts}");
}
