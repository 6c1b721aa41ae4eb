//! What a report is asked with: values from the command line, checked, and defaults for the rest.

use chrono::Datelike;
use pipeline::Question;
use schemas::{Report, Value};

use super::super::World;
use crate::cli;
use crate::output::Failure;

/// One call's values and its day.
pub struct Asked<'a> {
    pub args: &'a cli::Report,
    /// Name and text, as given.
    given: Vec<(String, String)>,
    today: (i32, u32, u32),
}

impl<'a> Asked<'a> {
    pub fn of(args: &'a cli::Report, world: &World) -> Asked<'a> {
        let named = [
            ("from", &args.from),
            ("to", &args.to),
            ("currency", &args.currency),
            ("top", &args.top),
        ];
        let named = named.into_iter().filter_map(|(name, value)| {
            let value = value.as_ref()?;
            Some((name.to_owned(), value.clone()))
        });
        let now = (world.clock)();
        Asked {
            args,
            given: named.chain(args.set.iter().cloned()).collect(),
            today: (now.year(), now.month(), now.day()),
        }
    }

    /// Refuses a value that none of `reports` can be asked with.
    pub fn check(&self, reports: &[&Report]) -> Result<(), Failure> {
        for (name, _) in &self.given {
            let mut tried = reports.iter().map(|report| report.parameter(name));
            if tried.any(|found| found.is_ok()) {
                continue;
            }
            let what = match reports {
                [report] => report.parameter(name).err(),
                _ => None,
            };
            return Err(Failure::change(
                what.unwrap_or_else(|| format!("no report of the page has a parameter \"{name}\"")),
                "`spendlake report JOB list` shows what each report can be asked with",
            ));
        }
        Ok(())
    }

    /// The values of `report`'s parameters, in its order.
    pub fn values(&self, report: &Report) -> Result<Vec<(String, Value)>, Failure> {
        let value = |parameter: &schemas::Parameter| {
            let given = self.given.iter().rev();
            let value = match given.clone().find(|(name, _)| *name == parameter.name) {
                Some((_, text)) => parameter.kind.value(text).map_err(|what| {
                    Failure::change(
                        format!("{}: {what}", parameter.name),
                        format!("{}: {}", parameter.name, parameter.doc),
                    )
                })?,
                None => parameter.default.on(self.today),
            };
            Ok((parameter.name.clone(), value))
        };
        report.parameters.iter().map(value).collect()
    }

    pub fn question(&self, report: &Report) -> Result<Question, Failure> {
        Ok(Question {
            sql: report.sql.clone(),
            as_of: self.args.as_of,
            values: self.values(report)?,
        })
    }

    /// The command that gives `report`'s table again: with all its values, since defaults move.
    pub fn command(&self, report: &Report) -> Result<String, Failure> {
        let mut command = format!(
            "spendlake report {} {}",
            quoted(&self.args.job.display().to_string()),
            report.name
        );
        for (name, value) in self.values(report)? {
            let default = report.parameter(&name).map(|p| p.default.on(self.today));
            let moves = matches!(value, Value::Date(_));
            if !moves && default.as_ref() == Ok(&value) {
                continue;
            }
            let text = quoted(value.text().unwrap_or("null"));
            command.push_str(&match name.as_str() {
                "from" | "to" | "currency" | "top" => format!(" --{name} {text}"),
                _ => format!(" --set {name}={text}"),
            });
        }
        if let Some(as_of) = self.args.as_of {
            let text = as_of.to_string();
            command.push_str(&format!(" --as-of {}", text.trim_start_matches("version ")));
        }
        command.push_str(" --format csv");
        Ok(command)
    }
}

/// A word for a shell: quoted where it holds more than letters, digits and what paths are made of.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}
