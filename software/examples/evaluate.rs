//! Measures the classifier against labelled lines.
//!
//! cargo run --release -p software --example evaluate -- cases FILE.csv
//! cargo run --release -p software --example evaluate -- spend FILE.csv
//!
//! cargo run --release -p software --example evaluate -- speed FILE.csv
//!
//! `cases`: columns of a purchase list, and `is_software`, `vendor`, `product`, `category` as they
//! should be (empty: not asked). `spend`: supplier, account_name, is_software, is_other_it.

use std::collections::BTreeMap;
use std::error::Error;

use software::{Cache, Catalogue, Classifier, Decision, Line};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (mode, path, folder) = match args.as_slice() {
        [mode, path] => (mode, path, None),
        [mode, path, folder] => (mode, path, Some(folder)),
        _ => return Err("usage: evaluate cases|spend FILE.csv [CATALOGUE FOLDER]".into()),
    };
    let catalogue = match folder {
        Some(folder) => Catalogue::with_folder(folder.as_ref())?,
        None => Catalogue::embedded()?,
    };
    let classifier = Classifier::new(&catalogue);
    match mode.as_str() {
        "cases" => cases(&classifier, path),
        "spend" => spend(&classifier, path),
        "speed" => speed(&classifier, path),
        other => Err(format!("{other} is no mode: cases, spend or speed").into()),
    }
}

type Row = BTreeMap<String, String>;

fn rows(path: &str) -> Result<Vec<Row>, Box<dyn Error>> {
    let rows: Result<Vec<Row>, _> = csv::Reader::from_path(path)?.deserialize().collect();
    Ok(rows?)
}

fn line(row: &Row) -> Line<'_> {
    let get = |name: &str| row.get(name).map_or("", String::as_str);
    Line {
        supplier: get("supplier"),
        description: get("description"),
        commodity: get("commodity"),
        unspsc: get("unspsc"),
        account: get("account"),
        ..Line::default()
    }
}

fn cases(classifier: &Classifier, path: &str) -> Result<(), Box<dyn Error>> {
    let rows = rows(path)?;
    let mut score = Score::default();
    let mut right: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for row in &rows {
        let line = line(row);
        let decision = classifier.classify(&line);
        let truth = row["is_software"] == "true";
        score.add(&decision, truth);
        if truth != decision.is_software {
            println!(
                "WRONG {truth}: {} | {} | {:.2} {}",
                line.supplier,
                line.description,
                decision.logit,
                decision.evidence_text()
            );
        }
        if !truth || !decision.is_software {
            continue;
        }
        for (name, found) in [
            ("vendor", decision.vendor),
            ("product", decision.product),
            ("category", decision.category),
        ] {
            let wanted = &row[name];
            if wanted.is_empty() {
                continue;
            }
            let (hit, all) = right.entry(name).or_default();
            *all += 1;
            if found == Some(wanted) {
                *hit += 1;
            } else {
                println!(
                    "{name} {wanted}, found {}: {} | {}",
                    found.unwrap_or("-"),
                    line.supplier,
                    line.description
                );
            }
        }
    }
    score.print();
    for (name, (hit, all)) in right {
        println!("{name}: {hit} of {all} right");
    }
    Ok(())
}

/// Classifies the lines of a file, held in memory, on one core.
fn speed(classifier: &Classifier, path: &str) -> Result<(), Box<dyn Error>> {
    let rows = rows(path)?;
    let lines: Vec<Line> = rows.iter().map(line).collect();
    let mut cache = Cache::default();
    let start = std::time::Instant::now();
    let software = lines
        .iter()
        .filter(|line| classifier.classify_cached(line, &mut cache).is_software)
        .count();
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{} lines, {software} software, {:.0} lines a second",
        lines.len(),
        lines.len() as f64 / seconds
    );
    Ok(())
}

