//! How large a binary is.

use std::path::Path;

use object::{Object, ObjectSection};
use serde::Serialize;

/// The size of a file, and whether that is what a stripped one has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Bytes on disk.
    pub bytes: u64,
    /// No symbol table and no debug information in it.
    pub stripped: bool,
}

impl Size {
    /// Looks at the file; `None` where it cannot be read.
    pub fn of(path: &Path) -> Option<Self> {
        let content = std::fs::read(path).ok()?;
        Some(Self { bytes: content.len() as u64, stripped: is_stripped(&content) })
    }
}

/// What is no ELF file has nothing to strip.
fn is_stripped(content: &[u8]) -> bool {
    let removable = |name: &str| name == ".symtab" || name.starts_with(".debug_");
    let Ok(file) = object::File::parse(content) else { return true };
    !file.sections().any(|section| section.name().is_ok_and(removable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_symbols_is_not_stripped() {
        let own = Size::of(Path::new("/proc/self/exe")).unwrap();
        assert!(!own.stripped && own.bytes > 100_000, "{own:?}");
    }

    #[test]
    fn what_is_no_program_has_nothing_to_strip() {
        let source = Size::of(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").as_ref()).unwrap();
        assert!(source.stripped && source.bytes > 100, "{source:?}");
        assert_eq!(Size::of(Path::new("/nonexistent")), None);
    }
}
