//! The words of the command line, and the help that teaches them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use pipeline::AsOf;
use simulator::Faults;

use crate::commands::PORT;

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 a bug of ours, 2 change the job, a definition or the call,
            3 the source sent more misfits than the job tolerates (the rest landed),
            4 source or store unavailable, run again later.
            With several jobs or resources the rest still runs; the code is the worst one.

Rows and --json go to stdout, all talk to stderr. SPENDLAKE_LOG=debug tells more.";

/// Moves a company's Coupa data into its own lake, unified and joined.
#[derive(Debug, Parser)]
#[command(
    name = "spendlake",
    version,
    after_help = EXIT_CODES,
    arg_required_else_help = true,
    long_about = "Moves a company's Coupa data into its own lake: Delta Lake tables on a folder or \
        on S3, as Coupa reported it (coupa.invoices) and unified (unified.invoices).\n\n\
        Without an account at hand:   spendlake demo\n\
        With one:                     spendlake init, fill in spendlake.toml, then\n\
        \x20                             spendlake check spendlake.toml\n\
        \x20                             spendlake run spendlake.toml"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// Lay a folder of definitions over those in the binary
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        long_help = "Lay a folder of definitions over those in the binary: a file of the same path \
            replaces one, a new path adds one. `spendlake schemas export DIR` writes a folder to \
            start from; keep in it only the files you change."
    )]
    pub schemas: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try everything on this machine, with a simulated Coupa; no credentials
    #[command(
        long_about = "Starts a Coupa simulator, runs the whole pipeline against it into a \
        lake in DIR, and answers three questions from what landed. Nothing leaves this machine.\n\n\
        \x20 spendlake demo\n\
        \x20 spendlake demo --dir /tmp/demo --scale 1\n\
        \x20 spendlake query spendlake-demo/spendlake.toml \"SELECT * FROM unified.contacts LIMIT 5\""
    )]
    Demo(Demo),

    /// Write a commented starter job file
    #[command(
        long_about = "Writes DIR/spendlake.toml, a job file with every setting explained, \
        and says what to fill in. An existing file is left alone.\n\n\
        \x20 spendlake init\n\
        \x20 spendlake init jobs/acme"
    )]
    Init(Init),

    /// Find all that is wrong with a job before it runs
    #[command(
        long_about = "Checks the definitions, the job file, the secrets it names, the \
        credentials, the scope of each resource and the lake, and prints every problem at once, \
        each with its remedy. Reads no records and commits nothing.\n\n\
        \x20 spendlake check spendlake.toml\n\
        \x20 spendlake check jobs/*.toml --offline     no network: definitions and job files alone"
    )]
    Check(Check),

    /// Read what changed at the source and commit it to the lake
    #[command(
        long_about = "Reads what changed since the last run, commits it to the lake and \
        brings the unified tables up to date. Running again is always safe: a stopped or failed \
        run continues, and a second run over the same changes adds nothing.\n\n\
        \x20 spendlake run spendlake.toml\n\
        \x20 spendlake run spendlake.toml --resources invoices,suppliers\n\
        \x20 spendlake run spendlake.toml --full             read everything again\n\
        \x20 spendlake run spendlake.toml --reconcile        look for deleted records now\n\
        \x20 spendlake run spendlake.toml --dry-run          read, but commit nothing\n\
        \x20 spendlake run jobs/*.toml --json > summary.json  (with several jobs: a list)\n\n\
        Ctrl-C stops at the next safe point, a second one at once; either way the next run \
        continues."
    )]
    Run(Run),

    /// Show what the lake holds: versions, rows, watermarks, the last run
    #[command(
        long_about = "Shows each table of a job's lake: version, rows, size, watermark, how \
        far it lags behind, the last run and how it ended. Asks the lake alone, not Coupa.\n\n\
        \x20 spendlake status spendlake.toml\n\
        \x20 spendlake status spendlake.toml --json | jq '.[] | select(.lag_seconds > 86400)'"
    )]
    Status(Status),

    /// Ask the lake a question in SQL
    #[command(
        long_about = "Runs one SQL query over the tables of a job's lake (coupa.…, \
        unified.…, quarantine.…, report.…) and prints its rows as they come. Asks the lake alone, \
        not Coupa, and changes nothing.\n\n\
        \x20 spendlake query spendlake.toml \"SELECT status, COUNT(*) FROM unified.invoices GROUP BY status\"\n\
        \x20 spendlake query spendlake.toml                       a prompt; \\d lists tables\n\
        \x20 spendlake query spendlake.toml --describe unified.invoices\n\
        \x20 spendlake query spendlake.toml \"SELECT COUNT(*) FROM unified.invoices\" --as-of 2026-03-01\n\
        \x20 spendlake query spendlake.toml -f spend.sql --format csv > spend.csv\n\
        \x20 spendlake query spendlake.toml -f spend.sql --format parquet --output spend.parquet"
    )]
    Query(Query),

    /// Answer a named question, or make a page of several
    #[command(
        long_about = "Answers one of the named questions in the definitions (`list` shows them with what each can be \
        asked with), or makes a page of several: one HTML file with figures, charts, tables and the query \
        behind each number, which needs no network. Asks the lake alone, not Coupa, and changes nothing.\n\n\
        \x20 spendlake report spendlake.toml list\n\
        \x20 spendlake report spendlake.toml spend                          writes spend.html\n\
        \x20 spendlake report spendlake.toml spend --format csv --output spend-csv\n\
        \x20 spendlake report spendlake.toml largest_suppliers --from 2026-01-01 --to 2026-07-01 --top 20"
    )]
    Report(Report),

    /// Join small files and remove those that no reader needs
    #[command(
        long_about = "Joins small files of every table of a job's lake, and removes files that no version \
        of the last days refers to, what ended runs left behind among them. Rows do not change, and no \
        table is mapped again. Runs may go on meanwhile. Once a week is enough.\n\n\
        \x20 spendlake maintain spendlake.toml\n\
        \x20 spendlake maintain spendlake.toml --dry-run\n\
        \x20 spendlake maintain spendlake.toml --keep-days 30"
    )]
    Maintain(Maintain),

    /// See records that did not fit, and bring them back
    #[command(
        subcommand,
        long_about = "A record that does not fit its definition is set aside with the reason; its neighbours \
        land. Mend the definition (`spendlake schemas export`), then replay.\n\n\
        \x20 spendlake quarantine list spendlake.toml\n\
        \x20 spendlake quarantine show spendlake.toml invoices --limit 3\n\
        \x20 spendlake --schemas my-schemas quarantine replay spendlake.toml"
    )]
    Quarantine(Quarantine),

    /// List, show or export the definitions in the binary
    #[command(
        subcommand,
        long_about = "Resources, contracts, mappings and reports are files inside the binary. \
        Export them, change one, and give the folder back with --schemas.\n\n\
        \x20 spendlake schemas list\n\
        \x20 spendlake schemas show unified.invoices\n\
        \x20 spendlake schemas export my-schemas"
    )]
    Schemas(Schemas),

    /// Tell which lines of a purchase list are software
    #[command(
        subcommand,
        long_about = "Decides for each line of a list of purchases whether it is software, whose and which, \
        how sure that is, and why. Needs no lake and no Coupa.\n\n\
        \x20 spendlake software classify payments.csv --output classified.csv\n\
        \x20 spendlake software classify payments.csv --explain 12"
    )]
    Software(Software),

    /// Tell which suppliers of a list are one company
    #[command(
        subcommand,
        long_about = "Groups the suppliers of a list by company, with the method and score of each link, and \
        names the vendors that the software catalogue knows. Needs no lake and no Coupa.\n\n\
        \x20 spendlake suppliers match suppliers.csv --output matched.csv\n\
        \x20 spendlake suppliers match suppliers.csv --decisions decisions.csv"
    )]
    Suppliers(Suppliers),

    /// Run the Coupa simulator as a server
    #[command(
        long_about = "Serves a simulated Coupa on this machine until Ctrl-C, and prints its \
        address, a client id and secret, and a job that reads it.\n\n\
        \x20 spendlake simulate\n\
        \x20 spendlake simulate --port 8780 --seed 7 --scale 1\n\
        \x20 spendlake simulate --faults 429x5,invoices:delay=500    with the faults of a bad day"
    )]
    Simulate(Simulate),
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Where the demo's job file and lake go
    #[arg(long, value_name = "DIR", default_value = "spendlake-demo")]
    pub dir: PathBuf,
    /// Size of the company: 1 has 5,000 invoices and 4,000 orders
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = scale)]
    pub scale: f64,
}

