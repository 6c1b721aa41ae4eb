//! A page as HTML.

use minijinja::Environment;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use serde::Serialize;

use crate::chart::{BARS, Drawn, drawn, heading};
use crate::embed;
use crate::model::{ChartKind, ColumnKind, Data, Figures, Page, Part};
use crate::number;

const TEMPLATE: &str = include_str!("../assets/page.html");
const STYLE: &str = include_str!("../assets/page.css");
const SCRIPT: &str = include_str!("../assets/page.js");
const CHARTS: &str = include_str!("../assets/chart.js/chart.umd.min.js");

/// A page that can not be made as described.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    #[error("`{report}` has no column `{column}`")]
    Column { report: String, column: String },
    #[error("the page can not be written")]
    Template(#[from] minijinja::Error),
    #[error("the page's data can not be written")]
    Data(#[from] serde_json::Error),
}

/// The page as one HTML document.
///
/// Errors: a chart or a row of figures names a column that its data lacks.
pub fn render(page: &Page) -> Result<String, PageError> {
    let mut charts = Vec::new();
    let mut part_count = 0;
    let mut sections = Vec::new();
    for section in &page.sections {
        let mut parts = Vec::new();
        for part in &section.parts {
            part_count += 1;
            parts.push(shown(part, format!("t{part_count}"), &mut charts)?);
        }
        sections.push(ShownSection {
            id: slug(&section.title),
            title: &section.title,
            intro: &section.intro,
            parts,
        });
    }
    // Without a chart the page does not carry the library.
    let library = match charts.is_empty() {
        true => "",
        false => library(),
    };
    let policy = format!(
        "default-src 'none'; script-src {} {}; style-src {}; img-src data:; base-uri 'none'; form-action 'none'",
        embed::hash(library),
        embed::hash(SCRIPT),
        embed::hash(STYLE),
    );
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()?;
    environment.set_syntax(syntax);
    // Its name makes all that is put into it escaped, but for what is marked as safe: our own files.
    environment.add_template("page.html", TEMPLATE)?;
    let document = Document {
        policy,
        style: STYLE,
        script: SCRIPT,
        library,
        data: embed::json(&charts)?,
        title: &page.title,
        subtitle: &page.subtitle,
        facts: &page.facts,
        sections,
    };
    let template = environment.get_template("page.html")?;
    Ok(template.render(Serde(&document))?)
}

/// The charting library without the line that names a file to look for when someone debugs it.
fn library() -> &'static str {
    CHARTS
        .split("//# sourceMappingURL")
        .next()
        .unwrap_or_default()
        .trim_end()
}

#[derive(Serialize)]
struct Document<'a> {
    policy: String,
    style: &'a str,
    script: &'a str,
    library: &'a str,
    data: String,
    title: &'a str,
    subtitle: &'a str,
    facts: &'a [(String, String)],
    sections: Vec<ShownSection<'a>>,
}

#[derive(Serialize)]
struct ShownSection<'a> {
    id: String,
    title: &'a str,
    intro: &'a str,
    parts: Vec<ShownPart<'a>>,
}

#[derive(Serialize)]
struct ShownPart<'a> {
    kind: &'static str,
    id: String,
    /// The place of a chart's data, how high it is drawn, and how many of its rows if not all.
    chart: Option<usize>,
    height: Option<&'static str>,
    drawn: Option<usize>,
    tiles: Vec<Tile>,
    title: &'a str,
    source: ShownSource<'a>,
    columns: Vec<ShownColumn>,
    rows: Vec<Vec<Cell>>,
    row_count: String,
    cut: bool,
}

#[derive(Serialize)]
struct Tile {
    label: String,
    value: String,
    exact: Option<String>,
    parts: Option<String>,
}

#[derive(Serialize)]
struct ShownSource<'a> {
    title: &'a str,
    definition: &'a str,
    sql: &'a str,
    command: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

#[derive(Serialize)]
struct ShownColumn {
    heading: String,
    /// Its cells' class: numbers stand to the right, days in one line.
    style: &'static str,
}

#[derive(Serialize)]
struct Cell {
    /// As it is sorted: exact; absent for null and for texts.
    value: Option<String>,
    text: String,
}

