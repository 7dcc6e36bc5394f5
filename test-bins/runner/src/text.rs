//! Text that fits and does no harm.

/// The text without control characters, which could move a terminal's cursor or fake a line.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// The text cut to `width` characters.
pub fn cut(text: &str, width: usize) -> String {
    match text.chars().count() > width {
        true => text.chars().take(width.saturating_sub(1)).chain(['~']).collect(),
        false => text.to_owned(),
    }
}

/// Breaks `text` between words into lines of at most `width` characters; a longer word is cut.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace().map(|word| cut(word, width)) {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            *line = word;
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            *line = format!("{line} {word}");
        } else {
            lines.push(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_lines_fit_and_lose_nothing() {
        let text = "one two three  four five six seven";
        for width in 5..40 {
            let lines = wrap(text, width);
            assert!(lines.iter().all(|line| line.chars().count() <= width));
            assert_eq!(lines.join(" "), "one two three four five six seven");
        }
        assert_eq!(wrap("abcdefgh", 4), ["abc~"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn control_characters_are_shown_as_question_marks() {
        assert_eq!(printable("a\x1b[2Jb\rc\u{9b}"), "a?[2Jb?c?");
    }
}
