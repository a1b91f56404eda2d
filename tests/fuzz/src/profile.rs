//! Profiles whose checksum fits.

use iotrace::analysis::coverage::coverage;
use iotrace_profile::Profile;

/// A profile as it is encoded: it is compressed and gets its checksum here. One that begins with a zero byte is the rest of a
/// file as it is.
pub fn profile(data: &[u8]) {
    let Some((form, rest)) = data.split_first() else { return };
    let sealed = if *form == 0 { rest.to_vec() } else { Profile::seal(rest).expect("it can be compressed") };
    let Ok(profile) = Profile::decode(&sealed) else { return };
    let covered = coverage(&profile).tally();
    let addresses = profile.symbols.iter().map(|symbol| symbol.addr).take(16);
    for address in addresses.chain([0, profile.anchors.banner, u64::MAX]) {
        for near in [address.wrapping_sub(1), address, address.wrapping_add(1)] {
            let _ = (profile.symbols.at(near), profile.site(near), profile.returns.in_image(near));
        }
    }
    for name in profile.symbols.iter().map(|symbol| symbol.name).take(16) {
        assert!(profile.symbols.by_name(name).count() > 0, "{name:?} is in the table");
        let _ = (profile.symbols.variants(name).count(), profile.returns.in_module(name, name));
        let _ = profile.sites_of(name, name, 1);
    }
    let _ = (covered, profile.symbols.functions().count());
    let same = Profile::decode(&Profile::seal(&profile.plain().expect("encodes")).expect("compresses"));
    assert!(same.is_ok_and(|same| same == profile), "what was read can be written");
}
