//! Versions as Debian's kernel packages carry them, in order.

/// The numbers of a version, compared one by one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Vec<u64>);

impl Version {
    /// The numbers in `text`, whatever stands between them.
    pub fn of(text: &str) -> Self {
        let digits = text.split(|character: char| !character.is_ascii_digit());
        Self(digits.filter_map(|number| number.parse().ok()).collect())
    }
}

/// The version in `name`, if it is `prefix`, a version, and `-flavour`.
pub fn in_name<'n>(name: &'n str, prefix: &str, flavour: &str) -> Option<&'n str> {
    let version = name.strip_prefix(prefix)?.strip_suffix(flavour)?.strip_suffix('-')?;
    is_plain(version).then_some(version)
}

/// The line of a version: its first two numbers, as the catalog names kernels.
pub fn line(version: &str) -> Option<&str> {
    let (major, rest) = version.split_once('.')?;
    let minor = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    version.get(..major.len() + 1 + minor).filter(|_| minor > 0)
}

/// Sorts names of lines by their numbers, each once; one with a word after the numbers follows the one without.
pub fn sort_lines(lines: &mut Vec<&str>) {
    lines.sort_by_key(|&line| (Version::of(line), line));
    lines.dedup();
}

/// Whether no word but Debian's own stands in the version: `6.1.0-50-cloud` and `6.12.5-rt` are other flavours.
fn is_plain(version: &str) -> bool {
    let words = version.split(|character: char| !character.is_ascii_alphabetic());
    words.filter(|word| !word.is_empty()).all(|word| matches!(word, "deb" | "bpo" | "rc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_decide_the_order() {
        assert!(Version::of("6.1.0-47") < Version::of("6.1.0-50"));
        assert!(Version::of("6.12.9+deb13") < Version::of("6.12.117+deb13"));
        assert!(Version::of("6.19") < Version::of("7.0"));
        assert!(Version::of("6.5.0-0.deb12.4") > Version::of("6.5.0-0.deb12.1"));
    }

    #[test]
    fn only_the_line_and_the_flavour_asked_for_match() {
        let image = |name, of: &str, flavour| {
            in_name(name, "linux-image-", flavour).filter(|version| line(version) == Some(of))
        };
        assert_eq!(image("linux-image-6.1.0-50-cloud-amd64", "6.1", "cloud-amd64"), Some("6.1.0-50"));
        assert_eq!(image("linux-image-6.1.0-50-cloud-amd64", "6.1", "amd64"), None);
        assert_eq!(image("linux-image-6.12.107+deb13-amd64", "6.1", "amd64"), None);
        assert_eq!(image("linux-image-6.12.95+deb12-powerpc64le-64k", "6.12", "powerpc64le"), None);
        assert_eq!(image("linux-image-6.5.0-0.deb12.4-686-pae", "6.5", "686-pae"), Some("6.5.0-0.deb12.4"));
        assert_eq!(image("linux-image-6.12.95+deb12-rt-amd64", "6.12", "amd64"), None);
        assert_eq!(image("linux-image-amd64", "6.12", "amd64"), None);
    }

    #[test]
    fn lines_are_two_numbers_in_order() {
        let found = ["6.12.107+deb13", "6.1.0-50", "7.2-rc3", "7.4", "7", "7.", "5kc"].map(line);
        assert_eq!(found, [Some("6.12"), Some("6.1"), Some("7.2"), Some("7.4"), None, None, None]);
        let mut lines = vec!["7.2-slice", "7.2", "6.12", "5.10", "6.5", "6.12", "6.1"];
        sort_lines(&mut lines);
        assert_eq!(lines, ["5.10", "6.1", "6.5", "6.12", "7.2", "7.2-slice"]);
    }
}
