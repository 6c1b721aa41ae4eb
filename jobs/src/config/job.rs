//! From what is written to what can run: every value checked, every reference fetched.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use extract::{Payload, Settings, hidden};
use pipeline::job::PIECE_RECORDS;
use pipeline::{Job, LakeSettings, Reconcile, WarehouseSettings};
use secrecy::SecretString;
use url::Url;

use super::expand::{Environment, expand, holds_reference, stands_in_clear};
use super::file::{Coupa, Extract, JobFile, Lake, Warehouse, Written};
use super::{Problems, address, shown, store, units};

/// Coupa documents 25 requests a second for everything a customer runs.
const MOST_REQUESTS_PER_SECOND: f64 = 25.0;
const REQUESTS_PER_SECOND: f64 = 10.0;
/// Coupa queues a burst of 20; more in flight would only be refused.
const MOST_IN_FLIGHT: f64 = 20.0;
const IN_FLIGHT: f64 = 8.0;
const OVERLAP: Duration = Duration::from_secs(10 * 60);
const LONGEST_OVERLAP: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const TOLERATED: f64 = 0.001;
/// Each piece is a commit, and some requests more.
const FEWEST_IN_PIECE: f64 = 1_000.0;
const MOST_IN_PIECE: f64 = 10_000_000.0;
const WAREHOUSE_SCHEMA: &str = "coupa";

/// What a job file is read with.
pub(super) struct Place<'a> {
    /// Where relative paths start.
    pub folder: &'a Path,
    pub environment: &'a Environment<'a>,
    /// Names that `resources` may list.
    pub resources: &'a [&'a str],
}

impl<'a> Place<'a> {
    pub fn of(file: &'a Path, environment: &'a Environment<'a>, resources: &'a [&'a str]) -> Self {
        Place {
            folder: file.parent().unwrap_or(Path::new("")),
            environment,
            resources,
        }
    }
}

/// The parts of a job, each `None` where it cannot be used.
#[derive(Default)]
pub struct Parts {
    pub connection: Option<String>,
    pub source: Option<Settings>,
    pub read: Read,
    pub lake: Option<LakeSettings>,
    pub warehouse: Option<WarehouseSettings>,
}

/// What is read and how, with defaults where a value is missing or wrong.
pub struct Read {
    payload: Payload,
    resources: Option<Vec<String>>,
    since: Option<DateTime<Utc>>,
    overlap: Duration,
    reconcile: Reconcile,
    check: bool,
    piece_records: u64,
    tolerate_quarantined: f64,
}

impl Default for Read {
    fn default() -> Self {
        Read {
            payload: Payload::Declared,
            resources: None,
            since: None,
            overlap: OVERLAP,
            reconcile: Reconcile::Weekly,
            check: true,
            piece_records: PIECE_RECORDS,
            tolerate_quarantined: TOLERATED,
        }
    }
}

impl Parts {
    /// The job with a source that nobody can ask: enough to look at the lake and the definitions.
    pub fn without_source(self) -> Option<Job> {
        let source = Settings {
            url: Url::parse("https://nowhere.invalid").expect("a fixed address"),
            client_id: SecretString::default(),
            client_secret: SecretString::default(),
            scopes: Vec::new(),
            requests_per_second: None,
            max_in_flight: 1,
        };
        Parts {
            source: Some(source),
            ..self.named()
        }
        .join()
    }

    /// With a name in place of a missing one, for what is not written anywhere.
    pub fn named(self) -> Parts {
        Parts {
            connection: self.connection.or_else(|| Some("unnamed".to_owned())),
            ..self
        }
    }

