//! Prints the reference of stages, roles and layers.

fn main() {
    print!("{}", iotrace_catalog::reference::markdown());
}
