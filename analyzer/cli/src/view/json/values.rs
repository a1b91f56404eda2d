//! Values that are no plain numbers in JSON.

use iotrace::model::major_minor;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::{Serialize, Serializer};
use std::borrow::Cow;

/// Version of the documents: raised when a key is removed or changes its meaning. Keys may be added under the same
/// version.
pub const SCHEMA_VERSION: u32 = 1;

/// The first value of every document: [`SCHEMA_VERSION`].
#[derive(Debug, Clone, Copy, Default)]
pub struct SchemaVersion;

impl Serialize for SchemaVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(SCHEMA_VERSION)
    }
}

impl JsonSchema for SchemaVersion {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SchemaVersion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Version of the document: raised when a key is removed or changes its meaning. Keys may be \
                            added under the same version.",
            "type": "integer",
            "const": SCHEMA_VERSION,
        })
    }
}

/// An address or bits, in hexadecimal.
#[derive(Debug, Clone, Copy)]
pub struct Hex(pub u64);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:#x}", self.0))
    }
}

impl JsonSchema for Hex {
    fn schema_name() -> Cow<'static, str> {
        "Hex".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of 64 bits in hexadecimal.",
            "type": "string",
            "pattern": "^0x[0-9a-f]{1,16}$",
        })
    }
}

/// A `dev_t` of the kernel, as major and minor number.
#[derive(Debug, Clone, Copy)]
pub struct DeviceNumber(pub u64);

impl Serialize for DeviceNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (major, minor) = major_minor(self.0);
        serializer.collect_str(&format_args!("{major}:{minor}"))
    }
}

impl JsonSchema for DeviceNumber {
    fn schema_name() -> Cow<'static, str> {
        "DeviceNumber".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Major and minor number of a device, `major:minor`.",
            "type": "string",
            "pattern": "^[0-9]+:[0-9]+$",
        })
    }
}
