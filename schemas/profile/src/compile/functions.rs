//! Finds the catalog's functions in the image and the modules, and plans what is read at each.

use super::signature::Signature;
use super::{CompileError, inlined, pages, reads::access, returns, stages, syscalls};
use crate::plan::{ArgumentLocation, EntryPlan, EventField, FieldSource, OpenFilePlan, PagesPlan};
use crate::{ExitPlan, FunctionLocation, Missing, ProbedFunction};
use iotrace_catalog::{self as catalog, Argument, Catalog, ListArgument, SuccessValue};
use iotrace_format::definition::{ReturnType, Success};
use iotrace_format::role::Role;
use iotrace_format::stage::Stage;
use iotrace_kernel::{
    Kernel, KernelSymbol, Lines, ModuleFile, ModuleSymbol, SymbolKind, Types, ValueAccess, stem,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// One of the places where the catalog's names are looked for.
pub struct Ground<'a> {
    pub kernel: &'a Kernel,
    /// The seldom executed parts of functions that stand elsewhere, by the functions' symbols.
    cold: BTreeMap<String, Range<u64>>,
    pub lines: Option<Lines<'a>>,
    pub modules: Vec<(&'a ModuleFile, Option<Lines<'a>>)>,
}

/// The functions of modules that have a name of the catalog, by their names without what the compiler adds. Read once, as a
/// distribution has thousands of modules.
struct ModuleFunctions<'a>(BTreeMap<&'a str, Vec<(usize, ModuleSymbol<'a>)>>);

impl<'a> ModuleFunctions<'a> {
    fn new(ground: &Ground<'a>, names: &BTreeSet<&str>) -> Self {
        let mut found = BTreeMap::<_, Vec<_>>::new();
        for (at, (module, _)) in ground.modules.iter().enumerate() {
            let functions = module.symbols().filter(|symbol| symbol.kind == SymbolKind::Function);
            for symbol in functions.filter(|symbol| names.contains(stem(symbol.name))) {
                found.entry(stem(symbol.name)).or_default().push((at, symbol));
            }
        }
        Self(found)
    }

    /// Those of this name, and whole clones, each with its module's place in the ground's list.
    fn variants(&self, name: &str) -> impl Iterator<Item = (usize, ModuleSymbol<'a>)> {
        let found = self.0.get(stem(name)).into_iter().flatten().copied();
        found.filter(move |(_, symbol)| is_variant(symbol.name, name))
    }
}

/// A function found, or an inlined instance of it.
pub struct FunctionMatch<'a> {
    pub symbol: String,
    pub place: FunctionLocation,
    pub size: u64,
    /// A part of its code that stands elsewhere in the image.
    pub cold: Option<Range<u64>>,
    /// Offset from the symbol, in bytes: 0 of a function.
    pub offset: u64,
    /// The functions that an instance is in.
    pub inside: Vec<String>,
    pub signature: Signature,
    /// What it returns; none if it is not known, and of an instance.
    pub returns: Option<ReturnType>,
    pub types: Vec<&'a Types>,
    pub line: (String, u32),
}

/// All functions of the catalog, and what could not be found.
///
/// # Errors
/// Those of reading DWARF.
pub fn find(
    catalog: &Catalog,
    ground: &Ground<'_>,
) -> Result<(Vec<ProbedFunction>, Vec<Missing>), CompileError> {
    let mut inlined = inlined::find(catalog, ground)?;
    let (mut functions, mut missing) = (Vec::new(), Vec::new());
    let others = syscalls::others(catalog, ground.kernel);
    let functions_of_all = || catalog.functions.iter().chain(&others);
    let names = functions_of_all().flat_map(catalog::CatalogFunction::names).map(stem).collect();
    let of_modules = ModuleFunctions::new(ground, &names);
    for function in functions_of_all() {
        let mut places = ground.places(function, &of_modules);
        let instances = inlined.remove(&function.name).unwrap_or_default();
        let instances = under_one_name(function, &places, instances);
        if places.is_empty() && instances.is_empty() {
            missing.push(Missing {
                function: function.name.clone(),
                reason: "not in the image or a module".into(),
                partial: false,
            });
            places.push(FunctionMatch::elsewhere(function, ground.kernel));
        }
        for found in places.into_iter().chain(instances) {
            functions.push(plan(catalog, function, found, &mut missing));
        }
    }
    stages::clear(catalog, &mut functions);
    Ok((functions, missing))
}