#[derive(Debug, Args)]
pub struct Init {
    /// Where to write spendlake.toml
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

#[derive(Debug, Args)]
pub struct Check {
    /// Job files
    #[arg(required = true, value_name = "JOB")]
    pub jobs: Vec<PathBuf>,
    /// Leave out what needs a network
    #[arg(long)]
    pub offline: bool,
}

#[derive(Debug, Args)]
pub struct Run {
    /// Job files
    #[arg(required = true, value_name = "JOB")]
    pub jobs: Vec<PathBuf>,
    /// Only these resources, of those in the job
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub resources: Option<Vec<String>>,
    /// Read everything again, not only what changed
    #[arg(long)]
    pub full: bool,
    /// Look for deleted records now, whatever the job says
    #[arg(long)]
    pub reconcile: bool,
    /// Believe the source where it shows far less than before, for this run alone
    #[arg(
        long,
        long_help = "Believe the source where it shows far less than before, for this run alone: \
            mark all that a sweep misses as deleted, and follow an instance that was set back \
            (a refreshed sandbox, a restored backup; then with --full --reconcile)."
    )]
    pub accept_deletes: bool,
    /// Read all that a run would, and commit nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Ask nothing of Coupa, and map all that the change log holds once more
    #[arg(long, conflicts_with_all = ["resources", "full", "reconcile", "accept_deletes", "dry_run"])]
    pub replay: bool,
    /// Print the summary as one JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Status {
    /// Job file
    #[arg(value_name = "JOB")]
    pub job: PathBuf,
    /// Print one JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Maintain {
    /// Job file
    #[arg(value_name = "JOB")]
    pub job: PathBuf,
    /// Days whose versions stay readable
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(i64).range(1..=3650))]
    pub keep_days: i64,
    /// Say what would be removed, change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print one JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Quarantine {
    /// Count open entries by resource, reason and field
    List(Status),
    /// Print open entries of one resource, a JSON document a line
    Show(QuarantineShow),
    /// Decode open entries again with today's definitions and land what fits
    Replay(QuarantineReplay),
}

