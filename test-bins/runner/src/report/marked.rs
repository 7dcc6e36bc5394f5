//! Documents whose words are written by hand, and in which a command writes what lies between two markers.

use std::path::Path;

use anyhow::Context;
use fs_err as fs;

/// Reads such a document.
pub fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).context("its words are written by hand, restore it with git")
}

/// The text with `body` between the markers of `name`; a name without markers gets a heading at the end. `command` is
/// the one that writes it.
pub fn replace(text: &str, command: &str, name: &str, body: &str) -> anyhow::Result<String> {
    let (open, close) = (format!("<!-- {command}: {name} -->\n"), format!("<!-- end: {name} -->\n"));
    let Some((before, rest)) = text.split_once(&open) else {
        return Ok(format!("{}\n\n## {name}\n\n{open}{body}{close}", text.trim_end()));
    };
    let (_, after) =
        rest.split_once(&close).with_context(|| format!("{:?} is not closed by {:?}", open.trim(), close.trim()))?;
    Ok(format!("{before}{open}{body}{close}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_markers_changes() {
        let text = "a\n<!-- bench: one -->\nold\n<!-- end: one -->\nb\n";
        let replace = |text, name| replace(text, "bench", name, "new\n");
        assert_eq!(replace(text, "one").unwrap(), text.replace("old", "new"));
        let added = replace(text, "two").unwrap();
        assert_eq!(added, format!("{text}\n## two\n\n<!-- bench: two -->\nnew\n<!-- end: two -->\n"));
        assert_eq!(replace(&added, "two").unwrap(), added);
        assert!(replace("<!-- bench: one -->\nold\n", "one").unwrap_err().to_string().contains("end: one"));
    }
}