/// The instances of the name that the function was found under, else of the first that has any: where a kernel
/// has two of an entry's names, one is called by the other.
fn under_one_name<'a>(
    function: &catalog::CatalogFunction,
    places: &[FunctionMatch<'_>],
    instances: Vec<(String, FunctionMatch<'a>)>,
) -> Vec<FunctionMatch<'a>> {
    let is_found = |name: &&str| places.iter().any(|place| is_variant(&place.symbol, name));
    let has_instances = |name: &&str| instances.iter().any(|(of, _)| of == name);
    let name = function.names().find(is_found).or_else(|| function.names().find(has_instances));
    let Some(name) = name.map(str::to_owned) else { return Vec::new() };
    instances.into_iter().filter(|(of, _)| *of == name).map(|(_, instance)| instance).collect()
}

impl<'a> Ground<'a> {
    /// Prepares the line tables, if they are wanted.
    ///
    /// # Errors
    /// Those of reading DWARF.
    pub fn new(kernel: &'a Kernel, modules: &'a [ModuleFile], lines: bool) -> Result<Self, CompileError> {
        let open =
            |m: &'a ModuleFile| -> Result<_, CompileError> { Ok((m, if lines { m.lines()? } else { None })) };
        Ok(Self {
            kernel,
            cold: cold(kernel),
            lines: if lines { kernel.lines()? } else { None },
            modules: modules.iter().map(open).collect::<Result<_, _>>()?,
        })
    }

    /// Where the function is, under the first of its names that this kernel has.
    fn places(
        &self,
        function: &catalog::CatalogFunction,
        of_modules: &ModuleFunctions<'a>,
    ) -> Vec<FunctionMatch<'a>> {
        let named = |name| {
            // What the catalog names a value of returns one, whatever BTF makes of it.
            let is_c = function.ret.is_empty();
            let mut found = self.in_image(name, is_c);
            let in_modules = of_modules.variants(name).filter_map(|(at, symbol)| {
                let (module, lines) = self.modules.get(at)?;
                Some(in_module(module, lines.as_ref(), symbol, is_c, self.kernel))
            });
            found.extend(in_modules);
            Some(found).filter(|f| !f.is_empty())
        };
        function.names().find_map(named).unwrap_or_default()
    }

    fn in_image(&self, name: &str, is_c: bool) -> Vec<FunctionMatch<'a>> {
        let (table, arch) = (self.kernel.symbols(), self.kernel.image().arch());
        let mut symbols: Vec<_> = table.variants(name).collect();
        if symbols.is_empty() {
            // Entries written in assembly are labels without a type.
            symbols = table.by_name(name).filter(|s| s.kind == SymbolKind::Other).collect();
        }
        let found = symbols.into_iter().map(|s| FunctionMatch {
            symbol: s.name.to_owned(),
            place: FunctionLocation::Image(s.addr),
            size: s.size,
            cold: self.cold.get(s.name).cloned(),
            offset: 0,
            inside: Vec::new(),
            signature: match s.kind {
                SymbolKind::Function => Signature::of_function(s.name, &[self.kernel.types()], arch),
                // Nobody describes a label's arguments.
                _ => Signature::by_position(arch),
            },
            // Nobody describes a label, nor what it returns.
            returns: (s.kind == SymbolKind::Function)
                .then(|| returns::under_any_name(self.kernel, self.lines.as_ref(), s, is_c))
                .flatten(),
            types: vec![self.kernel.types()],
            line: self.lines.as_ref().map_or_else(Default::default, |l| line(l.at(s.addr))),
        });
        found.collect()
    }
}

