//! Where an argument is at one address.
//!
//! In: the entry of a parameter of an inlined instance. Out: a [`ValueLocation`]. Expressions are
//! computed with symbols in place of numbers; what does not come out as one of the forms of
//! [`ValueLocation`] is unknown.

use gimli::{AttributeValue, DW_AT_const_value, DW_AT_location, Encoding, Expression, Operation};

use iotrace_arch::{Reg, Registers};

use crate::debug::Slice;
use crate::debug::entry::{DebugEntry, DebugUnit, Dwarf};

/// Where a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueLocation {
    /// It is always this; a negative number has all its upper bits set.
    Constant(u64),
    /// It is in a register.
    Register(Reg),
    /// It is the sum of a register and a number.
    RegisterPlus {
        /// The register.
        register: Reg,
        /// What to add to it.
        offset: i64,
    },
    /// It is in memory.
    Memory {
        /// The register that holds the base address.
        register: Reg,
        /// What to add to it.
        offset: i64,
        /// How many bytes to read there, 1 to 8.
        width: u8,
    },
    /// It was not kept, or DWARF says it in a way that is not understood.
    Unknown,
}

/// Where and of what a value is asked for.
pub struct ValueQuery<'f> {
    /// Before which instruction.
    pub address: u64,
    /// How many bytes the value has.
    pub width: u32,
    /// The registers that DWARF's numbers stand for.
    pub registers: &'static Registers,
    /// Where the frame of the function around is, if that is known: a register and a distance.
    pub frame: &'f dyn Fn() -> Option<(Reg, i64)>,
}

/// Where the parameter that `entry` describes is.
pub fn value<'a>(
    dwarf: &Dwarf<'a>,
    unit: &DebugUnit<'a>,
    entry: &DebugEntry<'a>,
    asked: &ValueQuery<'_>,
) -> ValueLocation {
    if let Some(constant) = entry.attr_value(DW_AT_const_value) {
        return constant_value(&constant).map_or(ValueLocation::Unknown, ValueLocation::Constant);
    }
    let location = entry.attr_value(DW_AT_location);
    let expression = location.and_then(|location| match location {
        AttributeValue::Exprloc(expression) => Some(expression),
        list => expression_at(dwarf, unit, list, asked.address),
    });
    expression.and_then(|e| evaluate(unit.encoding(), e, asked)).unwrap_or(ValueLocation::Unknown)
}

fn constant_value(value: &AttributeValue<Slice<'_>>) -> Option<u64> {
    match value {
        AttributeValue::Block(bytes) => little_endian(bytes.slice()),
        // An address moves with the kernel.
        AttributeValue::Addr(_) => None,
        other => other.udata_value().or_else(|| other.sdata_value().map(i64::cast_unsigned)),
    }
}

fn little_endian(bytes: &[u8]) -> Option<u64> {
    let mut number = [0; 8];
    number.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(u64::from_le_bytes(number))
}

/// The expression of the list that counts at `address`. Where gcc has several for one
/// instruction ("views") all but the last are for none, and are empty.
fn expression_at<'a>(
    dwarf: &Dwarf<'a>,
    unit: &DebugUnit<'a>,
    list: AttributeValue<Slice<'a>>,
    address: u64,
) -> Option<Expression<Slice<'a>>> {
    let mut list = dwarf.attr_locations(unit, list).ok()??;
    while let Some(item) = list.next().ok()? {
        if (item.range.begin..item.range.end).contains(&address) {
            return Some(item.data);
        }
    }
    None
}

/// What is on the top of the stack.
#[derive(Clone, Copy)]
enum Top {
    Number(u64),
    Sum(Reg, i64),
    Loaded(Reg, i64, u8),
}

/// What an expression comes to; `None` if it is not understood.
pub fn evaluate(
    encoding: Encoding,
    expression: Expression<Slice<'_>>,
    asked: &ValueQuery<'_>,
) -> Option<ValueLocation> {
    let mut operations = expression.operations(encoding);
    let mut top = None;
    let finish = |value: ValueLocation, rest: Option<Operation<Slice<'_>>>| rest.is_none().then_some(value);
    while let Some(operation) = operations.next().ok()? {
        top = match operation {
            Operation::Register { register } => {
                let register = asked.registers.dwarf(register.0)?;
                return top
                    .is_none()
                    .then(|| finish(ValueLocation::Register(register), operations.next().ok()?))?;
            }
            Operation::ImplicitValue { data } => {
                let constant = ValueLocation::Constant(little_endian(data.slice())?);
                return top.is_none().then(|| finish(constant, operations.next().ok()?))?;
            }
            Operation::StackValue => return finish(result(top?), operations.next().ok()?),
            Operation::Nop => top,
            Operation::FrameOffset { offset } if top.is_none() => {
                let (register, distance) = (asked.frame)()?;
                Some(Top::Sum(register, distance.wrapping_add(offset)))
            }
            other => Some(step(top, &other, asked.registers)?),
        };
    }
    // Without DW_OP_stack_value the expression is an address.
    let width = u8::try_from(asked.width).ok().filter(|width| (1..=8).contains(width))?;
    match top? {
        Top::Sum(register, offset) => Some(ValueLocation::Memory { register, offset, width }),
        Top::Number(_) | Top::Loaded(..) => None,
    }
}

/// One operation; `None` if it is not understood.
fn step(top: Option<Top>, operation: &Operation<Slice<'_>>, registers: &Registers) -> Option<Top> {
    Some(match (top, operation) {
        (None, Operation::UnsignedConstant { value }) => Top::Number(*value),
        (None, Operation::SignedConstant { value }) => Top::Number(value.cast_unsigned()),
        (None, Operation::RegisterOffset { register, offset, base_type }) if base_type.0 == 0 => {
            Top::Sum(registers.dwarf(register.0)?, *offset)
        }
        (Some(Top::Number(n)), Operation::PlusConstant { value }) => Top::Number(n.wrapping_add(*value)),
        (Some(Top::Sum(register, offset)), Operation::PlusConstant { value }) => {
            Top::Sum(register, offset.wrapping_add(value.cast_signed()))
        }
        (Some(Top::Sum(register, offset)), Operation::Deref { base_type, size, space: false })
            if base_type.0 == 0 && (1..=8).contains(size) =>
        {
            Top::Loaded(register, offset, *size)
        }
        _ => return None,
    })
}

fn result(top: Top) -> ValueLocation {
    match top {
        Top::Number(number) => ValueLocation::Constant(number),
        Top::Sum(register, 0) => ValueLocation::Register(register),
        Top::Sum(register, offset) => ValueLocation::RegisterPlus { register, offset },
        Top::Loaded(register, offset, width) => ValueLocation::Memory { register, offset, width },
    }
}
