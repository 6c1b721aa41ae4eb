//! A page: reports put together for the eye, as `pages/<name>.toml` says.

use crate::document::{self, Entries, Node};
use crate::error::{Fault, unknown};

/// Sections of figures, charts and tables, each made of one report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub name: String,
    /// The comment the file begins with: what the page is for.
    pub doc: String,
    pub title: String,
    pub sections: Vec<PageSection>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageSection {
    pub title: String,
    pub intro: String,
    pub parts: Vec<PagePart>,
}

/// One report and how it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagePart {
    pub report: String,
    pub show: Show,
    /// Stands for the report's own title.
    pub title: Option<String>,
    /// Of a chart: the column of its labels.
    pub x: String,
    /// Of a chart: the columns of its values.
    pub y: Vec<String>,
    /// Of a chart: the column whose values are its series.
    pub by: Option<String>,
    /// Of figures: the rows wanted, by their first column; empty: all.
    pub only: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    Figures,
    Table,
    Columns,
    Stack,
    Bars,
    Lines,
}

const SHOWS: [(&str, Show); 6] = [
    ("figures", Show::Figures),
    ("table", Show::Table),
    ("columns", Show::Columns),
    ("stack", Show::Stack),
    ("bars", Show::Bars),
    ("lines", Show::Lines),
];

/// Reads a page; `reports` are the names that its parts may have.
pub(crate) fn read(name: &str, text: &str, reports: &[&str]) -> Result<Page, Fault> {
    let entries = document::parse(text)?;
    entries.only(&["title", "sections"])?;
    let sections = entries.need("sections")?.list()?.iter();
    let page = Page {
        name: name.to_owned(),
        doc: document::leading_comment(text, "#"),
        title: entries.need_text("title")?,
        sections: sections
            .map(|node| section(node, reports))
            .collect::<Result<_, _>>()?,
    };
    match page.doc.is_empty() {
        true => Err(Fault::at(
            1,
            "the file begins with a comment that says what it is for",
        )),
        false => Ok(page),
    }
}

fn section(node: &Node, reports: &[&str]) -> Result<PageSection, Fault> {
    let entries = node.table()?;
    entries.only(&["title", "intro", "parts"])?;
    let parts = entries.need("parts")?.list()?.iter();
    Ok(PageSection {
        title: entries.need_text("title")?,
        intro: entries.text("intro")?.unwrap_or_default(),
        parts: parts
            .map(|node| part(node, reports))
            .collect::<Result<_, _>>()?,
    })
}

fn part(node: &Node, reports: &[&str]) -> Result<PagePart, Fault> {
    let entries = node.table()?;
    entries.only(&["report", "show", "title", "x", "y", "by", "only"])?;
    let report = entries.need_text("report")?;
    if !reports.contains(&report.as_str()) {
        let what = unknown("report", &report, reports.iter().copied());
        return Err(Fault::at(entries.need("report")?.line, what));
    }
    let word = entries.need("show")?;
    let found = SHOWS.iter().find(|(name, _)| word.as_text() == Some(*name));
    let names = SHOWS.iter().map(|(name, _)| *name);
    let show = match found {
        Some((_, show)) => *show,
        None => return Err(Fault::at(word.line, unknown("show", word.text()?, names))),
    };
    let part = PagePart {
        report,
        show,
        title: entries.text("title")?,
        x: entries.text("x")?.unwrap_or_default(),
        y: entries.texts("y")?,
        by: entries.text("by")?,
        only: entries.texts("only")?,
    };
    check(&part, entries, word.line)?;
    Ok(part)
}

/// A chart needs its axes, and nothing else takes any.
fn check(part: &PagePart, entries: &Entries, line: usize) -> Result<(), Fault> {
    let is_chart = !matches!(part.show, Show::Figures | Show::Table);
    if is_chart {
        entries.need_text("x")?;
        if part.y.is_empty() {
            return Err(Fault::at(line, "a chart needs y, a list of columns"));
        }
        if part.by.is_some() && part.y.len() > 1 {
            return Err(Fault::at(line, "a chart by a column has one y"));
        }
    }
    let stray = ["x", "y", "by"]
        .into_iter()
        .find(|key| !is_chart && entries.get(key).is_some());
    let stray = stray.or((part.show != Show::Figures && !part.only.is_empty()).then_some("only"));
    match stray {
        Some(key) => Err(Fault::at(
            line,
            format!("key \"{key}\" has no meaning here"),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# What it is for.\ntitle = \"Spend\"\n[[sections]]\ntitle = \"First\"\n\
        [[sections.parts]]\nreport = \"by_month\"\nshow = \"stack\"\nx = \"month\"\ny = [\"spend\"]\nby = \"channel\"\n";

    #[test]
    fn a_page_is_sections_of_reports() {
        let page = read("spend", FILE, &["by_month"]).expect("reads");
        assert_eq!(
            (page.title.as_str(), page.doc.as_str()),
            ("Spend", "What it is for.")
        );
        let part = &page.sections[0].parts[0];
        assert_eq!((part.show, part.x.as_str()), (Show::Stack, "month"));
        assert_eq!(part.by.as_deref(), Some("channel"));
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        for (from, to, complaint) in [
            ("by_month", "by_moth", "did you mean \"by_month\"?"),
            ("stack", "pie", "unknown show"),
            ("x = \"month\"\n", "", "\"x\" is missing"),
            ("y = [\"spend\"]\n", "", "a chart needs y"),
            ("[\"spend\"]", "[\"spend\", \"lines\"]", "has one y"),
            ("\"stack\"", "\"table\"", "has no meaning"),
            ("by = \"channel\"", "only = [\"a\"]", "has no meaning"),
            ("# What it is for.\n", "", "begins with a comment"),
        ] {
            let file = FILE.replacen(from, to, 1);
            let fault = read("spend", &file, &["by_month"]).expect_err(complaint);
            assert!(fault.what.contains(complaint), "{}", fault.what);
        }
    }
}
