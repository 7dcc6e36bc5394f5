//! Where the static binaries are in memory.

use std::path::{Path, PathBuf};

use crate::workspace;

/// The variable that the build script of the static binaries reads.
const VARIABLE: &str = "TEST_BINS_LINK";

/// How the static binaries are linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linking {
    /// At the addresses that the linker chose.
    Fixed,
    /// At addresses of the kernel's choice (static-pie).
    StaticPie,
}

impl Linking {
    /// By the option `--static-pie`.
    pub fn of(static_pie: bool) -> Self {
        if static_pie { Self::StaticPie } else { Self::Fixed }
    }

    /// The variable for cargo, where the C compiler links, and where lld does.
    pub fn variable(self, by_lld: bool) -> (&'static str, &'static str) {
        let arguments = match self {
            Self::Fixed => "-static -no-pie",
            Self::StaticPie if by_lld => "-static -pie --no-dynamic-linker -z text",
            Self::StaticPie => "-static-pie",
        };
        (VARIABLE, arguments)
    }

    /// The compiler's code for it.
    pub fn relocation_model(self) -> &'static str {
        match self {
            Self::Fixed => "relocation-model=static",
            Self::StaticPie => "relocation-model=pie",
        }
    }

    /// Cargo's directory: one for each, so that neither is built anew after the other.
    pub fn target_dir(self, root: &Path) -> anyhow::Result<PathBuf> {
        let directory = workspace::target_dir(root)?;
        Ok(if self == Self::Fixed { directory } else { directory.join("static-pie") })
    }
}
