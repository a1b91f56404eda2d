//! The cells of rows, column by column, as they are kept until there are enough of them for a row group.
//!
//! In: rows, which serde takes apart. Out: the values of each column, and which rows have one.

use super::super::columns::{ColumnType, TableColumn};
use serde::de::value::Error;
use serde::ser::{Error as _, Impossible, SerializeStruct, Serializer};
use serde::{Serialize, ser};

/// The values of a column.
#[derive(Debug, PartialEq, Eq)]
pub enum CellValues {
    /// Integers. One of 2^63 or more is negative, as the position -1 is that a task may ask for.
    Integers(Vec<i64>),
    /// True or false.
    Booleans(Vec<bool>),
    /// Texts, one behind the other, and where each ends.
    Texts(Vec<u8>, Vec<usize>),
}

/// A column.
#[derive(Debug)]
pub struct ColumnCells {
    /// Of the rows that have one.
    pub values: CellValues,
    /// Of each row, whether it has one: 1 or 0. Empty if all have.
    pub levels: Vec<i16>,
    optional: bool,
}

impl ColumnCells {
    /// Those of a column, without a row.
    pub fn new(column: &TableColumn) -> Self {
        let values = match column.of {
            ColumnType::Integer => CellValues::Integers(Vec::new()),
            ColumnType::Boolean => CellValues::Booleans(Vec::new()),
            ColumnType::Text => CellValues::Texts(Vec::new(), Vec::new()),
        };
        Self { values, levels: Vec::new(), optional: column.optional }
    }

    /// Bytes that they take.
    pub fn size(&self) -> usize {
        let values = match &self.values {
            CellValues::Integers(values) => size_of_val(&values[..]),
            CellValues::Booleans(values) => values.len(),
            CellValues::Texts(bytes, ends) => bytes.len() + size_of_val(&ends[..]),
        };
        values + size_of_val(&self.levels[..])
    }

    /// Takes the rows out.
    pub fn clear(&mut self) {
        self.levels.clear();
        match &mut self.values {
            CellValues::Integers(values) => values.clear(),
            CellValues::Booleans(values) => values.clear(),
            CellValues::Texts(bytes, ends) => {
                bytes.clear();
                ends.clear();
            }
        }
    }

    fn there(&mut self) {
        if self.optional {
            self.levels.push(1);
        }
    }

    fn integer(&mut self, value: i64) -> Result<(), Error> {
        self.there();
        match &mut self.values {
            CellValues::Integers(values) => values.push(value),
            _ => return Err(Error::custom("an integer")),
        }
        Ok(())
    }

    fn boolean(&mut self, value: bool) -> Result<(), Error> {
        self.there();
        match &mut self.values {
            CellValues::Booleans(values) => values.push(value),
            _ => return Err(Error::custom("true or false")),
        }
        Ok(())
    }

    fn text(&mut self, value: &str) -> Result<(), Error> {
        self.there();
        match &mut self.values {
            CellValues::Texts(bytes, ends) => {
                bytes.extend_from_slice(value.as_bytes());
                ends.push(bytes.len());
            }
            _ => return Err(Error::custom("a text")),
        }
        Ok(())
    }

    fn missing(&mut self) -> Result<(), Error> {
        if !self.optional {
            return Err(Error::custom("nothing, in a column that has a value in each row"));
        }
        self.levels.push(0);
        Ok(())
    }
}

/// Adds the cells of a row, in the order of the columns.
///
/// # Errors
/// If the row has other columns.
pub fn add(columns: &mut [ColumnCells], row: &impl Serialize) -> Result<(), Error> {
    row.serialize(RowCells(columns))
}

/// The columns that a row's fields go to: the rest of them.
struct RowCells<'a>(&'a mut [ColumnCells]);

impl SerializeStruct for RowCells<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        let columns = std::mem::take(&mut self.0);
        let Some((column, rest)) = columns.split_first_mut() else {
            return Err(Error::custom(format_args!("no column for '{name}'")));
        };
        self.0 = rest;
        value.serialize(Cell(column)).map_err(|error| Error::custom(format_args!("'{name}' has {error}")))
    }

    fn end(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::custom("a row without all columns")) }
    }
}

/// A column that takes a value.
struct Cell<'a>(&'a mut ColumnCells);

/// What serializes neither a row nor a cell: refused.
macro_rules! refuse {
    ($($name:ident($($of:ty),*) -> $ok:ty;)*) => {
        $(fn $name(self, $(_: $of),*) -> Result<$ok, Error> {
            Err(Error::custom(concat!("what tables have no cells for: ", stringify!($name))))
        })*
    };
}

