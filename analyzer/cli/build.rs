//! How the analyzer is linked.

fn main() {
    // Relocations take a bit instead of 24 bytes each (DT_RELR, from glibc 2.36 and GNU ld 2.38; older linkers ignore it).
    if std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "gnu") {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
