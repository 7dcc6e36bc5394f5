//! The kernels that are built here, as no distribution builds them so. Adding one is an entry and a fragment.

/// A kernel to build, from a distribution's source package.
#[derive(Debug)]
pub struct Recipe {
    /// Its name: a version and a word. `--kernel` takes it, and nothing but its name chooses it.
    pub line: &'static str,
    /// The machine of the table that it boots on, which is this machine's architecture too.
    pub machine: &'static str,
    /// Debian's package with the source; it holds a compressed archive of the same name.
    pub package: &'static str,
    /// The suites to look in, in this order.
    pub suites: &'static [&'static str],
    /// What it has on top of `tinyconfig`.
    pub fragment: &'static str,
    /// What to make, and where it is then.
    pub target: &'static str,
    /// The image's path below the output directory.
    pub image: &'static str,
}

/// Every kernel that can be built.
pub const RECIPES: &[Recipe] = &[Recipe {
    line: "7.2-slice",
    machine: "x86_64",
    package: "linux-source-7.2",
    suites: &["trixie-backports", "sid", "forky"],
    fragment: include_str!("../../kernels/slice.config"),
    target: "bzImage",
    image: "arch/x86/boot/bzImage",
}];

/// The recipe of this name.
pub fn find(line: &str) -> Option<&'static Recipe> {
    RECIPES.iter().find(|recipe| recipe.line == line)
}

impl Recipe {
    /// The options of the fragment that a configuration does not have, as it asked for them.
    pub fn unmet(&self, configuration: &str) -> Vec<&'static str> {
        let wanted = self.fragment.lines().filter(|line| line.starts_with("CONFIG_"));
        wanted.filter(|line| !is_met(line, configuration)).collect()
    }
}

/// An option that is off is not in a configuration, or in a comment.
fn is_met(wanted: &str, configuration: &str) -> bool {
    match wanted.strip_suffix("=n") {
        Some(name) => {
            !configuration.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
        }
        None => configuration.lines().any(|line| line == wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::catalog;

    #[test]
    fn built_kernels_are_told_from_the_distributions() {
        for recipe in RECIPES {
            let machine = catalog::find(recipe.machine).unwrap();
            assert!(machine.kernels.iter().all(|(line, _)| *line != recipe.line), "{}", recipe.line);
            assert!(recipe.line.contains('-') && !recipe.suites.is_empty(), "{}", recipe.line);
            assert!(recipe.package.ends_with(recipe.line.split('-').next().unwrap()), "{}", recipe.line);
        }
    }

    #[test]
    fn what_a_configuration_lacks_is_found() {
        let recipe = find("7.2-slice").unwrap();
        let whole = recipe.fragment.replace("CONFIG_CPU_MITIGATIONS=n", "# CONFIG_CPU_MITIGATIONS is not set");
        assert_eq!(recipe.unmet(&whole), Vec::<&str>::new());
        let without = whole.replace("CONFIG_RSEQ_STATS=y", "# CONFIG_RSEQ_STATS is not set");
        assert_eq!(recipe.unmet(&without), ["CONFIG_RSEQ_STATS=y"]);
        assert_eq!(recipe.unmet(&format!("{whole}CONFIG_CPU_MITIGATIONS=y\n")), ["CONFIG_CPU_MITIGATIONS=n"]);
    }
}