#[derive(Debug, Args)]
pub struct QuarantineShow {
    /// Job file
    #[arg(value_name = "JOB")]
    pub job: PathBuf,
    /// Resource, such as invoices
    #[arg(value_name = "RESOURCE")]
    pub resource: String,
    /// Entries at most, newest first
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}

#[derive(Debug, Args)]
pub struct QuarantineReplay {
    /// Job file
    #[arg(value_name = "JOB")]
    pub job: PathBuf,
    /// Only these resources
    #[arg(long, value_name = "a,b", value_delimiter = ',')]
    pub resources: Option<Vec<String>>,
    /// Print one JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Software {
    /// Classify the lines of a CSV file
    #[command(
        long_about = "Reads the columns supplier, description, amount, currency, commodity, unspsc, account, \
        date, requester and department, whichever are there, and writes all columns of the input with \
        is_software, confidence (that the answer is right), certainty (certain, likely, unsure), vendor, \
        product, category and evidence behind them. Rows keep their order.\n\n\
        \x20 spendlake software classify payments.csv > classified.csv\n\
        \x20 spendlake software classify payments.csv --catalogue our-catalogue --output classified.csv"
    )]
    Classify(Classify),
}

#[derive(Debug, Args)]
pub struct Classify {
    /// List of purchases: CSV in UTF-8, with a header
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Write to this file instead of stdout; it appears whole or not at all
    #[arg(long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Folder of files laid over the catalogue, rules and weights of the binary
    #[arg(long, value_name = "DIR")]
    pub catalogue: Option<PathBuf>,
    /// Say why one line is what it is; lines count from 1 after the header
    #[arg(long, value_name = "LINE", value_parser = clap::value_parser!(u64).range(1..))]
    pub explain: Option<u64>,
    /// Put an apostrophe before values that a spreadsheet would run as a formula
    #[arg(long)]
    pub escape_formulas: bool,
}

#[derive(Debug, Subcommand)]
pub enum Suppliers {
    /// Match the suppliers of a CSV file
    #[command(
        long_about = "Reads the column supplier (or name) and, where they are there, id, tax_number, duns, website \
        and email, and writes all columns of the input with group (a number), group_name, method, score and \
        linked_to (why the row is in its group; empty for the row that stands for it), catalogue_vendor, and \
        proposed_group, proposed_method, proposed_score: the likeliest other group, for a person to judge. \
        Methods, strongest first: decision, tax_number, duns, domain, name, trading_name, word_order, alias, \
        spelling, subset, acronym. Rows keep their order.\n\n\
        \x20 spendlake suppliers match suppliers.csv > matched.csv\n\
        \x20 spendlake suppliers match suppliers.csv --decisions decisions.csv --output matched.csv"
    )]
    Match(MatchSuppliers),
}

