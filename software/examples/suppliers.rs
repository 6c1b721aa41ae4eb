//! How well suppliers are matched, measured on a labelled list.
//!
//! ```sh
//! cargo run --release -p software --example suppliers -- software/tests/suppliers.csv
//! cargo run --release -p software --example suppliers -- scale 100000
//! ```
//!
//! `links FILE` prints the links of a list of names, one a line, to be judged by eye.
//!
//! The first reads a CSV with the columns `company` and `name` and prints precision, recall and F1 over pairs,
//! on all and on each half of the companies, beside the usual baseline: cosine of character 3-grams weighted
//! by rarity, at the threshold that is best for it on the same list. The second makes up a list of that many
//! names, and prints time and memory.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::time::Instant;

use software::{Catalogue, Record, SupplierMatcher};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let catalogue = Catalogue::embedded()?;
    let matcher = SupplierMatcher::new(&catalogue)?;
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["scale", count] => scale(&matcher, count.parse()?),
        [file] => quality(&matcher, file, false),
        ["links", file] => links(&matcher, file),
        [file, "errors"] => quality(&matcher, file, true),
        _ => Err("name a labelled list, or scale and a number".into()),
    }
}

/// Prints the links of a list of names, one a line, to be judged by eye.
fn links(matcher: &SupplierMatcher, file: &str) -> Result<(), Box<dyn Error>> {
    let text = std::fs::read_to_string(file)?;
    let records: Vec<Record> = text.lines().map(record).collect();
    for (at, placed) in matcher.groups(&records, &[]).iter().enumerate() {
        for (what, link) in [("linked", placed.link), ("proposed", placed.proposal)] {
            if let Some(link) = link {
                let (method, score) = (link.method.name(), link.score);
                let (name, to) = (&records[at].name, &records[link.to].name);
                println!("{what}\t{method}\t{score:.2}\t{name}\t{to}");
            }
        }
    }
    Ok(())
}

fn record(name: &str) -> Record {
    Record {
        name: name.to_string(),
        ..Record::default()
    }
}

fn quality(matcher: &SupplierMatcher, file: &str, errors: bool) -> Result<(), Box<dyn Error>> {
    let mut reader = csv::Reader::from_path(file)?;
    let mut rows: Vec<(String, String)> = Vec::new();
    for row in reader.records() {
        let row = row?;
        rows.push((row[0].to_string(), row[1].to_string()));
    }
    let records: Vec<Record> = rows.iter().map(|(_, name)| record(name)).collect();
    let placed = matcher.groups(&records, &[]);
    let halves = [("all", None), ("half 0", Some(0)), ("half 1", Some(1))];
    for (label, half) in halves {
        let chosen: Vec<usize> = (0..rows.len())
            .filter(|i| half.is_none_or(|h| hash(&rows[*i].0) % 2 == h))
            .collect();
        let mut count = Count::default();
        for_pairs(&chosen, |i, j| {
            let same = rows[i].0 == rows[j].0;
            let linked = placed[i].group == placed[j].group;
            count.note(same, linked);
            if errors && half.is_none() && same != linked {
                let what = if same { "missed" } else { "wrong" };
                println!("{what}: {} | {}", rows[i].1, rows[j].1);
            }
        });
        println!("{label}: {}", count.tell());
    }
    let vectors = trigrams(&rows);
    let chosen: Vec<usize> = (0..rows.len()).collect();
    let best = (30..=95)
        .step_by(5)
        .map(|percent| {
            let threshold = f64::from(percent) / 100.0;
            let mut count = Count::default();
            for_pairs(&chosen, |i, j| {
                let linked = cosine(&vectors[i], &vectors[j]) >= threshold;
                count.note(rows[i].0 == rows[j].0, linked);
            });
            (threshold, count)
        })
        .max_by(|a, b| a.1.f1().total_cmp(&b.1.f1()))
        .ok_or("no threshold was tried")?;
    println!(
        "3-gram cosine, at its best threshold {:.2}: {}",
        best.0,
        best.1.tell()
    );
    Ok(())
}

fn for_pairs(chosen: &[usize], mut each: impl FnMut(usize, usize)) {
    for (at, i) in chosen.iter().enumerate() {
        for j in &chosen[at + 1..] {
            each(*i, *j);
        }
    }
}

#[derive(Default)]
struct Count {
    right: u64,
    wrong: u64,
    missed: u64,
    unrelated: u64,
}