fn cold(kernel: &Kernel) -> BTreeMap<String, Range<u64>> {
    let part =
        |s: KernelSymbol<'_>| Some((s.cold_part_of()?.to_owned(), s.addr..s.addr.saturating_add(s.size)));
    kernel.symbols().functions().filter_map(part).collect()
}

impl<'a> FunctionMatch<'a> {
    fn elsewhere(function: &catalog::CatalogFunction, kernel: &'a Kernel) -> Self {
        Self {
            symbol: function.name.clone(),
            place: FunctionLocation::Elsewhere,
            size: 0,
            cold: None,
            offset: 0,
            inside: Vec::new(),
            signature: Signature::of_function(&function.name, &[kernel.types()], kernel.image().arch()),
            returns: None,
            types: vec![kernel.types()],
            line: Default::default(),
        }
    }
}

fn in_module<'a>(
    module: &'a ModuleFile,
    lines: Option<&Lines<'a>>,
    s: ModuleSymbol<'a>,
    is_c: bool,
    kernel: &'a Kernel,
) -> FunctionMatch<'a> {
    FunctionMatch {
        symbol: s.name.to_owned(),
        place: FunctionLocation::Module(module.name()),
        size: s.size,
        cold: None,
        offset: 0,
        inside: Vec::new(),
        signature: Signature::of_function(s.name, &[module.types(), kernel.types()], module.image().arch()),
        returns: returns::in_module(module, lines, s, is_c),
        types: vec![module.types(), kernel.types()],
        line: lines.map_or_else(Default::default, |l| line(l.in_section(s.section, s.offset))),
    }
}

/// Whether `symbol` is the function `name`, or a whole clone of it that the compiler made.
pub fn is_variant(symbol: &str, name: &str) -> bool {
    let Some(suffix) = symbol.strip_prefix(name) else { return false };
    let clone = |word: &str| matches!(word, "isra" | "constprop") || word.parse::<u32>().is_ok();
    suffix.is_empty() || (suffix.starts_with('.') && suffix.split('.').skip(1).all(clone))
}

fn line<E>(found: Result<Option<iotrace_kernel::SourceLine>, E>) -> (String, u32) {
    found.ok().flatten().map_or_else(Default::default, |l| (l.file, l.line))
}

fn plan(
    catalog: &Catalog,
    function: &catalog::CatalogFunction,
    found: FunctionMatch<'_>,
    missing: &mut Vec<Missing>,
) -> ProbedFunction {
    let mut note = |reason: String| {
        missing.push(Missing { function: function.name.clone(), reason, partial: true });
    };
    let entry = entry(catalog, function, &found, &mut note);
    let is_inlined = !found.inside.is_empty();
    let lost = function.stage.as_ref().filter(|stage| is_inlined && is_lost(stage, &entry));
    if let Some(stage) = lost {
        note(format!("stage {stage}: what it needs is nowhere in {}", found.symbol));
    }
    let has_stage = |stage: &Stage| lost.is_none() && !(is_inlined && is_in_return(stage, function));
    ProbedFunction {
        name: function.name.clone(),
        symbols: std::iter::once(found.symbol.clone())
            .chain(function.names().filter(|n| !is_inlined && *n != found.symbol).map(str::to_owned))
            .collect(),
        inside: found.inside,
        place: found.place,
        size: found.size,
        cold: found.cold,
        offset: found.offset,
        layer: function.layer,
        stage: function.stage.clone().filter(has_stage),
        label: function.label.clone(),
        action: function.action,
        file: found.line.0,
        line: found.line.1,
        entry,
        exit: (function.exit && !is_inlined).then(|| exit(function, found.returns, &found.types)),
    }
}

