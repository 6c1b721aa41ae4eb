//! The lake's root: one object store, one prefix, and the names of tables under it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datafusion::execution::object_store::ObjectStoreUrl;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, path::Path};
use secrecy::{ExposeSecret, SecretString};
use url::{Position, Url};

use super::CatalogError;

/// Where the lake lies, as the job says it.
#[derive(Clone, Debug)]
pub struct LakeSettings {
    /// `./lake`, an absolute path, `file://…`, `s3://bucket/prefix` or any scheme of `object_store`.
    pub url: String,
    /// The store's own keys (`aws_region`, `endpoint`, …), passed through unchanged.
    pub options: BTreeMap<String, SecretString>,
}

/// A table's qualified name; its layer is the folder it lies in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    pub layer: String,
    pub name: String,
}

impl TableName {
    pub fn new(layer: impl Into<String>, name: impl Into<String>) -> Self {
        TableName {
            layer: layer.into(),
            name: name.into(),
        }
    }

    /// Reads `layer.name`.
    pub fn parse(text: &str) -> Option<Self> {
        let (layer, name) = text.split_once('.')?;
        Some(TableName::new(layer, name))
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.layer, self.name)
    }
}

/// The opened lake. Cheap to clone.
#[derive(Clone)]
pub struct Lake {
    store: Arc<dyn ObjectStore>,
    root: Url,
    prefix: Path,
    part_bytes: usize,
}

/// Uploads go in parts of this size, the least that S3 takes; each open file holds one.
const PART_BYTES: usize = 5 << 20;

impl Lake {
    /// Opens the store behind `settings`. Nothing is asked of it yet, and nothing created.
    ///
    /// Errors: `CatalogError::Location` for an address that no store understands.
    pub fn open(settings: &LakeSettings) -> Result<Lake, CatalogError> {
        let refuse = |reason: String| CatalogError::Location {
            url: settings.url.clone(),
            reason,
        };
        let root = match Url::parse(&settings.url) {
            Ok(url) if url.scheme().len() > 1 => url,
            _ => local_root(&settings.url).map_err(|e| refuse(e.to_string()))?,
        };
        for key in settings.options.keys() {
            if let Some(reason) = super::options::refused(root.scheme(), key) {
                return Err(refuse(reason));
            }
        }
        let options = settings
            .options
            .iter()
            .map(|(key, value)| (key.clone(), value.expose_secret().to_string()));
        let (store, prefix) =
            object_store::parse_url_opts(&root, options).map_err(|e| refuse(e.to_string()))?;
        Ok(Lake {
            store: Arc::from(store),
            root,
            prefix,
            part_bytes: PART_BYTES,
        })
    }

    /// A lake in a store of the test's own, which takes even small files in parts.
    #[cfg(test)]
    pub(crate) fn of_store(store: Arc<dyn ObjectStore>) -> Lake {
        Lake {
            store,
            root: Url::parse("memory:///lake").expect("an address"),
            prefix: Path::from("lake"),
            part_bytes: 4 << 10,
        }
    }

    /// Files larger than this are uploaded in parts of this size.
    pub fn part_bytes(&self) -> usize {
        self.part_bytes
    }