/// The label is the account's name, so the account is hidden, and a supplier counts as software if
/// any of its accounts is. Lines of other IT are no test of either.
fn spend(classifier: &Classifier, path: &str) -> Result<(), Box<dyn Error>> {
    let rows = rows(path)?;
    let mut suppliers: BTreeMap<String, (bool, bool)> = BTreeMap::new();
    let mut with_account = Score::default();
    let mut cache = Cache::default();
    for row in &rows {
        let software = row["is_software"] == "1";
        let other_it = row["is_other_it"] == "1";
        let known = suppliers.entry(row["supplier"].to_lowercase()).or_default();
        known.0 |= software;
        known.1 |= other_it;
        if !other_it {
            let line = Line {
                supplier: &row["supplier"],
                account_name: &row["account_name"],
                ..Line::default()
            };
            with_account.add(&classifier.classify_cached(&line, &mut cache), software);
        }
    }
    println!("supplier and account, {} lines", rows.len());
    with_account.print();
    // Spellings of one supplier share a fold. Nothing is fitted here: the folds show how much the
    // figures vary from supplier to supplier, not how well rules learnt on some do on others.
    const FOLDS: usize = 5;
    let mut folds: Vec<Score> = vec![Score::default(); FOLDS];
    let mut all = Score::default();
    let (mut links, mut false_links) = (0, 0);
    let verbose = std::env::var("VERBOSE").is_ok();
    for (supplier, (software, other_it)) in &suppliers {
        if *other_it && !software {
            continue;
        }
        let line = Line {
            supplier,
            ..Line::default()
        };
        let decision = classifier.classify_cached(&line, &mut cache);
        all.add(&decision, *software);
        folds[fold(supplier) % FOLDS].add(&decision, *software);
        let linked = decision.evidence.iter().find(|e| {
            e.signal.kind() == software::Kind::Supplier
                && !e.signal.name().ends_with("_tech")
                && e.detail.chars().any(char::is_uppercase)
        });
        if let Some(e) = linked {
            links += 1;
            if !software {
                false_links += 1;
            }
            if verbose {
                println!("LINK {software} {supplier} -> {e}");
            }
        }
        if verbose && *software && !decision.is_software {
            println!("MISS {supplier}: {}", decision.evidence_text());
        }
    }
    println!(
        "supplier alone, {} suppliers; {links} linked to the catalogue, {false_links} of them never paid from a software account",
        suppliers.len()
    );
    all.print();
    for (n, score) in folds.iter().enumerate() {
        println!("fold {n}: {}", score.line());
    }
    Ok(())
}

/// FNV-1a of the supplier's first word, so that spellings of one firm stay together.
fn fold(supplier: &str) -> usize {
    let first = supplier
        .split(|c: char| !c.is_alphanumeric())
        .find(|w| w.len() > 1 && *w != "the")
        .unwrap_or("");
    let hash = first.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash % 1009) as usize
}

#[derive(Debug, Clone, Default)]
struct Score {
    hits: usize,
    false_alarms: usize,
    misses: usize,
    count: usize,
    squares: f64,
    /// By tenth of the probability of software: lines, software, sum of probabilities.
    bins: [(usize, usize, f64); 10],
}

impl Score {
    fn add(&mut self, decision: &Decision, truth: bool) {
        let p = decision.probability();
        self.count += 1;
        self.hits += usize::from(decision.is_software && truth);
        self.false_alarms += usize::from(decision.is_software && !truth);
        self.misses += usize::from(!decision.is_software && truth);
        self.squares += (p - f64::from(u8::from(truth))).powi(2);
        let bin = &mut self.bins[((p * 10.0) as usize).min(9)];
        bin.0 += 1;
        bin.1 += usize::from(truth);
        bin.2 += p;
    }

    fn line(&self) -> String {
        let ratio = |a: usize, b: usize| a as f64 / (b.max(1)) as f64;
        let precision = ratio(self.hits, self.hits + self.false_alarms);
        let recall = ratio(self.hits, self.hits + self.misses);
        format!(
            "precision {precision:.3}, recall {recall:.3}, F1 {:.3}, Brier {:.4}, {} lines",
            2.0 * precision * recall / (precision + recall).max(1e-9),
            self.squares / self.count.max(1) as f64,
            self.count
        )
    }

    fn print(&self) {
        println!("{}", self.line());
        for (n, (count, software, sum)) in self.bins.iter().enumerate() {
            if *count > 0 {
                println!(
                    "  said {:.1} to {:.1}: {count:>6} lines, mean {:.3}, software {:.3}",
                    n as f64 / 10.0,
                    (n + 1) as f64 / 10.0,
                    sum / *count as f64,
                    *software as f64 / *count as f64
                );
            }
        }
    }
}
