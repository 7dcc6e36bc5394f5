//! Names given on the command line to entries of the suite.

use thiserror::Error;

use super::Entry;

/// The entries that `names` mean, in the suite's order; all of them where there are no names.
///
/// A name is a binary's, or a part that several share. One that fits nothing is an error.
pub fn select<'a>(suite: &'a [Entry], names: &[String]) -> Result<Vec<&'a Entry>, Unknown> {
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

/// The entry with this complete name.
pub fn exactly<'a>(suite: &'a [Entry], name: &str) -> Result<&'a Entry, Unknown> {
    suite.iter().find(|entry| entry.name == name).ok_or_else(|| unknown(suite, name))
}

/// A name that fits no entry.
#[derive(Debug, Error)]
pub enum Unknown {
    /// There is one that is spelled alike.
    #[error("no test is called '{name}': did you mean '{nearest}'?")]
    Misspelt {
        /// What was given.
        name: String,
        /// What there is.
        nearest: &'static str,
    },
    /// There is none like it.
    #[error("no test is called '{0}': --list shows all")]
    Strange(String),
}

fn unknown(suite: &[Entry], name: &str) -> Unknown {
    let distance = |entry: &&Entry| strsim::damerau_levenshtein(entry.name, name);
    let nearest = suite.iter().min_by_key(distance).filter(|entry| distance(entry) <= 1 + name.len() / 3);
    match nearest {
        Some(entry) => Unknown::Misspelt { name: name.to_owned(), nearest: entry.name },
        None => Unknown::Strange(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::SUITE;

    fn chosen(names: &[&str]) -> Result<Vec<&'static str>, Unknown> {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let chosen = select(SUITE, &names)?;
        Ok(chosen.into_iter().map(|entry| entry.name).collect())
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
        assert!(chosen(&["basic_tset"]).unwrap_err().to_string().contains("did you mean 'basic_test'"));
        assert!(chosen(&["zzzzzzzzzzzzzzzz"]).unwrap_err().to_string().contains("--list"));
        assert!(chosen(&[""]).unwrap_err().to_string().contains("no test is called ''"));
    }
}
