//! The plugin's arguments.
//!
//! In: `name=value` strings from QEMU's command line. Out: [`PluginArgs`], or an error that says which argument
//! is wrong and what it may be.

mod error;

pub use error::ArgsError;

use crate::budget;
use crate::choice::{Begin, ChoiceError, Only};
use crate::window::WindowRange;
use iotrace_format::layer::Layer;
use iotrace_profile::Profile;
use std::path::PathBuf;

const USAGE: &str = "-plugin libiotrace.so,kernel=VMLINUX-OR-PROFILE,out=TRACE\
    [,modules=FOLDER][,debug=FOLDER][,catalog=FILE][,capture=LAYER+LAYER+mmio+interrupts][,mmio=all]\
    [,mode=thin-OR-full][,window=A..B-OR-workload][,from=STAGE-OR-FUNCTION:WORD=VALUE:...][,only=task:NAME-OR-PID][,memory=MIB][,note=KEY:VALUE]\
    [,save-state=FILE][,resume=FOLDER]";

/// What the plugin was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginArgs {
    /// A vmlinux, or a profile compiled from one.
    pub kernel: PathBuf,
    /// Folder with the kernel's modules.
    pub modules: Option<PathBuf>,
    /// Folder with the modules' debug files.
    pub debug: Option<PathBuf>,
    /// Catalog files of the user's own.
    pub catalogs: Vec<PathBuf>,
    /// The trace.
    pub out: PathBuf,
    /// What to record.
    pub capture: Capture,
    /// Bytes that may be kept because of the guest.
    pub memory: usize,
    /// Where to save what is known of the guest when QEMU ends.
    pub save_state: Option<PathBuf>,
    /// A folder with what was known of the guest at the snapshot from which it goes on: `state`, and `trace.iot`.
    pub resume: Option<PathBuf>,
    /// `key:value` pairs to keep in the trace.
    pub notes: Vec<(String, String)>,
}

/// What is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Layers whose functions are probed; none: all of them.
    pub layers: Option<Vec<Layer>>,
    /// Accesses to devices.
    pub mmio: MmioScope,
    /// How much of which functions.
    pub mode: Mode,
    /// Interrupts as QEMU reports them.
    pub interrupts: bool,
    /// Between which moments is recorded; none: always.
    pub window: Option<WindowRange>,
    /// The event with which the recording begins; none: the kernel's start.
    pub from: Option<Begin>,
    /// The user's task that is recorded; none: all of them.
    pub only: Option<Only>,
}

/// How much is recorded of which functions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// That those of the catalog are entered and left, and when, in which task and context: no arguments.
    Thin,
    /// Those of the catalog, with what it says of their arguments.
    #[default]
    Catalog,
    /// All of the kernel, those of the catalog with their arguments.
    Full,
}

/// Which accesses to devices are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MmioScope {
    /// None.
    None,
    /// Those of the code that the catalog names: drivers, and what accesses registers for them.
    Known,
    /// Those of the whole kernel.
    All,
}

impl PluginArgs {
    /// Reads the arguments.
    ///
    /// # Errors
    /// [`ArgsError`].
    pub fn parse(args: &[String]) -> Result<Self, ArgsError> {
        let (mut kernel, mut out, mut modules, mut debug) = (None, None, None, None);
        let (mut catalogs, mut notes) = (Vec::new(), Vec::new());
        let (mut from, mut only, mut mmio) = (None, None, None);
        let (mut window, mut how, mut memory) = (None, Mode::default(), budget::DEFAULT);
        let (mut save_state, mut resume) = (None, None);
        let mut capture = Capture::default();
        for arg in args {
            let (name, value) = arg.split_once('=').unwrap_or((arg, ""));
            if value.is_empty() || value == "on" {
                return Err(ArgsError::NoValue { name: name.to_owned() });
            }
            match name {
                "kernel" => kernel = Some(file(name, value)?),
                "modules" => modules = Some(folder(name, value)?),
                "debug" => debug = Some(folder(name, value)?),
                "catalog" => catalogs.push(file(name, value)?),
                "out" => out = Some(PathBuf::from(value)),
                "capture" => capture = Capture::parse(value)?,
                "mmio" => mmio = Some(MmioScope::parse(value)?),
                "from" => {
                    from = Some(Begin::parse(value)?);
                    notes.push((name.to_owned(), value.to_owned()));
                }
                "only" => {
                    only = Some(Only::parse(value)?);
                    notes.push((name.to_owned(), value.to_owned()));
                }
                "window" => {
                    window = Some(WindowRange::parse(value)?);
                    notes.push((name.to_owned(), value.to_owned()));
                }
                "mode" => {
                    how = Mode::parse(value)?;
                    notes.push((name.to_owned(), value.to_owned()));
                }
                "save-state" => save_state = Some(PathBuf::from(value)),
                "resume" => resume = Some(folder(name, value)?),
                "memory" => memory = mebibytes(value)?,
                "note" => notes.push(note(value)?),
                _ => return Err(ArgsError::UnknownName { name: name.to_owned() }),
            }
        }
        (capture.from, capture.only, capture.window, capture.mode) = (from, only, window, how);
        match mmio {
            Some(_) if capture.mmio == MmioScope::None => return Err(ArgsError::MmioLeftOut),
            Some(mmio) => capture.mmio = mmio,
            None => {}
        }
        let missing = |name| ArgsError::Missing { name };
        Ok(Self {
            kernel: kernel.ok_or_else(|| missing("kernel"))?,
            out: out.ok_or_else(|| missing("out"))?,
            modules,
            debug,
            catalogs,
            capture,
            memory,
            save_state,
            resume,
            notes,
        })
    }
}

