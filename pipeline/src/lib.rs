#![doc = include_str!("../ARCHITECTURE.md")]

pub mod catalog;
pub mod check;
pub mod error;
pub mod job;
pub mod load;
pub mod maintain;
pub mod quarantine;
pub mod query;
pub mod run;
pub mod status;
pub mod summary;
pub mod transform;

pub use catalog::AsOf;
pub use check::{Finding, check};
pub use error::{Error, Kind};
pub use job::{Event, Job, LakeSettings, Reconcile, ResourceState, RunOptions, Stop, TableState};
pub use maintain::{MaintainOptions, Maintained, maintain};
pub use query::{Question, query};
pub use run::{Surroundings, run};
pub use status::{TableStatus, status};
pub use summary::Summary;
pub use warehouse::Settings as WarehouseSettings;
