//! The columns of a table, from the type of its rows: names in the order in which rows have them, types and descriptions
//! from their schema.

use super::rows::Row;
use anyhow::{Context, Result, bail};
use schemars::generate::SchemaSettings;
use serde_json::Value;
use std::collections::BTreeSet;

/// What a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Integers of 64 bits, with a sign.
    Integer,
    /// True or false.
    Boolean,
    /// Text.
    Text,
}

impl ColumnType {
    /// As SQL calls it.
    #[cfg(test)]
    pub fn sql(self) -> &'static str {
        match self {
            Self::Integer => "BIGINT",
            Self::Boolean => "BOOLEAN",
            Self::Text => "VARCHAR",
        }
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// What it has.
    pub of: ColumnType,
    /// Whether a row may have nothing there.
    pub optional: bool,
    /// What it means.
    pub description: String,
}

/// The columns of a table.
///
/// # Errors
/// If a row is not flat.
pub fn columns<R: Row>() -> Result<Vec<TableColumn>> {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.inline_subschemas = true;
    let schema = settings.into_generator().into_root_schema_for::<R>();
    let mut columns = Vec::new();
    for name in names(&R::default())? {
        let property = schema.pointer(&format!("/properties/{name}"));
        let property = property.with_context(|| format!("the schema has no '{name}'"))?;
        columns.push(column(name, property)?);
    }
    Ok(columns)
}

/// The names of a row's fields, in their order.
fn names(row: &impl Row) -> Result<Vec<String>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.serialize(row)?;
    let text = writer.into_inner()?;
    let mut reader = csv::Reader::from_reader(&text[..]);
    Ok(reader.headers()?.iter().map(str::to_owned).collect())
}

fn column(name: String, property: &Value) -> Result<TableColumn> {
    let description = property.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = description.lines().collect::<Vec<_>>().join(" ");
    let mut types = BTreeSet::new();
    collect_types(property, &mut types);
    let optional = types.remove("null");
    let of = match Vec::from_iter(types)[..] {
        ["integer"] => ColumnType::Integer,
        ["boolean"] => ColumnType::Boolean,
        ["string"] => ColumnType::Text,
        ref other => bail!("'{name}' is no cell of a table: {other:?}"),
    };
    Ok(TableColumn { name, of, optional, description })
}

/// The types that a schema allows.
fn collect_types<'a>(schema: &'a Value, types: &mut BTreeSet<&'a str>) {
    match schema.get("type") {
        Some(Value::String(name)) => _ = types.insert(name),
        Some(Value::Array(names)) => types.extend(names.iter().filter_map(Value::as_str)),
        _ => {}
    }
    for key in ["anyOf", "oneOf"] {
        for alternative in schema.get(key).and_then(Value::as_array).into_iter().flatten() {
            collect_types(alternative, types);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::{
        AttemptRow, BioRow, BlockEventRow, CarriedRow, EventRow, HandoffRow, IoRow, PathRow, RecordTable,
        RequestRow, RunRow, StageRow, WaitRow,
    };
    use super::*;
    use clap::ValueEnum;
    use std::fmt::Write;
    use std::path::Path;

    fn of(table: RecordTable) -> Vec<TableColumn> {
        let columns = match table {
            RecordTable::Runs => columns::<RunRow>(),
            RecordTable::Ios => columns::<IoRow<'_>>(),
            RecordTable::Bios => columns::<BioRow>(),
            RecordTable::Stages => columns::<StageRow>(),
            RecordTable::Requests => columns::<RequestRow>(),
            RecordTable::Attempts => columns::<AttemptRow>(),
            RecordTable::Carried => columns::<CarriedRow>(),
            RecordTable::Waits => columns::<WaitRow<'_>>(),
            RecordTable::BlockEvents => columns::<BlockEventRow>(),
            RecordTable::Events => columns::<EventRow<'_>>(),
            RecordTable::Path => columns::<PathRow<'_>>(),
            RecordTable::Handoffs => columns::<HandoffRow>(),
        };
        columns.unwrap()
    }

    /// The tables, as schemas/TABLES.md has them.
    fn described() -> String {
        let mut out = String::from(
            "# Tables of `export`\n\nWritten by `UPDATE_SCHEMAS=1 cargo test -p iotrace-analyze schemas`, from the types of the \
             rows. `csv`, `ndjson` and\n`parquet` have the same columns. Clocks are guest instructions, `_ns` virtual \
             nanoseconds (NULL without icount).\nNULL is what is not known, or what there is none of. Integers have 64 bits \
             and a sign in Parquet: one of 2^63 or\nmore, as the sector of a flush, is negative. In a folder of many runs \
             (`--append`) each table also has the columns\n`kernel`, `workload`, `host` and `run`, and `block-events` is the \
             view `block_events`.\n",
        );
        for table in RecordTable::value_variants() {
            let help = table.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string));
            _ = write!(out, "\n## {}\n\n{}.\n\n", table.name(), help.unwrap());
            out += "| column | type | NULL | |\n|---|---|---|---|\n";
            for TableColumn { name, of, optional, description } in of(*table) {
                let null = if optional { "yes" } else { "" };
                _ = writeln!(
                    out,
                    "| `{name}` | {} | {null} | {} |",
                    of.sql(),
                    description.replace('|', "\\|")
                );
            }
        }
        out
    }

    #[test]
    fn schemas_of_tables_are_those_of_their_rows() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/TABLES.md");
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, described()).unwrap();
        }
        let same = std::fs::read_to_string(&path).is_ok_and(|written| written == described());
        assert!(
            same,
            "schemas/TABLES.md is out of date: UPDATE_SCHEMAS=1 cargo test -p iotrace-analyze schemas"
        );
    }

    #[test]
    fn no_column_is_called_as_a_level_of_the_folder_of_many_runs() {
        for table in RecordTable::value_variants() {
            let mut columns = of(*table).into_iter().map(|column| column.name);
            let taken = columns.find(|name| ["kernel", "workload", "host", "run"].contains(&name.as_str()));
            assert_eq!(taken, None, "{}", table.name());
        }
    }
}