impl Mode {
    fn parse(value: &str) -> Result<Self, ArgsError> {
        match value {
            "thin" => Ok(Self::Thin),
            "full" => Ok(Self::Full),
            _ => Err(ArgsError::Mode { value: value.to_owned() }),
        }
    }
}

impl MmioScope {
    fn parse(value: &str) -> Result<Self, ArgsError> {
        match value {
            "all" => Ok(Self::All),
            _ => Err(ArgsError::Mmio { value: value.to_owned() }),
        }
    }
}

impl Default for Capture {
    fn default() -> Self {
        Self {
            layers: None,
            mmio: MmioScope::Known,
            mode: Mode::default(),
            interrupts: true,
            window: None,
            from: None,
            only: None,
        }
    }
}

impl Capture {
    fn parse(value: &str) -> Result<Self, ArgsError> {
        let mut capture =
            Self { layers: Some(Vec::new()), mmio: MmioScope::None, interrupts: false, ..Self::default() };
        for word in value.split('+') {
            match word {
                "mmio" => capture.mmio = MmioScope::Known,
                "interrupts" => capture.interrupts = true,
                _ => {
                    let layer = Layer::CATALOG.iter().find(|layer| layer.name() == word);
                    let unknown = || ArgsError::Capture { value: value.to_owned(), word: word.to_owned() };
                    capture.layers.get_or_insert_default().push(*layer.ok_or_else(unknown)?);
                }
            }
        }
        Ok(capture)
    }

    /// Whether this kernel has what is asked for.
    ///
    /// # Errors
    /// [`ChoiceError`].
    pub fn check(&self, profile: &Profile) -> Result<(), ChoiceError> {
        self.from.as_ref().map_or(Ok(()), |from| from.check(profile, self))?;
        self.only.as_ref().map_or(Ok(()), |only| only.check(&profile.context))
    }

    /// Whether functions of this layer are recorded.
    pub fn layer(&self, layer: Layer) -> bool {
        self.layers.as_ref().is_none_or(|layers| layers.contains(&layer))
    }
}

fn file(name: &str, value: &str) -> Result<PathBuf, ArgsError> {
    let path = PathBuf::from(value);
    if path.is_file() {
        Ok(path)
    } else {
        Err(ArgsError::NoFile { name: name.to_owned(), value: value.to_owned() })
    }
}

fn folder(name: &str, value: &str) -> Result<PathBuf, ArgsError> {
    let path = PathBuf::from(value);
    if path.is_dir() {
        Ok(path)
    } else {
        Err(ArgsError::NoFolder { name: name.to_owned(), value: value.to_owned() })
    }
}

fn mebibytes(value: &str) -> Result<usize, ArgsError> {
    let bytes =
        value.parse().ok().filter(|count| *count != 0).and_then(|count: usize| count.checked_mul(1 << 20));
    bytes.ok_or_else(|| ArgsError::Memory { value: value.to_owned() })
}

fn note(value: &str) -> Result<(String, String), ArgsError> {
    let (key, text) = value.split_once(':').ok_or_else(|| ArgsError::Note { value: value.to_owned() })?;
    Ok((key.to_owned(), text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<PluginArgs, ArgsError> {
        PluginArgs::parse(&args.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (args, expected) in [
            (&["out=x"][..], "missing argument \"kernel\""),
            (&["kernel=/etc/hostname"], "missing argument \"out\""),
            (&["kernel=/nowhere/vmlinux", "out=x"], "kernel=/nowhere/vmlinux: no such file"),
            (&["modules=/etc/hostname"], "no such directory"),
            (&["kernl=x"], "unknown argument \"kernl\""),
            (&["kernel"], "argument \"kernel\" without a value"),
            (&["capture=blok"], "\"blok\" is not a layer"),
            (&["mode=fast"], "mode=fast: expected thin"),
            (&["window=demo"], "window=demo: expected workload or A..B"),
            (&["mmio=some"], "mmio=some: expected all"),
            (&["capture=block", "mmio=all"], "capture= excludes mmio"),
            (&["note=abc"], "expected KEY:VALUE"),
            (&["from=sys.write:fd"], "expected FIELD=VALUE"),
            (&["memory=0"], "memory=0: expected a number of MiB"),
            (&["memory=64M"], "memory=64M: expected a number of MiB"),
            (&["only=dd"], "expected task:NAME or task:PID"),
        ] {
            let message = parse(args).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_beginning_and_a_task_are_kept_whatever_comes_first_and_told_in_the_trace() {
        let args = parse(&[
            "from=sys.write:fd=3",
            "only=task:dd",
            "kernel=/etc/hostname",
            "capture=syscall",
            "out=x",
        ]);
        let args = args.unwrap();
        assert_eq!(args.capture.from.map(|from| from.to_string()).as_deref(), Some("sys.write:fd=3"));
        assert!(args.capture.only.is_some() && args.memory == 64 << 20);
        let note = |key: &str, text: &str| (key.to_owned(), text.to_owned());
        assert_eq!(args.notes, [note("from", "sys.write:fd=3"), note("only", "task:dd")]);
    }

    #[test]
    fn capture_chooses_layers() {
        let args = parse(&["kernel=/etc/hostname", "out=x", "capture=block+mmio"]).unwrap();
        assert!(args.capture.layer(Layer::Block) && !args.capture.layer(Layer::Scsi));
        assert!(args.capture.mmio == MmioScope::Known && !args.capture.interrupts);
        let all = parse(&["kernel=/etc/hostname", "out=x"]).unwrap().capture;
        assert!(all.layer(Layer::Scsi) && all.mmio == MmioScope::Known && all.interrupts);
        let wide = parse(&["mmio=all", "kernel=/etc/hostname", "out=x"]).unwrap().capture;
        assert_eq!(wide.mmio, MmioScope::All);
    }
}
