//! Programs of the system that the runner uses.

use std::process::{Command, Stdio};

/// What `PROGRAM --version` says of its version.
pub fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    number_in(&String::from_utf8_lossy(&output.stdout)).map(str::to_owned)
}

/// The first number with a point in it, to its end: `13.1-3` of `GNU gdb (Debian 13.1-3) 13.1`.
pub fn number_in(text: &str) -> Option<&str> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && !".-+~".contains(character));
    let numbers = words.filter_map(|word| word.get(word.find(|character: char| character.is_ascii_digit())?..));
    numbers.into_iter().find(|number| number.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_where_tools_print_it() {
        let lines = [
            ("GNU gdb (Debian 13.1-3) 13.1", "13.1-3"),
            ("strace -- version 6.1", "6.1"),
            ("valgrind-3.19.0", "3.19.0"),
            ("qemu-x86_64 version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)", "7.2.22"),
            ("unshare from util-linux 2.38.1", "2.38.1"),
            ("Version: 4.1.1", "4.1.1"),
        ];
        for (line, version) in lines {
            assert_eq!(number_in(line), Some(version), "{line}");
        }
        assert_eq!(number_in("usage: tool [64]"), None);
    }
}
