//! Words for a shell.

use std::ffi::OsStr;

/// The word as a shell reads it, in quotes where it needs them. What is not UTF-8 is replaced.
pub fn word(text: impl AsRef<OsStr>) -> String {
    let text = text.as_ref().to_string_lossy();
    // What no shell can be told, a zero, is no part of a path or an argument.
    shlex::try_quote(&text).map_or_else(|_| text.to_string(), |word| word.into_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        assert_eq!(word("--cell"), "--cell");
        assert_eq!(word("s390x 7.2"), "'s390x 7.2'");
        let odd = "a'$b\"c\\";
        assert_eq!(shlex::split(&word(odd)).as_deref(), Some(&[odd.to_owned()][..]));
        assert_eq!(word(OsStr::from_bytes(b"x\xff.html")), "'x\u{fffd}.html'");
    }
}
