//! Pages: the reports of a definition, asked one after the other and put together.

use std::collections::BTreeMap;

use chrono::SecondsFormat;
use pages::{Chart, ChartKind, Data, Figures, Page, Part, Section};
use pipeline::LakeSettings;
use schemas::{PagePart, Report, Schemas, Show};

use super::super::World;
use super::ask::Asked;
use super::data;
use crate::output::{Exit, Failure};

/// The reports of a page, each once, in the page's order.
pub fn reports<'a>(page: &schemas::Page, schemas: &'a Schemas) -> Vec<&'a Report> {
    let mut reports: Vec<&Report> = Vec::new();
    for part in page.sections.iter().flat_map(|section| &section.parts) {
        // The definitions were read together: no name is without its report.
        let found = schemas.reports.get(&part.report);
        reports.extend(found.filter(|report| reports.iter().all(|r| r.name != report.name)));
    }
    reports
}

/// A page of several reports, as HTML.
pub async fn of_page(
    page: &schemas::Page,
    schemas: &Schemas,
    lake: &LakeSettings,
    asked: &Asked<'_>,
    world: &World,
) -> Result<String, Failure> {
    // One report may stand in several places and is asked once.
    let mut answers: BTreeMap<&str, Data> = BTreeMap::new();
    for report in reports(page, schemas) {
        answers.insert(&report.name, data::ask(report, None, lake, asked).await?);
    }
    let sections = page.sections.iter().map(|section| Section {
        title: section.title.clone(),
        intro: section.intro.clone(),
        parts: section
            .parts
            .iter()
            .filter_map(|part| Some(shown(part, answers.get(part.report.as_str())?.clone())))
            .collect(),
    });
    let made = Page {
        title: page.title.clone(),
        subtitle: page.doc.lines().collect::<Vec<_>>().join(" "),
        facts: facts(answers.values(), lake, asked, world),
        sections: sections.collect(),
    };
    rendered(&made)
}

/// One report as a page of its own.
pub async fn of_report(
    report: &Report,
    lake: &LakeSettings,
    asked: &Asked<'_>,
    world: &World,
) -> Result<String, Failure> {
    let data = data::ask(report, None, lake, asked).await?;
    let made = Page {
        title: report.title.clone(),
        subtitle: String::new(),
        facts: facts([&data], lake, asked, world),
        sections: vec![Section {
            title: "Answer".to_owned(),
            intro: report.definition.clone(),
            parts: vec![Part::Table(data)],
        }],
    };
    rendered(&made)
}

fn shown(part: &PagePart, mut data: Data) -> Part {
    if let Some(title) = &part.title {
        data.source.title.clone_from(title);
    }
    let kind = match part.show {
        Show::Table => return Part::Table(data),
        Show::Figures => {
            return Part::Figures(Figures {
                data,
                only: part.only.clone(),
            });
        }
        Show::Columns => ChartKind::Columns,
        Show::Stack => ChartKind::Stack,
        Show::Bars => ChartKind::Bars,
        Show::Lines => ChartKind::Lines,
    };
    Part::Chart(Chart {
        kind,
        data,
        x: part.x.clone(),
        y: part.y.clone(),
        by: part.by.clone(),
    })
}

/// The period, what is counted in, when it was made and of what.
fn facts<'a>(
    answers: impl IntoIterator<Item = &'a Data>,
    lake: &LakeSettings,
    asked: &Asked<'_>,
    world: &World,
) -> Vec<(String, String)> {
    let mut values: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, value) in answers.into_iter().flat_map(|data| &data.source.parameters) {
        if let Some(value) = value {
            values.entry(name).or_insert(value);
        }
    }
    let mut facts = Vec::new();
    if let (Some(from), Some(to)) = (values.get("from"), values.get("to")) {
        facts.push(("Period".to_owned(), format!("{from} until before {to}")));
    }
    let currency = match values.get("currency") {
        Some(code) => format!("documents in {code} alone"),
        None => "all, in the reporting currency".to_owned(),
    };
    facts.push(("Currency".to_owned(), currency));
    let made = (world.clock)().to_rfc3339_opts(SecondsFormat::Secs, true);
    facts.push(("Made".to_owned(), made));
    if let Some(as_of) = asked.args.as_of {
        facts.push(("Tables as of".to_owned(), as_of.to_string()));
    }
    facts.push(("Lake".to_owned(), without_account(&lake.url)));
    facts
}

/// An address without the user and password that one may hold.
fn without_account(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut parsed) if parsed.has_host() => {
            let cleared = parsed
                .set_username("")
                .and_then(|()| parsed.set_password(None));
            parsed.set_query(None);
            cleared.map_or_else(|()| String::new(), |()| parsed.to_string())
        }
        _ => url.to_owned(),
    }
}

fn rendered(page: &Page) -> Result<String, Failure> {
    pages::render(page).map_err(|error| Failure {
        message: format!("the page cannot be made: {error}"),
        causes: Vec::new(),
        hint: Some("mend the page's definition or its report".to_owned()),
        exit: match error {
            pages::PageError::Column { .. } => Exit::Change,
            _ => Exit::Bug,
        },
    })
}
