//! Where the arguments of a function are, in this kernel.
//!
//! In: a catalog entry's arguments, the kernel's own prototype if its types tell it. Out: for each argument its
//! place among the parameters. `name:object` is the parameter that points to the object's structure, a plain
//! name the one of that name; otherwise the position in the entry counts.

use crate::plan::ArgumentLocation;
use iotrace_arch::Arch;
use iotrace_catalog::{Argument, Catalog, CatalogFunction};
use iotrace_kernel::{Inlined, Parameter, Types, ValueLocation};

/// The parameters of a function or of an inlined instance, and where their values are.
pub struct Signature {
    parameters: Option<Vec<Parameter>>,
    /// By position.
    pub values: Vec<ArgumentLocation>,
}

impl Signature {
    /// Of a function, by the name its source has.
    pub fn of_function(symbol: &str, types: &[&Types], arch: &Arch) -> Self {
        let name = iotrace_kernel::stem(symbol);
        // A clone may have lost arguments: their positions are anybody's guess, the source's the best.
        // What is written in assembly is described too, as if it took nothing.
        let described = |types: &&Types| types.parameters(name).filter(|p| !p.is_empty());
        let parameters = types.iter().find_map(described);
        Self { parameters, ..Self::by_position(arch) }
    }

    /// Of a function without a prototype.
    pub fn by_position(arch: &Arch) -> Self {
        let registers = arch.registers.arguments.iter();
        Self {
            parameters: None,
            values: registers.map(|register| ArgumentLocation::Register(register.number())).collect(),
        }
    }

    /// Of an inlined instance.
    pub fn of_inlined(instance: &Inlined) -> Self {
        let count = instance.arguments.iter().map(|a| a.position + 1).max().unwrap_or(0);
        let mut values = vec![ArgumentLocation::Unknown; count];
        let mut parameters = Vec::new();
        for argument in &instance.arguments {
            values[argument.position] = value(&argument.value);
            parameters.push(Parameter {
                name: argument.name.clone(),
                points_to: argument.points_to.clone(),
                pointer: argument.points_to.is_some(),
                width: argument.width,
            });
        }
        Self { parameters: Some(parameters), values }
    }

    /// Where each argument of the entry is: `None` if this kernel's function has no such argument.
    pub fn positions(&self, catalog: &Catalog, function: &CatalogFunction) -> Vec<Option<u8>> {
        let structure = |argument: &Argument| match &function.each {
            Some(list) if list.argument == argument.name => Some("list_head"),
            _ => catalog.objects.get(argument.object.as_ref()?)?.structure.as_deref(),
        };
        let mut taken = Vec::new();
        let place = |argument: &Argument| {
            let (index, name) = (argument.position, &argument.name);
            let found = match (&self.parameters, structure(argument)) {
                (None, _) => Some(index),
                (Some(parameters), Some(structure)) => pointing_to(parameters, structure, index, &taken),
                (Some(parameters), None) => named(parameters, name, index),
            };
            taken.extend(found);
            found.filter(|at| *at < self.values.len()).and_then(|at| u8::try_from(at).ok())
        };
        function.arguments.iter().map(place).collect()
    }
}

/// The first parameter not taken yet that points to `structure`; else the one at `index`, if it may.
fn pointing_to(parameters: &[Parameter], structure: &str, index: usize, taken: &[usize]) -> Option<usize> {
    let fits = |p: &Parameter| p.points_to.as_deref() == Some(structure);
    let free = |at: &usize| !taken.contains(at);
    if parameters.get(index).is_some_and(fits) && free(&index) {
        return Some(index);
    }
    let elsewhere = (0..parameters.len()).filter(free).find(|at| fits(&parameters[*at]));
    elsewhere.or_else(|| {
        parameters.get(index).is_some_and(|p| p.pointer && p.points_to.is_none()).then_some(index)
    })
}

/// The parameter called `name`; else the one at `index`.
fn named(parameters: &[Parameter], name: &str, index: usize) -> Option<usize> {
    let found = parameters.iter().position(|p| p.name == name);
    found.or_else(|| (index < parameters.len()).then_some(index))
}

fn value(value: &ValueLocation) -> ArgumentLocation {
    match *value {
        ValueLocation::Constant(constant) => ArgumentLocation::Constant(constant),
        ValueLocation::Register(register) => ArgumentLocation::Register(register.number()),
        ValueLocation::RegisterPlus { register, offset } => ArgumentLocation::Sum(register.number(), offset),
        ValueLocation::Memory { register, offset, width } => {
            ArgumentLocation::Memory { register: register.number(), offset, width: width.clamp(1, 8) }
        }
        ValueLocation::Unknown => ArgumentLocation::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iotrace_arch::FIRST;

    fn parameter(name: &str, points_to: Option<&str>) -> Parameter {
        Parameter {
            name: name.into(),
            points_to: points_to.map(str::to_owned),
            pointer: points_to.is_some(),
            width: 8,
        }
    }

    fn positions(entry: &str, parameters: &[(&str, Option<&str>)]) -> Vec<Option<u8>> {
        let text = format!("[[function]]\nname = 'f_of_a_test'\nlayer = 'block'\n{entry}\n");
        let catalog = Catalog::load(&[("test".into(), text)], FIRST).expect("sound");
        let function = catalog.functions.iter().find(|f| f.name == "f_of_a_test").expect("there");
        let parameters = parameters.iter().map(|(n, p)| parameter(n, *p)).collect();
        Signature { parameters: Some(parameters), ..Signature::by_position(FIRST) }
            .positions(&catalog, function)
    }

    #[test]
    fn arguments_are_found_by_what_they_point_to() {
        // int bio_attempt_back_merge(struct request_queue *q, struct request *req, struct bio *bio)
        let old = [("q", Some("request_queue")), ("req", Some("request")), ("bio", Some("bio"))];
        assert_eq!(positions("args = ['rq:request', 'bio:bio']", &old), [Some(1), Some(2)]);
        // int attempt_merge(struct request_queue *q, struct request *req, struct request *next)
        let two = [("q", Some("request_queue")), ("req", Some("request")), ("next", Some("request"))];
        assert_eq!(positions("args = ['-', 'rq:request', 'next:request']", &two), [Some(1), Some(2)]);
        // int module_finalize(const Elf_Ehdr *hdr, const Elf_Shdr *sechdrs, struct module *me)
        let finalize = [("hdr", Some("elf64_hdr")), ("sechdrs", Some("elf64_shdr")), ("me", Some("module"))];
        assert_eq!(positions("args = ['module:module']", &finalize), [Some(2)]);
    }

    #[test]
    fn plain_arguments_are_found_by_their_names() {
        let parameters = [("file", Some("file")), ("iter", Some("iov_iter")), ("pos", None)];
        assert_eq!(positions("args = ['pos', 'file']", &parameters), [Some(2), Some(0)]);
    }

    #[test]
    fn an_argument_that_is_not_there_is_none() {
        assert_eq!(positions("args = ['bio:bio', '-', 'x']", &[("q", Some("request_queue"))]), [None, None]);
    }
}
