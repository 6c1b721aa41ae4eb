//! Names of companies, brought to a form in which case, accents, punctuation and legal forms make no difference.

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::Result;

/// What stands at the end of a company's name and does not tell companies apart.
const FORMS: [&str; 36] = [
    "inc",
    "incorporated",
    "llc",
    "ltd",
    "limited",
    "plc",
    "gmbh",
    "mbh",
    "ag",
    "bv",
    "nv",
    "sa",
    "sas",
    "sarl",
    "srl",
    "spa",
    "oy",
    "ab",
    "as",
    "aps",
    "pty",
    "pte",
    "kg",
    "lp",
    "llp",
    "ulc",
    "corp",
    "corporation",
    "co",
    "company",
    "uk",
    "usa",
    "us",
    "ireland",
    "deutschland",
    "france",
];

/// What follows one of these is another name.
const OTHER_NAMES: [&str; 4] = [" trading as ", " t a ", " formerly ", " c o "];

pub fn keys(names: &ArrayRef) -> Result<StringArray> {
    let names = cast(names, &DataType::Utf8)?;
    let names = names.as_string::<i32>();
    Ok(names
        .iter()
        .map(|name| name.map(key).filter(|key| !key.is_empty()))
        .collect())
}

/// The name's words in lower-case ASCII; all of them where nothing but forms would be left.
fn key(name: &str) -> String {
    let mut text = String::from(" ");
    let mut depth = 0_usize;
    for sign in name.chars() {
        match sign {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            '&' => text.push_str(" and "),
            // "Moody's" is one word, "S.A." one form.
            '\'' | '’' | '.' => {}
            _ if sign.is_alphanumeric() => {
                let plain = deunicode::deunicode_char(sign).unwrap_or_default();
                text.push_str(&plain.to_ascii_lowercase());
            }
            _ => text.push(' '),
        }
    }
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let padded = format!(" {joined} ");
    let end = OTHER_NAMES.iter().filter_map(|word| padded.find(word));
    let padded = &padded[..end.min().unwrap_or(padded.len())];
    let all: Vec<&str> = padded.split_whitespace().collect();
    let mut words = &all[..];
    while let [front @ .., last] = words
        && !front.is_empty()
        && (FORMS.contains(last) || *last == "and")
    {
        words = front;
    }
    if let ["the", rest @ ..] = words
        && !rest.is_empty()
    {
        words = rest;
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_company_have_one_key() {
        let check = |name: &str, expected: &str| assert_eq!(key(name), expected, "{name}");
        check("ACME, Inc.", "acme");
        check("Acme Holdings Co. Ltd", "acme holdings");
        check("The Müller & Söhne GmbH & Co. KG", "muller and sohne");
        check("Société Générale S.A.", "societe generale");
        check("Moody's (UK) Limited", "moodys");
        check("John Smith t/a Smith Motors", "john smith");
        check("Ltd", "ltd");
        check("", "");
    }
}
