//! Finds the kernel and its modules in guest memory.
//!
//! In: the profile, a vCPU whose memory can be read. Out: where the kernel is, or that it is another one;
//! a module's name and symbols.
//!
//! - `symbols`: the symbols of a module.

mod symbols;

pub use symbols::{FUNCTION, LoadedModule, read_module};

use crate::follow::follow;
use crate::qemu::Cpu;
use iotrace_arch::Memory;
use iotrace_profile::{ModuleAccess, Profile};

const BANNER: &[u8] = b"Linux version ";

/// What was found in the guest.
#[derive(Debug, PartialEq, Eq)]
pub enum Search {
    /// The profile's kernel, moved by this many bytes.
    Found(u64),
    /// Another kernel, as it calls itself.
    Other(String),
    /// No kernel yet.
    Nothing,
}

/// Looks for the profile's kernel. Cheap to fail before the guest has mapped a kernel.
pub fn find_kernel(profile: &Profile, cpu: &Cpu) -> Search {
    let expected = profile.banner.as_bytes();
    let mut bytes = vec![0; expected.len()];
    let Memory { images, image_step, .. } = &cpu.arch().memory;
    let slides = (0..images.end - images.start).step_by(*image_step as usize);
    for slide in slides {
        let address = profile.anchors.banner.wrapping_add(slide);
        if !expected.is_empty() && cpu.read(address, &mut bytes) && bytes == expected {
            return check_build(profile, slide, cpu);
        }
    }
    find_banner(cpu).map_or(Search::Nothing, |banner| Search::Other(version(&banner).to_owned()))
}

/// Whether the profile's kernel is there, moved by this many bytes; none if its memory cannot be read now.
pub fn is_kernel_at(profile: &Profile, slide: u64, cpu: &Cpu) -> Option<bool> {
    let mut bytes = vec![0; profile.banner.len()];
    let read = cpu.read(profile.anchors.banner.wrapping_add(slide), &mut bytes);
    read.then(|| {
        bytes == profile.banner.as_bytes() && check_build(profile, slide, cpu) == Search::Found(slide)
    })
}

/// The banner fits; the build-id must fit too, where there is one.
fn check_build(profile: &Profile, slide: u64, cpu: &Cpu) -> Search {
    let Some((start, stop)) = profile.anchors.notes else { return Search::Found(slide) };
    let mut notes = vec![0; stop.saturating_sub(start).min(cpu.arch().memory.page_size()) as usize];
    if !cpu.read(start.wrapping_add(slide), &mut notes) {
        return Search::Found(slide);
    }
    match build_id(&notes) {
        Some(id) if !profile.build_id.is_empty() && id != profile.build_id => {
            Search::Other(format!("{} with build-id {}", version(&profile.banner), hex(id)))
        }
        _ => Search::Found(slide),
    }
}

/// The GNU build-id among ELF notes: name size, descriptor size, type; then both, padded to 4 bytes.
fn build_id(mut notes: &[u8]) -> Option<&[u8]> {
    /// `NT_GNU_BUILD_ID`.
    const BUILD_ID: u32 = 3;
    loop {
        let word = |at: usize| Some(u32::from_le_bytes(notes.get(at..at + 4)?.try_into().ok()?));
        let (name, descriptor, kind) = (word(0)? as usize, word(4)? as usize, word(8)?);
        let begin = 12 + name.next_multiple_of(4);
        let body = notes.get(begin..begin.checked_add(descriptor)?)?;
        if kind == BUILD_ID && notes.get(12..16)? == b"GNU\0" {
            return Some(body);
        }
        notes = notes.get(begin + descriptor.next_multiple_of(4)..)?;
    }
}

/// The first thing in the images' range that looks like a kernel's banner.
fn find_banner(cpu: &Cpu) -> Option<String> {
    let memory = &cpu.arch().memory;
    let (size, large) = (memory.page_size() as usize, memory.image_step);
    let mut page = vec![0; size + 256];
    let mut address = memory.images.start;
    while address < memory.images.end {
        if !cpu.read(address, &mut page[..size]) {
            // Images are mapped with pages as large as they are aligned while the kernel starts.
            address = (address / large + 1) * large;
            continue;
        }
        if let Some(at) = page[..size].windows(BANNER.len()).position(|w| w == BANNER) {
            cpu.read(address, &mut page);
            let text: Vec<u8> = page[at..].iter().copied().take_while(|b| (32..127).contains(b)).collect();
            // "Linux version %s" of a format string is not a banner.
            if text.get(BANNER.len()).is_some_and(u8::is_ascii_digit) {
                return Some(String::from_utf8_lossy(&text).into_owned());
            }
        }
        address += size as u64;
    }
    None
}

/// The name of the module whose `struct module` is at `address`.
pub fn module_name(access: &ModuleAccess, address: u64, cpu: &Cpu) -> Option<String> {
    // MODULE_NAME_LEN, include/linux/module.h.
    let mut name = [0; 56];
    cpu.read(follow(&access.name, address, cpu)?, &mut name).then_some(())?;
    let length = name.iter().position(|b| *b == 0).unwrap_or(name.len());
    Some(String::from_utf8_lossy(&name[..length]).into_owned())
}

/// The part of a banner that names the kernel: "Linux version 6.1.0-50-amd64".
pub fn version(banner: &str) -> &str {
    banner.split(" (").next().unwrap_or(banner).trim_end()
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_id_is_found_among_other_notes() {
        let note = |name: &[u8; 4], kind: u32, body: &[u8]| {
            let mut note = [4_u32, body.len() as u32, kind].map(u32::to_le_bytes).concat();
            note.extend(name);
            note.extend(body);
            note.resize(note.len().next_multiple_of(4), 0);
            note
        };
        let notes = [note(b"Xen\0", 6, &[1, 2, 3]), note(b"GNU\0", 3, &[9, 8, 7])].concat();
        assert_eq!(build_id(&notes), Some(&[9, 8, 7][..]));
        assert_eq!(build_id(&notes[..20]), None);
        assert_eq!(build_id(&[0xff; 40]), None);
    }
}