impl Count {
    fn note(&mut self, same: bool, linked: bool) {
        self.right += u64::from(same && linked);
        self.wrong += u64::from(!same && linked);
        self.missed += u64::from(same && !linked);
        self.unrelated += u64::from(!same);
    }

    fn f1(&self) -> f64 {
        2.0 * self.right as f64 / (2 * self.right + self.wrong + self.missed).max(1) as f64
    }

    fn tell(&self) -> String {
        let precision = self.right as f64 / (self.right + self.wrong).max(1) as f64;
        let recall = self.right as f64 / (self.right + self.missed).max(1) as f64;
        format!(
            "precision {precision:.3}, recall {recall:.3}, F1 {:.3} over {} pairs of one company; {} of {} unrelated pairs linked",
            self.f1(),
            self.right + self.missed,
            self.wrong,
            self.unrelated
        )
    }
}

/// Weighted character 3-grams of each name, of length 1.
fn trigrams(rows: &[(String, String)]) -> Vec<BTreeMap<[char; 3], f64>> {
    let counted: Vec<BTreeMap<[char; 3], f64>> = rows
        .iter()
        .map(|(_, name)| {
            let text: Vec<char> = format!("  {} ", name.to_lowercase()).chars().collect();
            let mut counts = BTreeMap::new();
            for gram in text.windows(3) {
                *counts.entry([gram[0], gram[1], gram[2]]).or_insert(0.0) += 1.0;
            }
            counts
        })
        .collect();
    let mut names: HashMap<[char; 3], f64> = HashMap::new();
    for counts in &counted {
        for gram in counts.keys() {
            *names.entry(*gram).or_insert(0.0) += 1.0;
        }
    }
    let all = rows.len() as f64;
    counted
        .into_iter()
        .map(|mut counts| {
            for (gram, weight) in &mut counts {
                *weight *= ((1.0 + all) / (1.0 + names[gram])).ln() + 1.0;
            }
            let length = counts.values().map(|w| w * w).sum::<f64>().sqrt();
            counts.values_mut().for_each(|w| *w /= length);
            counts
        })
        .collect()
}

fn cosine(a: &BTreeMap<[char; 3], f64>, b: &BTreeMap<[char; 3], f64>) -> f64 {
    a.iter()
        .filter_map(|(gram, weight)| Some(weight * b.get(gram)?))
        .sum()
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
    })
}

/// A list of made-up names: two or three words of a few thousand, with forms and slips.
fn scale(matcher: &SupplierMatcher, count: usize) -> Result<(), Box<dyn Error>> {
    let mut state = 7u64;
    let mut next = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let (starts, vowels) = ("bcdfghjklmnprstvwz", "aeiou");
    let word = |syllables: u64, next: &mut dyn FnMut(u64) -> u64| -> String {
        let mut word = String::new();
        for _ in 0..syllables {
            word.push(char::from(starts.as_bytes()[next(18) as usize]));
            word.push(char::from(vowels.as_bytes()[next(5) as usize]));
        }
        word
    };
    let trades = [
        "Services",
        "Solutions",
        "Consulting",
        "Construction",
        "Logistics",
        "Systems",
        "Foods",
        "Engineering",
        "Care",
        "Group",
    ];
    let forms = ["Ltd", "Limited", "GmbH", "Inc.", "LLC", "SA", "plc", "BV"];
    let records: Vec<Record> = (0..count)
        .map(|_| {
            let length = 3 + next(2);
            let (word, second) = (word(length, &mut next), word(2, &mut next));
            let name = match next(3) {
                0 => format!("{word} {}", forms[next(8) as usize]),
                1 => format!(
                    "{word} {} {}",
                    trades[next(10) as usize],
                    forms[next(8) as usize]
                ),
                _ => format!("{word} {second} {}", trades[next(10) as usize]),
            };
            record(&name)
        })
        .collect();
    let started = Instant::now();
    let placed = matcher.groups(&records, &[]);
    let vendors = records
        .iter()
        .filter(|r| matcher.vendor(&r.name).is_some())
        .count();
    let took = started.elapsed();
    let groups = placed
        .iter()
        .enumerate()
        .filter(|(i, p)| p.group == *i)
        .count();
    let peak = std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|s| {
            s.lines()
                .find(|l| l.starts_with("VmHWM"))
                .map(str::to_string)
        });
    println!(
        "{count} names: {groups} groups, {vendors} in the catalogue, {:.1} s; {}",
        took.as_secs_f64(),
        peak.unwrap_or_default()
    );
    Ok(())
}