fn shown<'a>(
    part: &'a Part,
    id: String,
    charts: &mut Vec<Drawn>,
) -> Result<ShownPart<'a>, PageError> {
    Ok(match part {
        Part::Table(data) => table(data, "table", id),
        Part::Figures(figures) => ShownPart {
            tiles: tiles(figures)?,
            ..table(&figures.data, "figures", id)
        },
        Part::Chart(chart) => {
            let data = &chart.data;
            let height = match chart.kind {
                ChartKind::Bars => height_of_bars(data.rows.len()),
                _ => "m",
            };
            charts.push(drawn(chart).map_err(|column| missing(data, &column))?);
            ShownPart {
                chart: Some(charts.len() - 1),
                height: Some(height),
                drawn: (chart.kind == ChartKind::Bars && data.rows.len() > BARS).then_some(BARS),
                ..table(data, "chart", id)
            }
        }
    })
}

/// Lying bars need a line each. Heights are classes: a style of its own would not pass the policy.
fn height_of_bars(bars: usize) -> &'static str {
    match bars {
        0..=6 => "s",
        _ => "m",
    }
}

fn missing(data: &Data, column: &str) -> PageError {
    PageError::Column {
        report: data.source.name.clone(),
        column: column.to_string(),
    }
}

fn table<'a>(data: &'a Data, kind: &'static str, id: String) -> ShownPart<'a> {
    let columns = data.columns.iter().map(|column| ShownColumn {
        heading: heading(&column.name),
        style: match column.kind {
            ColumnKind::Text => "",
            ColumnKind::Date => "date",
            _ => "number",
        },
    });
    let rows = data.rows.iter().map(|row| {
        let cells = row.iter().zip(&data.columns);
        let cells = cells.map(|(value, column)| Cell {
            text: match value {
                Some(value) => number::shown(column.kind, value),
                None => String::new(),
            },
            value: value.clone().filter(|_| is_numeric(column.kind)),
        });
        cells.collect()
    });
    let source = &data.source;
    let parameters = source.parameters.iter();
    ShownPart {
        kind,
        id,
        chart: None,
        height: None,
        drawn: None,
        tiles: Vec::new(),
        title: &source.title,
        source: ShownSource {
            title: &source.title,
            definition: &source.definition,
            sql: &source.sql,
            command: &source.command,
            parameters: parameters
                .map(|(name, value)| (name.as_str(), value.as_deref().unwrap_or("null")))
                .collect(),
        },
        columns: columns.collect(),
        rows: rows.collect(),
        row_count: number::grouped(&data.row_count.to_string()),
        cut: data.row_count > data.rows.len() as u64,
    }
}

fn is_numeric(kind: ColumnKind) -> bool {
    matches!(
        kind,
        ColumnKind::Decimal | ColumnKind::Share | ColumnKind::Count
    )
}

fn tiles(figures: &Figures) -> Result<Vec<Tile>, PageError> {
    let data = &figures.data;
    let need = |name: &str| data.position(name).ok_or_else(|| missing(data, name));
    let (kpi, value, unit) = (need("kpi")?, need("value")?, need("unit")?);
    let over = (need("numerator")?, need("denominator")?);
    let all = 0..data.rows.len();
    let rows: Vec<usize> = match figures.only.is_empty() {
        true => all.collect(),
        false => {
            let named = |name: &String| {
                let same = |row: &usize| data.cell(*row, kpi) == Some(name);
                all.clone().find(same)
            };
            figures.only.iter().filter_map(named).collect()
        }
    };
    let tile = |row: usize| {
        let unit = data.cell(row, unit).unwrap_or_default();
        let value = data.cell(row, value);
        let part = |column: usize| {
            let text = data.cell(row, column)?;
            // Of large amounts nobody reads the cents here; the table has them.
            let is_large = text.split('.').next().is_some_and(|whole| whole.len() > 3);
            let short = match is_large {
                true => number::rounded(text, 0),
                false => number::without_zeros(text)
                    .trim_end_matches(".00")
                    .to_string(),
            };
            Some(number::grouped(&short))
        };
        let parts = part(over.0).zip(part(over.1));
        Tile {
            label: data.cell(row, kpi).unwrap_or_default().to_string(),
            value: match value {
                Some(value) => number::figure(unit, value),
                None => "\u{2013}".to_string(),
            },
            exact: value.map(number::without_zeros),
            parts: parts.map(|(above, below)| match unit {
                "share" => format!("{above} of {below}"),
                _ => format!("{above} \u{f7} {below}"),
            }),
        }
    };
    Ok(rows.into_iter().map(tile).collect())
}

/// An address within the page: letters, digits and dashes of the title.
fn slug(title: &str) -> String {
    let mut slug = String::from("s");
    for word in title.split(|c: char| !c.is_ascii_alphanumeric()) {
        if !word.is_empty() {
            slug.push('-');
            slug.push_str(&word.to_ascii_lowercase());
        }
    }
    slug
}
