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

/// Numbers out of their differences.
fn summed(list: &serde_json::Value) -> Vec<u64> {
    let mut sum = 0_i64;
    let numbers = list.as_array().unwrap().iter().map(|difference| {
        sum += difference.as_i64().unwrap();
        sum.cast_unsigned()
    });
    numbers.collect()
}

const LIMITS: PageLimits = PageLimits { rows: 1000, paths: 10 };

#[test]
fn the_page_has_the_numbers_of_the_report() {
    for guest in [direct_write(), buffered()] {
        let session = Session::from_bytes(guest.file()).unwrap();
        let report = report(&session, &ReportQuery::default(), &mut |_| {}).unwrap();
        let data = data_of(&page(&guest, LIMITS));
        let (ios, bios) = (&data["ios"], &data["bios"]);
        assert_eq!(summed(&ios["id"]), Vec::from_iter(report.ios.iter().map(|io| io.id)));
        assert_eq!(summed(&bios["id"]), Vec::from_iter(report.bios.iter().map(|bio| bio.id)));
        assert_eq!(summed(&bios["sector"]), Vec::from_iter(report.bios.iter().map(|bio| bio.sector)));
        for (at, io) in report.ios.iter().enumerate() {
            let spans = ios["spans"][at].as_array().unwrap().iter().skip(1).step_by(2);
            let device: u64 = spans.map(|length| length.as_u64().unwrap()).sum();
            let time = io.time(&report.time);
            assert_eq!(time.map_or(0, |time| time.device), device);
            assert_eq!(ios["guest"][at].as_u64(), time.map(|time| time.guest()));
        }
        let mut next = vec![0; bios["lengths"].as_array().unwrap().len()];
        for (at, bio) in report.bios.iter().enumerate() {
            let way = bios["ways"][bios["way"][at].as_u64().unwrap() as usize].as_array().unwrap();
            let lengths = way.iter().map(|stage| {
                let stage = stage.as_u64().unwrap() as usize;
                next[stage] += 1;
                bios["lengths"][stage][next[stage] - 1].as_u64().unwrap()
            });
            let sum: u64 = lengths.sum();
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
    let device = data["ios"]["spans"][0].as_array().unwrap().iter().skip(1).step_by(2);
    let device: u64 = device.map(|length| length.as_u64().unwrap()).sum();
    assert_eq!(why.iter().map(length).sum::<u64>(), data["ios"]["guest"][0].as_u64().unwrap() + device);
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
