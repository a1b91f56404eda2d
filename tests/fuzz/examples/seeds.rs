//! Writes the seeds of the fuzz targets' corpora.

fn main() -> std::io::Result<()> {
    iotrace_fuzz::seeds::write()
}