#[derive(Debug, Args)]
pub struct MatchSuppliers {
    /// List of suppliers: CSV in UTF-8, with a header
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Write to this file instead of stdout; it appears whole or not at all
    #[arg(long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// CSV of what people decided: a and b (ids or names of the list), decision (same or different)
    #[arg(long, value_name = "FILE")]
    pub decisions: Option<PathBuf>,
    /// Folder of files laid over the catalogue and words of the binary
    #[arg(long, value_name = "DIR")]
    pub catalogue: Option<PathBuf>,
    /// Put an apostrophe before values that a spreadsheet would run as a formula
    #[arg(long)]
    pub escape_formulas: bool,
}

#[derive(Debug, Args)]
pub struct Query {
    /// Job file
    #[arg(value_name = "JOB")]
    pub job: PathBuf,
    /// The query, or \d, or \d TABLE; without one it is read from stdin, or asked for at a prompt
    #[arg(value_name = "SQL", conflicts_with = "file")]
    pub sql: Option<String>,
    /// Read the query from a file
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// List the tables of the lake
    #[arg(long, conflicts_with_all = ["sql", "file", "describe"])]
    pub tables: bool,
    /// List the columns of a table
    #[arg(long, value_name = "TABLE", conflicts_with_all = ["sql", "file"])]
    pub describe: Option<String>,
    /// Read tables as of a version of theirs, a day or a time
    #[arg(
        long,
        value_name = "VERSION|TIME",
        long_help = "Read tables as they were: a version (12; of one table), a day (2026-03-01, its \
            beginning in UTC) or a time (2026-03-01T08:30:00Z). Versions stay readable as long as \
            `spendlake maintain --keep-days` keeps them."
    )]
    pub as_of: Option<AsOf>,
    /// Put an apostrophe before texts that a spreadsheet would run as a formula; for csv
    #[arg(long)]
    pub escape_formulas: bool,
    /// How rows are written: csv has a header, json is one list of objects with amounts as text
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Write to a file instead of stdout; parquet needs one
    #[arg(long, value_name = "FILE", required_if_eq("format", "parquet"))]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Csv,
    Json,
    Parquet,
}

#[derive(Debug, Args)]
pub struct Report {
    /// Job file
    #[arg(value_name = "JOB")]
    pub job: PathBuf,
    /// The report or page, or `list`
    #[arg(value_name = "NAME")]
    pub name: String,
    /// First day that counts
    #[arg(long, value_name = "DAY")]
    pub from: Option<String>,
    /// First day that does not count any more
    #[arg(long, value_name = "DAY")]
    pub to: Option<String>,
    /// Only documents in this currency, in their own amounts
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
    /// Rows at most, where a report names the largest
    #[arg(long, value_name = "N")]
    pub top: Option<String>,
    /// Any parameter of the report; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// Read tables as of a day or a time
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<AsOf>,
    /// html for pages and table for reports where nothing is said
    #[arg(long, value_enum)]
    pub format: Option<ReportFormat>,
    /// Write to a file, the tables of a page to a folder; - is stdout
    #[arg(long, value_name = "PATH")]
    pub output: Option<PathBuf>,
}

/// How a report is written; texts of csv that a spreadsheet would run get an apostrophe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Table,
    Html,
    Csv,
    Json,
    Parquet,
}

/// `name=value`
fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, as in share=0.8".into()),
    }
}

#[derive(Debug, Subcommand)]
pub enum Schemas {
    /// Name every resource, table and report
    List,
    /// Print the files of one definition: coupa.invoices, unified.invoices, report.spend_by_vendor
    Show {
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Write all definitions to a folder
    Export {
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct Simulate {
    /// 0 takes a free one
    #[arg(long, value_name = "P", default_value_t = PORT)]
    pub port: u16,
    /// The same seed gives the same company
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Size of the company: 1 has 5,000 invoices and 4,000 orders
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = scale)]
    pub scale: f64,
    /// Trouble to make: [resource:]effect[xTIMES], several separated by commas
    #[arg(
        long,
        value_name = "FAULTS",
        long_help = "Trouble to make: [resource:]effect[xTIMES], several separated by commas. \
            Effects: a status (503), reset, cut=BYTES, delay=MILLISECONDS, ignore=PARAMETER, \
            empty, garbage."
    )]
    pub faults: Option<Faults>,
}

/// A size of the simulated company: above 0, and not so large that its ids run out.
fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale > 0.0 && scale <= 1000.0 => Ok(scale),
        _ => Err("write a number above 0, 1000 at most; 1 is a company of 5,000 invoices".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_teaches_with_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_long_about().expect("a long help").to_string();
            let example = format!("spendlake {}", command.get_name());
            assert!(help.contains(&example), "{example}");
        }
    }
}
