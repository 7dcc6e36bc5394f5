//! How outcomes and counts stand in JSON: the package that defines them knows no `serde`.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{SerializeStruct, Serializer};

use super::{Counts, Outcome};

/// By its word.
pub fn outcome<S: Serializer>(outcome: &Outcome, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(outcome.word())
}

/// The outcome that a word of [`outcome`] means.
pub fn read_outcome<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Outcome, D::Error> {
    let word = String::deserialize(deserializer)?;
    let all = [Outcome::Pass, Outcome::Skip, Outcome::Xfail, Outcome::Xpass, Outcome::Fail];
    all.into_iter()
        .find(|outcome| outcome.word() == word)
        .ok_or_else(|| D::Error::custom(format!("no outcome: {word}")))
}

/// One number for each outcome.
pub fn counts<S: Serializer>(counts: &Counts, serializer: S) -> Result<S::Ok, S::Error> {
    let Counts { passed, failed, skipped, xfailed, xpassed } = counts;
    let mut fields = serializer.serialize_struct("Counts", 5)?;
    fields.serialize_field("passed", passed)?;
    fields.serialize_field("failed", failed)?;
    fields.serialize_field("skipped", skipped)?;
    fields.serialize_field("xfailed", xfailed)?;
    fields.serialize_field("xpassed", xpassed)?;
    fields.end()
}
