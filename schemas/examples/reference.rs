//! Prints the reference of stages, roles and layers.

fn main() {
    print!("{}", iotrace_schemas::reference::markdown());
}
