//! Names given on the command line to entries of the suite.

use super::Entry;

/// The entries that `names` mean, in the suite's order; all of them where there are no names.
///
/// A name is a binary's, or a part that several share. One that fits nothing is an error.
pub fn select<'a>(suite: &'a [Entry], names: &[String]) -> Result<Vec<&'a Entry>, String> {
    for name in names {
        if !suite.iter().any(|entry| matches(suite, name, entry)) {
            return Err(unknown(suite, name));
        }
    }
    let chosen = |entry: &&Entry| names.is_empty() || names.iter().any(|name| matches(suite, name, entry));
    Ok(suite.iter().filter(chosen).collect())
}

/// A complete name means that binary only, though others may contain it.
fn matches(suite: &[Entry], name: &str, entry: &Entry) -> bool {
    let exact = suite.iter().any(|entry| entry.name == name);
    entry.name == name || (!exact && !name.is_empty() && entry.name.contains(name))
}

fn unknown(suite: &[Entry], name: &str) -> String {
    let distance = |entry: &&Entry| strsim::damerau_levenshtein(entry.name, name);
    let nearest = suite.iter().min_by_key(distance).filter(|entry| distance(entry) <= 1 + name.len() / 3);
    match nearest {
        Some(entry) => format!("no test is called '{name}': did you mean '{}'?", entry.name),
        None => format!("no test is called '{name}': --list shows all"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::SUITE;

    fn chosen(names: &[&str]) -> Result<Vec<&'static str>, String> {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        Ok(select(SUITE, &names)?.into_iter().map(|entry| entry.name).collect())
    }

    #[test]
    fn no_name_means_all() {
        assert_eq!(chosen(&[]).unwrap().len(), SUITE.len());
    }

    #[test]
    fn a_complete_name_means_one() {
        assert_eq!(chosen(&["basic_test"]).unwrap(), ["basic_test"]);
    }

    #[test]
    fn a_part_means_all_that_have_it_once_in_order() {
        let found = chosen(&["basic", "pro", "basic_t"]).unwrap();
        assert_eq!(found[..2], ["probe", "basic_test"]);
        assert_eq!(found.iter().filter(|&&name| name == "basic_test").count(), 1);
    }

    #[test]
    fn an_unknown_name_gets_a_suggestion_where_one_is_near() {
        assert!(chosen(&["basic_tset"]).unwrap_err().contains("did you mean 'basic_test'"));
        assert!(chosen(&["zzzzzzzzzzzzzzzz"]).unwrap_err().contains("--list"));
        assert!(chosen(&[""]).unwrap_err().contains("no test is called ''"));
    }
}