    /// The job, if connection, source and lake are all usable.
    pub fn join(self) -> Option<Job> {
        Some(Job {
            connection: self.connection?,
            source: self.source?,
            payload: self.read.payload,
            resources: self.read.resources,
            since: self.read.since,
            overlap: self.read.overlap,
            reconcile: self.read.reconcile,
            check: self.read.check,
            piece_records: self.read.piece_records,
            tolerate_quarantined: self.read.tolerate_quarantined,
            lake: self.lake?,
            warehouse: self.warehouse,
        })
    }
}

/// Checks where the tables lie and whose they are, and nothing else.
pub(super) fn check_lake(written: &JobFile, place: &Place<'_>, problems: &mut Problems) -> Parts {
    let mut checker = Checker { place, problems };
    Parts {
        connection: checker.connection(written.connection.as_ref()),
        lake: checker.lake(&written.lake),
        ..Parts::default()
    }
}

/// Checks everything that is written, and adds all that is wrong to `problems`.
pub(super) fn check(written: &JobFile, place: &Place<'_>, problems: &mut Problems) -> Parts {
    let mut checker = Checker { place, problems };
    Parts {
        connection: checker.connection(written.connection.as_ref()),
        source: checker.source(&written.coupa),
        read: checker.read(&written.coupa, &written.extract),
        lake: checker.lake(&written.lake),
        warehouse: written
            .warehouse
            .as_ref()
            .and_then(|warehouse| checker.warehouse(&warehouse.value)),
    }
}

struct Checker<'a> {
    place: &'a Place<'a>,
    problems: &'a mut Problems,
}

