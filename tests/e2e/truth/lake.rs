//! A simulated tenant, a lake in a folder of its own, and the real run between them.

use std::{collections::BTreeMap, future::Future, path::Path, time::Duration};

use futures::TryStreamExt;
use pipeline::{Job, LakeSettings, Reconcile, RunOptions, Stop, Summary, Surroundings};
use schemas::Schemas;
use secrecy::SecretString;
use simulator::{Config, Running, Simulator};
use tempfile::TempDir;

use super::{RESOURCES, Row, Rows, TABLES, Truth, compare};

pub const CONNECTION: &str = "acme";

/// A tenant and the lake it is read into.
pub struct Lake {
    pub coupa: Running,
    pub job: Job,
    pub schemas: Schemas,
    folder: TempDir,
}

/// Runs a test on threads with room for the plans of unoptimised builds.
pub fn with_room<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    const STACK: usize = 32 << 20;
    let body = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_stack_size(STACK)
            .enable_all()
            .build();
        runtime.expect("a runtime starts").block_on(test());
    };
    let thread = std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(body)
        .expect("a thread starts");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

impl Lake {
    /// Starts a tenant of `config` and an empty lake.
    pub fn new(config: Config) -> Lake {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder for the lake");
        let coupa = Simulator::start(config).expect("the simulator starts");
        let client = coupa.client();
        let source = extract::Settings {
            url: coupa.url().parse().expect("an address"),
            client_id: SecretString::from(client.id.clone()),
            client_secret: SecretString::from(client.secret.clone()),
            scopes: Vec::new(),
            requests_per_second: None,
            max_in_flight: 8,
        };
        let job = Job {
            connection: CONNECTION.to_owned(),
            source,
            payload: extract::Payload::Declared,
            resources: None,
            since: None,
            overlap: Duration::from_secs(600),
            reconcile: Reconcile::Never,
            check: false,
            piece_records: pipeline::job::PIECE_RECORDS,
            tolerate_quarantined: 0.0,
            lake: LakeSettings {
                url: folder.path().to_str().expect("a plain path").to_owned(),
                options: BTreeMap::new(),
            },
            warehouse: None,
        };
        let schemas = Schemas::embedded().expect("the definitions are sound");
        Lake {
            coupa,
            job,
            schemas,
            folder,
        }
    }

    /// The same, reading only what the tables under test are made of and making only these: a plan of every mapping
    /// costs an unoptimised build many seconds a run.
    pub fn of_tables_under_test(config: Config) -> Lake {
        let mut lake = Lake::new(config);
        let of_documents = |name: &str| {
            ["_lines", "_line_allocations"]
                .iter()
                .any(|end| name.ends_with(end))
                && !name.starts_with("expense")
        };
        lake.job.resources = Some(RESOURCES.iter().map(|name| (*name).to_owned()).collect());
        lake.schemas.report_tables.clear();
        lake.schemas
            .tables
            .retain(|name, _| TABLES.contains(&name.as_str()) || of_documents(name));
        lake
    }

    /// A folder of its own on this machine: where the lake lies, unless it was put elsewhere.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The same lake at another place.
    pub fn at(mut self, settings: LakeSettings) -> Lake {
        self.job.lake = settings;
        self
    }

    /// One run, by the tenant's clock, which must end well.
    pub async fn run(&self, options: RunOptions) -> Summary {
        let clock = || self.coupa.clock().now();
        let around = Surroundings {
            clock: &clock,
            observe: &|_| {},
            stop: Stop::default(),
        };
        let summary = pipeline::run(&self.job, &self.schemas, &options, &around)
            .await
            .expect("the run starts");
        let problems: Vec<String> = summary
            .problems()
            .map(|problem| problem.message.clone())
            .collect();
        assert!(problems.is_empty(), "the run met problems: {problems:#?}");
        summary
    }

    /// What the tenant holds now.
    pub fn truth(&self) -> Truth {
        let records = |resource: &str| match resource {
            // The definition asks for removed lines too.
            "purchase_orders" => self.coupa.truth_with_deleted_lines(resource),
            other => self.coupa.truth(other),
        };
        let now = RESOURCES
            .iter()
            .map(|resource| ((*resource).to_owned(), records(resource)))
            .collect();
        Truth {
            connection: CONNECTION.to_owned(),
            now,
            gone: BTreeMap::new(),
        }
    }

    /// Every row of a table of the lake, by key.
    pub async fn rows(&self, table: &str) -> Rows {
        compare::by_key(
            table,
            self.query(&format!("SELECT * FROM unified.{table}")).await,
        )
    }

    /// The rows of a statement.
    pub async fn query(&self, sql: &str) -> Vec<Row> {
        let stream = pipeline::query(&self.job.lake, sql)
            .await
            .expect("the statement is planned");
        let batches: Vec<_> = stream.try_collect().await.expect("the statement runs");
        compare::rows(&batches)
    }

    /// Fails with the first differences, if any row of any table under test is not what it must be.
    pub async fn must_equal(&self, truth: &Truth) {
        let expected = super::expected(truth);
        let mut found = BTreeMap::new();
        for table in expected.keys() {
            found.insert(table.clone(), self.rows(table).await);
        }
        let (told, count) = compare::differences(&expected, &found, 20);
        assert!(
            count == 0,
            "{count} differences from the source's truth:\n{}",
            told.join("\n")
        );
        let rows: usize = expected.values().map(BTreeMap::len).sum();
        assert!(rows > 0, "nothing was compared");
    }
}
