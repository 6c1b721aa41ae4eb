//! A decision in words.

use std::fmt::Write;

use crate::line::{Decision, Line};

/// Many lines of text: the answer, each signal with its points and what it rests on, their sum,
/// the next best name.
pub(crate) fn explain(line: &Line, decision: &Decision) -> String {
    let mut text = String::new();
    for (name, value) in [
        ("supplier", line.supplier),
        ("description", line.description),
        ("commodity", line.commodity),
        ("unspsc", line.unspsc),
        ("account", line.account),
    ] {
        if !value.is_empty() {
            put(&mut text, format_args!("{name:<12} {}", printable(value)));
        }
    }
    let answer = if decision.is_software {
        "software"
    } else {
        "not software"
    };
    put(
        &mut text,
        format_args!(
            "\n{answer}, {}, confidence {:.3}, class {}",
            decision.certainty.name(),
            decision.confidence,
            decision.class.name()
        ),
    );
    if decision.is_software {
        put(
            &mut text,
            format_args!(
                "vendor {}, product {}, category {}",
                printable(decision.vendor.unwrap_or("(unknown)")),
                decision.product.unwrap_or("(unspecified)"),
                decision.category.unwrap_or("")
            ),
        );
    }
    if let Some(channel) = decision.channel {
        put(
            &mut text,
            format_args!("bought through {}", printable(channel)),
        );
    }
    if let Some((first, last)) = decision.subscription_period {
        put(&mut text, format_args!("period {first} to {last}"));
    }
    put(
        &mut text,
        format_args!("\n  points  signal              found"),
    );
    for e in &decision.evidence {
        put(
            &mut text,
            format_args!(
                "  {:>+6.2}  {:<19} {}",
                e.weight,
                e.signal.name(),
                printable(&e.detail)
            ),
        );
    }
    put(
        &mut text,
        format_args!(
            "  {:>+6.2}  sum: probability of software {:.3}",
            decision.logit,
            decision.probability()
        ),
    );
    match decision.runner_up {
        Some(next) => put(
            &mut text,
            format_args!(
                "\nrunner-up: {}, {} ({:.2} points)",
                next.vendor.unwrap_or("(no vendor)"),
                next.product.unwrap_or("(no product)"),
                next.score
            ),
        ),
        None => put(
            &mut text,
            format_args!("\nrunner-up: none; the text names no other"),
        ),
    }
    text
}

fn put(text: &mut String, line: std::fmt::Arguments) {
    text.write_fmt(line)
        .expect("writing to a string does not fail");
    text.push('\n');
}

/// Input is hostile: without what moves a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
