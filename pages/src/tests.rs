//! What a page promises: nothing of what it is given runs, nothing leaves it, every number has its query.

use crate::{
    Chart, ChartKind, Column, ColumnKind, Data, Figures, Page, PageError, Part, Section, Source,
    render,
};

const HOSTILE: &str =
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;{{ 7*7 }}\u{2028}";

fn data(rows: Vec<Vec<Option<&str>>>) -> Data {
    let column = |name: &str, kind| Column {
        name: name.to_string(),
        kind,
    };
    Data {
        source: Source {
            name: "by_vendor".to_string(),
            title: format!("By vendor {HOSTILE}"),
            definition: format!("What counts: {HOSTILE}"),
            sql: format!("SELECT '{HOSTILE}'"),
            parameters: vec![("top".to_string(), Some(HOSTILE.to_string()))],
            command: "spendlake report job.toml by_vendor".to_string(),
        },
        columns: vec![
            column("vendor", ColumnKind::Text),
            column("spend", ColumnKind::Decimal),
            column("spend_share", ColumnKind::Share),
        ],
        row_count: rows.len() as u64,
        rows: rows
            .into_iter()
            .map(|row| {
                row.into_iter()
                    .map(|cell| cell.map(str::to_string))
                    .collect()
            })
            .collect(),
    }
}

fn page(parts: Vec<Part>) -> Page {
    Page {
        title: format!("Spend {HOSTILE}"),
        subtitle: HOSTILE.to_string(),
        facts: vec![("Made".to_string(), HOSTILE.to_string())],
        sections: vec![Section {
            title: format!("Section {HOSTILE}"),
            intro: HOSTILE.to_string(),
            parts,
        }],
    }
}

fn chart(x: &str) -> Part {
    Part::Chart(Chart {
        kind: ChartKind::Bars,
        data: data(vec![vec![Some(HOSTILE), Some("1234.500000000"), None]]),
        x: x.to_string(),
        y: vec!["spend".to_string()],
        by: None,
    })
}

#[test]
fn hostile_text_is_text_everywhere() {
    let html = render(&page(vec![
        chart("vendor"),
        Part::Table(data(vec![vec![Some(HOSTILE), None, None]])),
    ]))
    .expect("renders");
    // The page's own: one for the data, one for the library, one for what it does.
    assert_eq!(html.matches("<script").count(), 3);
    assert_eq!(html.matches("</script>").count(), 3);
    assert!(!html.contains("<img"));
    assert!(!html.contains("<script>alert"));
    assert!(
        html.contains("{{ 7*7 }}"),
        "no text of a table is a template"
    );
}

#[test]
fn a_policy_forbids_all_but_what_the_page_holds() {
    let html = render(&page(vec![chart("vendor")])).expect("renders");
    let policy = html
        .split("Content-Security-Policy\" content=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a policy");
    assert!(
        policy.starts_with("default-src &#x27;none&#x27;; script-src &#x27;sha256-"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    let asks = [
        "src=\"",
        "url(",
        "@import",
        "fetch(",
        "XMLHttpRequest",
        "sourceMappingURL",
    ];
    for ask in asks {
        assert!(!html.contains(ask), "{ask}");
    }
    let links = html.matches("href=\"").count();
    let within = html.matches("href=\"#").count() + html.matches("href=\"data:,\"").count();
    assert_eq!(links, within);
    assert!(html.len() < 400_000, "{} bytes", html.len());
}

#[test]
fn many_bars_are_not_all_drawn_and_it_is_said() {
    let rows = (0..30).map(|_| vec![Some("Acme"), Some("1.0"), None]);
    let chart = Chart {
        kind: ChartKind::Bars,
        data: data(rows.collect()),
        x: "vendor".to_string(),
        y: vec!["spend".to_string()],
        by: None,
    };
    let html = render(&page(vec![Part::Chart(chart)])).expect("renders");
    assert!(html.contains("The first 12 are drawn."));
    assert!(html.contains("[1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0]"));
    assert_eq!(html.matches("<td>Acme</td>").count(), 30);
}

#[test]
fn a_page_without_charts_is_small() {
    let html = render(&page(vec![Part::Table(data(vec![]))])).expect("renders");
    assert!(html.len() < 40_000, "{} bytes", html.len());
    assert!(html.contains("No rows in this period."));
}

#[test]
fn numbers_are_shown_for_people_and_kept_for_sorting() {
    let rows = vec![vec![
        Some("Acme"),
        Some("-1234567.500000000"),
        Some("0.125"),
    ]];
    let html = render(&page(vec![Part::Table(data(rows))])).expect("renders");
    let cell = "<td class=\"number\" data-value=\"-1234567.500000000\">\u{2212}1,234,567.50</td>";
    assert!(html.contains(cell));
    assert!(html.contains(">12.5 %</td>"));
    assert!(html.contains("How this is made"));
    assert!(html.contains("spendlake report job.toml by_vendor"));
}

#[test]
fn figures_show_what_a_ratio_is_made_of() {
    let mut kpis = data(vec![]);
    let names = ["kpi", "value", "unit", "numerator", "denominator"];
    kpis.columns = names
        .map(|name| Column {
            name: name.to_string(),
            kind: ColumnKind::Text,
        })
        .to_vec();
    let row = |cells: [Option<&str>; 5]| cells.map(|cell| cell.map(str::to_string)).to_vec();
    kpis.rows = vec![
        row([
            Some("Spend"),
            Some("1234567.891"),
            Some("currency"),
            None,
            None,
        ]),
        row([
            Some("Covered"),
            Some("0.5"),
            Some("share"),
            Some("1000.00"),
            Some("2000.00"),
        ]),
        row([
            Some("Nothing"),
            None,
            Some("share"),
            Some("0.00"),
            Some("0.00"),
        ]),
    ];
    let figures = Figures {
        data: kpis,
        only: vec!["Covered".to_string(), "Nothing".to_string()],
    };
    let html = render(&page(vec![Part::Figures(figures)])).expect("renders");
    let tiles = html
        .split("<ul class=\"figures\">")
        .nth(1)
        .and_then(|rest| rest.split("</ul>").next());
    let tiles = tiles.expect("tiles");
    assert!(
        tiles.contains("50.0 %") && tiles.contains("1,000 of 2,000"),
        "{tiles}"
    );
    assert!(tiles.contains(">\u{2013}</strong>"), "{tiles}");
    assert!(!tiles.contains("Spend"), "{tiles}");
}

#[test]
fn a_chart_of_a_column_that_is_not_there_says_so() {
    let error = render(&page(vec![chart("vendr")])).expect_err("no such column");
    assert!(matches!(&error, PageError::Column { column, .. } if column == "vendr"));
    assert_eq!(error.to_string(), "`by_vendor` has no column `vendr`");
}
