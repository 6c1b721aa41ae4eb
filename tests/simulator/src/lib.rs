//! A Coupa tenant inside the test process, and behind `spendlake simulate` and `spendlake demo`.
//!
//! Written from Coupa's public documentation alone, never from our client, and without our definitions: what the
//! two have in common they must both have from there. Each module says what is documented and what is a choice of
//! ours where the documentation is silent; most such choices are switches of [`Config`].
//!
//! ```no_run
//! use simulator::{Change, Config, Simulator};
//!
//! let coupa = Simulator::start(Config::for_tests(1, 0.05))?;
//! println!("{} with client {}", coupa.url(), coupa.client().id);
//! let invoices = coupa.truth("invoices");
//! coupa.advance(&Change { changed_fraction: 0.1, ..Change::default() });
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! The road of an answer: `server` reads the request, `query` its parameters, `page` finds the rows, `world` writes
//! each record through `out` under a `select` plan, as `json` or `xml`.

mod auth;
mod change;
mod clock;
mod config;
mod conn;
mod control;
mod faults;
mod filter;
mod json;
mod out;
mod page;
mod query;
mod rate;
mod select;
mod server;
mod tree;
mod world;
mod xml;
mod zone;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    thread::JoinHandle,
};

use serde_json::Value;
use tokio::sync::oneshot;

pub use auth::{Client, TokenRules};
pub use change::{Change, Changed};
pub use clock::Clock;
pub use config::{Config, default_start};
pub use faults::{Effect, Fault, Faults, On};
pub use rate::Rate;
pub use server::RequestRecord;
pub use world::Resource;
pub use zone::Zone;

use out::Style;
use server::Shared;
use world::{Shape, World};

/// Starts simulated tenants.
pub struct Simulator;

/// A tenant that answers on the loopback interface until it is dropped.
pub struct Running {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Makes the company and starts its server, in a thread with a runtime of its own: the caller's runtime may
    /// pause its time, be single threaded or not exist.
    ///
    /// Errors: the port is taken, or a name in [`Config::counts`] is no resource.
    pub fn start(config: Config) -> io::Result<Running> {
        let mut counts = std::collections::BTreeMap::new();
        for (name, count) in &config.counts {
            let resource = Resource::named(name).ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("{name} is no resource of the simulator"),
                )
            })?;
            counts.insert(resource, *count);
        }
        let shape = Shape {
            seed: config.seed,
            scale: config.scale,
            counts,
            lines: config.lines,
            gaps: config.id_gaps,
            start: config.clock.secs(),
        };
        let style = Style {
            zone: config.zone,
            null_associations: config.null_associations,
            numeric_charges: config.numeric_charges,
        };
        let world = World::new(shape, style);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let threads = config.threads.max(1);
        let shared = Arc::new(Shared::new(config, world));
        let runtime = match threads {
            1 => tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            n => tokio::runtime::Builder::new_multi_thread()
                .worker_threads(n)
                .enable_all()
                .build()?,
        };
        let (stop, stopped) = oneshot::channel();
        let service =
            server::router(Arc::clone(&shared)).into_make_service_with_connect_info::<conn::Conn>();
        let thread = std::thread::Builder::new()
            .name("simulator".into())
            .spawn(move || {
                runtime.block_on(async {
                    let listener =
                        tokio::net::TcpListener::from_std(listener).expect("a runtime is running");
                    let server = axum::serve(conn::Breakable(listener), service);
                    tokio::select! {
                        _ = server.into_future() => {}
                        _ = stopped => {}
                    }
                });
                runtime.shutdown_background();
            })?;
        Ok(Running {
            address,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Running {
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The first OAuth client.
    pub fn client(&self) -> &Client {
        &self.shared.config.clients[0]
    }

    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Moves the company on, at the present instant of the clock.
    pub fn advance(&self, change: &Change) -> Changed {
        let mut world = self.write();
        let turn = self.shared.next_turn();
        change::advance(&mut world, change, turn, self.shared.clock.secs())
    }

    /// Lays JSON (dashed or underscored keys) over the record with its `id`, or adds a record; `updated-at` becomes
    /// now unless it is given. Other records do not change with it: their nested copies stay as they were.
    /// Returns the id.
    ///
    /// # Panics
    /// When the resource is not known or the JSON is no object: both are mistakes of a test.
    pub fn upsert(&self, resource: &str, record: &Value) -> i64 {
        let resource = resource_named(resource);
        let mut world = self.write();
        let known = self.shared.kept.known(&world, resource);
        let id = change::upsert(
            &mut world,
            &known,
            resource,
            record,
            self.shared.clock.secs(),
        );
        self.shared.kept.forget(resource);
        id.unwrap_or_else(|problem| panic!("{}: {problem}", resource.name()))
    }

    /// Deletes a record, whatever refers to it. False: there was none.
    pub fn delete(&self, resource: &str, id: i64) -> bool {
        change::delete(&mut self.write(), resource_named(resource), id)
    }

    /// Changes nothing but `updated-at` of a record. False: there was none.
    pub fn touch(&self, resource: &str, id: i64) -> bool {
        change::touch(
            &mut self.write(),
            resource_named(resource),
            id,
            self.shared.clock.secs(),
        )
    }

    /// Every record of a resource by id, as the full JSON answer would be.
    pub fn truth(&self, resource: &str) -> Vec<Value> {
        parse(&server::truth(
            &self.shared,
            resource_named(resource),
            false,
        ))
    }

    /// As [`Running::truth`], with lines that were removed from orders (`show_deleted_lines=true`).
    pub fn truth_with_deleted_lines(&self, resource: &str) -> Vec<Value> {
        parse(&server::truth(&self.shared, resource_named(resource), true))
    }

    /// Requests so far; those to `/simulator/` do not count.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.requests().clone()
    }

    pub fn clear_requests(&self) {
        self.shared.requests().clear();
    }

    /// Changes the faults.
    pub fn faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.shared.faults());
    }

    /// The tokens that were issued and not revoked.
    pub fn tokens(&self) -> Vec<String> {
        self.shared.tokens.valid()
    }

    /// Makes every token that was issued so far worthless.
    pub fn revoke_tokens(&self) {
        self.shared.tokens.revoke();
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, World> {
        self.shared
            .world
            .write()
            .expect("no panic while the world is held")
    }
}

fn resource_named(name: &str) -> Resource {
    Resource::named(name).unwrap_or_else(|| panic!("{name} is no resource of the simulator"))
}

fn parse(json: &[u8]) -> Vec<Value> {
    serde_json::from_slice(json).expect("the simulator writes JSON")
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
