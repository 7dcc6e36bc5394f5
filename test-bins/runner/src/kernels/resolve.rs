//! From the names that a suite has to the packages of one kernel.

use super::version::{self, Version, in_name};

/// The packages that hold one kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packages {
    /// The kernel's release, as `uname -r` will say.
    pub release: String,
    /// The package with the kernel.
    pub kernel: String,
    /// The package with its modules; the same one up to Linux 6.18.
    pub modules: String,
}

/// The newest kernel of `line` and `flavour` among `names`.
///
/// From 6.19 `linux-binary-V` holds the kernel and `linux-modules-V` the modules. Debian has no longer those of 6.19 to
/// 7.1: the `linux-image-V` taken there names them and holds none.
pub fn newest(names: &[String], line: &str, flavour: &str) -> Option<Packages> {
    let of_line = versions(names, flavour).filter(|version| version::line(version) == Some(line));
    let version = of_line.max_by_key(|version| Version::of(version))?;
    let release = format!("{version}-{flavour}");
    let has = |prefix: &str| names.iter().find(|name| name.strip_prefix(prefix) == Some(&release)).cloned();
    let image = format!("linux-image-{release}");
    let Some(kernel) = has("linux-binary-") else {
        return Some(Packages { kernel: image.clone(), modules: image, release });
    };
    let modules = has("linux-modules-").unwrap_or(image);
    Some(Packages { kernel, modules, release })
}

/// The lines of which `names` has a kernel of this flavour, in order.
pub fn lines<'n>(names: &'n [String], flavour: &str) -> Vec<&'n str> {
    let mut lines = versions(names, flavour).filter_map(version::line).collect();
    version::sort_lines(&mut lines);
    lines
}

/// The versions of all kernels of `flavour`.
fn versions<'n>(names: &'n [String], flavour: &str) -> impl Iterator<Item = &'n str> {
    names.iter().filter_map(move |name| in_name(name, "linux-image-", flavour))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `apt-cache search --names-only` printed for three suites, first words only.
    const BACKPORTS: &str = "linux-modules-7.2.12+deb13-cloud-amd64 linux-modules-7.2.9+deb13-cloud-amd64 \
        linux-modules-7.3.4+deb13-amd64 linux-modules-7.3.4+deb13-cloud-amd64 \
        linux-binary-6.19.14+deb13-cloud-amd64 linux-binary-6.19.6+deb13-cloud-amd64 \
        linux-binary-7.2.12+deb13-cloud-amd64 linux-binary-7.2.9+deb13-cloud-amd64 linux-binary-7.3.4+deb13-amd64 \
        linux-binary-7.3.4+deb13-cloud-amd64 linux-image-6.18.15+deb13-cloud-amd64 \
        linux-image-6.18.5+deb13-cloud-amd64 linux-image-6.19.14+deb13-cloud-amd64 \
        linux-image-6.19.6+deb13-cloud-amd64 linux-image-7.2.12+deb13-cloud-amd64 \
        linux-image-7.2.9+deb13-cloud-amd64 linux-image-7.3.4+deb13-amd64 linux-image-7.3.4+deb13-cloud-amd64";
    const BOOKWORM: &str = "linux-image-6.1.0-47-amd64 linux-image-6.1.0-47-cloud-amd64 linux-image-6.1.0-50-amd64 \
        linux-image-6.1.0-50-cloud-amd64";
    const MIPS: &str = "linux-image-5kc-malta linux-image-6.12.95+deb12-5kc-malta linux-image-6.12.95+deb12-loongson-3";

    fn found(names: &str, line: &str, flavour: &str) -> Option<(String, String)> {
        let names: Vec<_> = names.split_whitespace().map(str::to_owned).collect();
        newest(&names, line, flavour).map(|packages| (packages.kernel, packages.modules))
    }

    fn pair(kernel: &str, modules: &str) -> Option<(String, String)> {
        Some((kernel.into(), modules.into()))
    }

    #[test]
    fn one_package_held_all_up_to_6_18() {
        let image = "linux-image-6.18.15+deb13-cloud-amd64";
        assert_eq!(found(BACKPORTS, "6.18", "cloud-amd64"), pair(image, image));
        let image = "linux-image-6.1.0-50-cloud-amd64";
        assert_eq!(found(BOOKWORM, "6.1", "cloud-amd64"), pair(image, image));
        let image = "linux-image-6.12.95+deb12-loongson-3";
        assert_eq!(found(MIPS, "6.12", "loongson-3"), pair(image, image));
    }

    #[test]
    fn newer_kernels_are_split() {
        let two = pair("linux-binary-6.19.14+deb13-cloud-amd64", "linux-image-6.19.14+deb13-cloud-amd64");
        assert_eq!(found(BACKPORTS, "6.19", "cloud-amd64"), two);
        let three = pair("linux-binary-7.2.12+deb13-cloud-amd64", "linux-modules-7.2.12+deb13-cloud-amd64");
        assert_eq!(found(BACKPORTS, "7.2", "cloud-amd64"), three);
    }

    #[test]
    fn what_a_suite_lacks_is_none() {
        assert_eq!(found(BOOKWORM, "6.12", "cloud-amd64"), None);
        assert_eq!(found(BACKPORTS, "7.3", "cloud-arm64"), None);
        assert_eq!(found("", "7.3", "amd64"), None);
    }

    #[test]
    fn the_lines_of_a_suite_are_those_of_the_flavour_in_order() {
        let names: Vec<_> = BACKPORTS.split_whitespace().chain(MIPS.split_whitespace()).map(str::to_owned).collect();
        assert_eq!(lines(&names, "cloud-amd64"), ["6.18", "6.19", "7.2", "7.3"]);
        assert_eq!(lines(&names, "amd64"), ["7.3"]);
        assert_eq!(lines(&names, "loongson-3"), ["6.12"]);
        assert!(lines(&names, "arm64-16k").is_empty());
    }
}
