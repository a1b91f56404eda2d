//! Which of the catalog's stages the functions of a kernel tell.
//!
//! In: the catalog, the functions found. Out: functions without the stages that others tell in their place; the
//! stages that nobody tells.

use crate::{FunctionLocation, ProbedFunction};
use iotrace_catalog::{self as catalog, Catalog};
use iotrace_format::stage::Stage;

/// Takes the stage from functions in whose place another one tells it.
pub fn clear(catalog: &Catalog, functions: &mut [ProbedFunction]) {
    let is_there = |name: &String| {
        let there = |f: &ProbedFunction| f.name == *name && f.place != FunctionLocation::Elsewhere;
        functions.iter().any(there)
    };
    let cleared = |f: &&catalog::CatalogFunction| f.unless.iter().any(is_there);
    let names: Vec<_> = catalog.functions.iter().filter(cleared).map(|f| f.name.clone()).collect();
    for function in functions.iter_mut().filter(|f| names.contains(&f.name)) {
        (function.stage, function.entry.pages) = (None, None);
    }
}

/// The catalog's stages that none of the functions found tells, in the catalog's order.
pub fn missing(catalog: &Catalog, functions: &[ProbedFunction]) -> Vec<Stage> {
    let told = |stage: &Stage| {
        functions.iter().any(|f| f.stage.as_ref() == Some(stage) && f.place != FunctionLocation::Elsewhere)
    };
    let mut missing = Vec::<Stage>::new();
    for stage in catalog.functions.iter().filter_map(|function| function.stage.as_ref()) {
        if !told(stage) && !missing.contains(stage) {
            missing.push(stage.clone());
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Action;
    use crate::plan::EntryPlan;
    use iotrace_format::layer::Layer;

    fn found(name: &str, stage: &str, place: FunctionLocation) -> ProbedFunction {
        ProbedFunction {
            name: name.into(),
            symbols: vec![name.into()],
            place,
            size: 0,
            cold: None,
            offset: 0,
            inside: Vec::new(),
            layer: Layer::Block,
            label: String::new(),
            stage: Stage::parse(stage).ok(),
            action: Action::Record,
            file: String::new(),
            line: 0,
            entry: EntryPlan::default(),
            exit: None,
        }
    }

    /// Of these functions of a kernel, those that tell a stage by the catalog.
    fn telling(stage: &str, names: &[&str]) -> Vec<String> {
        let catalog = Catalog::load(&[], iotrace_arch::FIRST).expect("sound");
        let stage_of = |name: &str| {
            let entry = catalog
                .functions
                .iter()
                .find(|function| function.name == name)
                .expect("it is in the catalog");
            entry.stage.as_ref().map_or_else(String::new, |stage| stage.name().into_owned())
        };
        let found = |name: &&str| found(name, &stage_of(name), FunctionLocation::Image(1));
        let mut functions: Vec<_> = names.iter().map(found).collect();
        clear(&catalog, &mut functions);
        let stage = Stage::parse(stage).ok();
        functions
            .into_iter()
            .filter(|function| function.stage == stage)
            .map(|function| function.name)
            .collect()
    }

    #[test]
    fn a_request_of_a_single_queue_is_free_by_what_the_kernel_has() {
        let both = ["__blk_put_request", "elv_completed_request"];
        let with = |others: &[&str]| telling("rq.free", &[&both, others].concat());
        // 3.10 to 4.9, el7 (with some later functions of the block layer), 4.19
        assert_eq!(with(&["blk_add_request_payload"]), ["elv_completed_request"]);
        assert_eq!(
            with(&["blk_add_request_payload", "blk_mq_sched_dispatch_requests"]),
            ["elv_completed_request"]
        );
        assert_eq!(with(&["mutex_lock_io", "file_write_and_wait_range"]), ["__blk_put_request"]);
    }

    /// 3.10.0-1160.el7 has both, of which the first has no argument with a count there.
    #[test]
    fn bytes_in_the_page_cache_are_those_of_each_page_where_a_write_has_an_iovec() {
        let both = ["iomap_file_buffered_write", "block_write_end"];
        assert_eq!(telling("cache.write", &both), both);
        let with_iovec = [&both[..], &["xfs_file_aio_write"]].concat();
        assert_eq!(telling("cache.write", &with_iovec), ["block_write_end"]);
    }

    #[test]
    fn a_stage_is_told_by_any_of_its_functions_that_is_there() {
        let entry = |name: &str, stage: &str| catalog::CatalogFunction {
            name: name.into(),
            stage: Stage::parse(stage).ok(),
            ..catalog::CatalogFunction::default()
        };
        let entries = vec![entry("old", "rq.issue"), entry("new", "rq.issue"), entry("gone", "sq.run")];
        let catalog = Catalog { functions: entries, ..Catalog::default() };
        let functions = [
            found("old", "rq.issue", FunctionLocation::Elsewhere),
            found("new", "rq.issue", FunctionLocation::Image(1)),
            found("gone", "sq.run", FunctionLocation::Elsewhere),
        ];
        assert_eq!(missing(&catalog, &functions), [Stage::SingleQueueRun]);
    }
}
