//! Functions by number: of each trace by itself, then the same for all that are compared.

use crate::hash::Map;
use iotrace_format::definition::{At, Probe};
use iotrace_format::layer::Layer;
use iotrace_format::stage::Stage;

/// What is said of a function that the compiler put into several others.
const SEVERAL: &str = "its callers";

/// What a trace says of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Name in the catalog.
    pub name: String,
    /// Its symbol in this kernel; none where it is not called.
    pub symbol: Option<String>,
    /// The function that the compiler put it into; none if that is not known.
    pub inlined: Option<String>,
    /// Layer.
    pub layer: Layer,
    /// Stage in the catalog.
    pub stage: Option<Stage>,
}

impl About {
    fn of(probe: &Probe) -> Self {
        // What the compiler put behind a name (`.isra.0`) makes it no other one.
        let plain = probe.symbol.split('.').next().unwrap_or_default();
        let symbol = |at| (probe.at == at).then(|| plain.to_owned());
        Self {
            name: probe.function.clone(),
            symbol: symbol(At::Entry),
            inlined: symbol(At::Inlined),
            layer: probe.layer,
            stage: probe.stage.clone(),
        }
    }
}

/// Functions by number.
#[derive(Debug, Clone, Default)]
pub struct FunctionNames {
    numbers: Map<String, u32>,
    functions: Vec<About>,
}

impl FunctionNames {
    /// The number of a probe's function.
    pub fn define(&mut self, probe: &Probe) -> u32 {
        self.add(About::of(probe))
    }

    fn add(&mut self, about: About) -> u32 {
        let next = self.functions.len() as u32;
        let number = *self.numbers.entry(about.name.clone()).or_insert(next);
        match self.functions.get_mut(number as usize) {
            Some(known) => {
                known.symbol = known.symbol.take().or(about.symbol);
                known.inlined = match (known.inlined.take(), about.inlined) {
                    (Some(a), Some(b)) if a != b => Some(SEVERAL.to_owned()),
                    (a, b) => a.or(b),
                };
            }
            None => self.functions.push(about),
        }
        number
    }

    /// Takes in the functions of a trace: their numbers here, by their numbers there.
    pub fn join(&mut self, of_trace: &Self) -> Vec<u32> {
        of_trace.functions.iter().map(|about| self.add(about.clone())).collect()
    }

    /// What is known of a number's function.
    #[must_use]
    pub fn about(&self, number: u32) -> &About {
        &self.functions[number as usize]
    }

    /// The function's name in the catalog.
    #[must_use]
    pub fn name(&self, number: u32) -> &str {
        &self.about(number).name
    }

    /// What is known of a function by its name; none if there is no such function.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&About> {
        Some(self.about(*self.numbers.get(name)?))
    }
}
