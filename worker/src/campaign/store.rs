//! The store of shared runs: files, S3, Google Cloud Storage or Azure, by URL. This file alone knows
//! `object_store`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;

use line_connector_campaign::Store;
use line_connector_client::{Error, Kind};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    ObjectStore, ObjectStoreExt as _, ObjectStoreScheme, PutMode, PutPayload, parse_url_opts,
};
use reqwest::Url;
use tokio::runtime::Handle;

/// A store on another machine, or a folder.
pub(super) struct Objects {
    store: Box<dyn ObjectStore>,
    prefix: Path,
    runtime: Handle,
}

impl fmt::Debug for Objects {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Objects")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Objects {
    /// The store of this URL. Credentials come from these variables, those of the cloud's own tools.
    /// It is asked from threads of `runtime` that may wait.
    ///
    /// # Errors
    ///
    /// Where it is no store's URL.
    pub(super) fn new(
        url: &str,
        variables: BTreeMap<String, String>,
        runtime: Handle,
    ) -> Result<Self, Error> {
        let wrong = |reason: &dyn fmt::Display| {
            // A URL may hold credentials.
            let scheme = url.split_once("://").map_or(url, |(scheme, _)| scheme);
            let message = format!("the store {scheme}://… cannot be used: {reason}");
            let hint = "give a URL such as file:///srv/campaigns, s3://bucket/campaigns, gs://bucket/campaigns or az://container/campaigns";
            Error::new(Kind::Usage, message).with_hint(hint)
        };
        let parsed = Url::parse(url).map_err(|error| wrong(&error))?;
        // Other stores are forgotten with this process, or replace what is there.
        let is_known = matches!(
            ObjectStoreScheme::parse(&parsed),
            Ok((
                ObjectStoreScheme::Local
                    | ObjectStoreScheme::AmazonS3
                    | ObjectStoreScheme::GoogleCloudStorage
                    | ObjectStoreScheme::MicrosoftAzure,
                _
            ))
        );
        if !is_known {
            return Err(wrong(&"no store is known by such a URL"));
        }
        if parsed.scheme() == "file"
            && let Ok(folder) = parsed.to_file_path()
        {
            fs::create_dir_all(&folder).map_err(|error| wrong(&error))?;
        }
        let (mut store, prefix) =
            parse_url_opts(&parsed, variables).map_err(|error| wrong(&error))?;
        if parsed.scheme() == "file" {
            // What is told to be written down survives a power cut.
            store = Box::new(LocalFileSystem::new().with_fsync(true));
        }
        Ok(Self {
            store,
            prefix,
            runtime,
        })
    }

    fn place(&self, name: &str) -> Path {
        let parts = self.prefix.parts().map(|part| part.as_ref().to_owned());
        parts.chain(name.split('/').map(str::to_owned)).collect()
    }

    fn put_object(&self, name: &str, bytes: Vec<u8>, mode: PutMode) -> Result<bool, Error> {
        let (place, payload) = (self.place(name), PutPayload::from(bytes));
        let put = self.store.put_opts(&place, payload, mode.into());
        match self.runtime.block_on(put) {
            Ok(_) => Ok(false),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(true),
            Err(error) => Err(unreachable(name, &error)),
        }
    }
}

fn unreachable(name: &str, error: &object_store::Error) -> Error {
    let message = format!("the store does not take or give {name}: {error}");
    Error::new(Kind::Unavailable, message)
        .with_hint("look whether it can be reached, and its credentials")
}

impl Store for Objects {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let place = self.place(name);
        let got = self.runtime.block_on(async {
            let found = self.store.get(&place).await?;
            found.bytes().await
        });
        match got {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(unreachable(name, &error)),
        }
    }

    fn put_new(&self, name: &str, bytes: Vec<u8>) -> Result<bool, Error> {
        self.put_object(name, bytes, PutMode::Create)
    }

    fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        self.put_object(name, bytes, PutMode::Overwrite).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_objects_and_replaces_none_that_are_new() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let url = Url::from_directory_path(folder.path().join("deep/er")).unwrap();
        let variables = BTreeMap::new();
        let store = Objects::new(url.as_str(), variables, runtime.handle().clone()).unwrap();
        assert_eq!(store.get("runs/a/plan").unwrap(), None);
        assert!(!store.put_new("runs/a/plan", b"one".to_vec()).unwrap());
        assert!(store.put_new("runs/a/plan", b"two".to_vec()).unwrap());
        assert_eq!(store.get("runs/a/plan").unwrap().unwrap(), b"one");
        store.put("runs/a/plan", b"three".to_vec()).unwrap();
        assert_eq!(store.get("runs/a/plan").unwrap().unwrap(), b"three");
        assert!(folder.path().join("deep/er/runs/a/plan").is_file());
    }

    #[test]
    fn what_is_no_store_is_told_without_its_secrets() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        for url in ["nowhere", "ftp://user:secret@host/x", "memory:///x"] {
            let refused = Objects::new(url, BTreeMap::new(), runtime.handle().clone());
            let error = refused.unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
            assert!(error.hint.is_some_and(|hint| hint.contains("s3://")));
        }
    }
}
