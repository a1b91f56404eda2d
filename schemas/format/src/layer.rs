//! Layers of the I/O path: where in the kernel a function is.

use crate::encoding::encode_by_name;
use crate::suggestion::{did_you_mean, nearest};
use std::fmt;
use thiserror::Error;

macro_rules! layers {
    ($($(#[doc = $doc:literal])* $layer:ident = $name:literal,)*) => {
        /// A layer of the I/O path, from the system call to the hardware and back, in the order that views present them.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Layer {
            $($(#[doc = $doc])* $layer,)*
            /// Functions outside of the catalog.
            #[default]
            Other,
        }

        impl Layer {
            /// The layers that functions of the catalog are in: all but [`Self::Other`].
            pub const CATALOG: &[Self] = &[$(Self::$layer,)*];

            /// All layers, in their order.
            pub const ALL: &[Self] = &[$(Self::$layer,)* Self::Other];

            /// Name, as in catalogs and traces.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$layer => $name,)*
                    Self::Other => "other",
                }
            }

            /// What it is, a sentence.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$layer => concat!($($doc),*),)*
                    Self::Other => " Functions outside of the catalog.",
                }
            }
        }
    };
}

layers! {
    /// Entries of system calls.
    Syscall = "syscall",
    /// The virtual file system.
    Vfs = "vfs",
    /// The page cache.
    PageCache = "page-cache",
    /// A file system.
    Filesystem = "filesystem",
    /// Write-back of dirty pages.
    Writeback = "writeback",
    /// The block layer.
    Block = "block",
    /// The SCSI layer.
    Scsi = "scsi",
    /// The driver of a controller.
    Driver = "driver",
    /// Interrupts.
    Irq = "irq",
    /// Softirqs.
    Softirq = "softirq",
    /// The scheduler: waits and wake-ups.
    Sched = "sched",
    /// The rest of the kernel: modules, timers, work queues.
    Kernel = "kernel",
}

/// A name that no layer has.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("unknown layer {name:?}; the layers are {}{}", Layer::names(Layer::ALL), did_you_mean(nearest(name, Layer::ALL.iter().map(|layer| layer.name()))))]
pub struct UnknownLayer {
    /// The name.
    pub name: String,
}

impl Layer {
    /// The layer of this name.
    ///
    /// # Errors
    /// [`UnknownLayer`].
    pub fn parse(name: &str) -> Result<Self, UnknownLayer> {
        Self::named(name).ok_or_else(|| UnknownLayer { name: name.to_owned() })
    }

    /// The layer of this name, if there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|layer| layer.name() == name).copied()
    }

    /// The names of layers, as messages list them.
    #[must_use]
    pub fn names(layers: &[Self]) -> String {
        Vec::from_iter(layers.iter().map(|layer| layer.name())).join(", ")
    }

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl serde::Serialize for Layer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

// A layer that a newer version writes is another one to this version.
encode_by_name!(Layer, |name: &str| Ok(Layer::named(name).unwrap_or_default()));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layer_has_a_name_and_a_place() {
        for (place, layer) in Layer::ALL.iter().enumerate() {
            assert_eq!((Layer::parse(layer.name()), layer.index()), (Ok(*layer), place));
        }
        assert_eq!(Layer::CATALOG.len() + 1, Layer::ALL.len());
        assert!(!Layer::CATALOG.contains(&Layer::Other));
    }

    #[test]
    fn a_mistyped_layer_is_told_with_the_nearest() {
        let message = Layer::parse("blok").unwrap_err().to_string();
        assert!(
            message.contains("unknown layer \"blok\"") && message.contains("did you mean \"block\"?"),
            "{message}"
        );
    }

    #[test]
    fn layers_stand_in_the_file_by_name_and_unknown_ones_are_others() {
        let config = bincode::config::legacy();
        let bytes = |name: &str| bincode::encode_to_vec(name.to_owned(), config).unwrap();
        assert_eq!(bincode::encode_to_vec(Layer::PageCache, config).unwrap(), bytes("page-cache"));
        let decode = |name| bincode::decode_from_slice::<Layer, _>(&bytes(name), config).unwrap().0;
        assert_eq!((decode("page-cache"), decode("network")), (Layer::PageCache, Layer::Other));
    }
}
