//! A report: one query over committed tables.

use crate::document;
use crate::error::Fault;

/// A question with its answer's query, as `reports/<name>.sql` holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub name: String,
    /// The comment the file begins with.
    pub doc: String,
    pub sql: String,
}

pub(crate) fn read(name: &str, text: &str) -> Result<Report, Fault> {
    let doc = document::leading_comment(text, "--");
    if doc.is_empty() {
        return Err(Fault::at(
            1,
            "the file begins with a comment that says what it answers",
        ));
    }
    Ok(Report {
        name: name.to_owned(),
        doc,
        sql: text.to_owned(),
    })
}
