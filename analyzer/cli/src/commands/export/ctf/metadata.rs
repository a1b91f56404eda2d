//! The description of the layout (TSDL), as CTF 1.8 has it.

use std::io::{self, Write};

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    U32,
    U64,
    I32,
    I64,
    /// The name of a task: 16 characters.
    Comm,
    /// Text with a zero behind it.
    Text,
}

impl FieldType {
    /// Its declaration with a name, which has an underscore before it, as LTTng's fields have.
    fn declaration(self, name: &str) -> String {
        match self {
            Self::U32 => format!("u32 _{name};"),
            Self::U64 => format!("u64 _{name};"),
            Self::I32 => format!("i32 _{name};"),
            Self::I64 => format!("i64 _{name};"),
            Self::Text => format!("string _{name};"),
            Self::Comm => format!("letter _{name}[16];"),
        }
    }
}

/// A kind of event.
#[derive(Debug)]
pub struct EventClass {
    /// Name.
    pub name: String,
    /// Its fields, in order.
    pub fields: &'static [(&'static str, FieldType)],
}

const HEAD: &str = r#"/* CTF 1.8 */
typealias integer { size = 16; align = 8; signed = false; } := u16;
typealias integer { size = 32; align = 8; signed = false; } := u32;
typealias integer { size = 64; align = 8; signed = false; } := u64;
typealias integer { size = 32; align = 8; signed = true; } := i32;
typealias integer { size = 64; align = 8; signed = true; } := i64;
typealias integer { size = 8; align = 8; signed = false; encoding = UTF8; } := letter;

trace {
    major = 1;
    minor = 8;
    byte_order = le;
    packet.header := struct {
        u32 magic;
        u32 stream_id;
    };
};

env {
    domain = "kernel";
    tracer_name = "lttng-modules";
    tracer_major = 2;
    tracer_minor = 13;
};

clock {
    name = "monotonic";
    description = "virtual nanoseconds of the guest";
    freq = 1000000000;
};

typealias integer { size = 64; align = 8; signed = false; map = clock.monotonic.value; } := time;

stream {
    id = 0;
    packet.context := struct {
        time timestamp_begin;
        time timestamp_end;
        u64 content_size;
        u64 packet_size;
        u32 cpu_id;
    };
    event.header := struct {
        u16 id;
        time timestamp;
    };
    event.context := struct {
        i32 _tid;
        i32 _pid;
        letter _procname[16];
    };
};
"#;

/// Writes it.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, classes: &[EventClass]) -> io::Result<()> {
    out.write_all(HEAD.as_bytes())?;
    for (id, EventClass { name, fields }) in classes.iter().enumerate() {
        // System calls of a catalog of the user's own may have any names.
        let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        writeln!(
            out,
            "\nevent {{\n    name = \"{name}\";\n    id = {id};\n    stream_id = 0;\n    fields := struct {{"
        )?;
        for (field, kind) in *fields {
            writeln!(out, "        {}", kind.declaration(field))?;
        }
        writeln!(out, "    }};\n}};")?;
    }
    Ok(())
}
