//! Tables written here the way `scripts/kallsyms.c` of each kernel writes them.

use proptest::prelude::*;

use super::*;
use crate::Bytes;

const TEXT: u64 = 0xffff_ffff_8100_0000;
/// Where the tables are loaded.
const BASE: u64 = 0xffff_ffff_8200_0000;
const BANNER: &[u8] = b"Linux version 6.1.0 (test)\n\0";

/// What differs between kernels.
#[derive(Debug, Clone, Copy)]
struct Layout {
    align: usize,
    marker: usize,
    /// Are the addresses behind the token index?
    behind: bool,
    /// Bytes of seqs_of_names per symbol, between markers and tokens.
    seqs: usize,
    addresses: Written,
}

#[derive(Debug, Clone, Copy)]
enum Written {
    Absolute,
    PerCpu,
    Relative,
    SelfRelative,
}

const V3_10: Layout = Layout { align: 8, marker: 8, behind: false, seqs: 0, addresses: Written::Absolute };
const V5_10: Layout = Layout { align: 8, marker: 4, behind: false, seqs: 0, addresses: Written::PerCpu };
const V6_2: Layout = Layout { seqs: 3, ..V5_10 };
const V6_12: Layout = Layout { behind: true, ..V5_10 };
const V6_15: Layout = Layout { addresses: Written::Relative, ..V6_12 };
const V7_2: Layout = Layout { align: 4, marker: 4, behind: true, seqs: 0, addresses: Written::SelfRelative };
const ALL: [Layout; 6] = [V3_10, V5_10, V6_2, V6_12, V6_15, V7_2];

/// (type letter and name, address), sorted by address: enough for three markers.
fn symbols() -> Vec<(String, u64)> {
    let mut all = vec![
        ("T_stext".to_string(), TEXT),
        ("tend_io".to_string(), TEXT + 0x10),
        ("tend_io".to_string(), TEXT + 0x30),
    ];
    all.extend((0u64..600).map(|i| (format!("tfunction_{i}.isra.0"), TEXT + 0x1000 + i * 0x20)));
    all.push((format!("T{}", "long_name_".repeat(20)), TEXT + 0x9000));
    all.push(("Dlinux_banner".to_string(), BASE));
    all
}

struct Writer {
    out: Vec<u8>,
    align: usize,
}

impl Writer {
    fn label(&mut self) -> usize {
        while !self.out.len().is_multiple_of(self.align) {
            self.out.push(0);
        }
        self.out.len()
    }
}

/// Token `c` stands for the character c; those above for frequent parts.
fn tokens() -> Vec<String> {
    let mut tokens: Vec<String> = (0u8..128).map(|c| char::from(c).to_string()).collect();
    tokens[0] = "function_".to_string();
    tokens.extend((128..256).map(|i| format!("part{i}_")));
    tokens[200] = "long_name_long_name_".to_string();
    tokens
}

fn compress(text: &str) -> Vec<u8> {
    // A function's name is shorter than its tokens are many; the long one needs two length bytes.
    if let Some(rest) = text.strip_prefix("tfunction_") {
        return [b"t\0", rest.as_bytes()].concat();
    }
    text.bytes().collect()
}

/// The image: banner, tables, something behind.
fn write(layout: Layout) -> Vec<u8> {
    let symbols = symbols();
    let mut w = Writer { out: BANNER.to_vec(), align: layout.align };
    w.out.extend([0x55; 33]);
    if !layout.behind {
        write_addresses(&mut w, layout, &symbols);
    }
    w.label();
    w.out.extend(u32::try_from(symbols.len()).unwrap().to_le_bytes());
    let names = w.label();
    let mut markers = Vec::new();
    for (i, (text, _)) in symbols.iter().enumerate() {
        if i % 256 == 0 {
            markers.push(w.out.len() - names);
        }
        let name = compress(text);
        match name.len() {
            len @ 0..128 => w.out.push(len as u8),
            len => w.out.extend([len as u8 | 0x80, (len >> 7) as u8]),
        }
        w.out.extend(name);
    }
    w.label();
    for marker in markers {
        w.out.extend(&(marker as u64).to_le_bytes()[..layout.marker]);
    }
    w.label();
    let seqs = symbols.len() * layout.seqs;
    w.out.extend((0..seqs).map(|i| (i * 7) as u8));
    let start = w.label();
    let mut index = Vec::new();
    for token in tokens() {
        index.extend(u16::try_from(w.out.len() - start).unwrap().to_le_bytes());
        w.out.extend(token.bytes());
        w.out.push(0);
    }
    w.label();
    w.out.extend(index);
    if layout.behind {
        write_addresses(&mut w, layout, &symbols);
    }
    w.label();
    w.out.extend([0xaa; 64]);
    w.out
}

fn write_addresses(w: &mut Writer, layout: Layout, symbols: &[(String, u64)]) {
    w.label();
    for (_, address) in symbols {
        let here = BASE + w.out.len() as u64;
        let value = match layout.addresses {
            Written::Absolute => {
                w.out.extend(address.to_le_bytes());
                continue;
            }
            Written::PerCpu => TEXT.wrapping_sub(1).wrapping_sub(*address),
            Written::Relative => address - TEXT,
            Written::SelfRelative => address.wrapping_sub(here),
        };
        w.out.extend(&value.to_le_bytes()[..4]);
    }
    if matches!(layout.addresses, Written::PerCpu | Written::Relative) {
        w.label();
        w.out.extend(TEXT.to_le_bytes());
    }
}

fn search(bytes: Vec<u8>) -> KallsymsResult {
    let text = Loaded { address: TEXT, bytes: Bytes::from(vec![0xcc; 16]) };
    let tables = Loaded { address: BASE, bytes: Bytes::from(bytes) };
    let parts = [text, tables];
    find(&parts, |address| parts.iter().find_map(|p| p.bytes.get(address.checked_sub(p.address)? as usize..)))
}

#[test]
fn reads_every_layout() {
    for layout in ALL {
        let KallsymsResult::Table(table) = search(write(layout)) else { panic!("{layout:?}: not found") };
        let found: Vec<_> = table.iter().map(|s| (s.name.to_string(), s.addr)).collect();
        let expected: Vec<_> = symbols().into_iter().map(|(t, a)| (t[1..].to_string(), a)).collect();
        assert_eq!(found, expected, "{layout:?}");
        let first = table.variants("end_io").next().expect("there");
        assert_eq!((first.size, first.kind), (0x20, SymbolKind::Function));
    }
}

#[test]
fn a_banner_that_is_not_there_is_no_table() {
    let mut bytes = write(V5_10);
    bytes[0] = b'l';
    assert!(matches!(search(bytes), KallsymsResult::Nothing { candidates: 1 }));
    assert!(matches!(search(b"0\x001\x002\x003\0".to_vec()), KallsymsResult::Nothing { candidates: 0 }));
}

proptest! {
    #[test]
    fn never_panics(
        which in 0usize..6,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        keep in any::<bool>(),
    ) {
        let mut bytes = write(ALL[which]);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if !keep { bytes.truncate(cut.index(bytes.len())); }
        let _ = search(bytes);
    }
}
