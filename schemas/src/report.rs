//! A report: one query over committed tables, what it answers, and what it can be asked with.

use crate::document;
use crate::error::{Fault, unknown};

mod parameter;

pub use parameter::{Default, Parameter, ParameterKind, Value};

/// A question with its answer's query, as `reports/<name>.sql` holds it.
///
/// The comment that the file begins with is its documentation: a title, then its definition, then
/// what can be asked for, one line each:
///
/// ```sql
/// -- Spend by vendor
/// --
/// -- What is counted, in sentences.
/// --
/// -- Parameters
/// --   from date = year_ago: first day that counts.
/// --   top int = 20: rows at most.
/// SELECT … WHERE spend_date >= $from LIMIT …
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub name: String,
    /// The first line of the comment.
    pub title: String,
    /// The rest of the comment up to the parameters: what is counted and how.
    pub definition: String,
    pub parameters: Vec<Parameter>,
    /// The whole comment.
    pub doc: String,
    pub sql: String,
}

const PARAMETERS: &str = "Parameters";

pub(crate) fn read(name: &str, text: &str) -> Result<Report, Fault> {
    let doc = document::leading_comment(text, "--");
    let mut lines = doc.lines().enumerate();
    let title = match lines.next() {
        Some((_, title)) if !title.is_empty() => title.trim_end_matches('.').to_owned(),
        _ => {
            return Err(Fault::at(
                1,
                "the file begins with a comment: a title, what it answers, its parameters",
            ));
        }
    };
    let mut definition = Vec::new();
    let mut parameters: Vec<Parameter> = Vec::new();
    let mut in_parameters = false;
    for (index, line) in lines {
        if line == PARAMETERS {
            in_parameters = true;
        } else if !in_parameters {
            definition.push(line);
        } else if !line.is_empty() {
            let parameter = parameter::read(line).map_err(|what| Fault::at(index + 1, what))?;
            if parameters.iter().any(|known| known.name == parameter.name) {
                let what = format!("parameter \"{}\" is named twice", parameter.name);
                return Err(Fault::at(index + 1, what));
            }
            parameters.push(parameter);
        }
    }
    let report = Report {
        name: name.to_owned(),
        title,
        definition: definition.join("\n").trim().to_owned(),
        parameters,
        sql: text.to_owned(),
        doc,
    };
    report.check_placeholders()?;
    Ok(report)
}

impl Report {
    /// The parameter of that name, or a message that names the near one.
    pub fn parameter(&self, name: &str) -> Result<&Parameter, String> {
        let found = self.parameters.iter().find(|known| known.name == name);
        let names = self.parameters.iter().map(|known| known.name.as_str());
        found.ok_or_else(|| unknown("parameter", name, names))
    }

    /// The query without the comment it begins with.
    pub fn query(&self) -> &str {
        let comment = self.sql.split_inclusive('\n');
        let skipped: usize = comment
            .take_while(|line| line.starts_with("--"))
            .map(str::len)
            .sum();
        self.sql[skipped..].trim()
    }

    /// Every `$name` of the query is a parameter, and every parameter is used.
    fn check_placeholders(&self) -> Result<(), Fault> {
        let mut used = Vec::new();
        for (index, line) in self.sql.lines().enumerate() {
            let code = line.split("--").next().unwrap_or_default();
            for part in code.split('$').skip(1) {
                let word = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
                let name: String = part.chars().take_while(word).collect();
                self.parameter(&name)
                    .map_err(|what| Fault::at(index + 1, what))?;
                used.push(name);
            }
        }
        match self.parameters.iter().find(|p| !used.contains(&p.name)) {
            Some(parameter) => Err(Fault::whole(format!(
                "parameter \"{}\" is not used by the query",
                parameter.name
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "-- Spend by vendor\n--\n-- What is counted,\n-- in sentences.\n--\n-- Parameters\n\
        --   from date = year_ago: First day.\n--   top int = 20: Rows at most.\n\
        SELECT 1 WHERE $from < DATE '2026-01-01' LIMIT $top -- not $this\n";

    #[test]
    fn the_comment_says_what_a_report_is() {
        let report = read("by_vendor", FILE).expect("reads");
        assert_eq!(report.title, "Spend by vendor");
        assert_eq!(report.definition, "What is counted,\nin sentences.");
        let names: Vec<_> = report.parameters.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["from", "top"]);
        assert!(report.query().starts_with("SELECT 1"), "{}", report.query());
        assert_eq!(
            report.parameter("tops").expect_err("unknown"),
            "unknown parameter \"tops\", did you mean \"top\"?"
        );
    }

    #[test]
    fn parameters_and_placeholders_agree() {
        for (file, line, complaint) in [
            ("SELECT 1".to_owned(), Some(1), "begins with a comment"),
            (
                FILE.replace("$top", "$topp"),
                Some(9),
                "did you mean \"top\"?",
            ),
            (FILE.replace("LIMIT $top", ""), None, "\"top\" is not used"),
            (FILE.replace("top int", "from int"), Some(8), "named twice"),
            (
                FILE.replace("int = 20:", "int 20"),
                Some(8),
                "not of the form",
            ),
        ] {
            let fault = read("by_vendor", &file).expect_err(complaint);
            assert!(fault.what.contains(complaint), "{}", fault.what);
            assert_eq!(fault.line, line, "{complaint}");
        }
    }
}
