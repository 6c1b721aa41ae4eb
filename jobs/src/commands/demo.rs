//! `spendlake demo`: the whole road on this machine, from a simulated Coupa to answers.

use std::fs;
use std::path::{Path, PathBuf};

use pipeline::{Job, RunOptions};
use schemas::Schemas;

use super::run::{execute, print_summary, stop_on_signals};
use super::simulate::{self, Served};
use super::{Ended, World, failures, query};
use crate::cli::{Demo, Format};
use crate::config;
use crate::output::{self, Exit, Failure, say};
use crate::rows::Target;

/// The first line of a job file that a demo wrote: its lake may be replaced.
const MARK: &str = "# Written by `spendlake demo`";

/// A question and the query that answers it.
struct Question {
    asks: &'static str,
    /// Where the query is written, in the demo's folder.
    file: &'static str,
    sql: &'static str,
}

const QUESTIONS: [Question; 3] = [
    Question {
        asks: "Which suppliers cost the most?",
        file: "suppliers.sql",
        sql: "\
SELECT vendor_name, accounting_currency AS currency, COUNT(*) AS invoices,
       SUM(accounting_total) AS spend
FROM unified.invoices
WHERE status NOT IN ('draft', 'voided', 'deleted')
GROUP BY vendor_name, accounting_currency
ORDER BY spend DESC NULLS LAST
LIMIT 8",
    },
    Question {
        asks: "Which orders were invoiced beyond what was ordered?",
        file: "overbilled.sql",
        sql: "\
SELECT o.number AS \"order\", o.vendor_name, o.currency, o.total_amount AS ordered,
       SUM(l.total_line_amount) AS invoiced, SUM(l.total_line_amount) - o.total_amount AS beyond
FROM unified.purchase_orders o
JOIN unified.invoice_lines l ON l.purchase_order_id = o.id AND l.connection_id = o.connection_id
GROUP BY o.number, o.vendor_name, o.currency, o.total_amount
HAVING SUM(l.total_line_amount) > o.total_amount
ORDER BY beyond DESC
LIMIT 8",
    },
    Question {
        asks: "What software is bought, by kind?",
        file: "software.sql",
        sql: "\
SELECT commodity_name AS kind, accounting_currency AS currency,
       COUNT(DISTINCT supplier_id) AS suppliers, COUNT(*) AS lines,
       SUM(accounting_total) AS ordered
FROM unified.purchase_order_lines
WHERE commodity_name LIKE 'Software%'
GROUP BY commodity_name, accounting_currency
ORDER BY ordered DESC NULLS LAST
LIMIT 8",
    },
];

pub async fn demo(args: &Demo, overlay: Option<&Path>, world: &World) -> Ended {
    let schemas = super::definitions(overlay)?;
    let file = prepare(args).map_err(|failure| vec![failure])?;
    say(format!(
        "a simulated Coupa of scale {} starts on this machine …",
        args.scale
    ));
    let served =
        simulate::serve(simulate::demo_config(args.scale)).map_err(|failure| vec![failure])?;
    let job = job(&file, &served, &schemas)?;
    say(format!(
        "reading {} resources into {}\n",
        schemas.resources.len(),
        job.lake.url
    ));
    let stop = stop_on_signals();
    let summary = execute(&job, &schemas, &RunOptions::default(), world, &stop)
        .await
        .map_err(|failure| vec![failure])?;
    print_summary(&summary, false);
    let exit = Exit::of(summary.exit_code());
    if exit != Exit::Done {
        return Ok(exit);
    }
    for question in QUESTIONS {
        say(format!("\n{}\n", question.asks));
        let target = Target::stdout(output::stdout_width());
        query::answer(&job.lake, question.sql, Format::Table, target)
            .await
            .map_err(|failure| vec![failure])?;
    }
    say(farewell(args, &job));
    Ok(Exit::Done)
}

/// Makes the folder with its job file, and clears away the lake of an earlier demo: a simulated
/// company of another scale is another company.
fn prepare(args: &Demo) -> Result<PathBuf, Failure> {
    let file = args.dir.join("spendlake.toml");
    let lake = args.dir.join("lake");
    let ours = fs::read_to_string(&file).is_ok_and(|text| text.starts_with(MARK));
    if !ours && (file.exists() || lake.exists()) {
        return Err(Failure::change(
            format!("{} holds a job or a lake of yours", args.dir.display()),
            "name another folder: spendlake demo --dir DIR",
        ));
    }
    let doing = format!("{} cannot be prepared", args.dir.display());
    let made = match lake.exists() {
        true => fs::remove_dir_all(&lake),
        false => fs::create_dir_all(&args.dir),
    };
    let questions = QUESTIONS
        .iter()
        .map(|question| (args.dir.join(question.file), format!("{}\n", question.sql)));
    let job = (file.clone(), job_text(args.scale));
    let mut files = std::iter::once(job).chain(questions);
    made.and_then(|()| files.try_for_each(|(path, text)| fs::write(path, text)))
        .map_err(|error| Failure::of_io(&doing, &error))?;
    Ok(file)
}

fn job_text(scale: f64) -> String {
    format!(
        "{MARK}. `query` and `status` work as it stands. To `run` it again, start the same\n\
         # company with `spendlake simulate --scale {scale}` and export the two variables it prints.\n\
         \n\
         connection = \"demo\"\n\
         \n\
         [coupa]\n\
         url           = \"http://127.0.0.1:{}\"\n\
         client_id     = \"${{COUPA_CLIENT_ID}}\"\n\
         client_secret = \"${{COUPA_CLIENT_SECRET}}\"\n\
         \n\
         [lake]\n\
         url = \"./lake\"\n",
        simulate::PORT
    )
}

/// The job of the file just written, pointed at the simulator that runs now.
fn job(file: &Path, served: &Served, schemas: &Schemas) -> Result<Job, Vec<Failure>> {
    let environment = |name: &str| match name {
        "COUPA_CLIENT_ID" => Some(served.client_id.clone()),
        "COUPA_CLIENT_SECRET" => Some(served.client_secret.clone()),
        _ => None,
    };
    let resources: Vec<&str> = schemas.resources.keys().map(String::as_str).collect();
    let loaded = config::load(file, &environment, &resources);
    let mut job = loaded.ready().map_err(failures)?;
    job.source.url = served.url.clone();
    Ok(job)
}

fn farewell(args: &Demo, job: &Job) -> String {
    let (dir, lake) = (args.dir.display(), &job.lake.url);
    let again = QUESTIONS.map(|question| {
        let file = args.dir.join(question.file);
        format!(
            "  spendlake query {dir}/spendlake.toml -f {}\n",
            file.display()
        )
    });
    format!(
        "\nThe lake in {lake} can be read by anything that reads Delta Lake, and by\n\
         \x20 spendlake status {dir}/spendlake.toml\n\
         \x20 spendlake query {dir}/spendlake.toml \"SELECT * FROM unified.contacts LIMIT 5\"\n\
         \x20 spendlake report {dir}/spendlake.toml list\n\
         {}\
         To run the job again, as every night: `spendlake simulate --scale {}` in another window.",
        again.concat(),
        args.scale
    )
}