impl Checker<'_> {
    fn connection(&mut self, written: Option<&Written<String>>) -> Option<String> {
        let name = self.need(written, "connection", "connection = \"acme\"")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.value.is_empty() || name.value.len() > 64 || !name.value.chars().all(plain) {
            self.problems.at(
                name.line,
                "connection is not a plain name",
                "write 1 to 64 letters, digits, -, _ or ., as in connection = \"acme\"",
            );
            return None;
        }
        Some(name.value)
    }

    fn source(&mut self, coupa: &Coupa) -> Option<Settings> {
        let url = self
            .need(
                coupa.url.as_ref(),
                "url in [coupa]",
                "url = \"https://acme.coupahost.com\"",
            )
            .and_then(|url| match address::coupa(&url.value) {
                Ok(accepted) => Some(accepted),
                Err(refused) => self.refuse_address(coupa.url.as_ref(), "url in [coupa]", refused),
            });
        let client_id = self.need(
            coupa.client_id.as_ref(),
            "client_id in [coupa]",
            "client_id = \"${COUPA_CLIENT_ID}\"; the id stands in Coupa, Setup > OAuth2/OpenID Connect Clients",
        );
        let client_secret = self.client_secret(coupa);
        let on_this_machine = url.as_ref().is_some_and(address::on_this_machine);
        let requests_per_second = self.ceiling(coupa, on_this_machine);
        let max_in_flight = self.in_flight(coupa);
        Some(Settings {
            url: url?,
            client_id: SecretString::from(client_id?.value),
            client_secret: client_secret?,
            scopes: Vec::new(),
            requests_per_second,
            max_in_flight,
        })
    }

    fn client_secret(&mut self, coupa: &Coupa) -> Option<SecretString> {
        let wanted = "client_secret = \"${COUPA_CLIENT_SECRET}\"";
        if let Some(written) = &coupa.client_secret {
            self.refuse_clear(written, "client_secret", "COUPA_CLIENT_SECRET")?;
        }
        let secret = self.need(
            coupa.client_secret.as_ref(),
            "client_secret in [coupa]",
            wanted,
        )?;
        let secret = SecretString::from(secret.value);
        hidden::hide(&secret);
        Some(secret)
    }

    /// A loopback address is the simulator, which nobody else waits for: no ceiling there unless
    /// the job asks for one.
    fn ceiling(&mut self, coupa: &Coupa, on_this_machine: bool) -> Option<f64> {
        let default = (!on_this_machine).then_some(REQUESTS_PER_SECOND);
        let Some(rate) = &coupa.requests_per_second else {
            return default;
        };
        if rate.value > 0.0 && rate.value <= MOST_REQUESTS_PER_SECOND {
            return Some(rate.value);
        }
        self.problems.at(
            rate.line,
            format!("requests_per_second is {}", rate.value),
            format!(
                "write a number above 0, {MOST_REQUESTS_PER_SECOND} at most, which is what Coupa \
                 allows for everything you run; {REQUESTS_PER_SECOND} if left out"
            ),
        );
        default
    }

    fn in_flight(&mut self, coupa: &Coupa) -> usize {
        let count = coupa.max_in_flight.as_ref();
        let value = count.map_or(IN_FLIGHT, |count| count.value);
        if (1.0..=MOST_IN_FLIGHT).contains(&value) && value.fract() == 0.0 {
            return value as usize;
        }
        self.problems.at(
            count.map_or(1, |count| count.line),
            format!("max_in_flight is {value}"),
            format!("write a whole number from 1 to {MOST_IN_FLIGHT}; {IN_FLIGHT} if left out"),
        );
        IN_FLIGHT as usize
    }

    fn payload(&mut self, written: Option<&Written<String>>) -> Payload {
        let Some(word) = written else {
            return Payload::Declared;
        };
        match word.value.as_str() {
            "declared" => Payload::Declared,
            "full" => Payload::Full,
            other => {
                self.problems
                    .unknown(word.line, "payload", other, &["declared", "full"]);
                Payload::Declared
            }
        }
    }

    fn read(&mut self, coupa: &Coupa, extract: &Extract) -> Read {
        Read {
            payload: self.payload(coupa.payload.as_ref()),
            resources: self.resources(extract.resources.as_ref()),
            since: self.since(extract.since.as_ref()),
            overlap: self.overlap(extract.overlap.as_ref()),
            reconcile: self.reconcile(extract.reconcile.as_ref()),
            check: self.check(extract.check.as_ref()),
            piece_records: self.piece_records(extract.piece_records.as_ref()),
            tolerate_quarantined: self.tolerated(extract.quarantined.as_ref()),
        }
    }

    fn resources(
        &mut self,
        written: Option<&Written<Vec<Written<String>>>>,
    ) -> Option<Vec<String>> {
        let names = written?;
        if let [only] = names.value.as_slice()
            && only.value == "all"
        {
            return None;
        }
        if names.value.is_empty() {
            self.problems.at(
                names.line,
                "resources is an empty list",
                "write resources = \"all\", or name one; `spendlake schemas list` shows them",
            );
        }
        for name in &names.value {
            if !self.place.resources.contains(&name.value.as_str()) {
                self.problems
                    .unknown(name.line, "resource", &name.value, self.place.resources);
            }
        }
        Some(names.value.iter().map(|name| name.value.clone()).collect())
    }

    fn since(&mut self, written: Option<&Written<String>>) -> Option<DateTime<Utc>> {
        let since = written?;
        let moment = units::moment(&since.value);
        if moment.is_none() {
            self.problems.at(
                since.line,
                format!("since is not a date: {}", shown(&since.value)),
                "write a date, \"2023-01-01\", or a time with its offset, \"2023-01-01T00:00:00Z\"",
            );
        }
        moment
    }

    fn overlap(&mut self, written: Option<&Written<String>>) -> Duration {
        let Some(overlap) = written else {
            return OVERLAP;
        };
        match units::duration(&overlap.value) {
            Some(duration) if duration <= LONGEST_OVERLAP => duration,
            found => {
                let what = match found {
                    Some(_) => "overlap is longer than 7d",
                    None => "overlap is not a duration",
                };
                self.problems.at(
                    overlap.line,
                    format!("{what}: {}", shown(&overlap.value)),
                    "write a number and a unit, s, m, h or d, as in \"10m\"",
                );
                OVERLAP
            }
        }
    }

    fn reconcile(&mut self, written: Option<&Written<String>>) -> Reconcile {
        let Some(word) = written else {
            return Reconcile::Weekly;
        };
        match word.value.as_str() {
            "weekly" => Reconcile::Weekly,
            "always" => Reconcile::Always,
            "never" => Reconcile::Never,
            other => {
                let words = ["weekly", "always", "never"];
                self.problems.unknown(word.line, "reconcile", other, &words);
                Reconcile::Weekly
            }
        }
    }

    fn check(&mut self, written: Option<&Written<String>>) -> bool {
        match written.map(|word| (word, word.value.as_str())) {
            None | Some((_, "daily")) => true,
            Some((_, "never")) => false,
            Some((word, other)) => {
                self.problems
                    .unknown(word.line, "check", other, &["daily", "never"]);
                true
            }
        }
    }

    fn piece_records(&mut self, written: Option<&Written<f64>>) -> u64 {
        let Some(count) = written else {
            return PIECE_RECORDS;
        };
        let whole = count.value.fract() == 0.0;
        if whole && (FEWEST_IN_PIECE..=MOST_IN_PIECE).contains(&count.value) {
            return count.value as u64;
        }
        self.problems.at(
            count.line,
            format!("piece_records is {}", count.value),
            format!(
                "write a whole number from {FEWEST_IN_PIECE} to {MOST_IN_PIECE}; {PIECE_RECORDS} if left out"
            ),
        );
        PIECE_RECORDS
    }

    fn tolerated(&mut self, written: Option<&Written<f64>>) -> f64 {
        let Some(share) = written else {
            return TOLERATED;
        };
        if (0.0..=1.0).contains(&share.value) {
            return share.value;
        }
        self.problems.at(
            share.line,
            format!("tolerate.quarantined is {}", share.value),
            "write a share of the records, from 0 (none) to 1; 0.001 is one in a thousand",
        );
        TOLERATED
    }

    fn lake(&mut self, lake: &Lake) -> Option<LakeSettings> {
        let url = self.need(lake.url.as_ref(), "url in [lake]", "url = \"./lake\"");
        let url = url.and_then(|url| match address::lake(&url.value, self.place.folder) {
            Ok(url) => Some(url),
            Err(refused) => self.refuse_address(lake.url.as_ref(), "url in [lake]", refused),
        });
        let mut options = BTreeMap::new();
        let mut complete = true;
        for (key, value) in &lake.options {
            match self.option(key, value) {
                Some(value) => {
                    options.insert(key.clone(), value);
                }
                None => complete = false,
            }
        }
        let url = url.filter(|_| complete)?;
        match store::from_surroundings(&url, &options, self.place.environment) {
            Ok(found) => options.extend(found),
            Err(refused) => {
                self.problems
                    .at(lake.url.as_ref()?.line, refused.what, refused.hint);
                return None;
            }
        }
        Some(LakeSettings { url, options })
    }

    fn option(&mut self, key: &str, value: &Written<String>) -> Option<SecretString> {
        let is_secret = is_secret(key);
        if is_secret {
            let shown = shown(key);
            let key = shown.trim_matches('"');
            self.refuse_clear(value, key, &key.to_ascii_uppercase())?;
        }
        let fetched = SecretString::from(self.fetch(value)?.value);
        if is_secret {
            hidden::hide(&fetched);
        }
        Some(fetched)
    }

    fn warehouse(&mut self, warehouse: &Warehouse) -> Option<WarehouseSettings> {
        if let Some(uri) = &warehouse.uri
            && password_in_clear(&uri.value)
        {
            self.problems.at(
                uri.line,
                "uri in [warehouse] holds a password in clear",
                "write uri = \"${WAREHOUSE_URI}\", or ${NAME} in place of the password",
            );
            return None;
        }
        let uri = self.need(
            warehouse.uri.as_ref(),
            "uri in [warehouse]",
            "uri = \"${WAREHOUSE_URI}\", with postgresql://user:password@host/database in the environment",
        );
        let schema = match &warehouse.schema {
            Some(written) => self.fetch(written).and_then(|name| self.schema(name)),
            None => Some(WAREHOUSE_SCHEMA.to_owned()),
        };
        Some(WarehouseSettings {
            uri: SecretString::from(uri?.value),
            schema: schema?,
        })
    }

    fn schema(&mut self, name: Written<String>) -> Option<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
        if name.value.len() <= 63 && name.value.starts_with(begins) && name.value.chars().all(plain)
        {
            return Some(name.value);
        }
        self.problems.at(
            name.line,
            "schema in [warehouse] is not a plain name",
            "write 1 to 63 letters, digits or _, as in schema = \"coupa\"",
        );
        None
    }

    /// The value of a key that may not be left out.
    fn need(
        &mut self,
        written: Option<&Written<String>>,
        name: &str,
        example: &str,
    ) -> Option<Written<String>> {
        let Some(written) = written else {
            self.problems
                .whole(format!("{name} is missing"), format!("write {example}"));
            return None;
        };
        let value = self.fetch(written)?;
        if value.value.trim().is_empty() {
            self.problems.at(
                value.line,
                format!("{name} is empty"),
                format!("write {example}"),
            );
            return None;
        }
        Some(value)
    }

    fn fetch(&mut self, written: &Written<String>) -> Option<Written<String>> {
        match expand(&written.value, self.place.folder, self.place.environment) {
            Ok(value) => Some(Written {
                value,
                line: written.line,
            }),
            Err(unresolved) => {
                self.problems
                    .at(written.line, unresolved.what, unresolved.hint);
                None
            }
        }
    }

    /// Says why, unless that would show what a reference led to: it may have led to a secret.
    fn refuse_address<T>(
        &mut self,
        written: Option<&Written<String>>,
        name: &str,
        refused: address::Refused,
    ) -> Option<T> {
        let written = written?;
        let (what, hint) = match holds_reference(&written.value) {
            true => (
                format!("{name} is no address that can be used, with what it refers to"),
                "print the variable or file that it names, and compare: https://acme.coupahost.com, ./lake".to_owned(),
            ),
            false => (refused.what, refused.hint),
        };
        self.problems.at(written.line, what, hint);
        None
    }

    /// `None` if any part of the secret stands in the file itself.
    fn refuse_clear(&mut self, written: &Written<String>, key: &str, variable: &str) -> Option<()> {
        if !stands_in_clear(&written.value) {
            return Some(());
        }
        self.problems.at(
            written.line,
            format!("{key} is written in clear"),
            format!(
                "write {key} = \"${{{variable}}}\" (the environment) or \"${{file:/run/secrets/x}}\" \
                 (a file), and replace the secret if others have seen this file"
            ),
        );
        None
    }
}

/// Whether an option of a store is a secret, by its name.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let names_a_place = ["_id", "_file", "_path", "_uri", "_url", "_endpoint"];
    let secret = [
        "secret",
        "password",
        "token",
        "sas",
        "access_key",
        "account_key",
        "private_key",
        "service_account_key",
        "bearer",
    ];
    !names_a_place.iter().any(|end| key.ends_with(end))
        && secret.iter().any(|word| key.contains(word))
}

/// Whether the password of `user:password@host`, or of `password=…`, is more than references.
fn password_in_clear(uri: &str) -> bool {
    let after_scheme = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let user = after_scheme.rsplit_once('@').map_or("", |(user, _)| user);
    let in_user = user
        .split_once(':')
        .is_some_and(|(_, password)| stands_in_clear(password));
    let in_query = uri.split(['?', '&', ' ', ';']).any(|pair| {
        pair.split_once('=')
            .is_some_and(|(key, value)| is_secret(key.trim()) && stands_in_clear(value))
    });
    in_user || in_query
}