fn exit(function: &catalog::CatalogFunction, returns: Option<ReturnType>, types: &[&Types]) -> ExitPlan {
    // What a function that jumped to this one returns is this one's value too: all are recorded. One that jumps to what
    // returns nothing returns nothing either.
    let name = if function.ret.is_empty() { "ret" } else { &function.ret };
    ExitPlan {
        value: (returns != Some(ReturnType::Void)).then(|| name.to_owned()),
        returns,
        success: success(function, types),
    }
}

/// Whether a stage is told by what the function returns: an inlined instance returns nothing.
fn is_in_return(stage: &Stage, function: &catalog::CatalogFunction) -> bool {
    !function.success.is_empty() || stage.is_in_return()
}

/// Whether an inlined instance lacks what its stage needs: the compiler keeps that argument nowhere.
fn is_lost(stage: &Stage, entry: &EntryPlan) -> bool {
    let is_kept = |word: &EventField| match word.source {
        FieldSource::Argument(at) | FieldSource::Through(at, _) => {
            entry.arguments.get(usize::from(at)).is_some_and(|place| *place != ArgumentLocation::Unknown)
        }
        _ => true,
    };
    let has = |role: &Role| entry.words.iter().any(|word| word.role == Some(*role) && is_kept(word));
    stage.needs().iter().any(|any_of| !any_of.iter().any(has))
}

fn entry(
    catalog: &Catalog,
    function: &catalog::CatalogFunction,
    found: &FunctionMatch<'_>,
    note: &mut impl FnMut(String),
) -> EntryPlan {
    let (types, positions) = (&found.types[..], found.signature.positions(catalog, function));
    let list = list(catalog, function, &positions, types, note);
    let word = |name: String, source, symbol| EventField { role: function.role(&name), name, source, symbol };
    let mut plan = EntryPlan {
        arguments: found.signature.values.clone(),
        list,
        words: Vec::new(),
        open_file: None,
        pages: None,
    };
    // A label that the processor enters through has no return address.
    if found.inside.is_empty() && function.exit {
        plan.words.push(word("caller".into(), FieldSource::Caller, false));
    }
    for (Argument { name, .. }, position) in function.arguments.iter().zip(&positions) {
        let Some(position) = *position else {
            note(format!("no argument {name}"));
            continue;
        };
        let element = plan.list.is_some_and(|(argument, _)| argument == position);
        let source = if element { FieldSource::Element } else { FieldSource::Argument(position) };
        plan.words.push(word(name.clone(), source, false));
        let Some(object) = catalog.object_of(function, name) else { continue };
        for field in function.fields(name, object) {
            match access(object, field, types) {
                Ok(access) => {
                    let source = match element {
                        true => FieldSource::ThroughElement(access),
                        false => FieldSource::Through(position, access),
                    };
                    let symbol = object.symbols.iter().any(|s| s == field);
                    plan.words.push(word(format!("{name}.{field}"), source, symbol));
                }
                Err(error) => note(format!("{name}.{field}: {error}")),
            }
        }
    }
    if let Some((open, fields)) = open_file(catalog, function, &plan, types, note) {
        plan.open_file = Some(Box::new(open));
        let fields = fields.into_iter();
        plan.words.extend(fields.map(|(name, access)| word(name, FieldSource::ThroughFile(access), false)));
    }
    plan.pages = pages_plan(catalog, function, &positions, types, note);
    plan
}