/// Types of values of which a serializer has none.
macro_rules! no_compounds {
    () => {
        type Ok = ();
        type Error = Error;
        type SerializeSeq = Impossible<(), Error>;
        type SerializeTuple = Impossible<(), Error>;
        type SerializeTupleStruct = Impossible<(), Error>;
        type SerializeTupleVariant = Impossible<(), Error>;
        type SerializeMap = Impossible<(), Error>;
        type SerializeStructVariant = Impossible<(), Error>;

        refuse! {
            serialize_f32(f32) -> ();
            serialize_f64(f64) -> ();
            serialize_bytes(&[u8]) -> ();
            serialize_unit() -> ();
            serialize_unit_struct(&'static str) -> ();
            serialize_seq(Option<usize>) -> Self::SerializeSeq;
            serialize_tuple(usize) -> Self::SerializeTuple;
            serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
            serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
            serialize_map(Option<usize>) -> Self::SerializeMap;
            serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
        }

        fn serialize_newtype_struct<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            of: &T,
        ) -> Result<(), Error> {
            of.serialize(self)
        }

        fn serialize_newtype_variant<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            _: u32,
            name: &'static str,
            _: &T,
        ) -> Result<(), Error> {
            Err(Error::custom(format_args!("what tables have no cells for: {name}")))
        }
    };
}

/// Integers that fit into 64 bits with a sign.
macro_rules! integers {
    ($($name:ident($of:ty);)*) => {
        $(fn $name(self, value: $of) -> Result<(), Error> {
            self.0.integer(value.into())
        })*
    };
}

impl Serializer for Cell<'_> {
    type SerializeStruct = Impossible<(), Error>;
    no_compounds!();

    integers! {
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.0.integer(value.cast_signed())
    }

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.0.boolean(value)
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.0.text(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.0.text(value)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<(), Error> {
        self.0.text(name)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.0.missing()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    refuse! { serialize_struct(&'static str, usize) -> Self::SerializeStruct; }
}

impl<'a> Serializer for RowCells<'a> {
    type SerializeStruct = RowCells<'a>;
    no_compounds!();

    refuse! {
        serialize_i8(i8) -> ();
        serialize_i16(i16) -> ();
        serialize_i32(i32) -> ();
        serialize_i64(i64) -> ();
        serialize_u8(u8) -> ();
        serialize_u16(u16) -> ();
        serialize_u32(u32) -> ();
        serialize_u64(u64) -> ();
        serialize_bool(bool) -> ();
        serialize_char(char) -> ();
        serialize_str(&str) -> ();
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
        serialize_none() -> ();
    }

    fn serialize_some<T: ser::Serialize + ?Sized>(self, row: &T) -> Result<(), Error> {
        row.serialize(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Error> {
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Sample {
        number: u64,
        size: Option<i32>,
        name: Option<&'static str>,
        whole: bool,
    }

    fn columns() -> Vec<ColumnCells> {
        let column =
            |of, optional| TableColumn { name: String::new(), of, optional, description: String::new() };
        let all = [
            column(ColumnType::Integer, false),
            column(ColumnType::Integer, true),
            column(ColumnType::Text, true),
            column(ColumnType::Boolean, false),
        ];
        all.iter().map(ColumnCells::new).collect()
    }

    #[test]
    fn what_is_not_there_is_no_value() {
        let mut cells = columns();
        add(&mut cells, &Sample { number: 7, size: Some(-1), name: None, whole: true }).unwrap();
        add(&mut cells, &Sample { number: u64::MAX, size: None, name: Some("a"), whole: false }).unwrap();
        add(&mut cells, &Sample { number: 0, size: None, name: Some(""), whole: false }).unwrap();
        assert_eq!(cells[0].values, CellValues::Integers(vec![7, -1, 0]));
        assert_eq!(
            (&cells[1].values, &cells[1].levels[..]),
            (&CellValues::Integers(vec![-1]), &[1, 0, 0][..])
        );
        let texts = CellValues::Texts(b"a".to_vec(), vec![1, 1]);
        assert_eq!((&cells[2].values, &cells[2].levels[..]), (&texts, &[0, 1, 1][..]));
        assert_eq!(cells[3].values, CellValues::Booleans(vec![true, false, false]));
        assert_eq!(cells[0].levels, [0; 0]);
        cells.iter_mut().for_each(ColumnCells::clear);
        assert_eq!(cells.iter().map(ColumnCells::size).sum::<usize>(), 0);
    }

    #[test]
    fn a_row_of_other_columns_is_refused() {
        let row = Sample { number: 7, size: None, name: None, whole: true };
        let refused = |columns: &mut [ColumnCells]| add(columns, &row).unwrap_err().to_string();
        assert_eq!(refused(&mut columns()[..3]), "no column for 'whole'");
        assert_eq!(
            refused(&mut columns()[1..]),
            "'name' has nothing, in a column that has a value in each row"
        );
        let mut other = columns();
        other.swap(0, 3);
        assert_eq!(refused(&mut other), "'number' has an integer");
        assert!(add(&mut columns(), &1).is_err() && add(&mut columns(), &[1]).is_err());
    }
}