    /// The store, with `/` at the root of the bucket or file system.
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        self.store.clone()
    }

    /// The lake's address, for messages.
    pub fn url(&self) -> &Url {
        &self.root
    }

    /// Where a table lies, from the store's root.
    pub fn table_path(&self, table: &TableName) -> Path {
        self.prefix
            .clone()
            .join(table.layer.as_str())
            .join(table.name.as_str())
    }

    /// A table's address, as the table format wants it.
    pub fn table_url(&self, table: &TableName) -> Url {
        let mut url = self.root.clone();
        let base = url.path().trim_end_matches('/').to_string();
        url.set_path(&format!("{base}/{}/{}/", table.layer, table.name));
        url
    }

    /// The key under which query sessions find the store.
    pub fn store_url(&self) -> ObjectStoreUrl {
        let text = &self.root[..Position::BeforePath];
        ObjectStoreUrl::parse(text).unwrap_or_else(|_| ObjectStoreUrl::local_filesystem())
    }

    /// Names of the tables of one layer, found by listing its folder.
    pub async fn tables(&self, layer: &str) -> Result<Vec<TableName>, CatalogError> {
        let folder = self.prefix.clone().join(layer);
        let listed = self
            .store
            .list_with_delimiter(Some(&folder))
            .await
            .map_err(|source| CatalogError::Store {
                subject: format!("layer {layer}"),
                source,
            })?;
        let mut names: Vec<_> = listed
            .common_prefixes
            .iter()
            .filter_map(|path| path.filename())
            .map(|name| TableName::new(layer, name))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Where a folder of the lake lies, from the store's root.
    pub fn folder_path(&self, folder: &str) -> Path {
        let parts = folder.split('/');
        parts.fold(self.prefix.clone(), |path, part| path.join(part))
    }

    /// Writes one small file under a folder of the lake.
    pub async fn put_file(
        &self,
        folder: &str,
        name: &str,
        content: Vec<u8>,
    ) -> Result<(), CatalogError> {
        let path = self.folder_path(folder).join(name);
        let put = self.store.put(&path, content.into()).await;
        put.map(|_| ()).map_err(|source| CatalogError::Store {
            subject: format!("{folder}/{name}"),
            source,
        })
    }

    /// The file of a folder whose name sorts last; `None` when there is none.
    pub async fn last_file(&self, folder: &str) -> Result<Option<Vec<u8>>, CatalogError> {
        let failed = |source| CatalogError::Store {
            subject: format!("folder {folder}"),
            source,
        };
        let path = self.folder_path(folder);
        let listed = self
            .store
            .list_with_delimiter(Some(&path))
            .await
            .map_err(failed)?;
        let Some(last) = listed
            .objects
            .into_iter()
            .max_by(|a, b| a.location.cmp(&b.location))
        else {
            return Ok(None);
        };
        let bytes = async { self.store.get(&last.location).await?.bytes().await };
        Ok(Some(bytes.await.map_err(failed)?.to_vec()))
    }

    /// Writes and removes a small object, to learn before any work whether the lake can be written, and
    /// whether the store creates an object only if it is not there: commits rest on it.
    ///
    /// Errors: `CatalogError::Unconditional` for a store that overwrites where it was asked not to.
    pub async fn probe(&self, token: &str) -> Result<(), CatalogError> {
        if let ("file", Ok(folder)) = (self.root.scheme(), self.root.to_file_path()) {
            std::fs::create_dir_all(&folder).map_err(|e| CatalogError::Location {
                url: folder.display().to_string(),
                reason: e.to_string(),
            })?;
        }
        let path = self.prefix.clone().join(format!("_probe_{token}"));
        let failed = |source| CatalogError::Store {
            subject: format!("a write to {}", self.root),
            source,
        };
        let create = || PutOptions::from(PutMode::Create);
        self.store
            .put(&path, "spendlake".into())
            .await
            .map_err(failed)?;
        let second = self
            .store
            .put_opts(&path, "spendlake again".into(), create())
            .await;
        self.store.delete(&path).await.map_err(failed)?;
        match second {
            Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            Ok(_) | Err(object_store::Error::NotImplemented { .. }) => {
                Err(CatalogError::Unconditional {
                    url: self.root.to_string(),
                })
            }
            Err(error) => Err(failed(error)),
        }
    }
}

fn local_root(text: &str) -> std::io::Result<Url> {
    let path = std::path::absolute(text)?;
    // `absolute` keeps `..`; the folder may not exist yet, so it is cleaned by hand.
    let mut clean = std::path::PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            std::path::Component::CurDir => {}
            other => clean.push(other),
        }
    }
    Url::from_directory_path(&clean)
        .map_err(|()| std::io::Error::other(format!("`{text}` is not a path")))
}
