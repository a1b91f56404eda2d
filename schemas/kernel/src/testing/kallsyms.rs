//! kallsyms tables, written the way `scripts/kallsyms.c` of each kernel writes them.

/// Where the kernel's text is.
pub const TEXT: u64 = 0xffff_ffff_8100_0000;
/// Where the tables are loaded.
pub const BASE: u64 = 0xffff_ffff_8200_0000;
const BANNER: &[u8] = b"Linux version 6.1.0 (test)\n\0";

/// What differs between kernels.
#[derive(Debug, Clone, Copy)]
pub struct KallsymsLayout {
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

/// Of Linux 3.10.
pub const V3_10: KallsymsLayout =
    KallsymsLayout { align: 8, marker: 8, behind: false, seqs: 0, addresses: Written::Absolute };
/// Of Linux 5.10.
pub const V5_10: KallsymsLayout =
    KallsymsLayout { align: 8, marker: 4, behind: false, seqs: 0, addresses: Written::PerCpu };
/// Of Linux 6.2.
pub const V6_2: KallsymsLayout = KallsymsLayout { seqs: 3, ..V5_10 };
/// Of Linux 6.12.
pub const V6_12: KallsymsLayout = KallsymsLayout { behind: true, ..V5_10 };
/// Of Linux 6.15.
pub const V6_15: KallsymsLayout = KallsymsLayout { addresses: Written::Relative, ..V6_12 };
/// Of Linux 7.2.
pub const V7_2: KallsymsLayout =
    KallsymsLayout { align: 4, marker: 4, behind: true, seqs: 0, addresses: Written::SelfRelative };
/// All of them.
pub const ALL: [KallsymsLayout; 6] = [V3_10, V5_10, V6_2, V6_12, V6_15, V7_2];

/// (type letter and name, address), sorted by address: enough for three markers.
pub fn symbols() -> Vec<(String, u64)> {
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
pub fn write(layout: KallsymsLayout) -> Vec<u8> {
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

fn write_addresses(w: &mut Writer, layout: KallsymsLayout, symbols: &[(String, u64)]) {
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
