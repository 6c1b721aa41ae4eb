//! The query string: paging, order, selection, and conditions.
//!
//! Documented: `limit` up to 50, `offset` from zero, order by id unless `order_by` says otherwise, `dir`, dashed and
//! underscored names, nesting as `a[b][op]`, `[a][b][op]` and `a[b[c]]`, all conditions joined by AND.
//! Ours: a larger limit is cut to 50 in silence, a limit or offset that is no number is refused.

use crate::select::dashed;

/// Rows of a page, at most and by default.
pub const PAGE: usize = 50;

/// Comparisons of the query language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Eq,
    NotEq,
    Gt,
    Lt,
    GtOrEq,
    LtOrEq,
    In,
    NotIn,
    Contains,
    StartsWith,
    EndsWith,
    Blank,
}

impl Op {
    fn named(name: &str) -> Option<Op> {
        Some(match name {
            "not-eq" => Op::NotEq,
            "gt" => Op::Gt,
            "lt" => Op::Lt,
            "gt-or-eq" => Op::GtOrEq,
            "lt-or-eq" => Op::LtOrEq,
            "in" => Op::In,
            "not-in" => Op::NotIn,
            "contains" => Op::Contains,
            "starts-with" => Op::StartsWith,
            "ends-with" => Op::EndsWith,
            "blank" => Op::Blank,
            _ => return None,
        })
    }
}

/// One condition. The path is dashed, from the record down.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub path: Vec<String>,
    pub op: Op,
    pub value: String,
}

/// How much of each record is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Full,
    Fields(String),
    Limited,
    Shallow,
}

/// A query, read but not yet compared with what the resource has.
#[derive(Clone, Debug)]
pub struct Query {
    pub limit: usize,
    pub offset: usize,
    pub order_by: Vec<String>,
    pub descending: bool,
    pub answer: Answer,
    pub json: bool,
    pub deleted_lines: bool,
    pub conditions: Vec<Condition>,
}

impl Query {
    /// Reads decoded pairs. Errors: sentences for the body of a 400.
    pub fn read(pairs: &[(String, String)], refuse_large_pages: bool) -> Result<Query, String> {
        let mut query = Query {
            limit: PAGE,
            offset: 0,
            order_by: Vec::new(),
            descending: false,
            answer: Answer::Full,
            json: false,
            deleted_lines: false,
            conditions: Vec::new(),
        };
        for (key, value) in pairs {
            let number = || {
                value
                    .parse::<usize>()
                    .map_err(|_| format!("{key} must be a number"))
            };
            match key.as_str() {
                "limit" => match number()? {
                    n if n > PAGE && refuse_large_pages => {
                        return Err(format!("limit must not exceed {PAGE}"));
                    }
                    n => query.limit = n.min(PAGE),
                },
                "offset" => query.offset = number()?,
                "order_by" | "order-by" => query.order_by = names(value)?,
                "dir" => match value.as_str() {
                    "asc" => query.descending = false,
                    "desc" => query.descending = true,
                    _ => return Err("dir must be asc or desc".into()),
                },
                "fields" => query.answer = Answer::Fields(value.clone()),
                // Documented for PUT and POST only; a GET answers as if it were not there.
                "return_object" if value == "none" => {}
                "return_object" => match value.as_str() {
                    _ if matches!(query.answer, Answer::Fields(_)) => {}
                    "limited" => query.answer = Answer::Limited,
                    "shallow" => query.answer = Answer::Shallow,
                    _ => return Err("return_object must be limited, shallow or none".into()),
                },
                "format" => query.json = value == "json",
                "show_deleted_lines" => query.deleted_lines = value == "true",
                // A named filter of the tenant: the default one answers in full.
                "filter" if value == "default" => {}
                "filter" => return Err(format!("filter {value} does not exist")),
                _ => query.conditions.push(condition(key, value)?),
            }
        }
        Ok(query)
    }
}

fn condition(key: &str, value: &str) -> Result<Condition, String> {
    let mut path = names(key)?;
    // A last name in brackets is an operator if it is one; `status=x` has none.
    let op = if path.len() > 1 {
        path.last().and_then(|name| Op::named(name))
    } else {
        None
    };
    if op.is_some() {
        path.pop();
    }
    Ok(Condition {
        path,
        op: op.unwrap_or(Op::Eq),
        value: value.to_owned(),
    })
}

/// The names of `a[b][c]`, `[a][b][c]` or `a[b[c]]`, dashed.
fn names(key: &str) -> Result<Vec<String>, String> {
    if key.matches('[').count() != key.matches(']').count() {
        return Err(format!("{key} has brackets that do not close"));
    }
    let names: Vec<String> = key
        .split(['[', ']'])
        .filter(|n| !n.is_empty())
        .map(dashed)
        .collect();
    if names.is_empty() {
        Err("a parameter has no name".into())
    } else {
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, path: &[&str], op: Op) {
        let found = condition(key, "v").unwrap();
        assert_eq!(
            (found.path, found.op),
            (path.iter().map(|s| (*s).to_owned()).collect(), op),
            "{key}"
        );
    }

    #[test]
    fn keys_nest_in_three_ways() {
        check("status", &["status"], Op::Eq);
        check("updated_at[gt_or_eq]", &["updated-at"], Op::GtOrEq);
        check(
            "order-lines[account][code]",
            &["order-lines", "account", "code"],
            Op::Eq,
        );
        check(
            "[lookup][created-at][gt]",
            &["lookup", "created-at"],
            Op::Gt,
        );
        check(
            "supplier[primary_address[city]]",
            &["supplier", "primary-address", "city"],
            Op::Eq,
        );
        check("id[not_in]", &["id"], Op::NotIn);
        check("in", &["in"], Op::Eq);
        assert!(condition("a[b", "v").is_err());
    }
}