/// How the file is found whose number is one of the words, and what is read of it.
fn open_file(
    catalog: &Catalog,
    function: &catalog::CatalogFunction,
    plan: &EntryPlan,
    types: &[&Types],
    note: &mut impl FnMut(String),
) -> Option<(OpenFilePlan, Vec<(String, ValueAccess)>)> {
    let name = function.open_file.as_ref()?;
    let number = plan.words.iter().find(|word| word.name == *name)?.source.clone();
    let mut read = |object: &str, field: &str| {
        let found = catalog.objects.get(object).map(|object| access(object, field, types))?;
        found.map_err(|error| note(format!("{object}.{field}: {error}"))).ok()
    };
    let open = OpenFilePlan {
        number,
        table: read("open_files", "table")?,
        limit: read("file_table", "limit")?,
        array: read("file_table", "array")?,
    };
    let fields = catalog.objects.get("file")?.fields.keys();
    Some((open, fields.filter_map(|field| Some((format!("file.{field}"), read("file", field)?))).collect()))
}

fn pages_plan(
    catalog: &Catalog,
    function: &catalog::CatalogFunction,
    positions: &[Option<u8>],
    types: &[&Types],
    note: &mut impl FnMut(String),
) -> Option<Box<PagesPlan>> {
    let name = function.pages.as_ref()?;
    match pages::plan(catalog, position_of(name, function, positions)?, types) {
        Ok(plan) => Some(Box::new(plan)),
        Err(error) => {
            note(format!("pages of {name}: {error}"));
            None
        }
    }
}

/// Where the argument of this name is, if it was found.
fn position_of(name: &str, function: &catalog::CatalogFunction, positions: &[Option<u8>]) -> Option<u8> {
    let at = function.arguments.iter().position(|argument| argument.name == name)?;
    *positions.get(at)?
}

fn list(
    catalog: &Catalog,
    function: &catalog::CatalogFunction,
    positions: &[Option<u8>],
    types: &[&Types],
    note: &mut impl FnMut(String),
) -> Option<(u8, i64)> {
    let ListArgument { argument: name, link, .. } = function.each.as_ref()?;
    let position = position_of(name, function, positions)?;
    let structure = catalog.object_of(function, name)?.structure.as_deref()?;
    let offset = types.iter().find_map(|t| t.resolve(structure, link).ok()).map(|field| field.access.offset);
    if offset.is_none() {
        note(format!("cannot follow the list {name}: {structure} has no {link}"));
    }
    Some((position, offset?))
}

fn success(function: &catalog::CatalogFunction, types: &[&Types]) -> Option<Success> {
    function.success.iter().find_map(|value| match value {
        SuccessValue::NonZero => Some(Success::NonZero),
        SuccessValue::Number(number) => Some(Success::Equals(number.cast_unsigned())),
        SuccessValue::Enumerator(name) => types
            .iter()
            .find_map(|t| t.enumerator(name))
            .map(|number| Success::Equals(number.cast_unsigned())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inlined_instance_whose_argument_is_nowhere_tells_no_stage() {
        // void blk_rq_init(struct request_queue *q, struct request *rq), as 4.19 has it in get_request().
        let plan = |place: ArgumentLocation| EntryPlan {
            arguments: vec![ArgumentLocation::Register(5), place],
            words: vec![EventField {
                name: "rq".into(),
                role: Some(Role::Request),
                source: FieldSource::Argument(1),
                symbol: false,
            }],
            ..EntryPlan::default()
        };
        let stage = |name: &str| Stage::parse(name).expect("a stage");
        let lost = |name: &str, place| is_lost(&stage(name), &plan(place));
        assert!(lost("rq.init", ArgumentLocation::Unknown));
        assert!(!lost("rq.init", ArgumentLocation::Register(3)));
        // What needs nothing has it always; what needs another thing has none.
        assert!(!lost("softirq.block", ArgumentLocation::Unknown));
        assert!(lost("bio.end", ArgumentLocation::Register(3)));
    }

    #[test]
    fn clones_of_a_function_are_the_function_and_pieces_are_not() {
        for (symbol, expected) in [
            ("f", true),
            ("f.isra.0", true),
            ("f.constprop.0.isra.1", true),
            ("f.cold", false),
            ("f.part.0", false),
            ("ff", false),
        ] {
            assert_eq!(is_variant(symbol, "f"), expected, "{symbol}");
        }
    }
}
