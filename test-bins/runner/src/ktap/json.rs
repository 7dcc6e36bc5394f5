//! How outcomes and counts stand in JSON: the package that defines them knows no `serde`.

use serde::ser::{SerializeStruct, Serializer};

use super::{Counts, Outcome};

/// By its word.
pub fn outcome<S: Serializer>(outcome: &Outcome, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(outcome.word())
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
