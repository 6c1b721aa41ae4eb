//! A chart's data as the page's script draws it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{Chart, ChartKind, ColumnKind, Data};

/// Series drawn apart; those with less are drawn as one.
const SERIES: usize = 8;
/// Lying bars drawn; a reader who wants more wants the table.
pub const BARS: usize = 12;

#[derive(Debug, Serialize)]
pub struct Drawn {
    kind: &'static str,
    labels: Vec<String>,
    series: Vec<Series>,
    /// Whether the values are parts of one.
    share: bool,
}

#[derive(Debug, Serialize)]
struct Series {
    name: String,
    /// For the eye: a mark needs no more digits than a float has.
    values: Vec<Option<f64>>,
}

/// The chart, or the name of the column that it lacks.
pub fn drawn(chart: &Chart) -> Result<Drawn, String> {
    let data = &chart.data;
    let position = |name: &String| data.position(name).ok_or_else(|| name.clone());
    let x = position(&chart.x)?;
    let y: Vec<usize> = chart.y.iter().map(position).collect::<Result<_, _>>()?;
    let share = y
        .first()
        .is_some_and(|column| data.columns[*column].kind == ColumnKind::Share);
    let (labels, series) = match &chart.by {
        Some(by) => {
            let by = position(by)?;
            let values = *y.first().ok_or_else(|| "y".to_string())?;
            spread(data, x, values, by)
        }
        None => {
            let rows = 0..match chart.kind {
                ChartKind::Bars => data.rows.len().min(BARS),
                _ => data.rows.len(),
            };
            let labels = rows.clone().map(|row| label(data, row, x)).collect();
            let series = y.iter().map(|column| Series {
                name: heading(&data.columns[*column].name),
                values: rows.clone().map(|row| number(data, row, *column)).collect(),
            });
            (labels, series.collect())
        }
    };
    Ok(Drawn {
        kind: match chart.kind {
            ChartKind::Columns => "columns",
            ChartKind::Stack => "stack",
            ChartKind::Bars => "bars",
            ChartKind::Lines => "lines",
        },
        labels,
        series,
        share,
    })
}

/// A series a value of the column `by`: the largest first, what is beyond `SERIES` as one.
fn spread(data: &Data, x: usize, values: usize, by: usize) -> (Vec<String>, Vec<Series>) {
    let mut labels: Vec<String> = Vec::new();
    let mut sums: BTreeMap<String, (f64, BTreeMap<usize, f64>)> = BTreeMap::new();
    for row in 0..data.rows.len() {
        let text = label(data, row, x);
        let place = labels.iter().position(|known| *known == text);
        let place = place.unwrap_or_else(|| {
            labels.push(text);
            labels.len() - 1
        });
        let value = number(data, row, values).unwrap_or(0.0);
        let series = sums.entry(label(data, row, by)).or_default();
        series.0 += value.abs();
        *series.1.entry(place).or_default() += value;
    }
    let mut ordered: Vec<_> = sums.into_iter().collect();
    ordered.sort_by(|a, b| b.1.0.total_cmp(&a.1.0).then(a.0.cmp(&b.0)));
    let kept = match ordered.len() > SERIES {
        true => SERIES - 1,
        false => ordered.len(),
    };
    let rest = ordered.split_off(kept);
    if !rest.is_empty() {
        let mut others: BTreeMap<usize, f64> = BTreeMap::new();
        for (place, value) in rest.iter().flat_map(|(_, (_, values))| values) {
            *others.entry(*place).or_default() += value;
        }
        let name = format!("{} others", rest.len());
        ordered.push((name, (0.0, others)));
    }
    let series = ordered.into_iter().map(|(name, (_, values))| Series {
        name,
        values: (0..labels.len())
            .map(|place| values.get(&place).copied())
            .collect(),
    });
    let series = series.collect();
    (labels, series)
}

fn label(data: &Data, row: usize, column: usize) -> String {
    data.cell(row, column).unwrap_or("(none)").to_string()
}

fn number(data: &Data, row: usize, column: usize) -> Option<f64> {
    data.cell(row, column)?.parse().ok()
}

/// `open_commitment` as `Open commitment`, `hhi` as `HHI`.
pub fn heading(name: &str) -> String {
    if ["hhi", "id", "uom"].contains(&name) {
        return name.to_uppercase();
    }
    let spaced = name.replace('_', " ");
    let mut letters = spaced.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => spaced,
    }
}
