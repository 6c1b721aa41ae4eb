//! The statements of a load, in any dialect. Every name is quoted, every text a literal.

use super::dialect::{Change, Comments, Dialect, PrimaryKey};
use crate::evolve::{self, Evolution};
use crate::{ColumnType, LEDGER, Load, Scope, TableDefinition};

/// The names that one load works with.
#[derive(Clone, Debug)]
pub struct Names {
    pub schema: String,
    /// Staging tables, of this load alone.
    pub stage: String,
    pub gone: String,
}

/// What writes the statements of one load.
#[derive(Clone, Copy, Debug)]
pub struct Statements<'a> {
    pub dialect: &'a Dialect,
    pub names: &'a Names,
    pub table: &'a TableDefinition,
    /// The types that the target's columns have.
    pub types: &'a [ColumnType],
}

impl Statements<'_> {
    fn qualified(&self, table: &str) -> String {
        let schema = self.dialect.quote(&self.names.schema);
        format!("{schema}.{}", self.dialect.quote(table))
    }

    fn list(&self, names: &[String]) -> String {
        let quoted = names.iter().map(|name| self.dialect.quote(name));
        quoted.collect::<Vec<_>>().join(", ")
    }

    fn columns(&self) -> String {
        let quoted = self.table.columns.iter();
        let quoted = quoted.map(|column| self.dialect.quote(&column.name));
        quoted.collect::<Vec<_>>().join(", ")
    }

    pub fn target(&self) -> String {
        self.qualified(&self.table.name)
    }

    /// What the target's columns are called by within a statement: not all take the schema before it.
    fn itself(&self) -> String {
        self.dialect.quote(&self.table.name)
    }

    pub fn ledger(&self) -> String {
        self.qualified(LEDGER)
    }

    pub fn create_schema(&self) -> String {
        format!(
            "CREATE SCHEMA IF NOT EXISTS {}",
            self.dialect.quote(&self.names.schema)
        )
    }

    pub fn create_ledger(&self) -> String {
        let text = self.dialect.type_name(&ColumnType::Text);
        let number = self.dialect.type_name(&ColumnType::BigInt);
        let instant = self.dialect.type_name(&ColumnType::Timestamp { utc: true });
        let columns = [
            ("connection", &text),
            ("table_name", &text),
            ("lake_table", &text),
            ("version", &number),
            ("run_id", &text),
            ("rows", &number),
            ("loaded_at", &instant),
        ];
        let columns = columns.map(|(name, of)| format!("{} {of}", self.dialect.quote(name)));
        format!(
            "CREATE TABLE IF NOT EXISTS {} ({})",
            self.ledger(),
            columns.join(", ")
        )
    }

    /// The table with its key, its comments, and its indexes.
    pub fn create_table(&self) -> Vec<String> {
        let columns = self.table.columns.iter().zip(self.types);
        let mut columns: Vec<String> = columns
            .map(|(column, of)| {
                let not_null = if column.null { "" } else { " NOT NULL" };
                let name = self.dialect.quote(&column.name);
                format!("{name} {}{not_null}", self.dialect.type_name(of))
            })
            .collect();
        let key = self.list(&self.table.key);
        match self.dialect.primary_key {
            PrimaryKey::Declared => columns.push(format!("PRIMARY KEY ({key})")),
            PrimaryKey::NotEnforced => columns.push(format!("PRIMARY KEY ({key}) NOT ENFORCED")),
            PrimaryKey::None => {}
        }
        let mut statements = vec![format!(
            "CREATE TABLE {} ({})",
            self.target(),
            columns.join(", ")
        )];
        if self.dialect.indexes {
            let indexes = self.table.indexes.iter();
            statements.extend(indexes.map(|columns| {
                format!("CREATE INDEX ON {} ({})", self.target(), self.list(columns))
            }));
        }
        statements.extend(self.comments());
        statements
    }

    pub fn comments(&self) -> Vec<String> {
        let target = self.target();
        let doc = self.dialect.literal(&self.table.doc);
        let mut statements = vec![match self.dialect.comments {
            Comments::Options => format!("ALTER TABLE {target} SET OPTIONS (description = {doc})"),
            Comments::Standard | Comments::Alter => format!("COMMENT ON TABLE {target} IS {doc}"),
        }];
        for column in self.table.columns.iter().filter(|one| !one.doc.is_empty()) {
            let name = self.dialect.quote(&column.name);
            let doc = self.dialect.literal(&column.doc);
            statements.push(match self.dialect.comments {
                Comments::Standard => format!("COMMENT ON COLUMN {target}.{name} IS {doc}"),
                Comments::Options => format!(
                    "ALTER TABLE {target} ALTER COLUMN {name} SET OPTIONS (description = {doc})"
                ),
                Comments::Alter => {
                    format!("ALTER TABLE {target} ALTER COLUMN {name} COMMENT {doc}")
                }
            });
        }
        statements
    }

    pub(crate) fn alter_table(&self, evolution: &Evolution) -> Vec<String> {
        let alter = format!("ALTER TABLE {}", self.target());
        let name = |column: usize| self.dialect.quote(&self.table.columns[column].name);
        let typed = if self.dialect.name == "bigquery" {
            "SET DATA TYPE"
        } else {
            "TYPE"
        };
        let changes = evolution.changes.iter().map(|change| match change {
            evolve::Change::Add { column } => format!(
                "{alter} ADD COLUMN {} {}",
                name(*column),
                self.dialect.type_name(&evolution.types[*column])
            ),
            evolve::Change::Widen { column, to } => format!(
                "{alter} ALTER COLUMN {} {typed} {}",
                name(*column),
                self.dialect.type_name(to)
            ),
            evolve::Change::Relax { name } => format!(
                "{alter} ALTER COLUMN {} DROP NOT NULL",
                self.dialect.quote(name)
            ),
        });
        changes.collect()
    }

    /// The staging tables: of rows, and of what is gone.
    pub fn create_stages(&self) -> [String; 2] {
        let create = |name: &str, wanted: &dyn Fn(&str) -> bool| {
            let columns = self.table.columns.iter().zip(self.types);
            let columns = columns.filter(|(column, _)| wanted(&column.name));
            let columns = columns.map(|(column, of)| {
                let name = self.dialect.quote(&column.name);
                format!("{name} {}", self.dialect.stage_type(of))
            });
            format!(
                "{} {} ({}){}",
                self.dialect.create_stage,
                self.qualified(name),
                columns.collect::<Vec<_>>().join(", "),
                self.dialect.stage_options
            )
        };
        let group = |name: &str| self.table.replace_by.iter().any(|column| column == name);
        [
            create(&self.names.stage, &|_| true),
            create(&self.names.gone, &group),
        ]
    }

    pub fn drop_stages(&self) -> [String; 2] {
        [&self.names.stage, &self.names.gone]
            .map(|name| format!("DROP TABLE IF EXISTS {}", self.qualified(name)))
    }

    /// What the ledger holds of the load's table: lake table, version, run, rows.
    pub fn read_ledger(&self, connection: &str) -> String {
        format!(
            "SELECT {} FROM {} WHERE {} = {} AND {} = {}",
            self.list(&["lake_table", "version", "run_id", "rows"].map(str::to_string)),
            self.ledger(),
            self.dialect.quote("connection"),
            self.dialect.literal(connection),
            self.dialect.quote("table_name"),
            self.dialect.literal(&self.table.name)
        )
    }

    /// The statements that change rows and ledger, to be run in the order given.
    pub fn change(&self, load: &Load, row_count: u64) -> Vec<String> {
        let ledger = self.write_ledger(load, row_count);
        match self.dialect.change {
            Change::Transaction | Change::RowsOnly => {
                let mut statements = self.replace(load);
                statements.extend(ledger);
                statements
            }
            Change::Script => {
                let mut statements = vec!["BEGIN TRANSACTION".to_string()];
                statements.extend(self.replace(load));
                statements.extend(ledger);
                statements.push("COMMIT TRANSACTION".to_string());
                vec![statements.join(";\n")]
            }
            Change::Merge => {
                let mut statements = vec![self.merge(load)];
                statements.extend(ledger);
                statements
            }
        }
    }

    /// Rows that are replaced go; then the staged ones come. A row of a key that comes again is updated
    /// where it stands: several warehouses check keys before they have forgotten what was deleted.
    fn replace(&self, load: &Load) -> Vec<String> {
        let (target, stage) = (self.target(), self.qualified(&self.names.stage));
        let quote = |name: &String| self.dialect.quote(name);
        let equal = |columns: &[String], left: &str, right: &str| {
            let pairs = columns.iter().map(quote);
            let pairs = pairs.map(|column| format!("{left}.{column} = {right}.{column}"));
            pairs.collect::<Vec<_>>().join(" AND ")
        };
        let replaced = self.replaced(load);
        let values = self.staged("s.");
        let insert = format!(
            "INSERT INTO {target} ({}) SELECT {values} FROM {stage} AS s",
            self.columns()
        );
        if !matches!(self.dialect.name, "duckdb") {
            return vec![format!("DELETE FROM {target} WHERE {replaced}"), insert];
        }
        let comes = format!(
            "EXISTS (SELECT 1 FROM {stage} AS s WHERE {})",
            equal(&self.table.key, "s", &self.itself())
        );
        let key = &self.table.key;
        let others = self.table.columns.iter().filter(|c| !key.contains(&c.name));
        let updates: Vec<String> = others
            .map(|column| {
                let name = self.dialect.quote(&column.name);
                format!("{name} = excluded.{name}")
            })
            .collect();
        let conflict = match updates.is_empty() {
            true => "DO NOTHING".to_string(),
            false => format!("DO UPDATE SET {}", updates.join(", ")),
        };
        vec![
            format!("DELETE FROM {target} WHERE {replaced} AND NOT {comes}"),
            format!("{insert} ON CONFLICT ({}) {conflict}", self.list(key)),
        ]
    }

    /// The condition for rows of the target that the load replaces.
    fn replaced(&self, load: &Load) -> String {
        match &load.scope {
            Scope::Whole => match &self.table.connection_column {
                Some(column) => format!(
                    "{} = {}",
                    self.dialect.quote(column),
                    self.dialect.literal(&load.connection)
                ),
                None => "TRUE".to_string(),
            },
            Scope::Changed { .. } => {
                let columns = self.table.replace_by.iter().map(|c| self.dialect.quote(c));
                let same: Vec<String> = columns
                    .map(|column| format!("g.{column} = {}.{column}", self.itself()))
                    .collect();
                let groups = self.list(&self.table.replace_by);
                let union = match self.dialect.name {
                    "bigquery" => "UNION DISTINCT",
                    _ => "UNION",
                };
                format!(
                    "EXISTS (SELECT 1 FROM (SELECT {groups} FROM {} {union} SELECT {groups} FROM {}) AS g \
                     WHERE {})",
                    self.qualified(&self.names.stage),
                    self.qualified(&self.names.gone),
                    same.join(" AND ")
                )
            }
        }
    }

    fn staged(&self, prefix: &str) -> String {
        let columns = self.table.columns.iter().zip(self.types);
        let columns = columns.map(|(column, of)| {
            let name = format!("{prefix}{}", self.dialect.quote(&column.name));
            self.dialect.from_stage(&name, of)
        });
        columns.collect::<Vec<_>>().join(", ")
    }

    /// Rows that come and rows that go as one source of one statement.
    fn merge(&self, load: &Load) -> String {
        let (target, stage) = (self.target(), self.qualified(&self.names.stage));
        let columns = self.columns();
        let pairs = |left: &str, right: &str| {
            let pairs = self.table.key.iter().map(|name| {
                let name = self.dialect.quote(name);
                format!("{left}.{name} = {right}.{name}")
            });
            pairs.collect::<Vec<_>>().join(" AND ")
        };
        let updates = self.table.columns.iter().map(|column| {
            let name = self.dialect.quote(&column.name);
            format!("t.{name} = n.{name}")
        });
        let values = self.table.columns.iter();
        let values = values.map(|column| format!("n.{}", self.dialect.quote(&column.name)));
        format!(
            "MERGE INTO {target} AS t USING (SELECT {}, FALSE AS `_spendlake_goes` FROM {stage} AS s \
             UNION ALL SELECT {columns}, TRUE FROM {target} WHERE {} \
             AND NOT EXISTS (SELECT 1 FROM {stage} AS s WHERE {})) AS n ON {} \
             WHEN MATCHED AND n.`_spendlake_goes` THEN DELETE \
             WHEN MATCHED THEN UPDATE SET {} \
             WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({})",
            self.staged("s."),
            self.replaced(load),
            pairs("s", &self.itself()),
            pairs("t", "n"),
            updates.collect::<Vec<_>>().join(", "),
            values.collect::<Vec<_>>().join(", ")
        )
    }

    fn write_ledger(&self, load: &Load, row_count: u64) -> Vec<String> {
        let ledger = self.ledger();
        let text = |text: &str| self.dialect.literal(text);
        let of = format!(
            "{} = {} AND {} = {}",
            self.dialect.quote("connection"),
            text(&load.connection),
            self.dialect.quote("table_name"),
            text(&self.table.name)
        );
        let columns = [
            "connection",
            "table_name",
            "lake_table",
            "version",
            "run_id",
            "rows",
            "loaded_at",
        ]
        .map(str::to_string);
        let values = [
            text(&load.connection),
            text(&self.table.name),
            text(&load.to.table_id),
            load.to.number.to_string(),
            text(&load.run_id),
            row_count.to_string(),
            match self.dialect.name {
                "bigquery" => "CURRENT_TIMESTAMP()",
                "redshift" => "GETDATE()",
                _ => "CURRENT_TIMESTAMP",
            }
            .to_string(),
        ];
        vec![
            format!("DELETE FROM {ledger} WHERE {of}"),
            format!(
                "INSERT INTO {ledger} ({}) VALUES ({})",
                self.list(&columns),
                values.join(", ")
            ),
        ]
    }
}
